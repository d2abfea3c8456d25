"""Strict parsing of untrusted bytes as one JSON document.

The rules are those of RFC 8259, plus a maximum size and a maximum depth. Both limits are far beyond what an event needs
and far below what harms a reader.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import msgspec

from choria_lifecycle.support.text import safe
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.syntax import JSONSyntaxError, constant, lone_surrogate, translate

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BOM",
    "MAX_DEPTH",
    "MAX_SIZE",
    "MAX_STEP_LENGTH",
    "SHALLOW_SIZE",
    "TOO_DEEP_FOR_STACK",
    "SupportsBuffer",
    "Trail",
    "duplicate_keys",
    "error_line",
    "is_shallow",
    "is_truncated",
    "json_path",
    "read_json",
    "to_bytes",
    "too_large_message",
    "walk",
]

BOM: Final = b"\xef\xbb\xbf"
"""The byte order mark in UTF-8."""

MAX_SIZE: Final = 65536
"""The default maximum size of a document in bytes; an event has a few hundred."""

MAX_DEPTH: Final = 256
"""The maximum nesting depth of arrays and objects; events need two levels. Python's own limit depends on the caller."""

MAX_STEP_LENGTH: Final = 60
"""The maximum number of characters of a key in a JSON path."""

SHALLOW_SIZE: Final = 2 * MAX_DEPTH
"""The size in bytes up to which no document is nested too deeply: each level takes two bytes."""

TOO_DEEP_FOR_STACK: Final = "arrays and objects are nested too deeply for the caller's remaining stack"
"""The message about a document that a caller close to the interpreter's recursion limit cannot parse."""

# An unclosed string matches to the end of the input. Otherwise each quote in it would be tried as a start, which takes
# quadratic time.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:(")|\\?\Z)', re.DOTALL)
# Brackets as signed bytes, 1 and -1, and the bytes to delete.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_OTHERS = bytes(byte for byte in range(256) if byte not in b"[{]}")
_check_syntax = msgspec.json.Decoder(msgspec.Raw).decode


class SupportsBuffer(Protocol):
    """An object that has the buffer protocol."""

    def __buffer__(self, flags: int, /) -> memoryview:
        """Return its bytes."""
        ...


def to_bytes(data: bytes | bytearray | memoryview | str | SupportsBuffer) -> bytes:
    """Return data as bytes, encoding a str as UTF-8.

    Raises:
        InvalidEvent: a str contains lone surrogates.
        TypeError: data is neither str nor has the buffer protocol.
    """
    if type(data) is bytes:
        return data
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError as cause:
            message = f"the text has a lone surrogate at character {cause.start}, which UTF-8 cannot encode"
            raise codes.INPUT_UTF_8.error(message) from None
    try:
        return bytes(memoryview(data))
    except TypeError:
        raise TypeError(f"data must be bytes or str, not {type(data).__name__}") from None


def too_large_message(size: int, limit: int) -> str:
    """Return the message about a document that exceeds the maximum size."""
    return f"the document has {size} bytes, more than the {limit} allowed; an event has a few hundred"


def is_shallow(raw: bytes) -> bool:
    """Return True if nothing is nested deeper than `MAX_DEPTH`; takes linear time."""
    # For single bytes, replace takes a fifth of the time of count.
    if len(raw) <= SHALLOW_SIZE or len(raw) - len(raw.replace(b"{", b"").replace(b"[", b"")) <= MAX_DEPTH:
        return True
    steps = _STRINGS.sub(b"", raw).translate(_STEPS, _OTHERS)
    # Without its innermost pairs, a document has one level less; then little is left of a wide one.
    if steps.replace(b"\x01\xff", b"").count(1) < MAX_DEPTH:
        return True
    return MAX_DEPTH + 1 not in accumulate(memoryview(steps).cast("b"))


def read_json(raw: bytes, max_size: int = MAX_SIZE) -> Any:
    """Parse a JSON document into the values that json.loads returns.

    Of duplicate keys the last one counts. Numbers too large for a double become infinite; integers of more than 400
    digits become 10 to the power of 400.

    Raises:
        InvalidEvent: the document breaks one of the rules `size`, `utf-8`, `json` and `depth`.
    """
    if len(raw) > max_size:
        raise codes.INPUT_SIZE.error(too_large_message(len(raw), max_size))
    try:
        text = raw.decode()
    except UnicodeDecodeError as cause:
        message = f"byte {cause.start} (0x{raw[cause.start]:02x}) is not UTF-8: {cause.reason}"
        is_utf_16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        message += "; it looks like UTF-16, use UTF-8" if is_utf_16 else "; encode the document as UTF-8"
        raise codes.INPUT_UTF_8.error(message) from None
    if text.startswith("\ufeff"):
        message = "the document begins with a byte order mark (EF BB BF), which JSON forbids; write UTF-8 without one"
        raise codes.INPUT_JSON.error(message)
    if not is_shallow(raw):
        raise codes.INPUT_DEPTH.error(f"arrays and objects are nested deeper than {MAX_DEPTH} levels; events need two")
    try:
        return _parse(text, raw)
    except RecursionError:
        # The depth is limited, so this happens only if the caller is close to the interpreter's limit.
        raise codes.INPUT_DEPTH.error(TOO_DEEP_FOR_STACK) from None
    except JSONSyntaxError as cause:
        raise codes.INPUT_JSON.error(cause.explain(text)) from None


def error_line(raw: bytes) -> int:
    """Return the line of the first error in UTF-8 or JSON, counted from 0; 0 if there is none."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return raw.count(b"\n", 0, error.start)
    try:
        _parse(text, raw)
    except RecursionError:
        return 0
    except JSONSyntaxError as error:
        return text.count("\n", 0, error.position)
    return 0


def _parse(text: str, raw: bytes) -> Any:
    """Parse a document that is not nested too deeply; raises JSONSyntaxError."""
    try:
        document = _decode(text)
        _check_syntax(raw)
    except json.JSONDecodeError as cause:
        raise translate(cause, text) from None
    except msgspec.DecodeError:
        # The standard library accepts lone surrogates, which UTF-8 cannot encode.
        raise lone_surrogate(text) from None
    except _NotANumber:
        raise constant(text) from None
    return document


class _NotANumber(ValueError):
    """A constant that JavaScript has and JSON has not."""


def _reject_constant(name: str) -> None:
    raise _NotANumber(name)


def _parse_integer(digits: str) -> int:
    # Python rejects integers of thousands of digits, and needs quadratic time for them; all are out of range anyway.
    if len(digits) <= 400:
        return int(digits)
    return -_HUGE if digits.startswith("-") else _HUGE


_HUGE: Final = 10**400
_decode = json.JSONDecoder(parse_constant=_reject_constant, parse_int=_parse_integer).decode


def is_truncated(raw: bytes) -> bool:
    """Return True if the end of the document is missing: a string, an array or an object is not closed."""
    rest = _STRINGS.sub(_drop_closed, raw)
    return b'"' in rest or rest.count(b"{") + rest.count(b"[") > rest.count(b"}") + rest.count(b"]")


def _drop_closed(string: re.Match[bytes]) -> bytes:
    """Return nothing in place of a closed string, and a quote in place of an unclosed one."""
    return b"" if string[1] else b'"'


# The steps to a value as nested tuples, the last step outermost. Only the few paths that are shown are formatted.
Trail: TypeAlias = tuple[Any, ...]


def walk(document: object) -> Iterator[tuple[object, Trail]]:
    """Yield every value in a document, itself first, with its trail for `json_path`."""
    found: list[tuple[object, Trail]] = [(document, ())]
    while found:  # not recursive: the caller may be close to the interpreter's limit
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
    """Return the JSON path of a value relative to the document, safe to show and truncated if long."""
    steps: list[str] = []
    while trail:
        trail, form, step, _ = trail
        steps.append(form.format(safe(str(step), MAX_STEP_LENGTH)))
    return safe("".join(reversed(steps)), _MAX_PATH_LENGTH)


def duplicate_keys(raw: bytes, limit: int) -> list[tuple[str, str]]:
    """Return the repeated keys in a document, each with the JSON path of its object relative to the document.

    Args:
        raw: a document that `read_json` accepts.
        limit: the maximum number of keys to return.
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
        (json_path(trail), safe(key, MAX_STEP_LENGTH))
        for item, trail in walk(document)
        if isinstance(item, _ObjectWithDuplicates)
        for key in item.repeated
    )
    return sorted(islice(found, limit))


class _ObjectWithDuplicates(dict[str, Any]):
    """A JSON object with repeated keys."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]


def _zero(digits: str) -> int:  # noqa: ARG001 - the decoder's signature
    return 0


_MAX_STEPS: Final = 20
_MAX_PATH_LENGTH: Final = 200
