from __future__ import annotations

import inspect
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.cli.progress import Progress


def half(**settings: object) -> Progress:
    return Progress(
        **{  # type: ignore[arg-type]
            "started": 100.0,
            "name": "events.ndjson",
            "size": 466_000_000,
            "position": 210_000_000,
            "documents": 3_125_000,
            **settings,
        }
    )


def test_a_file() -> None:
    text = "events.ndjson  45 %  210 MB of 466 MB  1,250,000 events/s  0:03 left"
    assert half().render(102.5) == f"{text}  [###----]"
    assert half().render(102.5, 120) == f"{text}  [#############-----------------]"
    assert half().render(102.5, 77) == text


def test_the_example_in_the_docstring() -> None:
    progress = Progress(started=0.0, name="a.ndjson", size=400_000_000, position=100_000_000, documents=500_000)
    assert repr(progress.render(2.0)) in (inspect.getdoc(Progress.render) or "").splitlines()


def test_a_pipe_of_unknown_length() -> None:
    assert half(name="standard input", size=None).render(102.5) == "standard input  210 MB  1,250,000 events/s"


def test_a_file_without_a_name() -> None:
    text = half(name="").render(102.5)
    assert text is not None
    assert text.startswith("45 %  210 MB")


def test_the_line_appears_after_a_second_and_is_updated_ten_times_a_second() -> None:
    progress = half()
    times = [100 + count / 100 for count in range(300)]
    shown = [now for now in times if progress.render(now) is not None]
    assert shown[0] == 101
    assert len(shown) == pytest.approx(20, abs=1)
    assert min(later - earlier for earlier, later in pairwise(shown)) >= 0.09


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"position": 0, "documents": 0}, "0 %  0 B of 466 MB  0 events/s"),
        ({"position": 465_999_999}, "99 %  466 MB of 466 MB  3,125 events/s  0:00 left"),
        ({"position": 500_000_000}, "100 %  500 MB of 466 MB  3,125 events/s  0:00 left"),
        ({"position": 466_000}, "0 %  466 kB of 466 MB  3,125 events/s  277:30:00 left"),
        ({"position": 9_320_000}, "2 %  9.3 MB of 466 MB  3,125 events/s  13:36:40 left"),
        ({"size": 0, "position": 0, "documents": 0}, "0 B  0 events/s"),
        ({"size": 2 * 10**15, "position": 10**15}, "50 %  1000 TB of 2000 TB  3,125 events/s  16:40 left"),
        ({"size": 9_960, "position": 999}, "10 %  999 B of 10.0 kB  3,125 events/s  2:29:30 left"),
    ],
)
def test_figures(settings: dict[str, object], text: str) -> None:
    found = half(name="", **settings).render(1100.0, 60)
    assert found is not None
    assert re.sub(r"  \[[#-]+\]$", "", found) == text


def test_a_narrow_terminal_shows_the_end_of_the_name_or_none() -> None:
    name = "archive/2026/11/events.ndjson"
    assert half(name=name).render(102.5, 74) == (
        "…11/events.ndjson  45 %  210 MB of 466 MB  1,250,000 events/s  0:03 left"
    )
    assert half(name=name).render(102.5, 60) == "45 %  210 MB of 466 MB  1,250,000 events/s  0:03 left"
    assert half(name=name).render(102.5, 21) == "45 %  210 MB of 466 "


@given(
    name=st.text(st.sampled_from("ab/é漢\x1b\n\u202e\ud800"), max_size=300) | st.text(),
    columns=st.integers(1, 300),
    size=st.none() | st.integers(0, 10**15),
    position=st.integers(0, 10**15),
)
def test_the_line_fits_and_is_printable(name: str, columns: int, size: int | None, position: int) -> None:
    text = half(name=name, size=size, position=position).render(102.5, columns)
    assert text is not None
    assert text.isprintable()
    assert sum(1 if char.isascii() else 2 for char in text) <= max(columns - 1, 0)
