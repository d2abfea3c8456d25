"""Everything that is wrong with a document, found by walking through it.

This is the thorough way to read a document. The codec takes a faster one where it can, and comes here for everything
that did not fit: to learn why, or because the document is unusual and right.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.document import MAX_SIZE, octets, read
from choria_lifecycle.envelope import Format, Opened, open_document, source_of
from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.options import check_component
from choria_lifecycle.subjects import PREFIX
from choria_lifecycle.text import quoted, safe
from choria_lifecycle.validation.finding import Finding, Severity, shown
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastjsonschema import JsonSchemaValueException

    from choria_schemas.registry import Contract

__all__ = ["Inspection", "inspect", "validate"]


@dataclass(slots=True)
class Inspection:
    """What is known of a document after looking at all of it.

    Attributes:
        findings: all that is to say, in the order of the document's layers: text, envelope, event.
        contract: the contract that it claims to keep, None where there is none.
        protocol: the protocol it names, None where it names none.
        event: the event without its envelope.
    """

    findings: list[Finding] = field(default_factory=list)
    contract: Contract | None = None
    protocol: str | None = None
    event: dict[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> list[Finding]:
        """The findings that break the contract."""
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]


def validate(
    data: bytes | bytearray | memoryview | str, subject: str | None = None, max_size: int = MAX_SIZE
) -> list[Finding]:
    """Return everything there is to say about a document; an empty list means that it keeps the contract.

    Covers lifecycle events, machine transitions and the states of watchers, in either format. There is an error in the
    list exactly if `codec.decode` raises InvalidEvent. Of more than 100 findings the first 100 are listed, and one more
    that says so.

    Args:
        data: a document as it was received.
        subject: the subject it was received on, if it is known.
        max_size: the greatest size in bytes.

    Raises:
        TypeError: data is neither bytes nor text.
    """
    try:
        raw = octets(data)
    except InvalidEvent as cause:
        return [_unreadable(cause)]
    inspection = inspect(raw, max_size)
    expected = _expected_subject(inspection)
    if subject is not None and expected is not None and subject != expected:
        message = f"it came on the subject {quoted(subject, 100)}, where nobody looks for it; it belongs on {expected}"
        inspection.findings.append(
            Finding(
                severity=Severity.WARNING,
                code="subject-differs",
                path="$",
                rule="subject",
                value=shown(subject),
                message=message,
            )
        )
    return inspection.findings


def _expected_subject(inspection: Inspection) -> str | None:
    """Return the subject that Choria publishes such an event on, None where that cannot be told."""
    contract, component = inspection.contract, inspection.event.get("component")
    if contract is None:
        return None
    if source_of(contract.protocol) == "io.choria.machine":
        return contract.protocol.removeprefix("io.").replace(".v1.", ".")
    if check_component(component):
        return None
    return f"{PREFIX}.{contract.protocol.rpartition('.')[2]}.{component}"


def inspect(raw: bytes, max_size: int = MAX_SIZE) -> Inspection:
    """Look at all of a document; never raises on what it holds."""
    try:
        return _inspect(raw, max_size)
    except InvalidEvent as cause:
        return Inspection([_unreadable(cause)])
    except RecursionError:
        # Only a caller that is itself close to the interpreter's limit gets here.
        return Inspection([_unreadable(InvalidEvent("nested too deeply to be read from here", rule="depth"))])


def _inspect(raw: bytes, max_size: int) -> Inspection:
    document = read(raw, max_size)
    if not isinstance(document, dict):
        message = f"an event is a JSON object, not {quoted(document)}"
        return Inspection([Finding(code="input-type", path="$", rule="type", value=shown(document), message=message)])
    opened = open_document(document)
    inspection = Inspection(opened.findings)
    if opened.format is Format.CLOUDEVENTS:
        _agree(opened, inspection)
    else:
        _identify(opened, inspection)
    if inspection.contract is not None and isinstance(opened.data, dict):
        inspection.event = opened.data
        _hold(inspection, inspection.contract, opened)
    return inspection


def _hold(inspection: Inspection, contract: Contract, opened: Opened) -> None:
    """Hold an event against its contract, and put what is wrong in the order of the contract's fields."""
    properties: dict[str, Any] = contract.schema()["properties"]
    found = list(islice(chain(_violations(contract, opened), _numbers(properties, opened)), _MOST + 1))
    rank = {f"{opened.path}.{name}": number for number, name in enumerate(properties)}
    # The validator goes over extra keys in an order that changes from run to run.
    found.sort(key=lambda finding: (rank.get(_FIELD(finding.path)[0], -1), finding.path))  # type: ignore[index]
    if len(found) > _MOST:
        message = f"there is more of this kind; {_MOST} findings are listed"
        found[_MOST:] = [Finding(code="findings-cut", path=opened.path, rule="limit", message=message)]
    inspection.findings += found


def _unreadable(cause: InvalidEvent) -> Finding:
    return Finding(code=f"input-{cause.rule}", path=cause.path, rule=cause.rule, message=cause.message)


def _identify(opened: Opened, inspection: Inspection) -> None:
    """Find the contract of an event by its own protocol."""
    path = f"{opened.path}.protocol"
    protocol = opened.data.get("protocol")
    if isinstance(protocol, str):
        inspection.protocol = protocol
        inspection.contract = CONTRACTS.get(protocol)
        if inspection.contract is None:
            inspection.findings.append(_unknown(protocol, path))
    elif "protocol" in opened.data:
        message = f"protocol must be text, not {quoted(protocol)}"
        inspection.findings.append(
            Finding(code="schema-type", path=path, rule="type", value=shown(protocol), message=message)
        )
    else:
        message = "protocol is missing; it says which contract the event keeps"
        inspection.findings.append(Finding(code="schema-required", path=path, rule="required", message=message))


def _unknown(protocol: str, path: str) -> Finding:
    return Finding(
        severity=Severity.INFORMATION,
        code="protocol-unknown",
        path=path,
        rule="protocol",
        value=shown(protocol),
        message=f"no contract is held for the protocol {quoted(protocol, 100)}",
    )


def _agree(opened: Opened, inspection: Inspection) -> None:
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
            inspection.findings.append(_unknown(claimed, "$.type"))
        return
    if claimed and isinstance(own, str) and not {claimed, own} <= set(contract.protocols):
        message = f"the type of the envelope, {quoted(claimed)}, contradicts the protocol of its data, {quoted(own)}"
        inspection.findings.append(
            Finding(code="envelope-type-differs", path="$.type", rule="envelope", value=shown(claimed), message=message)
        )
    source = opened.header.get("source")
    if source and source != source_of(contract.protocol):
        message = f"source must be {quoted(source_of(contract.protocol))} for this type, not {quoted(source)}"
        inspection.findings.append(
            Finding(code="envelope-source", path="$.source", rule="envelope", value=shown(source), message=message)
        )
    subject, identity = opened.header.get("subject"), event.get("identity")
    # Go makes the subject of the identity without the blanks around it.
    if subject and isinstance(identity, str) and subject.strip() != identity.strip():
        message = (
            f"the subject of the envelope, {quoted(subject)}, contradicts the identity of its data, {quoted(identity)}"
        )
        inspection.findings.append(
            Finding(
                code="envelope-subject-differs",
                path="$.subject",
                rule="envelope",
                value=shown(subject),
                message=message,
            )
        )


def _violations(contract: Contract, opened: Opened) -> Iterator[Finding]:
    differs = any(finding.code == "envelope-type-differs" for finding in opened.findings)
    for violation in contract.violations(opened.data):
        # The validator calls the document itself "data"; names of its own making are not foreign, but keys may be.
        path = opened.path + safe(str(violation.name).removeprefix("data"), _LONGEST)
        rule = str(violation.rule)
        if rule == "required":
            for name in (name for name in violation.rule_definition if name not in violation.value):
                yield Finding(code="schema-required", path=f"{path}.{name}", rule=rule, message=f"{name} is missing")
        elif not (differs and path == f"{opened.path}.protocol"):
            message = _explain(path, violation)
            yield Finding(code=f"schema-{rule}", path=path, rule=rule, value=shown(violation.value), message=message)


def _explain(path: str, violation: JsonSchemaValueException) -> str:
    name, value, wanted = _name(path), quoted(violation.value), violation.rule_definition
    match violation.rule:
        case "type":
            kinds = " or ".join(wanted) if isinstance(wanted, list) else wanted
            return f"{name} must be of type {kinds}, not {value}"
        case "enum" if len(wanted) == 1:
            return f"{name} must be {quoted(wanted[0])}, not {value}"
        case "enum":
            return f"{name} must be one of {', '.join(quoted(item) for item in wanted)}, not {value}"
        case "minLength":
            return f"{name} must not be empty" if wanted == 1 else f"{name} must have at least {wanted} characters"
        case "minimum":
            return f"{name} must be at least {wanted}, not {value}"
        case "maximum":
            return f"{name} must be at most {wanted}, not {value}"
        case rule:
            return f"{name} must keep {rule} {quoted(wanted)}, which {value} does not"


def _numbers(properties: Mapping[str, Any], opened: Opened) -> Iterator[Finding]:
    """What JSON and the schemas allow and Go cannot hold: integers beyond 64 bits, and numbers beyond a double."""
    for name, wanted in properties.items():
        value, path = opened.data.get(name), f"{opened.path}.{name}"
        if isinstance(value, int) and "integer" in wanted.get("type", ()):
            if not -(2**63) <= value < 2**63:
                yield _out_of_range(value, path, "64 bits")
            continue
        # Not recursive, and without a path for each place: a hostile document has many places, deep down.
        places: list[tuple[object, tuple[Any, ...]]] = [(value, ())]
        while places:
            item, trail = places.pop()
            if isinstance(item, dict):
                places += [(inner, (trail, ".{}", key)) for key, inner in item.items()]
            elif isinstance(item, list):
                places += [(inner, (trail, "[{}]", index)) for index, inner in enumerate(item)]
            elif isinstance(item, int | float) and not -_DOUBLE <= item <= _DOUBLE:
                yield _out_of_range(item, path + _steps(trail), "a double")


def _steps(trail: tuple[Any, ...]) -> str:
    steps: list[str] = []
    while trail:
        trail, form, step = trail
        steps.append(form.format(safe(str(step), _LONGEST)))
    return "".join(reversed(steps))


def _out_of_range(value: float, path: str, room: str) -> Finding:
    message = f"{_name(path)} must fit into {room}"
    return Finding(code="number-range", path=path, rule="range", value=shown(value), message=message)


def _name(path: str) -> str:
    return path.rpartition(".")[2] or "the value"


_MOST: Final = 100
# Of a key or a path that is shown.
_LONGEST: Final = 200
_DOUBLE: Final = sys.float_info.max
_FIELD = re.compile(r"\$(?:\.data(?:_base64)?(?=\.))?(?:\.[^.\[]*)?").match
