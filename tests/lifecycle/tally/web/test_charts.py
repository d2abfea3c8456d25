from __future__ import annotations

import doctest

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
