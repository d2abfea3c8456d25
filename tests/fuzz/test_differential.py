"""parse, decode, validate and the oracle give the same verdict on every document."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.wire import codec
from choria_schemas.registry import CONTRACTS
from tests.bed import oracle, strategies
from tests.fuzz.targets import agreed_verdict

PROTOCOLS = sorted({contract.protocol for contract in CONTRACTS.values()})
# Most of a contract is the same in all of them, so each protocol needs fewer; `make fuzz` searches them for minutes.
EACH = strategies.EXAMPLES // 3
BOUNDED = settings(
    max_examples=strategies.EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_readers_agree(protocol: str) -> None:
    @settings(BOUNDED, max_examples=EACH)
    @given(strategies.documents(protocol))
    def agree(raw: bytes) -> None:
        assert agreed_verdict(raw) == oracle.verdict(raw)

    agree()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_valid_documents_round_trip(protocol: str) -> None:
    @settings(BOUNDED, max_examples=EACH)
    @given(strategies.events(protocol), st.sampled_from(lifecycle.Format))
    def travel(event: dict[str, object], format: lifecycle.Format) -> None:
        raw = json.dumps(event).encode()
        if oracle.verdict(raw) != oracle.VALID:
            return
        first = codec.decode(raw)
        try:
            written = codec.encode(first, format)
        except lifecycle.InvalidEvent as error:
            assert format is lifecycle.Format.CLOUDEVENTS
            assert error.path == "$.timestamp"
            return
        if format is lifecycle.Format.CLOUDEVENTS and not first.id and "lifecycle" in protocol:
            assert oracle.verdict(written) == oracle.INVALID  # an envelope needs an id; publish refuses such an event
            return
        assert codec.decode(written) == first
        assert oracle.verdict(written) == oracle.VALID

    travel()


@BOUNDED
@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    assert agreed_verdict(raw) == oracle.verdict(raw)


@BOUNDED
@given(strategies.ANYTHING)
def test_any_json(value: object) -> None:
    raw = json.dumps(value).encode()
    assert agreed_verdict(raw) == oracle.verdict(raw)
