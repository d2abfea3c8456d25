from __future__ import annotations

import doctest
import re

import pytest

from choria_lifecycle.tally.web import charts


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ([], "none"),
        ([0, 0], "none"),
        ([0, 1], "peak 1 a minute, just now"),
        ([5, 1, 5, 0], "peak 5 a minute, 1 min ago"),
    ],
)
def test_describe_peak(counts: list[int], text: str) -> None:
    assert charts.describe_peak(counts) == text


def test_docstring_examples() -> None:
    failed, tried = doctest.testmod(charts)
    assert (failed, tried > 0) == (0, True)


@pytest.mark.parametrize(
    ("part", "whole", "width"),
    [(0, 0, "0.0"), (0, 5, "0.0"), (5, 0, "0.0"), (1, 100_000, "0.6"), (1, 3, "33.3"), (7, 7, "100.0")],
)
def test_a_share_is_visible_unless_it_is_nothing(part: int, whole: int, width: str) -> None:
    assert f'<rect width="{width}" height="8">' in charts.share_bar(part, whole)


def test_bars_are_as_high_as_their_share_of_the_highest() -> None:
    svg = charts.minute_bars([0, 1, 1000, 500], "Sta<rt>ed")
    bars = re.findall(r'<rect x="(\d+)" y="([\d.]+)" width="3" height="([\d.]+)">', svg)
    assert bars == [("4", "38.5", "1.5"), ("8", "0", "40"), ("12", "20", "20")]
    assert 'viewBox="0 0 15 40"' in svg
    assert 'aria-label="Sta&lt;rt&gt;ed in each of the last 4 minutes: peak 1,000 a minute, 1 min ago"' in svg


def test_a_chart_of_zeros_has_no_bars() -> None:
    svg = charts.minute_bars([0] * 60, "Stopped")
    assert "<rect" not in svg
    assert "Stopped in each of the last 60 minutes: none" in svg
