"""Wrapping of lines that are wider than the terminal."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["wrap"]

_CONTINUATION: Final = "    | "
_MIN_COLUMNS: Final = len(_CONTINUATION) + 2

# A character, or a colour code, which has no width. Untrusted text contains no escape sequences at this point.
_split_units = re.compile(r"\x1b\[[0-9;]*m|.", re.DOTALL).findall


def wrap(text: str, columns: int) -> str:
    """Wrap a line at the width of the terminal, and mark its continuation rows.

    If the terminal wrapped it, an event could be crafted so that its second row looks like a separate line.

    Args:
        text: a line, safe to show; it may contain colour codes.
        columns: the width of the terminal.

    >>> print(wrap("12:00:00 [startup] n1: server 12:00:01 [shutdown] n2: server", 35))
    12:00:00 [startup] n1: server 12:00
        | :01 [shutdown] n2: server
    """
    columns = max(columns, _MIN_COLUMNS)
    if len(text) <= columns and text.isascii():
        return text
    rows, row, used = [], "", 0
    for unit in _split_units(text):
        # Terminals disagree on the width of some characters; none is wider than two columns.
        width = 0 if unit.startswith("\x1b") else 1 if unit.isascii() else 2
        if used + width > columns:
            rows.append(row)
            row, used = _CONTINUATION, len(_CONTINUATION)
        row += unit
        used += width
    return "\n".join([*rows, row])
