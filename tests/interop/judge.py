"""This library's treatment of Go's results, and the differences between the two.

This module does not need Go: its records come from a live program or from tests/data/interop.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec

import choria_lifecycle as lifecycle
from choria_lifecycle.wire.codec import decode
from choria_schemas.registry import CONTRACTS

Record = dict[str, Any]

SAME = "the same"


def verdict(family: str, document: bytes) -> Record:
    """Return this library's verdict on a document: its format and fields, or the codes of its errors."""
    read = lifecycle.parse if family == "lifecycle" else decode
    wrong = sorted({finding.code for finding in lifecycle.validate(document) if finding.severity == "error"})
    try:
        event = read(document)
    except lifecycle.UnknownProtocol as exc:
        return {"no contract": exc.protocol}
    except lifecycle.InvalidEvent:
        assert wrong, "validate reports no errors in a document that was refused"
        return {"refuses": wrong}
    assert not wrong, "validate reports errors in a document that was read"
    return {"reads": _fields(event), "format": str(lifecycle.detect_format(document))}


def agree(go: Record, here: Record) -> bool:
    """Return True if both sides read the same fields in the same format, none made up, or if neither reads any."""
    if "reads" in go and "reads" in here:
        return not go.get("makes up") and _plain(go) == _plain(here)
    return "reads" not in go and "reads" not in here


def counterpart(record: Record) -> Record:
    """Return this library's treatment of an event made by Go, where it differs from Go's.

    Args:
        record: an exchange: the family and format, and Go's fields, subject, body and text.
    """
    own: Record = {}
    if "refused" in record:  # the component is missing, and so is the subject
        subject = _subject(build(record["fields"]))
        return {} if subject is None else {"subject": subject}
    read = verdict(record["family"], record["body"].encode())
    if read != {"reads": record["fields"], "format": record["format"]}:
        own["codes"] = read.get("refuses") or read
    built = build(record["fields"])
    if built is None:
        return own
    body = written(record, built)
    if body != record["body"]:
        own["body"] = body
    if record["family"] == "lifecycle":
        if (subject := _subject(built)) != record["subject"]:
            own["subject"] = subject
        if (text := lifecycle.describe(built)) != record["text"]:
            own["text"] = text
    return own


def build(fields: dict[str, Any]) -> Any:
    """Make an event of any fields with its constructor; None if there is no contract for its protocol."""
    contract = CONTRACTS.get(fields["protocol"])
    if contract is None:
        return None
    if "perfdata" in fields or "metrics" in fields:
        return msgspec.convert(fields, contract.cls)  # contains nested classes
    return contract.cls(**fields)


def written(record: Record, event: Any) -> str | None:
    """Write an event in the format of a record; None if that is refused.

    The envelope of a machine event has a random id, which is replaced by the same constant as in Go's.
    """
    try:
        body = lifecycle.encode(event, lifecycle.Format(record["format"])).decode()
    except lifecycle.InvalidEvent:
        return None
    if record["family"] == "machine":
        body = body.replace(json.loads(body)["id"], json.loads(record["body"])["id"], 1)
    return body


def difference(record: Record) -> set[str]:
    """Return the aspects in which the two sides differ over an exchange, from its record."""
    found = set(record.get("here", {}))
    if "body" in found and not _means_the_same(record["body"], record["here"]["body"]):
        found = found - {"body"} | {"content"}
    return found | {name for name in ("made", "answer") if name in record}


def _means_the_same(one: str, other: str | None) -> bool:
    return other is not None and bool(json.loads(one) == json.loads(other))


def _subject(event: Any) -> str | None:
    try:
        return lifecycle.subject(event)
    except lifecycle.OptionError:
        return None


def _fields(event: Any) -> dict[str, Any]:
    """Return the fields on the wire: optional ones that are None are left out."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        if not dataclasses.is_dataclass(value):
            return value
        return {
            field.name: plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) is not None or field.default is dataclasses.MISSING
        }

    fields: dict[str, Any] = plain(event)
    return fields


def _plain(verdict: Record) -> tuple[Any, Any]:
    return verdict["reads"], verdict["format"]
