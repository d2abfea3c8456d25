"""Escaping of untrusted text for display.

Text from the network may contain terminal escapes, newlines that forge a line, or bidirectional controls that reverse
one. It is escaped only when it is displayed: events keep the text they were sent with.
"""

from __future__ import annotations

import json
import re

__all__ = ["quoted", "safe", "visible_json"]

_ELLIPSIS = "…"
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


def safe(text: str, limit: int | None = None) -> str:
    r"""Return text on one line, with all non-printable characters escaped.

    These are control characters (C0, DEL, C1), line and paragraph separators, bidirectional and other format
    characters, lone surrogates, private and unassigned code points, and spaces other than U+0020.

    Args:
        text: the untrusted text.
        limit: the maximum number of characters of `text` to show, followed by an ellipsis; None shows all.

    >>> safe("server\x1b[2J\n10:00:00 [startup] forged")
    'server\\x1b[2J\\n10:00:00 [startup] forged'
    """
    if limit is not None and len(text) > limit:
        return safe(text[:limit]) + _ELLIPSIS
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def quoted(value: object, limit: int = 60) -> str:
    """Return a JSON value as short, safe JSON text for a message.

    Args:
        value: a value as json.loads returns it; any other is shown by its repr or type.
        limit: the maximum number of characters to show, followed by an ellipsis.

    >>> quoted({"a": [1, None]})
    '{"a": [1, null]}'
    """
    if isinstance(value, str):
        # Truncate before quoting, so that the closing quote is always there.
        inner = json.dumps(value[:limit], ensure_ascii=False)[1:-1]
        return f'"{safe(inner)}{_ELLIPSIS if len(value) > limit else ""}"'
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except Exception:  # noqa: BLE001 - any object: circular references, a repr that raises
        return f"a value of type {type(value).__name__}"
    return safe(text, limit)


def visible_json(line: str) -> str:
    r"""Return equivalent JSON with all non-printable characters written as JSON escapes.

    JSON itself permits DEL, C1 and bidirectional controls in strings.

    Args:
        line: JSON on one line, with no whitespace outside of strings but spaces.

    >>> visible_json('{"identity":"\x9b31mn1"}')
    '{"identity":"\\u009b31mn1"}'
    """
    # Outside of strings, JSON consists of printable ASCII.
    return line if line.isprintable() else _NOT_ASCII.sub(_json_escape, line)


def _json_escape(found: re.Match[str]) -> str:
    char = found[0]
    if char.isprintable():
        return char
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
