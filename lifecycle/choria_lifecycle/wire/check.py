"""Everything that is wrong with a document, found by walking through it.

This is the thorough way to read a document. The codec takes a faster one where it can, and comes here for everything
that did not fit: to learn why, or because the document is unusual and right.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache, lru_cache
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.events.event import EVENT_TYPES
from choria_lifecycle.support.text import quoted, safe
from choria_lifecycle.wire.cloudevents import Format, ParsedDocument, source_of, unwrap
from choria_lifecycle.wire.finding import Finding, Severity, finding_value
from choria_lifecycle.wire.jsontext import MAX_SIZE, json_path, read_json, walk
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastjsonschema import JsonSchemaValueException

    from choria_schemas.registry import Contract

__all__ = ["MAX_LISTED", "Inspection", "check_document", "unreadable_document"]

MAX_LISTED: Final = 100
"""How many places that break the contract, and how many warnings, are listed of one document."""


@dataclass(slots=True)
class Inspection:
    """What is known of a document after looking at all of it.

    Attributes:
        findings: where it breaks its contract, in the order of the document's layers - text, envelope, event - and
            whether there is no contract.
        contract: the contract that it claims to keep, None where there is none.
        protocol: the protocol it names, None where it names none.
        event: the event without its envelope.
        document: the whole document, None if that is no object.
        parsed: the document, opened; None if it is no object.
    """

    findings: list[Finding] = field(default_factory=list)
    contract: Contract | None = None
    protocol: str | None = None
    event: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] | None = None
    parsed: ParsedDocument | None = None

    @property
    def errors(self) -> list[Finding]:
        """The findings that break the contract."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]


def check_document(raw: bytes, max_size: int = MAX_SIZE) -> Inspection:
    """Look at all of a document; never raises on what it holds."""
    try:
        return _inspect(raw, max_size)
    except InvalidEvent as cause:
        return Inspection([unreadable_document(cause)])
    except RecursionError:
        # Only a caller that is itself close to the interpreter's limit gets here.
        return Inspection([_TOO_DEEP])


def _inspect(raw: bytes, max_size: int) -> Inspection:
    document = read_json(raw, max_size)
    if not isinstance(document, dict):
        hint = "; send a document for each event" if isinstance(document, list) else ""
        message = f"an event is a JSON object, not {quoted(document)}{hint}"
        return Inspection(
            [Finding(code="input-type", path="$", rule="type", value=finding_value(document), message=message)]
        )
    parsed = unwrap(document)
    inspection = Inspection(parsed.findings, document=document, parsed=parsed)
    if parsed.format is Format.CLOUDEVENTS:
        _check_envelope(parsed, inspection)
    else:
        _find_contract(parsed, inspection)
    if inspection.contract is not None and isinstance(parsed.data, dict):
        inspection.event = parsed.data
        _check_event(inspection, inspection.contract, parsed)
    return inspection


def _check_event(inspection: Inspection, contract: Contract, opened: ParsedDocument) -> None:
    """Hold an event against its contract, and put what is wrong in the order of the contract's fields."""
    properties = _properties(contract)
    # As many of each, so that what is listed is first in the order of the contract.
    found = [
        *islice(_schema_violations(contract, opened), MAX_LISTED + 1),
        *islice(_range_violations(properties, opened), MAX_LISTED + 1),
    ]
    rank = {f"{opened.path}.{name}": number for number, name in enumerate(properties)}
    # The validator goes over extra keys in an order that changes from run to run.
    found.sort(key=lambda finding: (rank.get(_match_field(finding.path)[0], -1), finding.path))  # type: ignore[index]
    if len(found) > MAX_LISTED:
        message = f"{MAX_LISTED} places that break the contract are listed, and there are more; mend these first"
        found[MAX_LISTED:] = [Finding(code="errors-cut", path=opened.path, rule="limit", message=message)]
    inspection.findings += found


@cache
def _properties(contract: Contract) -> Mapping[str, Any]:
    properties: dict[str, Any] = contract.schema()["properties"]
    return MappingProxyType(properties)


def unreadable_document(cause: InvalidEvent) -> Finding:
    """Return the finding for what `document` refuses to read."""
    return Finding(code=f"input-{cause.rule}", path=cause.path, rule=cause.rule, message=cause.message)


def _find_contract(opened: ParsedDocument, inspection: Inspection) -> None:
    """Find the contract of an event by its own protocol."""
    path = f"{opened.path}.protocol"
    protocol = opened.data.get("protocol")
    if isinstance(protocol, str):
        inspection.protocol = protocol
        inspection.contract = CONTRACTS.get(protocol)
        if inspection.contract is None:
            inspection.findings.append(_unknown_protocol(protocol, path))
    elif "protocol" in opened.data:
        message = f"protocol must be of type string, not {quoted(protocol)}"
        inspection.findings.append(
            Finding(code="schema-type", path=path, rule="type", value=finding_value(protocol), message=message)
        )
    else:
        message = "protocol is missing; it says which contract the event keeps, such as io.choria.lifecycle.v1.startup"
        if isinstance(opened.data.get("event"), dict):
            message += (
                ". This looks like a record of `lifecycle view --output json`; with --output raw it writes events"
            )
        inspection.findings.append(Finding(code="schema-required", path=path, rule="required", message=message))


def _unknown_protocol(protocol: str, path: str) -> Finding:
    unknown = f"no contract is held for the protocol {quoted(protocol, 100)}, so no more was checked"
    return Finding(
        severity=Severity.INFORMATION,
        code="protocol-unknown",
        path=path,
        rule="protocol",
        value=finding_value(protocol),
        message=unknown + _suggestion(protocol),
    )


@lru_cache(maxsize=64)
def _suggestion(protocol: str) -> str:
    """Ask whether a lifecycle event was meant. Of machine events there are more than contracts."""
    prefix, _, name = protocol.lower().rpartition(".")
    if len(name) > _MAX_NAME or prefix not in (_LIFECYCLE_PREFIX, ""):
        return ""
    near = get_close_matches(name, EVENT_TYPES, n=1)
    return f"; did you mean {_LIFECYCLE_PREFIX}.{near[0]}?" if near else ""


def _check_envelope(opened: ParsedDocument, inspection: Inspection) -> None:
    """Find the contract of an event in an envelope; what the envelope says and what the event says must agree."""
    claimed = opened.header.get("type")
    event: Mapping[str, Any] = opened.data if isinstance(opened.data, dict) else {}
    own = event.get("protocol")
    # The event is held against its own contract where the two disagree: that finds less that is wrong only in passing.
    inspection.contract = (CONTRACTS.get(own) if isinstance(own, str) else None) or CONTRACTS.get(claimed or "")
    inspection.protocol = claimed or (own if isinstance(own, str) else None)
    contract = inspection.contract
    if contract is None:
        if claimed:
            inspection.findings.append(_unknown_protocol(claimed, "$.type"))
        return
    if claimed and isinstance(own, str) and not {claimed, own} <= set(contract.protocols):
        message = (
            f"the type of the envelope, {quoted(claimed)}, contradicts the protocol of its data, {quoted(own)}; "
            "make both the same"
        )
        inspection.findings.append(
            Finding(
                code="envelope-type-differs",
                path="$.type",
                rule="envelope",
                value=finding_value(claimed),
                message=message,
            )
        )
    source = opened.header.get("source")
    if source and source != source_of(contract.protocol):
        message = f"source must be {quoted(source_of(contract.protocol))} for this type, not {quoted(source)}"
        inspection.findings.append(
            Finding(
                code="envelope-source", path="$.source", rule="envelope", value=finding_value(source), message=message
            )
        )
    subject, identity = opened.header.get("subject"), event.get("identity")
    # Go makes the subject of the identity without the blanks around it.
    if subject and isinstance(identity, str) and subject.strip() != identity.strip():
        message = (
            f"the subject of the envelope, {quoted(subject)}, contradicts the identity of its data, "
            f"{quoted(identity)}; make it the identity, or leave it out"
        )
        inspection.findings.append(
            Finding(
                code="envelope-subject-differs",
                path="$.subject",
                rule="envelope",
                value=finding_value(subject),
                message=message,
            )
        )


def _schema_violations(contract: Contract, opened: ParsedDocument) -> Iterator[Finding]:
    differs = any(finding.code == "envelope-type-differs" for finding in opened.findings)
    for violation in contract.violations(opened.data):
        # The validator calls the document itself "data"; names of its own making are not foreign, but keys may be.
        path = opened.path + safe(str(violation.name).removeprefix("data"), _MAX_PATH)
        rule = str(violation.rule)
        if rule == "required":
            for name in (name for name in violation.rule_definition if name not in violation.value):
                message = f"{name} is missing{_requirement(violation.definition.get('properties', {}).get(name, {}))}"
                yield Finding(code="schema-required", path=f"{path}.{name}", rule=rule, message=message)
        elif not (differs and path == f"{opened.path}.protocol"):
            message = _violation_message(path, violation) + _correction(contract, violation)
            yield Finding(
                code=f"schema-{rule}", path=path, rule=rule, value=finding_value(violation.value), message=message
            )


def _correction(contract: Contract, violation: JsonSchemaValueException) -> str:
    """Say so if it is not upstream's schema that decided, but our correction of it."""
    for pointer, reason in contract.corrections:
        if pointer == f"{_pointer(contract, violation)}/{violation.rule}":
            return f"; upstream's schema differs here and was corrected: {reason.removesuffix('.')}"
    return ""


def _pointer(contract: Contract, violation: JsonSchemaValueException) -> str:
    """Return the JSON pointer of the part of the schema that was broken."""
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
        else:  # a key of the publisher's own, dots and brackets included
            schema, pointer, rest = schema.get("additionalProperties", {}), f"{pointer}/additionalProperties", ""
        if "$ref" in schema:
            pointer = schema["$ref"].removeprefix("#")
            schema = root["definitions"][pointer.rpartition("/")[2]]
    return pointer


def _violation_message(path: str, violation: JsonSchemaValueException) -> str:
    name, value, wanted = _field_name(path), quoted(violation.value), violation.rule_definition
    match violation.rule:
        case "type":
            kinds = " or ".join(wanted) if isinstance(wanted, list) else wanted
            return f"{name} must be of type {kinds}, not {value}{_number_hint(kinds, violation.value)}"
        case "enum" if len(wanted) == 1:
            return f"{name} must be {quoted(wanted[0])}, not {value}"
        case "enum":
            return f"{name} must be one of {', '.join(quoted(item) for item in wanted)}, not {value}"
        case "minLength":
            least = "must not be empty" if wanted == 1 else f"must have at least {wanted} characters"
            return f"{name} {least}, not {value}" if wanted != 1 else f"{name} {least}"
        case "minimum":
            return f"{name} must be at least {wanted}, not {value}"
        case "maximum":
            return f"{name} must be at most {wanted}, not {value}"
        case rule:
            return f"{name} must keep {rule} {quoted(wanted)}, which {value} does not"


def _requirement(wanted: Mapping[str, Any]) -> str:
    """Say what a field that is missing would be."""
    if len(wanted.get("enum", ())) == 1:
        return f"; it must be {quoted(wanted['enum'][0])}"
    kind = wanted.get("type")
    return f"; it is required, and of type {kind}" if isinstance(kind, str) else ""


def _number_hint(kinds: str, value: object) -> str:
    """Say what to do about a number that is nearly right."""
    if "integer" not in kinds and "number" not in kinds:
        return ""
    if isinstance(value, str) and value.removeprefix("-").isdecimal():
        return "; leave out the quotes"
    return f"; write {int(value)}" if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else ""


def _range_violations(properties: Mapping[str, Any], opened: ParsedDocument) -> Iterator[Finding]:
    """What JSON and the schemas allow and Go cannot hold: integers beyond 64 bits, and numbers beyond a double."""
    for name, wanted in properties.items():
        value, path = opened.data.get(name), f"{opened.path}.{name}"
        if isinstance(value, int) and "integer" in wanted.get("type", ()):
            if not -(2**63) <= value < 2**63:
                yield _out_of_range(value, path, f"64 bits, {-(2**63)} to {2**63 - 1}")
            continue
        if isinstance(value, str):
            continue
        for item, trail in walk(value):
            if isinstance(item, int | float) and not -_MAX_DOUBLE <= item <= _MAX_DOUBLE:
                yield _out_of_range(item, path + json_path(trail), "a double, at most 1.8e308")


def _out_of_range(value: float, path: str, allowed: str) -> Finding:
    message = f"{_field_name(path)} must fit into {allowed}"
    return Finding(code="number-range", path=path, rule="range", value=finding_value(value), message=message)


def _field_name(path: str) -> str:
    return path.removeprefix("$").removeprefix(".data_base64").removeprefix(".data").removeprefix(".") or "the value"


# Of a key or a path that is shown.
_MAX_PATH: Final = 200
# Made beforehand: there is no room for that where it is needed.
_TOO_DEEP: Final = unreadable_document(InvalidEvent("nested too deeply to be read from here", rule="depth"))
_LIFECYCLE_PREFIX: Final = "io.choria.lifecycle.v1"
_MAX_NAME: Final = 40
_MAX_DOUBLE: Final = sys.float_info.max
_match_step = re.compile(r"\.([^.\[]*)").match
_match_field = re.compile(r"\$(?:\.data(?:_base64)?(?=\.))?(?:\.[^.\[]*)?").match
