from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.cli.wrapping import wrap


@pytest.mark.parametrize("text", ["", "x" * 80, "é" * 40, "\x1b[32m" + "x" * 80 + "\x1b[0m"])
def test_a_line_that_fits_is_unchanged(text: str) -> None:
    assert wrap(text, 80) == text


@given(text=st.text(st.sampled_from("ab :[é漢"), max_size=200), columns=st.integers(0, 90))
def test_continuation_rows_are_marked(text: str, columns: int) -> None:
    first, *rest = wrap(f"\x1b[32m{text}\x1b[0m", columns).split("\n")
    assert all(row.startswith("    | ") for row in rest)
    plain = re.sub(r"\x1b\[\d+m", "", first) + "".join(re.sub(r"\x1b\[\d+m", "", row[6:]) for row in rest)
    assert plain == text
    for row in [first, *rest]:
        shown = re.sub(r"\x1b\[\d+m", "", row)
        assert sum(1 if char.isascii() else 2 for char in shown) <= max(columns, 8)
