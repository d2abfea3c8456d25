from __future__ import annotations

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.validation.coverage import coverage_record, measure
from choria_lifecycle.wire.check import check_document
from choria_schemas.registry import CONTRACTS
from tests.bed.validated import BAD, ENDLESS, GOOD, UNKNOWN, WARNED, WRAPPED

STARTUP = "io.choria.lifecycle.v1.startup"
GOVERNOR = "io.choria.lifecycle.v1.governor"
NAGIOS = "io.choria.machine.watcher.nagios.v1.state"
OLD = GOOD.replace(STARTUP.encode(), b"choria:lifecycle:startup:1")


def of(**members: object) -> bytes:
    return json.dumps(members).encode()


def test_formats_and_spellings_are_counted() -> None:
    record = coverage_record(measure([GOOD, GOOD, BAD, OLD, WRAPPED]))["contracts"][STARTUP]
    assert record["documents"] == 5
    assert record["formats"] == {"choria": 4, "cloudevents": 1}
    assert record["spellings"] == {STARTUP: 4, "choria:lifecycle:startup:1": 1}
    assert record["other_fields"] == 0


def test_attributes_of_envelopes_are_counted() -> None:
    bare = of(specversion="1.0", id="1", source="io.choria.lifecycle", type=STARTUP, data=json.loads(GOOD), time=None)
    record = coverage_record(measure([WRAPPED, bare]))["contracts"][STARTUP]
    assert record["attributes"] == {
        "subject": 1,
        "time": 1,
        "datacontenttype": 1,
        "dataschema": 0,
        "data": 2,
        "data_base64": 0,
    }


def test_optional_fields_values_and_other_fields_are_counted() -> None:
    events = [
        of(protocol=GOVERNOR, event_type="enter"),
        of(protocol=GOVERNOR, event_type="Enter"),
        of(protocol=GOVERNOR, event_type="exit", note=""),
        of(protocol=NAGIOS, history=[]),
        of(protocol=NAGIOS),
    ]
    contracts = coverage_record(measure(events))["contracts"]
    possible = CONTRACTS[GOVERNOR].schema()["properties"]["event_type"]["enum"]
    occurred = ("enter", "exit")
    assert contracts[GOVERNOR]["values"] == {f"event_type={each}": int(each in occurred) for each in possible}
    assert contracts[GOVERNOR]["other_fields"] == 1
    assert contracts[NAGIOS]["optional_fields"] == {"history": 1}
    assert contracts[NAGIOS]["documents"] == 2


def test_contracts_that_did_not_occur_are_listed() -> None:
    every = {contract.protocol for contract in CONTRACTS.values()}
    record = coverage_record(measure([GOOD, UNKNOWN]))
    assert set(record["contracts"]) == {STARTUP}
    assert set(record["missing"]) == every - {STARTUP}
    assert record["share"] == round(1 / len(every), 4)
    assert coverage_record(Counter())["share"] == 0
    everything = coverage_record(measure([of(protocol=protocol) for protocol in every]))
    assert (everything["share"], everything["missing"]) == (1, [])


ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "specversion": st.sampled_from(["1.0", 5]),
        "type": st.sampled_from([*list(CONTRACTS)[:3], "x", 5]),
        "protocol": st.sampled_from([*list(CONTRACTS)[:3], "x", 5]),
        "source": st.sampled_from(["io.choria.lifecycle", "x"]),
        "data": st.fixed_dictionaries({}, optional={"protocol": st.sampled_from([*list(CONTRACTS)[:3], "x", 5])}),
    },
).map(lambda document: json.dumps(document).encode())


@given(st.lists(st.sampled_from([GOOD, BAD, WARNED, OLD, WRAPPED, UNKNOWN, ENDLESS, b"[]", b"x", b"\xff"]) | ENVELOPES))
def test_a_document_is_covered_if_it_has_a_contract(documents: list[bytes]) -> None:
    coverage = measure(documents)
    checked: Counter[str] = Counter()
    for raw in documents:
        inspection = check_document(raw)
        if inspection.contract is not None and isinstance(inspection.parsed and inspection.parsed.data, dict):
            checked[inspection.contract.protocol] += 1
    assert {protocol: number for (protocol, aspect, _), number in coverage.items() if aspect == "documents"} == checked
    for aspect in ("formats", "spellings"):
        sums: Counter[str] = Counter()
        for (protocol, one, _), number in coverage.items():
            sums[protocol] += number if one == aspect else 0
        assert sums == checked


@given(st.lists(st.sampled_from([GOOD, BAD, OLD, WRAPPED, UNKNOWN])), st.integers(0, 5))
def test_coverage_of_parts_adds_up(documents: list[bytes], at: int) -> None:
    assert measure(documents[:at]) + measure(documents[at:]) == measure(documents)
