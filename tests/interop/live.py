"""Records made from a live Go program."""

from __future__ import annotations

import base64
import time
import uuid
from typing import TYPE_CHECKING, Any

from tests.bed.samples import LIFECYCLE, example

from .events import FORMATS, Exchange
from .judge import SAME, Record, agree, build, counterpart, verdict, written
from .record import shortened

if TYPE_CHECKING:
    from .documents import Row
    from .golang import Ask


def exchange(ask: Ask, wanted: list[Exchange]) -> list[Record]:
    """Make each event in Go and read it here, make it here, and read that in Go."""
    answers = ask([_making(each) for each in wanted])
    records = [_made(each, answer) for each, answer in zip(wanted, answers, strict=True)]
    sent = [record for record in records if _ours(record) is not None]
    requests = [_reading(record["family"], str(_ours(record)).encode()) for record in sent]
    for record, answer in zip(sent, ask(requests), strict=True):
        read = _verdict(answer)
        if read != {"reads": record["fields"], "format": record["format"]}:
            record["answer"] = read
    return records


def judge(ask: Ask, rows: list[Row]) -> list[Record]:
    """Judge each document on both sides."""
    answers = ask([_reading(row.family, row.document) for row in rows])
    return [_judged(row, _verdict(answer)) for row, answer in zip(rows, answers, strict=True)]


def untouched(ask: Ask, types: list[str]) -> list[str]:
    """Let Go fill in id and time, as its users do; yield the differences between its fields and those read here."""
    values = {name: value for each in LIFECYCLE.values() for name, value in example(each.protocol).items()}
    made = [
        {"work": "make", "family": "lifecycle", "type": kind, "format": form, "values": values, "now": True}
        for kind in types
        for form in FORMATS
    ]
    begin = int(time.time())
    answers = ask(made)
    end = int(time.time())
    problems = []
    for request, answer in zip(made, answers, strict=True):
        read = verdict("lifecycle", base64.b64decode(answer["body"]))
        fields = answer["fields"]
        is_right = (
            read == {"reads": fields, "format": request["format"]}
            and fields["protocol"].endswith(f".{request['type']}")
            and uuid.UUID(fields["id"]).version == 4
            and begin <= fields["timestamp"] <= end
        )
        if not is_right:
            problems.append(f"{request['type']}, {request['format']}: with id and time of Go's own it reads {read}")
    return problems


def _making(each: Exchange) -> dict[str, Any]:
    work = "fresh" if each.fresh else "make"
    return {"work": work, "family": each.family, "type": each.type, "format": each.format, "values": each.values}


def _reading(family: str, document: bytes) -> dict[str, Any]:
    return {"work": "read", "family": family, "document": base64.b64encode(document).decode()}


def _made(each: Exchange, answer: Record) -> Record:
    record: Record = {"name": each.title, "family": each.family, "format": each.format}
    if "refused" in answer:
        fields = {"protocol": f"io.choria.lifecycle.v1.{each.type}", **each.values}
        record |= {"fields": fields, "refused": answer["refused"]}
    else:
        record |= {"subject": answer["subject"], "fields": answer["fields"]}
        if each.family == "lifecycle":
            record["text"] = answer["text"]
        record["body"] = base64.b64decode(answer["body"]).decode()
        asked = {} if each.fresh else each.values
        if wrong := {name: value for name, value in asked.items() if answer["fields"].get(name) != value}:
            record["made"] = wrong
    if own := counterpart(record):
        record["here"] = own
    return record | ({"reasons": each.differs} if each.differs else {})


def _ours(record: Record) -> str | None:
    """Return the bytes that this library makes of an event made by Go."""
    if "refused" in record or (event := build(record["fields"])) is None:
        return None
    return written(record, event)


def _verdict(answer: Record) -> Record:
    if "refused" in answer:
        # Go's JSON readers quote the document, which is in the record already and may be long.
        reason = answer["refused"].partition(", error found in")[0]
        return {"refuses": reason if len(reason) <= _LONGEST else reason[:_LONGEST] + "…"}
    fields, filled = answer["fields"], answer.get("filled", [])
    read = {"reads": {name: value for name, value in fields.items() if name not in filled}, "format": answer["format"]}
    return read | ({"makes up": filled} if filled else {})


_LONGEST = 100


def _judged(row: Row, go: Record) -> Record:
    here = verdict(row.family, row.document)
    record: Record = {
        "name": row.name,
        "family": row.family,
        "document": shortened(row.document),
        "go": go,
        "here": SAME if "reads" in here and agree(go, here) else here,
    }
    return record | ({"reason": row.reason} if row.reason else {})
