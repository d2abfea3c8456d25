"""Foreign text made safe to show.

Whatever arrives from the network may hold terminal escapes, newlines that forge a line, or bidirectional controls that
turn a line around. Text goes through here at the moment it becomes something to read, and nowhere else: events keep
what they were sent.
"""

from __future__ import annotations

import json
import re

__all__ = ["quoted", "safe", "visible_json"]

_ELLIPSIS = "…"
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


def safe(text: str, limit: int | None = None) -> str:
    r"""Return text on one line, with everything that is not plainly visible written as an escape.

    Escaped are the control characters (C0, DEL, C1), line and paragraph separators, bidirectional and other format
    characters, lone surrogates, private and unassigned code points, and spaces other than U+0020.

    Args:
        text: anything.
        limit: the most characters of `text` to show; an ellipsis marks the cut. None shows all.

    >>> safe("server\x1b[2J\n10:00:00 [startup] forged")
    'server\\x1b[2J\\n10:00:00 [startup] forged'
    """
    if limit is not None and len(text) > limit:
        return safe(text[:limit]) + _ELLIPSIS
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def quoted(value: object, limit: int = 60) -> str:
    """Return a value out of a JSON document as short, safe JSON text for a message.

    Args:
        value: what json.loads can return; anything else is shown as well as it can be.
        limit: the most characters to show; an ellipsis marks the cut.

    >>> quoted({"a": [1, None]})
    '{"a": [1, null]}'
    """
    if isinstance(value, str):
        # Cut before quoting: the closing quote belongs to the message, not to the foreign text.
        inner = json.dumps(value[:limit], ensure_ascii=False)[1:-1]
        return f'"{safe(inner)}{_ELLIPSIS if len(value) > limit else ""}"'
    try:
        text = json.dumps(value, ensure_ascii=False, default=repr)
    except Exception:  # noqa: BLE001 - whatever Python code can be given: values within themselves, a repr that raises
        return f"a value of type {type(value).__name__}"
    return safe(text, limit)


def visible_json(line: str) -> str:
    r"""Return JSON that says the same, with everything that is not plainly visible written as an escape of JSON.

    JSON lets DEL, C1 and bidirectional controls through.

    Args:
        line: a JSON text on one line, without whitespace outside of its strings other than spaces.

    >>> visible_json('{"identity":"\x9b31mn1"}')
    '{"identity":"\\u009b31mn1"}'
    """
    # Outside of strings there is nothing but visible ASCII.
    return line if line.isprintable() else _NOT_ASCII.sub(_json_escape, line)


def _json_escape(found: re.Match[str]) -> str:
    char = found[0]
    if char.isprintable():
        return char
    units = char.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
