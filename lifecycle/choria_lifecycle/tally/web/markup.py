"""HTML in which untrusted text cannot become markup, and readable numbers and times.

    tag("p", "from ", tag("b", identity), class_="node")

Any string that is not `Html` is text: made safe by `text.safe`, and escaped.
"""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final

from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Html", "age", "join", "number", "percent", "plural", "tag", "time_tag", "untrusted_text"]

# Characters shown of an untrusted name.
_MAX_NAME_LENGTH: Final = 128

_VOID: Final = frozenset({"link", "meta"})


class Html(str):
    """Markup that is already escaped."""

    __slots__ = ()


def tag(name: str, /, *content: str, **attributes: str) -> Html:
    """Return an element.

    Args:
        name: its name.
        content: markup, or text, which is escaped.
        attributes: its attributes; `class_` and `aria_label` become `class` and `aria-label`. Values are escaped.
    """
    start = "".join(f' {key.strip("_").replace("_", "-")}="{_text(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{start}>")
    return Html(f"<{name}{start}>{join(content)}</{name}>")


def untrusted_text(name: str, /, **attributes: str) -> Html:
    """Return an element with an untrusted name, truncated, and isolated from the direction of the text around it."""
    return tag("bdi", safe(name, _MAX_NAME_LENGTH), **attributes)


def join(parts: Iterable[str]) -> Html:
    """Concatenate markup and text, which is escaped."""
    return Html("".join(part if isinstance(part, Html) else _text(part) for part in parts))


def number(value: int) -> str:
    """Return a number with thousands separators.

    >>> number(1234567)
    '1,234,567'
    """
    return f"{value:,}"


def plural(value: int, one: str, many: str = "") -> str:
    """Return a number with its noun or verb.

    >>> plural(1, "node"), plural(2000, "node"), plural(2, "is", "are")
    ('1 node', '2,000 nodes', '2 are')
    """
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def percent(part: int, whole: int) -> str:
    """Return a percentage that is rounded to neither 0 nor 100.

    >>> percent(1, 3), percent(1, 5000), percent(4999, 5000), percent(5, 5)
    ('33.3 %', '<0.1 %', '>99.9 %', '100 %')
    """
    if part == whole:
        return "100 %"
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "<0.1 %"
    return ">99.9 %" if share > 99.9 else f"{share:.1f} %"


def age(seconds: float) -> str:
    """Return how long ago something was, in one unit.

    >>> age(0.4), age(59), age(125), age(7200), age(200000)
    ('just now', '59 s ago', '2 min ago', '2 h ago', '2 d ago')
    """
    if seconds < 1:
        return "just now"
    for size, unit, most in ((1, "s", 120), (60, "min", 120), (3600, "h", 48)):
        if seconds < size * most:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds / 86400:.0f} d ago"


def time_tag(when: float, content: str = "", *, seconds: bool = False) -> Html:
    """Return a `time` element.

    Args:
        when: the time in Unix seconds.
        content: the text to show; the time in UTC by default.
        seconds: show seconds too.
    """
    try:
        stated = datetime.fromtimestamp(when, UTC)
    except (ValueError, OverflowError, OSError):  # the clock is wrong
        return tag("span", content or "at an unknown time")
    shown = stated.strftime("%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC")
    return tag("time", content or shown, datetime=stated.strftime("%Y-%m-%dT%H:%M:%SZ"), title=shown)


def _text(value: str) -> str:
    return escape(safe(value))
