"""Parse Choria's configuration syntax: lines of `key = value`, and values of ten kinds.

As Choria does, quirks included (go-choria, config/util.go, confkey/confkey.go, internal/util/util.go). Nothing here
reads a file or the environment.
"""

from __future__ import annotations

import os
import re
import struct
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KINDS", "ConfigLine", "IgnoredLine", "ValueKind", "convert", "read_lines"]

ValueKind = Literal[
    "string",
    "int",
    "bool",
    "duration",
    "path_string",
    "title_string",
    "comma_split",
    "colon_split",
    "path_split",
    "strings",
]
"""The ways to parse a value's text, named after Choria's own tags where it has them."""

KINDS: tuple[ValueKind, ...] = get_args(ValueKind)

# Go's whitespace; Python's str.strip and \s match more characters.
_BLANK = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_BLANK_OF_EXPRESSIONS = "\t\n\f\r "

# Go's line scanner stops silently at a line that exceeds its buffer.
_MAX_LINE_BYTES = 65_535


class ConfigLine(NamedTuple):
    """A setting.

    Attributes:
        number: the line number, from 1.
        key: the text before the first `=`; not empty.
        value: the text after it, including any `=` and `#`; not empty.
    """

    number: int
    key: str
    value: str


class IgnoredLine(NamedTuple):
    """A line that Choria ignores although it is neither blank nor a comment.

    Attributes:
        number: the line number, from 1.
        reason: the reason and the remedy, without the line's text, which may hold a secret.
    """

    number: int
    reason: str


def read_lines(text: str) -> tuple[list[ConfigLine], list[IgnoredLine]]:
    """Return the settings in a file's text, and the lines that are ignored.

    There are no quotes and no continuation lines; only a line that begins with `#` is a comment.
    """
    lines: list[ConfigLine] = []
    ignored: list[IgnoredLine] = []
    if text.startswith("\ufeff"):
        ignored.append(
            IgnoredLine(1, "a byte order mark, which Choria reads as part of the first line; save the file without it")
        )
    for number, raw in enumerate(text.split("\n"), 1):
        if len(raw.encode(errors="replace")) > _MAX_LINE_BYTES:
            ignored.append(
                IgnoredLine(
                    number,
                    f"a line of more than {_MAX_LINE_BYTES} bytes, where Choria stops reading the file; shorten it",
                )
            )
            break
        line = raw.strip(_BLANK)
        if not line or line.startswith("#"):
            continue
        # A key has at least one character, so an "=" at the beginning belongs to it.
        at = line.find("=", 1)
        if at < 0:
            ignored.append(IgnoredLine(number, 'not a setting, without "=": write key = value, or # before a comment'))
        elif at == len(line) - 1:
            ignored.append(
                IgnoredLine(number, "no value, so the line has no effect; give it a value or remove the line")
            )
        else:
            key, value = line[:at].rstrip(_BLANK_OF_EXPRESSIONS), line[at + 1 :].lstrip(_BLANK_OF_EXPRESSIONS)
            lines.append(ConfigLine(number, key, value))
    return lines, ignored


def convert(kind: ValueKind, text: str, *, home: str = "") -> Any:
    """Return the value of a text: a str, int, bool, a float for a duration in seconds, or a tuple of str.

    Args:
        kind: how to parse the text.
        text: the text as written in a file.
        home: the home directory, for a path that begins with `~`, or empty.

    Raises:
        ValueError: the text cannot be parsed; the message continues a sentence about it, as in "is not an integer".
    """
    return _path(text, home) if kind == "path_string" else _CONVERSIONS[kind](text)


def _path(text: str, home: str) -> str:
    """Expand a path. A leading `~` always stands for the home directory, even in `~root`."""
    path = text.strip(_BLANK)
    if not path.startswith("~"):
        return path
    if not home:
        raise ValueError("begins with ~, and HOME is not set: write the full path")
    return home + path[1:]


def _integer(text: str) -> int:
    # Longer ones exceed 64 bits, and int() rejects very long ones with a message of its own.
    number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,1000}", text) else None
    if number is None or not -(2**63) <= number < 2**63:
        raise ValueError("is not an integer")
    return number


def _boolean(text: str) -> bool:
    word = text.strip(_BLANK).lower()
    if word in {"1", "yes", "true", "y", "t"}:
        return True
    if word in {"0", "no", "false", "n", "f"}:
        return False
    raise ValueError("is neither true nor false")


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _items(separator: str) -> Callable[[str], tuple[str, ...]]:
    return lambda text: tuple(item.strip(_BLANK) for item in text.split(separator))


_HOURS = {"w": 168, "W": 168, "d": 24, "D": 24, "M": 720, "y": 8760, "Y": 8760}
_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "\xb5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]+)?")
_PART = re.compile(r"(?=\.?[0-9])([0-9]*+)(?:\.([0-9]*+))?([^.0-9]+)")
_NOT_A_DURATION = "is not a duration: write seconds, or a number with a unit, such as 30s, 2m or 1h30m"


def _duration(text: str) -> float:
    """Return a duration in seconds.

    Digits alone are seconds. A text that ends in w, d, M or y is one number, truncated to whole hours; any other is a
    sequence of numbers with the units h, m, s, ms, us and ns.
    """
    try:
        nanoseconds = _nanoseconds(text)
    except OverflowError:
        nanoseconds = 2**63
    if not -(2**63) <= nanoseconds < 2**63:
        raise ValueError("is longer than 292 years, the longest duration")
    return nanoseconds / 1e9


def _nanoseconds(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,1000}", text):
        return int(text) * _NANOSECONDS["s"]
    text = text.strip(_BLANK)
    hours = _HOURS.get(text[-1:])
    if hours is not None:
        if not _DECIMAL.fullmatch(text, 0, len(text) - 1):
            raise ValueError(_NOT_A_DURATION)
        # Go parses it as float32: 0.7M is 503 hours, not 504.
        number: float = struct.unpack("f", struct.pack("f", float(text[:-1])))[0]
        return int(number * hours) * _NANOSECONDS["h"]
    if not text:
        return 0
    sign, at, total = -1 if text.startswith("-") else 1, 1 if text[:1] in {"-", "+"} else 0, 0
    if at == len(text):
        raise ValueError(_NOT_A_DURATION)
    while at < len(text):
        part = _PART.match(text, at)
        unit = _NANOSECONDS.get(part[3]) if part else None
        if part is None or unit is None or len(part[1]) > 1000:
            raise ValueError(_NOT_A_DURATION)
        fraction = (part[2] or "")[:18]
        total += int(part[1] or 0) * unit + int(float(fraction or 0) * (unit / 10 ** len(fraction)))
        at = part.end()
    return sign * total


_CONVERSIONS: dict[ValueKind, Callable[[str], Any]] = {
    "string": str,
    "int": _integer,
    "bool": _boolean,
    "duration": _duration,
    "title_string": _title,
    "comma_split": _items(","),
    "colon_split": _items(":"),
    "path_split": _items(os.pathsep),
    "strings": lambda text: (text.strip(_BLANK),),
}
