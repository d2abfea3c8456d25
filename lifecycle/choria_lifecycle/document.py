"""Bytes from anywhere, read as one JSON document or refused with the reason.

The rules are those of RFC 8259, read strictly, and two of ours: a document has a greatest size, and a greatest depth.
Both are far beyond what any event needs and far below what harms a reader.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from choria_lifecycle.errors import InvalidEvent

__all__ = ["FLAT", "MAX_DEPTH", "MAX_SIZE", "is_shallow", "octets", "read"]

MAX_SIZE: Final = 65536
"""The greatest size of a document in bytes, unless another is asked for; an event has a few hundred."""

MAX_DEPTH: Final = 256
"""How deep arrays and objects may be nested; events need two levels, and Python's own limit varies with the caller."""

FLAT: Final = 2 * MAX_DEPTH
"""A document of no more than this many bytes cannot be nested too deeply: each level takes two."""

# A string that is never closed goes on to the end; without that, each quote in it would be tried as a beginning of its
# own, each time to the end.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_syntax = msgspec.json.Decoder(msgspec.Raw).decode


def octets(data: bytes | bytearray | memoryview | str) -> bytes:
    """Return what was received as bytes; text is encoded in UTF-8.

    Raises:
        InvalidEvent: text holds lone surrogates.
        TypeError: it is neither bytes nor text.
    """
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError as cause:
            message = f"the text has a lone surrogate at character {cause.start}, which UTF-8 cannot carry"
            raise InvalidEvent(message, rule="utf-8") from None
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"an event is read from bytes or text, not from {type(data).__name__}")


def is_shallow(raw: bytes) -> bool:
    """Tell whether nothing in the document is nested deeper than `MAX_DEPTH`; linear in its size."""
    if len(raw) <= FLAT or raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return True
    depth = 0
    for byte in _STRING.sub(b"", raw):
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return False
        elif byte in b"]}":
            depth -= 1
    return True


def read(raw: bytes, max_size: int = MAX_SIZE) -> Any:
    """Return the JSON document that the bytes are, as json.loads would.

    Of duplicate keys the last one counts. Numbers too large for a double become infinite; integers of more than 400
    digits become 10 to the power of 400.

    Raises:
        InvalidEvent: with one of the rules `size`, `utf-8`, `depth` and `json`.
    """
    if len(raw) > max_size:
        raise InvalidEvent(f"{len(raw)} bytes are more than the {max_size} that are allowed", rule="size")
    try:
        text = raw.decode()
    except UnicodeDecodeError as cause:
        message = f"byte {cause.start} (0x{raw[cause.start]:02x}) is no UTF-8: {cause.reason}"
        raise InvalidEvent(message, rule="utf-8") from None
    if not is_shallow(raw):
        raise InvalidEvent(f"arrays and objects are nested deeper than {MAX_DEPTH} levels", rule="depth")
    try:
        document = json.loads(text, parse_constant=_constant, parse_int=_integer)
        _syntax(raw)
    except RecursionError:
        # Only a caller that is itself close to the interpreter's limit gets here.
        raise InvalidEvent("arrays and objects are nested too deeply to be read here", rule="depth") from None
    except json.JSONDecodeError as cause:
        where = f"line {cause.lineno} column {cause.colno}"
        raise InvalidEvent(f"this is no JSON: {cause.msg.removesuffix(' at')} at {where}", rule="json") from None
    except msgspec.DecodeError:
        # What the standard library lets pass and JSON text in UTF-8 cannot mean.
        raise InvalidEvent("this is no JSON: a \\u escape is half of a surrogate pair", rule="json") from None
    except ValueError as cause:
        raise InvalidEvent(f"this is no JSON: {cause}", rule="json") from None
    return document


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _integer(digits: str) -> int:
    # Python refuses, and needs quadratic time for, integers of thousands of digits; all of them are out of any range.
    if len(digits) <= 400:
        return int(digits)
    return -_BEYOND if digits.startswith("-") else _BEYOND


_BEYOND: Final = 10**400
