from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Delivery
from choria_lifecycle.validation.batch import Batch
from choria_lifecycle.validation.policy import Policy, validate_batch
from choria_lifecycle.validation.records import read_record
from choria_lifecycle.view.recording import encode_record
from choria_lifecycle.wire.locations import AUTO

EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="1", timestamp=1700000000)
SUBJECT = "choria.lifecycle.event.startup.server"


def record(event: lifecycle.Event = EVENT, subject: str = SUBJECT) -> bytes:
    return encode_record(Delivery(subject, lifecycle.encode(event), 1700000000.5, event, None), event).encode()


def found_in(*documents: bytes, policy: Policy) -> list[tuple[int, str, str]]:
    batch = Batch(range(1, len(documents) + 1), [document + b"\n" for document in documents])
    result = validate_batch(batch, policy)
    assert result.rejected + result.valid == batch.documents or result.counts.errors
    return [(number, each.code, each.path) for number, findings in result.findings for each in findings]


POLICIES = pytest.mark.parametrize(
    "policy", [Policy(now=1700000001), Policy(now=1700000001, at=AUTO)], ids=["", "auto"]
)


@POLICIES
def test_a_record_is_read_directly(policy: Policy) -> None:
    assert found_in(record(), record(subject=""), lifecycle.encode(EVENT), policy=policy) == []
    spread = json.dumps(json.loads(record()), indent=2, sort_keys=True).encode()
    assert found_in(spread, policy=policy) == []


@POLICIES
def test_findings_have_the_path_in_the_record(policy: Policy) -> None:
    bad = record().replace(b'"n1.example.net"', b"5")
    odd = record(replace(EVENT, id="17"))
    elsewhere = record(subject="choria.lifecycle.event.startup.billing")
    assert found_in(record(), bad, odd, elsewhere, policy=policy) == [
        (2, "schema-type", "$.event.identity"),
        (3, "id-uuid", "$.event.id"),
        (4, "subject-differs", "$.event"),
    ]


def test_only_complete_records_are_read() -> None:
    whole = json.loads(record())
    assert read_record(record()) is not None
    unknown = encode_record(Delivery("", lifecycle.encode(EVENT), math.nan, EVENT, None), EVENT)
    assert read_record(unknown.encode()) is not None
    for other in (
        {**whole, "more": 5},
        {**whole, "format": "text"},
        {name: value for name, value in whole.items() if name != "received"},
        {**whole, "subject": 5},
        whole["event"],
    ):
        assert read_record(json.dumps(other).encode()) is None
    for raw in (b"", b"[]", record()[:-1], b"\xff", b"[" * 100_000):
        assert read_record(raw) is None
