from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

import choria_lifecycle as lifecycle
from choria_lifecycle import Format, InvalidEvent
from choria_lifecycle.wire import codec, quick
from choria_lifecycle.wire.jsontext import MAX_DEPTH
from choria_lifecycle.wire.quick import (
    LIFECYCLE_PROTOCOLS,
    QUICK_DECODERS,
    SHALLOW_EVENT_SIZE,
    TYPE_OFFSET,
    read_event,
    recognise,
    respell,
    select_by_byte,
)
from choria_lifecycle.wire.shapes import DECODE_ERRORS
from choria_schemas.registry import CONTRACTS
from tests.bed.near_misses import BOUNDED, DOCUMENTS, envelope, event, written
from tests.bed.samples import (
    ENVELOPE,
    LIFECYCLE,
    STARTUP,
    UNKNOWN_PROTOCOL,
    compact,
    enveloped,
    every_contract,
    every_spelling,
    every_type,
    example,
    make_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_schemas.registry import Contract


@pytest.mark.parametrize(
    ("name", "old"), [(name, old) for name, contract in LIFECYCLE.items() for old in contract.protocols[1:]]
)
def test_the_old_spelling_is_parsed_as_the_current_one(name: str, old: str) -> None:
    current = LIFECYCLE[name].protocol
    raw = codec.encode(make_event(name)).replace(current.encode(), old.encode())
    assert lifecycle.detect_format(raw) is Format.CHORIA
    assert lifecycle.parse(raw) == make_event(name)
    for spelling in (current, old):
        assert lifecycle.parse(compact(enveloped(json.loads(raw), type=spelling))) == make_event(name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"identity": "é漢😀\u2028<>&"},
        {"identity": ""},
        {"component": "with.dots and spaces"},
        {"timestamp": -1},
        {"timestamp": 2**63 - 1},
        {"timestamp": -(2**63)},
        {"extra": {"nested": [1, {"a": None}]}},
        {"extra": "x" * 5000},
        {"extra": 10**30},
        {"data": 1, "type": 5, "source": None},
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), ("\n,\t", " :\r")])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_any_layout_is_parsed(changes: dict[str, Any], separators: tuple[str, str], ascii_only: bool) -> None:
    event = STARTUP | changes
    expected = codec.decode(compact({name: event[name] for name in STARTUP}))
    for document in (
        event,
        dict(reversed(event.items())),
        ENVELOPE | {"data": event, "subject": event["identity"] or None},
    ):
        raw = json.dumps(document, separators=separators, ensure_ascii=ascii_only).encode()
        assert lifecycle.parse(raw) == expected
        assert all(finding.severity == "warning" for finding in lifecycle.validate(raw))


@pytest.mark.parametrize("sequence", [0, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("format", list(Format))
def test_a_sequence_has_all_64_bits(sequence: int, format: Format) -> None:
    event = make_event("governor", sequence=sequence)
    raw = codec.encode(event, format)
    assert lifecycle.parse(raw) == codec.decode(raw) == event
    assert lifecycle.validate(raw) == []


@pytest.mark.parametrize(
    "changes", [{"sequence": -1}, {"governor": ""}, {"event_type": "timeout"}, {"sequence": 2**64}, {"sequence": 1.0}]
)
@pytest.mark.parametrize("format", list(Format))
def test_rules_beyond_the_types_are_checked(changes: dict[str, Any], format: Format) -> None:
    document = json.loads(codec.encode(make_event("governor"), format))
    event = document if format is Format.CHORIA else document["data"]
    event.update(changes)
    with pytest.raises(InvalidEvent) as caught:
        lifecycle.parse(compact(document))
    assert caught.value.path == ("$." if format is Format.CHORIA else "$.data.") + next(iter(changes))


def test_a_protocol_in_another_field_is_ignored() -> None:
    document = {"x": '"protocol":"io.choria.lifecycle.v1.alive"', **STARTUP}
    assert lifecycle.parse(compact(document)) == make_event()


def test_the_last_of_duplicate_keys_counts() -> None:
    raw = compact(STARTUP)[:-1] + b',"version":"9","protocol":"io.choria.lifecycle.v1.alive"}'
    event = lifecycle.parse(raw)
    assert (lifecycle.event_type(event), getattr(event, "version", None)) == ("alive", "9")
    raw = compact(ENVELOPE)[:-1] + b',"type":"io.choria.lifecycle.v1.alive"}'
    with pytest.raises(InvalidEvent):
        lifecycle.parse(raw)


def expected(name: str) -> lifecycle.Event:
    return make_event(name, identity="n1.example.net")


@every_type
@pytest.mark.parametrize("format", list(Format))
def test_the_byte_at_the_offset_selects_the_decoder_of_gos_layout(name: str, format: Format) -> None:
    raw = codec.encode(expected(name), format)
    assert QUICK_DECODERS[raw[TYPE_OFFSET]](raw) == expected(name)
    assert expected(name).protocol in LIFECYCLE_PROTOCOLS


@every_type
def test_a_decoder_rejects_other_types(name: str) -> None:
    for other in lifecycle.EVENT_TYPES:
        raw = codec.encode(expected(other))
        if other != name:
            with pytest.raises(DECODE_ERRORS):
                QUICK_DECODERS[codec.encode(expected(name))[TYPE_OFFSET]](raw)


@every_type
@pytest.mark.parametrize("format", list(Format))
def test_the_header_selects_the_decoder_in_any_layout(name: str, format: Format) -> None:
    document = json.loads(codec.encode(expected(name), format))
    raw = json.dumps(dict(reversed(document.items())), indent=1).encode()
    assert read_event(raw) == expected(name)
    for old in LIFECYCLE[name].protocols[1:]:
        assert read_event(raw.replace(LIFECYCLE[name].protocol.encode(), old.encode())) == expected(name)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"protocol":5}',
        compact({"protocol": UNKNOWN_PROTOCOL}),
        b'{"specversion":"1.0","source":"io.choria.lifecycle","type":{}}',
        compact(STARTUP)[:-1],
        compact(STARTUP)[:-1] + b',"x":"\xff"}',
        compact(STARTUP | {"timestamp": 2**63}),
        compact(STARTUP | {"version": None}),
        compact(ENVELOPE | {"subject": "n2"}),
        compact(ENVELOPE | {"time": "2026-11-22T24:00:00Z"}),
        compact(ENVELOPE | {"source": "io.choria.machine"}),
        compact(ENVELOPE | {"data_base64": "e30="}),
    ],
)
def test_every_other_document_raises_one_of_the_decode_errors(raw: bytes) -> None:
    with pytest.raises(DECODE_ERRORS):
        read_event(raw)


@pytest.mark.parametrize("time", ["2026-11-22T24:00:00Z", "2026-02-30T08:33:56Z", "2026-11-22", "x" * 20])
def test_the_quick_decoder_of_envelopes_rejects_invalid_times(time: str) -> None:
    raw = codec.encode(make_event(), Format.CLOUDEVENTS).replace(b"2026-11-22T08:33:56Z", time.encode())
    assert time.encode() in raw
    with pytest.raises(DECODE_ERRORS):
        QUICK_DECODERS[raw[TYPE_OFFSET]](raw)


def test_only_an_old_spelling_is_replaced() -> None:
    event = make_event()
    with pytest.raises(LookupError):
        respell(event)
    assert respell(replace(event, protocol="choria:lifecycle:startup:1")) == event


def envelope_start(id_: str, protocol: str) -> str:
    return f'{{"specversion":"1.0","id":"{id_}","source":"io.choria.lifecycle","type":"{protocol}"'


# Types that differ in one letter, begin with another one, or have hexadecimal digits where an envelope has its id.
@pytest.mark.parametrize(
    "names",
    [
        ["v1.startup"],
        ["v1.startup", "v2.startup"],
        ["v1.startup", "v1.stopped", "v1.paused"],
        ["v1.startup", "v1.startups", "v1.start"],
        ["v1.aaaa", "v1.abaa", "v1.aaba", "v1.bbbb", "v1.cafe", "v2.cafe", "v10.cafe"],
        [f"v1.{first}{second}" for first in "abcdef" for second in "0123456789abcdef"],
    ],
)
def test_every_document_reaches_the_decoder_of_its_beginning(names: list[str]) -> None:
    protocols = [f"io.choria.lifecycle.{name}" for name in names]
    any_id = "????????-????-4???-????-????????????"
    decoders: dict[str, Callable[[bytes], tuple[bool, str]]] = {}
    for protocol in protocols:
        decoders[f'{{"protocol":"{protocol}"'] = lambda _, protocol=protocol: (False, protocol)
        decoders[envelope_start(any_id, protocol)] = lambda _, protocol=protocol: (True, protocol)
    offset, table = select_by_byte(decoders)
    for protocol in protocols:
        raw = f'{{"protocol":"{protocol}","id":"1"'.encode()
        assert table[raw[offset]](raw) == (False, protocol)
        for id_ in (str(uuid.UUID(bytes=bytes([byte]) * 16, version=4)) for byte in range(256)):
            raw = envelope_start(id_, protocol).encode()
            assert table[raw[offset]](raw) == (True, protocol)


def test_all_types_in_use_but_one_have_a_byte_of_their_own() -> None:
    # Startup events share theirs with a sixteenth of the envelopes; others would cost a tenth of the time.
    decoders = [QUICK_DECODERS[codec.encode(make_event(name))[TYPE_OFFSET]] for name in lifecycle.EVENT_TYPES]
    assert len(set(map(id, decoders))) == len(decoders)
    assert sum("_dispatch" in repr(decode) for decode in decoders) == 1


def test_a_byte_that_no_beginning_has_leads_to_an_error() -> None:
    raw = compact(STARTUP).replace(b"startup", b"s~~rtup")
    with pytest.raises(LookupError):
        QUICK_DECODERS[raw[TYPE_OFFSET]](raw)


@every_spelling
def test_no_event_of_this_size_is_nested_too_deeply(protocol: str) -> None:
    schema = CONTRACTS[protocol].schema()
    shortest: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": True, "object": {}, "array": []}
    fields = {
        name: min(wanted["enum"], key=len) if "enum" in wanted else shortest.get(str(wanted.get("type")), 0)
        for name, wanted in ((name, schema["properties"][name]) for name in schema["required"])
    }
    written = compact(fields | {"protocol": protocol})
    assert 2 * MAX_DEPTH + len(written.translate(None, b"[]{}")) >= SHALLOW_EVENT_SIZE


@pytest.mark.parametrize("make", [event, envelope])
def test_the_depth_of_short_events_is_limited(make: Callable[[str], dict[str, Any]]) -> None:
    for protocol in CONTRACTS:
        whole = written(make(protocol))
        for depth, is_valid in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False)):
            raw = whole[:-1] + b',"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
            assert isinstance(outcome(codec.decode, raw), tuple) != is_valid
            assert (recognise([raw]) != [None]) == is_valid


@every_contract
@pytest.mark.parametrize("format", list(Format))
def test_every_example_reaches_its_decoder_by_byte(contract: Contract, format: Format) -> None:
    for protocol in contract.protocols:
        document = example(protocol)
        raw = compact(document if format is Format.CHORIA else enveloped(document))
        event = QUICK_DECODERS[raw[TYPE_OFFSET]](raw)
        assert type(event) is contract.cls
        if event.protocol != contract.protocol:
            event = respell(event)
        indented = json.dumps(json.loads(raw), indent=1).encode()
        assert event == read_event(raw) == codec.decode(indented)
        if contract.bounds is not None:
            assert event == read_event(indented)
        assert event == codec._decode_checked(raw, len(raw))


@pytest.mark.parametrize(
    ("bounds", "valid", "invalid"),
    [
        ([("timestamp", "maximum", 5)], {"timestamp": 5}, {"timestamp": 6}),
        ([("identity", "minLength", 2), ("identity", "maxLength", 3)], {"identity": "n12"}, {"identity": "n123"}),
        ([("version", "minLength", 1), ("timestamp", "minimum", 0)], {"timestamp": 0}, {"timestamp": -1}),
        ([], {"timestamp": 2**63 - 1}, {}),
    ],
)
def test_bounds_of_any_field_are_checked(bounds: Any, valid: dict[str, Any], invalid: dict[str, Any]) -> None:
    check = quick._make_check(replace(CONTRACTS["io.choria.lifecycle.v1.startup"], bounds=tuple(bounds)))
    if not bounds:
        assert check is None
        return
    assert check is not None
    assert check(make_event(**valid), b"")
    assert not check(make_event(**invalid), b"")


def test_a_long_time_is_valid_but_not_remembered() -> None:
    time = f"2026-11-22T08:33:56.{'0' * 50}Z"
    raw = compact(ENVELOPE | {"time": time})
    assert lifecycle.parse(raw) == make_event()
    assert time not in quick._VALID_TIMES


def test_all_readers_agree_with_the_thorough_check() -> None:
    @BOUNDED
    @given(DOCUMENTS)
    def agree(raw: bytes) -> None:
        assert outcome(codec.decode, raw) == outcome(lambda raw: codec._decode_checked(raw, 65536), raw)
        if isinstance(outcome(codec.decode, raw), lifecycle.Event):
            assert lifecycle.parse(raw) == codec.decode(raw)

    agree()


def outcome(read: Callable[[bytes], Any], raw: bytes) -> object:
    try:
        return read(raw)
    except lifecycle.LifecycleError as error:
        return type(error), str(error)
