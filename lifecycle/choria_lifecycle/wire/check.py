"""The thorough check of one document.

The codec decodes most documents with the faster `wire.quick`. This check explains what is wrong with the others, or
accepts them as unusual but valid.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.events.subjects import SUBJECT_PREFIX
from choria_lifecycle.support.text import quoted, safe
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.cloudevents import Format, ParsedDocument, source_of, unwrap
from choria_lifecycle.wire.finding import Finding, Severity
from choria_lifecycle.wire.jsontext import MAX_SIZE, TOO_DEEP_FOR_STACK, json_path, read_json, walk
from choria_lifecycle.wire.locations import find_event
from choria_lifecycle.wire.spelling import MAX_NAME, claims_choria, closest_field, closest_protocol, closest_value
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from choria_schemas._contract import Violation
    from choria_schemas.registry import Contract

__all__ = ["MAX_LISTED", "Inspection", "check_document", "unreadable_document"]

MAX_LISTED: Final = 100
"""The maximum number of errors in the event, and of warnings, that are listed for one document."""


@dataclass(slots=True)
class Inspection:
    """The result of checking a document.

    Attributes:
        findings: the errors in the order text, envelope, event; or the information that the document is foreign.
        contract: the contract of the event's protocol, or None if it is unknown.
        protocol: the protocol that the document names, or None.
        parsed: the document split into envelope and event, or None if it is not an object.
    """

    findings: list[Finding] = field(default_factory=list)
    contract: Contract | None = None
    protocol: str | None = None
    parsed: ParsedDocument | None = None

    @property
    def errors(self) -> list[Finding]:
        """The findings that are errors."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    @property
    def is_foreign(self) -> bool:
        """True if the document is an event of another product, and was not checked."""
        return self.contract is None and self.protocol is not None and not self.errors


def check_document(raw: bytes, max_size: int = MAX_SIZE, subject: str | None = None) -> Inspection:
    """Check a document; never raises because of its content.

    Args:
        raw: the document.
        max_size: the maximum size in bytes.
        subject: the subject it was received on, if known; one of Choria's events is expected on some.
    """
    try:
        return _inspect(raw, max_size, subject)
    except InvalidEvent as cause:
        return Inspection([unreadable_document(cause)])
    except RecursionError:
        # The depth is limited, so this happens only if the caller is close to the interpreter's limit.
        return Inspection([_TOO_DEEP])


def _inspect(raw: bytes, max_size: int, subject: str | None) -> Inspection:
    document = read_json(raw, max_size)
    if not isinstance(document, dict):
        found = find_event(document)
        hint = f"; {found}" if found else "; send one document per event" if isinstance(document, list) else ""
        message = f"an event must be a JSON object, not {quoted(document)}{hint}"
        return Inspection([codes.INPUT_TYPE.at("$", message, document)])
    parsed = unwrap(document)
    inspection = Inspection(parsed.findings, parsed=parsed)
    if parsed.format is Format.CLOUDEVENTS:
        _check_envelope(parsed, inspection, subject)
    else:
        _find_contract(parsed, inspection, subject)
    if inspection.contract is not None and isinstance(parsed.data, dict):
        _check_event(inspection, inspection.contract, parsed)
    elif inspection.contract is None:
        _name_location(inspection, document)
    return inspection


def _name_location(inspection: Inspection, document: dict[str, Any]) -> None:
    """Name the event that lies within a document that is not an event, in its last finding."""
    found = find_event(document)
    if found is None or not inspection.findings:
        return
    if "specversion" not in document and "protocol" not in document:  # `data` alone does not make an envelope
        inspection.parsed = ParsedDocument(Format.CHORIA, document, document)
        inspection.findings = [_missing_protocol(f"; {found}")]
        return
    last = inspection.findings[-1]
    inspection.findings[-1] = replace(last, message=f"{last.message}; {found}")


def _check_event(inspection: Inspection, contract: Contract, parsed: ParsedDocument) -> None:
    """Check an event against its contract, and list the errors in the order of the contract's fields."""
    properties = _properties(contract)
    # Both iterators get the full limit: sorting decides which findings are listed.
    found = [
        *islice(_schema_violations(contract, parsed), MAX_LISTED + 1),
        *islice(_range_violations(properties, parsed), MAX_LISTED + 1),
    ]
    rank = {f"{parsed.path}.{name}": number for number, name in enumerate(properties)}
    # The validator iterates over extra keys in an order that changes from run to run.
    found.sort(key=lambda finding: (rank.get(_match_field(finding.path)[0], -1), finding.path))  # type: ignore[index]
    if len(found) > MAX_LISTED:
        message = f"more than {MAX_LISTED} errors; only the first {MAX_LISTED} are listed, fix these first"
        found[MAX_LISTED:] = [codes.ERRORS_CUT.at(parsed.path, message)]
    inspection.findings += found


@cache
def _properties(contract: Contract) -> Mapping[str, Any]:
    properties: dict[str, Any] = contract.schema()["properties"]
    return MappingProxyType(properties)


def unreadable_document(cause: InvalidEvent) -> Finding:
    """Return the finding about a document that `read_json` rejects."""
    return codes.INPUT_CODES[cause.rule].at(cause.path, cause.message)


def _find_contract(parsed: ParsedDocument, inspection: Inspection, subject: str | None) -> None:
    """Find the contract of an event without an envelope."""
    path = f"{parsed.path}.protocol"
    protocol = parsed.data.get("protocol")
    if isinstance(protocol, str):
        inspection.protocol = protocol
        inspection.contract = CONTRACTS.get(protocol)
        if inspection.contract is None:
            inspection.findings.append(_without_contract(path, protocol, subject))
    elif "protocol" in parsed.data:
        message = f"protocol must be of type string, not {quoted(protocol)}"
        inspection.findings.append(codes.SCHEMA_TYPE.at(path, message, protocol))
    else:
        inspection.findings.append(_missing_protocol(_rename_hint("protocol", parsed.data)))


def _missing_protocol(hint: str = "") -> Finding:
    hint = hint or "; it names the event's contract, for example io.choria.lifecycle.v1.startup"
    return codes.SCHEMA_REQUIRED.at("$.protocol", f"protocol is missing{hint}")


def _without_contract(path: str, protocol: str, subject: str | None, *others: object) -> Finding:
    """Return the finding about a document whose protocol has no contract: an error if it claims to be Choria's.

    Args:
        path: the path of the protocol.
        protocol: the protocol.
        subject: the subject the document was received on, if known.
        *others: other values that name the kind of the document.
    """
    names = [protocol, *(other for other in others if isinstance(other, str))]
    on_subject = subject is not None and subject.startswith(_EVENT_SUBJECTS)
    if not on_subject and not any(map(claims_choria, names)):
        message = (
            f"{quoted(protocol, 100)} is not a protocol of lifecycle or machine events; the document was not checked"
        )
        return codes.PROTOCOL_FOREIGN.at(path, message, protocol)
    near = next(filter(None, map(closest_protocol, names)), None)
    message = f"no contract covers the protocol {quoted(protocol, 100)}, so nothing else was checked"
    message += f"; did you mean {near}?" if near else ""
    return codes.PROTOCOL_UNKNOWN.at(path, message, protocol)


def _check_envelope(parsed: ParsedDocument, inspection: Inspection, received_on: str | None) -> None:
    """Find the contract of an event in an envelope, and check that the envelope agrees with the event."""
    claimed, own = parsed.attribute("type"), parsed.event.get("protocol")
    inspection.contract = contract = CONTRACTS.get(parsed.protocol)
    inspection.protocol = claimed or (own if isinstance(own, str) else None)
    if contract is None:
        if claimed:
            found = _without_contract("$.type", claimed, received_on, own, parsed.attribute("source"))
            # The envelope of a foreign document may hold anything.
            inspection.findings[:] = (
                [found] if found.code == codes.PROTOCOL_FOREIGN.name else [*inspection.findings, found]
            )
        return
    if claimed and isinstance(own, str) and not {claimed, own} <= set(contract.protocols):
        message = f"type is {quoted(claimed)}, but the protocol of the data is {quoted(own)}; use the same for both"
        inspection.findings.append(codes.ENVELOPE_TYPE_DIFFERS.at("$.type", message, claimed))
    source = parsed.attribute("source")
    if source and source != source_of(contract.protocol):
        message = f"source must be {quoted(source_of(contract.protocol))} for this type, not {quoted(source)}"
        inspection.findings.append(codes.ENVELOPE_SOURCE.at("$.source", message, source))
    subject, identity = parsed.attribute("subject"), parsed.event.get("identity")
    # Go strips whitespace from the identity to build the subject.
    if subject and isinstance(identity, str) and subject.strip() != identity.strip():
        message = (
            f"subject is {quoted(subject)}, but the identity of the data is {quoted(identity)}; "
            "set subject to the identity, or omit it"
        )
        inspection.findings.append(codes.ENVELOPE_SUBJECT_DIFFERS.at("$.subject", message, subject))


def _schema_violations(contract: Contract, parsed: ParsedDocument) -> Iterator[Finding]:
    differs = any(finding.code == codes.ENVELOPE_TYPE_DIFFERS.name for finding in parsed.findings)
    for violation in contract.violations(parsed.data):
        # The validator calls the document "data". The path may contain untrusted keys.
        path = parsed.path + safe(str(violation.name).removeprefix("data"), _MAX_PATH)
        rule = str(violation.rule)
        if rule == "required":
            for name in (name for name in violation.rule_definition if name not in violation.value):
                wanted = violation.definition.get("properties", {}).get(name, {})
                message = f"{name} is missing{_requirement(wanted)}{_rename_hint(name, violation.value)}"
                yield codes.SCHEMA_REQUIRED.at(f"{path}.{name}", message)
        elif not (differs and path == f"{parsed.path}.protocol"):
            message = _violation_message(path, violation) + _correction(contract, violation)
            yield codes.SCHEMA_CODES[rule].at(path, message, violation.value)


def _correction(contract: Contract, violation: Violation) -> str:
    """Return a note if only this project's correction of upstream's schema forbids the value."""
    for pointer, reason, upstream in contract.corrections:
        if pointer == f"{_pointer(contract, violation)}/{violation.rule}" and _keeps(
            violation.rule, json.loads(upstream), violation.value
        ):
            return f"; upstream's schema allows it and was corrected: {reason.removesuffix('.')}"
    return ""


def _keeps(rule: str, wanted: Any, value: Any) -> bool:
    """Return True if a value keeps a rule of the kinds that corrections change."""
    match rule:
        case _ if wanted is None:
            return True
        case "enum":
            return value in wanted
        case "minimum":
            return bool(value >= wanted)
        case "maximum":
            return bool(value <= wanted)
        case _:
            return False


def _pointer(contract: Contract, violation: Violation) -> str:
    """Return the JSON pointer of the violated part of the schema."""
    root = contract.schema()
    schema, pointer = root, ""
    rest = str(violation.name).removeprefix("data")
    while rest:
        if "items" in schema:
            schema, pointer, rest = schema["items"], f"{pointer}/items", rest.partition("]")[2]
        elif "properties" in schema:
            step = _match_step(rest)[1]  # type: ignore[index]
            schema, pointer = schema["properties"][step], f"{pointer}/properties/{step}"
            rest = rest[len(step) + 1 :]
        else:  # an additional key, which may contain dots and brackets
            schema, pointer, rest = schema.get("additionalProperties", {}), f"{pointer}/additionalProperties", ""
        if "$ref" in schema:
            pointer = schema["$ref"].removeprefix("#")
            schema = root["definitions"][pointer.rpartition("/")[2]]
    return pointer


def _violation_message(path: str, violation: Violation) -> str:
    name, value, wanted = _field_name(path), quoted(violation.value), violation.rule_definition
    match violation.rule:
        case "type":
            kinds = " or ".join(wanted) if isinstance(wanted, list) else wanted
            return f"{name} must be of type {kinds}, not {value}{_number_hint(kinds, violation.value)}"
        case "enum" if len(wanted) == 1:
            return f"{name} must be {quoted(wanted[0])}, not {value}"
        case "enum":
            near = closest_value(violation.value, wanted) if isinstance(violation.value, str) else None
            hint = f"; did you mean {quoted(near)}?" if near else ""
            return f"{name} must be one of {', '.join(quoted(item) for item in wanted)}, not {value}{hint}"
        case "minLength" if wanted == 1:
            return f"{name} must not be empty"
        case "minLength":
            return f"{name} must have at least {wanted} characters, not {value}"
        case "minimum":
            return f"{name} must be at least {wanted}, not {value}"
        case "maximum":
            return f"{name} must be at most {wanted}, not {value}"
        case rule:
            return f"{name} must satisfy {rule} {quoted(wanted)}, not {value}"


def _requirement(wanted: Mapping[str, Any]) -> str:
    """Return the requirement on a missing field, for a message."""
    if len(wanted.get("enum", ())) == 1:
        return f"; it must be {quoted(wanted['enum'][0])}"
    kind = wanted.get("type")
    return f"; it must be of type {kind}" if isinstance(kind, str) else ""


def _number_hint(kinds: str, value: object) -> str:
    """Return a hint for a value that is almost a valid number."""
    if "integer" not in kinds and "number" not in kinds:
        return ""
    if isinstance(value, str):
        if value.removeprefix("-").isdecimal():
            return "; remove the quotes"
        seconds = _unix_seconds(value) if "integer" in kinds else None
        return "" if seconds is None else f"; write {seconds}, its seconds since 1970"
    return f"; write {int(value)}" if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else ""


def _unix_seconds(text: str) -> int | None:
    """Return an ISO 8601 time in seconds since 1970, in UTC unless it has an offset; None for any other text."""
    try:
        time = datetime.fromisoformat(text)
        return int((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def _rename_hint(name: str, members: Mapping[str, Any]) -> str:
    """Return a hint at a member that probably stands for a missing field."""
    candidates = islice((each for each in members if len(each) <= MAX_NAME), _MAX_CANDIDATES)
    known = frozenset({name})
    other = next((each for each in candidates if each in _SYNONYMS.get(name, ()) or closest_field(each, known)), None)
    return f"; rename {quoted(other)} to {name}" if other is not None else ""


def _range_violations(properties: Mapping[str, Any], parsed: ParsedDocument) -> Iterator[Finding]:
    """Find numbers that JSON and the schemas allow, but Go cannot hold: beyond 64 bits, or beyond a double.

    An integer is signed unless the schema sets a bound, which then is the limit; the validator enforces it.
    """
    for name, wanted in properties.items():
        value, path = parsed.data.get(name), f"{parsed.path}.{name}"
        if isinstance(value, int) and "integer" in wanted.get("type", ()):
            if (value < -(2**63) and "minimum" not in wanted) or (value >= 2**63 and "maximum" not in wanted):
                yield _out_of_range(value, path, f"64 bits, {-(2**63)} to {2**63 - 1}")
            continue
        if isinstance(value, str):
            continue
        for item, trail in walk(value):
            if isinstance(item, int | float) and not -_MAX_DOUBLE <= item <= _MAX_DOUBLE:
                yield _out_of_range(item, path + json_path(trail), "a double, at most 1.8e308")


def _out_of_range(value: float, path: str, allowed: str) -> Finding:
    message = f"{_field_name(path)} must fit into {allowed}"
    return codes.NUMBER_RANGE.at(path, message, value)


def _field_name(path: str) -> str:
    return path.removeprefix("$").removeprefix(".data_base64").removeprefix(".data").removeprefix(".") or "the value"


_MAX_PATH: Final = 200
# Created in advance, as there is no stack left when it is needed.
_TOO_DEEP: Final = unreadable_document(InvalidEvent(TOO_DEEP_FOR_STACK, rule="depth"))
_MAX_CANDIDATES: Final = 25
_EVENT_SUBJECTS: Final = (f"{SUBJECT_PREFIX}.", "choria.machine.")
# What other systems call a field.
_SYNONYMS: Final[Mapping[str, Container[str]]] = {
    "identity": ("hostname", "host", "fqdn", "node", "nodename", "certname", "sender"),
    "component": ("service", "app", "application", "program"),
    "timestamp": ("time", "ts", "@timestamp", "date"),
}
_MAX_DOUBLE: Final = sys.float_info.max
_match_step = re.compile(r"\.([^.\[]*)").match
_match_field = re.compile(r"\$(?:\.data(?:_base64)?(?=\.))?(?:\.[^.\[]*)?").match
