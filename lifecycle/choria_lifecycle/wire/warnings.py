"""Warnings about what is legal in an event but usually a mistake.

The rules are this library's. A warning names Choria's own readers where they behave differently from the contract.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from choria_lifecycle.events.options import check_component, is_token
from choria_lifecycle.events.quick import compile_test
from choria_lifecycle.events.subjects import SUBJECT_PREFIX
from choria_lifecycle.support.text import quoted, safe
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.check import MAX_LISTED
from choria_lifecycle.wire.cloudevents import ATTRIBUTES, CONTENT_TYPE, CONTEXT_ATTRIBUTES, Format, source_of, unix_time
from choria_lifecycle.wire.jsontext import duplicate_keys
from choria_lifecycle.wire.spelling import MAX_NAME, closest_field

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from choria_lifecycle.wire.check import Inspection
    from choria_lifecycle.wire.cloudevents import ParsedDocument
    from choria_lifecycle.wire.finding import Finding
    from choria_schemas.registry import Contract

__all__ = [
    "EARLIEST",
    "MAX_AHEAD",
    "MAX_TIME_GAP",
    "UsualTest",
    "expected_subject",
    "old_spelling",
    "usual_values",
    "warnings_for",
]

EARLIEST: Final = 946_684_800
"""2000-01-01 in Unix seconds; no event is older."""

MAX_AHEAD: Final = 86_400
"""The number of seconds that a timestamp may be ahead of the clock."""

MAX_TIME_GAP: Final = 60
"""The number of seconds by which the time of an envelope may differ from the timestamp of its event."""

UsualTest: TypeAlias = "Callable[[Any, float], object]"
"""A test of an event, as an object with its fields, and the latest plausible timestamp in Unix seconds."""

_match_uuid: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch


def warnings_for(raw: bytes, inspection: Inspection, subject: str | None, now: float) -> list[Finding]:
    """Return the warnings about a document: at most `MAX_LISTED`, and an extra finding if there are more.

    Args:
        raw: the document.
        inspection: the result of checking it.
        subject: the subject it was received on, if known.
        now: the current time in Unix seconds.
    """
    if inspection.parsed is None or inspection.is_foreign:
        return []
    try:
        found = list(islice(_warnings(raw, inspection, subject, now), MAX_LISTED + 1))
    except RecursionError:  # the caller is close to the interpreter's limit
        return []
    if len(found) > MAX_LISTED:
        message = f"more than {MAX_LISTED} warnings; only the first {MAX_LISTED} are listed"
        found[MAX_LISTED:] = [codes.WARNINGS_CUT.at("$", message)]
    return found


def _warnings(raw: bytes, inspection: Inspection, subject: str | None, now: float) -> Iterator[Finding]:
    for path, key in duplicate_keys(raw, MAX_LISTED + 1):
        message = f"the key {quoted(key, 100)} is repeated; most readers use the last value, some the first; keep one"
        yield codes.DUPLICATE_KEY.at(f"${path}.{key}", message)
    contract, parsed = inspection.contract, inspection.parsed
    if contract is None or parsed is None:
        return
    if parsed.format is Format.CLOUDEVENTS:
        yield from _envelope_warnings(contract, parsed, now)
    event, path = parsed.event, parsed.path
    yield from _spelling(contract, event.get("protocol"), f"{path}.protocol")
    yield from _id(event.get("id"), f"{path}.id")
    for name, code in _NAMES.items():
        if name in _fields(contract) and isinstance(event.get(name), str) and not event[name].strip():
            lack = "name" if name == "identity" else "version"
            message = f"{name} should not be {'blank' if event[name] else 'empty'}: the node counts without a {lack}"
            yield code.at(f"{path}.{name}", message, event[name])
    if "component" in _fields(contract):
        yield from _component(event.get("component"), f"{path}.component")
    yield from _timestamp(event.get("timestamp"), f"{path}.timestamp", now)
    yield from _misspelt(event, _fields(contract), path)
    if subject is not None:
        yield from _subject(contract, event, subject)


@cache
def _fields(contract: Contract) -> frozenset[str]:
    return frozenset(contract.schema()["properties"])


def _envelope_warnings(contract: Contract, parsed: ParsedDocument, now: float) -> Iterator[Finding]:
    envelope = parsed.document
    yield from _spelling(contract, envelope.get("type"), "$.type")
    refused = {name: reason for name, value in envelope.items() if (reason := _refused_extension(name, value))}
    yield from _misspelt({name: value for name, value in envelope.items() if name not in refused}, ATTRIBUTES, "$")
    for name in sorted(islice(refused, MAX_LISTED)):
        message = f"Choria's own readers reject an envelope with the attribute {quoted(name, 100)}; {refused[name]}"
        yield codes.ENVELOPE_EXTENSION.at(f"$.{safe(name, _MAX_KEY)}", message)
    kind = envelope.get("datacontenttype")
    if isinstance(kind, str) and "data" in envelope and kind.partition(";")[0].strip() not in _JSON_TYPES:
        message = f"Choria's own readers reject an object as data of type {quoted(kind)}; use {CONTENT_TYPE}"
        yield codes.ENVELOPE_CONTENT_TYPE.at("$.datacontenttype", message, kind)
    yield from _time(envelope.get("time"), parsed.event.get("timestamp"), now)


def _refused_extension(name: str, value: object) -> str:
    """Return the remedy for an extension with which Go's reader rejects the envelope; empty if it reads it."""
    if name in ATTRIBUTES or value is None:
        return ""
    if not _match_attribute(name):
        return "use only letters and digits in the name"
    if name.lower() in CONTEXT_ATTRIBUTES:
        return f"write {name.lower()}"
    if isinstance(value, dict | list):
        return "use a string, an integer or a boolean as its value"
    if isinstance(value, int | float) and not -(2**31) <= value < 2**31:
        return "use a string for a number beyond 32 bits"
    return ""


def _time(time: object, timestamp: object, now: float) -> Iterable[Finding]:
    sent = unix_time(time) if isinstance(time, str) else None
    # An unlikely timestamp has a warning of its own.
    if sent is None or not isinstance(timestamp, int) or not EARLIEST <= timestamp <= now + MAX_AHEAD:
        return
    if abs(sent - timestamp) <= MAX_TIME_GAP:
        return
    gap = f"{abs(sent - timestamp):,.0f} seconds {'earlier' if timestamp < sent else 'later'}"
    message = f"the timestamp of the data is {quoted(timestamp, 40)}, {gap}; both are the time of the event"
    yield codes.ENVELOPE_TIME_DIFFERS.at("$.time", message, time)


def _spelling(contract: Contract, protocol: object, path: str) -> Iterable[Finding]:
    if isinstance(protocol, str) and protocol in contract.protocols[1:]:
        yield old_spelling(contract, protocol, path)


@lru_cache(maxsize=64)
def old_spelling(contract: Contract, protocol: str, path: str) -> Finding:
    """Return the warning about a protocol in a spelling other than the current one."""
    message = f"{protocol} is an old spelling, which Choria's own readers reject; use {contract.protocol}"
    return codes.PROTOCOL_OLD.at(path, message, protocol)


def _id(value: object, path: str) -> Iterable[Finding]:
    if isinstance(value, str) and not _match_uuid(value):
        message = f"id should be a UUID, which is unique to the event, not {quoted(value)}"
        yield codes.ID_UUID.at(path, message, value)


def _component(value: object, path: str) -> Iterable[Finding]:
    problem = check_component(value) if isinstance(value, str) else None
    if problem:
        message = f"component {problem.replace('must', 'should', 1)}"
        yield codes.COMPONENT_TOKEN.at(path, message + ("" if value else ", as it is a token of the subject"), value)


def _timestamp(value: object, path: str, now: float) -> Iterable[Finding]:
    latest = now + MAX_AHEAD
    if not isinstance(value, int) or isinstance(value, bool) or EARLIEST <= value <= latest:
        return
    if not -(2**63) <= value < 2**63:  # an error already
        return
    for unit, factor in _UNITS.items():
        if EARLIEST <= value // factor <= latest:
            message = f"timestamp looks like {unit}; use seconds since 1970, {value // factor}"
            yield codes.TIMESTAMP_UNIT.at(path, message, value)
            return
    end = "more than a day ahead of the validator's clock" if value > latest else "before the year 2000"
    why = "it was probably never set" if value == 0 else "check the sender's clock and that the unit is seconds"
    yield codes.TIMESTAMP_RANGE.at(path, f"timestamp is {_date(value)}, {end}; {why}", value)


def _date(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return quoted(seconds, 40)


def _misspelt(members: dict[str, Any], known: frozenset[str], path: str) -> Iterator[Finding]:
    # Comparing names is slow, so the publisher must control neither their length nor their number.
    extra = islice((name for name in members if name not in known and len(name) <= MAX_NAME), _MAX_NAMES)
    for name in sorted(extra):
        near = closest_field(name, known)
        if near is None:
            continue
        also = "which is also present" if near in members else "which is missing"
        message = f"the contract has no field {quoted(name)}; did you mean {near}, {also}?"
        if name.lower() == near:
            message = f"the field is {near}, {also}; Choria's own readers accept {quoted(name)} for it, others do not"
        yield codes.FIELD_MISSPELT.at(f"{path}.{safe(name)}", message)


def _subject(contract: Contract, event: dict[str, Any], subject: str) -> Iterable[Finding]:
    expected = expected_subject(contract, event.get("component"))
    if expected is not None and subject != expected:
        message = f"sent on {quoted(subject, 100)} instead of {expected}, whose subscribers do not receive it"
        yield codes.SUBJECT_DIFFERS.at("$", message, subject)


def expected_subject(contract: Contract, component: object) -> str | None:
    """Return the subject that Choria publishes such an event on, or None if it is unknown."""
    if source_of(contract.protocol) == "io.choria.machine":
        return contract.unversioned.removeprefix("io.")
    if check_component(component):
        return None
    return f"{SUBJECT_PREFIX}.{contract.type_name}.{component}"


def usual_values(fields: Container[str]) -> UsualTest:
    """Return a fast test of valid events: if it returns True, no value of a field leads to a warning.

    Args:
        fields: the fields of the events.
    """
    conditions = [condition for name, condition in _USUAL.items() if name in fields]
    return compile_test("event, latest", conditions, is_token=is_token)


# Maps each hexadecimal digit to an x, and x to another byte: half the time of the regular expression.
_MASK_HEX: Final = bytes.maketrans(b"0123456789abcdefABCDEFx", b"x" * 22 + b"?")
# The conditions under which the values of a field have no warnings, as source; those that take least time come first.
_USUAL: Final = {
    "identity": "event.identity.strip()",
    "version": "event.version.strip()",
    "new_version": "event.new_version.strip()",
    "component": "is_token(event.component)",
    "id": f"event.id.encode().translate({_MASK_HEX!r}) == b'xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx'",
    "timestamp": f"{EARLIEST} <= event.timestamp <= latest",
}

# CloudEvents requires lower case; Go accepts upper case too.
_match_attribute = re.compile(r"[A-Za-z0-9]+").fullmatch
# The types that Go reads as JSON.
_JSON_TYPES: Final = (
    "",
    CONTENT_TYPE,
    "text/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
)
_NAMES: Final = {
    "identity": codes.IDENTITY_BLANK,
    "version": codes.VERSION_BLANK,
    "new_version": codes.VERSION_BLANK,
}
_MAX_KEY: Final = 200
_MAX_NAMES: Final = 25
_UNITS: Final = {"milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
