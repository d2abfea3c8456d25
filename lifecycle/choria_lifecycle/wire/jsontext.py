"""Bytes from anywhere, read as one JSON document or refused with the reason.

The rules are those of RFC 8259, read strictly, and two of ours: a document has a greatest size, and a greatest depth.
Both are far beyond what any event needs and far below what harms a reader.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MAX_DEPTH",
    "MAX_SIZE",
    "SHALLOW_SIZE",
    "Trail",
    "duplicate_keys",
    "is_shallow",
    "is_truncated",
    "json_path",
    "read_json",
    "to_bytes",
    "too_large_message",
    "walk",
]

MAX_SIZE: Final = 65536
"""The greatest size of a document in bytes, unless another is asked for; an event has a few hundred."""

MAX_DEPTH: Final = 256
"""How deep arrays and objects may be nested; events need two levels, and Python's own limit varies with the caller."""

SHALLOW_SIZE: Final = 2 * MAX_DEPTH
"""A document of no more than this many bytes cannot be nested too deeply: each level takes two."""

# A string that is never closed goes on to the end; without that, each quote in it would be tried as a beginning of its
# own, each time to the end.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:(")|\\?\Z)', re.DOTALL)
_check_syntax = msgspec.json.Decoder(msgspec.Raw).decode


def to_bytes(data: bytes | bytearray | memoryview | str) -> bytes:
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


def too_large_message(size: int, limit: int) -> str:
    """Return what to say of a document that has more bytes than are allowed."""
    return f"{size} bytes are more than the {limit} that are allowed; an event has a few hundred"


def is_shallow(raw: bytes) -> bool:
    """Tell whether nothing in the document is nested deeper than `MAX_DEPTH`; linear in its size."""
    if len(raw) <= SHALLOW_SIZE or raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return True
    depth = 0
    for byte in _STRINGS.sub(b"", raw):
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return False
        elif byte in b"]}":
            depth -= 1
    return True


def read_json(raw: bytes, max_size: int = MAX_SIZE) -> Any:
    """Return the JSON document that the bytes are, as json.loads would.

    Of duplicate keys the last one counts. Numbers too large for a double become infinite; integers of more than 400
    digits become 10 to the power of 400.

    Raises:
        InvalidEvent: with one of the rules `size`, `utf-8`, `depth` and `json`.
    """
    if len(raw) > max_size:
        raise InvalidEvent(too_large_message(len(raw), max_size), rule="size")
    try:
        text = raw.decode()
    except UnicodeDecodeError as cause:
        message = f"byte {cause.start} (0x{raw[cause.start]:02x}) is no UTF-8: {cause.reason}"
        is_utf_16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        message += "; it looks like UTF-16, write UTF-8" if is_utf_16 else "; write the document in UTF-8"
        raise InvalidEvent(message, rule="utf-8") from None
    if text.startswith("\ufeff"):
        message = "it begins with a byte order mark (EF BB BF), which JSON does not have; write UTF-8 without one"
        raise InvalidEvent(message, rule="json")
    if not is_shallow(raw):
        raise InvalidEvent(
            f"arrays and objects are nested deeper than {MAX_DEPTH} levels; events need two", rule="depth"
        )
    try:
        document = _decode(text)
        _check_syntax(raw)
    except RecursionError:
        # Only a caller that is itself close to the interpreter's limit gets here.
        raise InvalidEvent("arrays and objects are nested too deeply to be read here", rule="depth") from None
    except json.JSONDecodeError as cause:
        where = f"line {cause.lineno} column {cause.colno}" if "\n" in text else f"column {cause.colno}"
        if not text.strip(_WHITESPACE):
            raise InvalidEvent("the document is empty; an event is a JSON object", rule="json") from None
        raise InvalidEvent(f"this is no JSON: {cause.msg.removesuffix(' at')} at {where}", rule="json") from None
    except msgspec.DecodeError:
        # What the standard library lets pass and JSON text in UTF-8 cannot mean.
        raise InvalidEvent(
            "this is no JSON: a \\u escape is half of a surrogate pair; write both halves, or the character itself",
            rule="json",
        ) from None
    except ValueError as cause:
        raise InvalidEvent(f"this is no JSON: {cause}", rule="json") from None
    return document


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _parse_integer(digits: str) -> int:
    # Python refuses, and needs quadratic time for, integers of thousands of digits; all of them are out of any range.
    if len(digits) <= 400:
        return int(digits)
    return -_HUGE if digits.startswith("-") else _HUGE


_HUGE: Final = 10**400
_WHITESPACE: Final = " \t\r\n"
_decode = json.JSONDecoder(parse_constant=_reject_constant, parse_int=_parse_integer).decode


def is_truncated(raw: bytes) -> bool:
    """Tell whether the bytes are a document whose end is missing: a string, an array or an object is still open."""
    rest = _STRINGS.sub(_drop_closed, raw)
    return b'"' in rest or rest.count(b"{") + rest.count(b"[") > rest.count(b"}") + rest.count(b"]")


def _drop_closed(string: re.Match[bytes]) -> bytes:
    """Leave nothing of a string, and a quote of one that is not closed."""
    return b"" if string[1] else b'"'


# A path is made only for the few places that are shown: a hostile document has many, deep down.
Trail: TypeAlias = tuple[Any, ...]


def walk(document: object) -> Iterator[tuple[object, Trail]]:
    """Return every value within a document, itself first, and where it is; see `json_path`."""
    found: list[tuple[object, Trail]] = [(document, ())]
    while found:  # not recursive, as a caller may be close to the interpreter's limit
        item, trail = found.pop()
        yield item, trail
        if isinstance(item, dict):
            found += [(inner, _append_step(trail, ".{}", key)) for key, inner in item.items()]
        elif isinstance(item, list):
            found += [(inner, _append_step(trail, "[{}]", index)) for index, inner in enumerate(item)]


def _append_step(trail: Trail, form: str, step: object) -> Trail:
    depth = trail[3] if trail else 0
    if depth > _MAX_STEPS:
        return trail
    return trail, form if depth < _MAX_STEPS else "…", step, depth + 1


def json_path(trail: Trail) -> str:
    """Return the JSON path of a place below the document, safe to show; the end of a long one is cut off."""
    steps: list[str] = []
    while trail:
        trail, form, step, _ = trail
        steps.append(form.format(safe(str(step), _MAX_STEP_LENGTH)))
    return safe("".join(reversed(steps)), _MAX_PATH_LENGTH)


def duplicate_keys(raw: bytes, most: int) -> list[tuple[str, str]]:
    """Return the keys that are in an object more than once, each with the JSON path of that object below the document.

    Args:
        raw: a document that `read_json` reads.
        most: how many to look for.
    """
    doubled = False

    def gather(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        doubled = True
        return _ObjectWithDuplicates(pairs)

    document = json.loads(raw, object_pairs_hook=gather, parse_int=_zero)
    if not doubled:
        return []
    found = (
        (json_path(trail), safe(key, _MAX_STEP_LENGTH))
        for item, trail in walk(document)
        if isinstance(item, _ObjectWithDuplicates)
        for key in item.repeated
    )
    return sorted(islice(found, most))


class _ObjectWithDuplicates(dict[str, Any]):
    """An object in which a key is more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def _zero(digits: str) -> int:  # noqa: ARG001 - the decoder's signature
    return 0


_MAX_STEPS: Final = 20
_MAX_STEP_LENGTH: Final = 60
_MAX_PATH_LENGTH: Final = 200
