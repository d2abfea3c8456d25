"""Lines on a terminal that is not as wide as they are."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["wrap"]

_CONTINUATION: Final = "    | "
_MIN_COLUMNS: Final = len(_CONTINUATION) + 2

# One of the colours of our own, which takes no room, or a character. Foreign text has no escapes left.
_split_units = re.compile(r"\x1b\[[0-9;]*m|.", re.DOTALL).findall


def wrap(text: str, columns: int) -> str:
    """Return a line, broken and marked where the terminal would break it.

    Where the terminal does, the rest begins at the left edge, and an event could be written so that its rest looks like
    a line of its own.

    Args:
        text: a line, safe to show; it may be coloured.
        columns: how wide the terminal is.

    >>> print(fitted("12:00:00 [startup] n1: server 12:00:01 [shutdown] n2: server", 35))
    12:00:00 [startup] n1: server 12:00
        | :01 [shutdown] n2: server
    """
    columns = max(columns, _MIN_COLUMNS)
    if len(text) <= columns and text.isascii():
        return text
    rows, row, used = [], "", 0
    for unit in _split_units(text):
        # How wide a character is, terminals do not agree on; none is wider than two.
        width = 0 if unit.startswith("\x1b") else 1 if unit.isascii() else 2
        if used + width > columns:
            rows.append(row)
            row, used = _CONTINUATION, len(_CONTINUATION)
        row += unit
        used += width
    return "\n".join([*rows, row])
