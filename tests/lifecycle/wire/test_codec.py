from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import Format, InvalidEvent, UnknownProtocol
from choria_lifecycle.wire import codec
from choria_schemas.machine.v1 import Transition
from choria_schemas.machine.watcher.nagios.v1 import NagiosState
from tests.bed.samples import (
    ENVELOPE,
    LIFECYCLE,
    STARTUP,
    TRANSITION,
    UNKNOWN_PROTOCOL,
    compact,
    enveloped,
    every_type,
    example,
    make_event,
)


# The examples are in Go's order; tests/interop compares with what Go recorded, byte for byte.
@every_type
def test_events_are_encoded_as_go_encodes_them(name: str) -> None:
    document = example(LIFECYCLE[name].protocol)
    event = lifecycle.new(name, **{option: value for option, value in document.items() if option != "protocol"})
    assert codec.encode(event) == compact(document)
    assert codec.encode(event, Format.CLOUDEVENTS) == compact(enveloped(document))
    assert lifecycle.parse(compact(document)) == lifecycle.parse(compact(enveloped(document))) == event


@every_type
@pytest.mark.parametrize("format", list(Format))
def test_every_kind_of_buffer_is_parsed(name: str, format: Format) -> None:
    event = make_event(name, identity="n1.example.net")
    raw = codec.encode(event, format)
    for data in (raw, bytearray(raw), memoryview(raw), raw.decode(), memoryview(raw + raw)[: len(raw)]):
        assert lifecycle.parse(data) == event
        assert codec.decode(data) == event
    assert lifecycle.detect_format(raw) is format


BROKEN: list[tuple[bytes, str, str]] = [
    (b"[]", "$", "type"),
    (b"5", "$", "type"),
    (b"{}", "$.protocol", "required"),
    (compact({"protocol": 5}), "$.protocol", "type"),
    (compact({"protocol": None}), "$.protocol", "type"),
    (compact(STARTUP | {"timestamp": 1.0}), "$.timestamp", "type"),
    (compact(STARTUP | {"timestamp": True}), "$.timestamp", "type"),
    (compact(STARTUP | {"timestamp": "1"}), "$.timestamp", "type"),
    (compact(STARTUP | {"timestamp": None}), "$.timestamp", "type"),
    (compact(STARTUP).replace(b"1795336436", b"1e3"), "$.timestamp", "type"),
    (compact(STARTUP).replace(b"1795336436", b"9" * 5000), "$.timestamp", "range"),
    (compact(STARTUP | {"timestamp": 2**63}), "$.timestamp", "range"),
    (compact(STARTUP | {"timestamp": -(2**63) - 1}), "$.timestamp", "range"),
    (compact(STARTUP | {"identity": None}), "$.identity", "type"),
    (compact(STARTUP | {"version": 5}), "$.version", "type"),
    (compact({"IDENTITY": 1} | {k: v for k, v in STARTUP.items() if k != "identity"}), "$.identity", "required"),
    (compact(STARTUP)[:-1] + b',"protocol":"io.choria.lifecycle.v1.alive","version":5}', "$.version", "type"),
    (compact(STARTUP)[:-1] + b',"identity":5}', "$.identity", "type"),
    (compact(STARTUP)[:-1] + b',"x":"\xff"}', "$", "utf-8"),
    (compact(STARTUP)[:-1] + b',"x":"\\ud800"}', "$", "json"),
    (compact(STARTUP)[:-1] + b',"x":NaN}', "$", "json"),
    (compact(STARTUP) + b"x", "$", "json"),
    (b"\xef\xbb\xbf" + compact(STARTUP), "$", "json"),
    (compact(STARTUP)[:-1] + b',"x":' + b"[" * 1500 + b"]" * 1500 + b"}", "$", "depth"),
    (compact(STARTUP)[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "$", "size"),
    (compact(STARTUP | {"x": "x" * 10_000_000}), "$", "size"),
]


@pytest.mark.parametrize(
    ("raw", "path", "rule"), BROKEN, ids=lambda value: repr(value[-30:]) if isinstance(value, bytes) else ""
)
def test_invalid_input_is_rejected_with_path_and_rule(raw: bytes, path: str, rule: str) -> None:
    for read in (lifecycle.parse, codec.decode):
        with pytest.raises(InvalidEvent) as caught:
            read(raw)
        assert (caught.value.path, caught.value.rule) == (path, rule)
        assert str(caught.value).isprintable()
    findings = lifecycle.validate(raw)
    assert (findings[0].path, findings[0].rule) == (path, rule)


@pytest.mark.parametrize(
    "protocol",
    [
        UNKNOWN_PROTOCOL,
        "io.choria.lifecycle.v999.startup",
        "io.choria.lifecycleX.v1.startup",
        "io.choria.machine.watcher.never_published.v1.state",
        "choria:lifecycle:startup:999",
    ],
)
def test_a_protocol_without_a_contract_is_unknown(protocol: str) -> None:
    event = STARTUP | {"protocol": protocol}
    for document in (event, ENVELOPE | {"type": protocol, "data": event}):
        with pytest.raises(UnknownProtocol, match="no contract covers the protocol") as caught:
            lifecycle.parse(compact(document))
        assert caught.value.protocol == protocol
        assert [finding.code for finding in lifecycle.validate(compact(document))] == ["protocol-unknown"]


@pytest.mark.parametrize("protocol", ["something else", "choria:transport:1", "com.example.lifecycle.v1.started"])
def test_a_foreign_document_is_not_checked(protocol: str) -> None:
    event = STARTUP | {"protocol": protocol, "identity": 5}
    for document in (event, ENVELOPE | {"type": protocol, "source": "/billing", "id": "", "data": event}):
        with pytest.raises(UnknownProtocol, match="is not a protocol of lifecycle or machine events") as caught:
            lifecycle.parse(compact(document))
        assert caught.value.protocol == protocol
        assert [finding.code for finding in lifecycle.validate(compact(document))] == ["protocol-foreign"]


def test_the_maximum_size_can_be_set() -> None:
    raw = compact(STARTUP)
    assert lifecycle.parse(raw, max_size=len(raw)) == make_event()
    with pytest.raises(InvalidEvent, match=r"more than the \d+ allowed"):
        lifecycle.parse(raw, max_size=len(raw) - 1)
    large = compact(STARTUP | {"x": "x" * 100_000})
    with pytest.raises(InvalidEvent):
        lifecycle.parse(large)
    assert lifecycle.parse(large, max_size=200_000) == make_event()


def test_data_other_than_bytes_and_str_raises_a_type_error() -> None:
    for wrong in (None, 5, STARTUP, [b"x"]):
        for read in (lifecycle.parse, codec.decode, lifecycle.validate, lifecycle.detect_format):
            with pytest.raises(TypeError, match="data must be bytes or str, not "):
                read(wrong)  # type: ignore[arg-type]


def test_machine_events_are_decoded_but_not_parsed() -> None:
    envelope = ENVELOPE | {"source": "io.choria.machine", "type": TRANSITION["protocol"], "data": TRANSITION}
    for document in (TRANSITION, envelope):
        assert codec.decode(compact(document)) == Transition(**TRANSITION)  # type: ignore[arg-type]
        assert all(finding.severity == "warning" for finding in lifecycle.validate(compact(document)))
        with pytest.raises(UnknownProtocol, match="is not a lifecycle event") as caught:
            lifecycle.parse(compact(document))
        assert caught.value.protocol == "io.choria.machine.v1.transition"
    with pytest.raises(InvalidEvent, match=r"source must be \"io\.choria\.machine\""):
        codec.decode(compact(envelope | {"source": "io.choria.lifecycle"}))


def test_a_machine_event_is_encoded_as_go_encodes_it() -> None:
    event = Transition(**TRANSITION)  # type: ignore[arg-type]
    first, second = (json.loads(codec.encode(event, Format.CLOUDEVENTS)) for _ in range(2))
    assert list(first) == list(ENVELOPE)
    assert list(first["data"]) == list(TRANSITION)
    assert first["source"] == "io.choria.machine"
    assert first["id"] not in {second["id"], event.id}
    assert codec.decode(compact(first)) == event


def test_absent_optional_fields_are_omitted_and_null_required_ones_are_kept() -> None:
    event = NagiosState(
        protocol="io.choria.machine.watcher.nagios.v1.state",
        identity="n1",
        id="1",
        version="1",
        timestamp=0,
        type="nagios",
        machine="m",
        name="n",
        plugin="p",
        status="NOTCHECKED",
        status_code=5,
        output="",
        check_time=-62135596800,
        perfdata=None,
        runtime=0.0,
        annotations=None,
    )
    written = json.loads(codec.encode(event))
    assert written["perfdata"] is None
    assert written["annotations"] is None
    assert "history" not in written
    assert codec.decode(compact(written)) == event
    full = written | {
        "perfdata": [{"label": "a", "value": 1}],
        "history": [
            {"execute": "2026-11-22T08:33:56Z", "status": 0, "perfdata": [{"label": "a", "value": 1, "unit": "s"}]}
        ],
    }
    again = json.loads(codec.encode(codec.decode(compact(full))))
    assert again == full
    assert "unit" not in again["perfdata"][0]


def test_a_blank_identity_is_not_written_as_the_subject_of_an_envelope() -> None:
    for blank in ("", "  "):
        event = dataclasses.replace(make_event(), identity=blank)
        written = codec.encode(event, Format.CLOUDEVENTS)
        assert "subject" not in json.loads(written)
        assert lifecycle.parse(written) == event


@pytest.mark.parametrize(
    ("changes", "format"),
    [
        ({"identity": "\ud800"}, Format.CHORIA),
        ({"identity": object()}, Format.CHORIA),
        ({"identity": 5}, Format.CLOUDEVENTS),
        ({"timestamp": 2**63 - 1}, Format.CLOUDEVENTS),
        ({"timestamp": "x"}, Format.CLOUDEVENTS),
        ({"version": ({"a"}, {1: object()})}, Format.CHORIA),
    ],
)
def test_values_that_cannot_be_encoded_raise_invalid_event(changes: dict[str, Any], format: Format) -> None:
    with pytest.raises(InvalidEvent):
        codec.encode(dataclasses.replace(make_event(), **changes), format)


def test_only_events_can_be_encoded() -> None:
    for wrong in (STARTUP, None, Format.CHORIA, Transition):
        with pytest.raises(TypeError, match="is not an event"):
            codec.encode(wrong)


@pytest.mark.parametrize("name", ["choria", "cloudevents"])
def test_a_format_may_be_given_by_name(name: str) -> None:
    assert codec.encode(make_event(), name) == codec.encode(make_event(), Format(name))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["bogus", "CHORIA", None, 5, []])
def test_an_unknown_format_is_rejected(wrong: Any) -> None:
    with pytest.raises(lifecycle.OptionError, match="format must be one of choria, cloudevents, not ") as caught:
        codec.encode(make_event(), wrong)
    assert caught.value.invalid == ("format",)


def test_whitespace_around_an_identity_is_not_part_of_the_subject() -> None:
    event = dataclasses.replace(make_event(), identity=" n1 ")
    written = codec.encode(event, Format.CLOUDEVENTS)
    assert json.loads(written)["subject"] == "n1"
    assert lifecycle.parse(written) == event
    assert lifecycle.parse(written.replace(b'"subject":"n1"', b'"subject":" n1 "')) == event
    with pytest.raises(InvalidEvent, match="but the identity of the data is"):
        lifecycle.parse(written.replace(b'"subject":"n1"', b'"subject":"n2"'))


class Name(str):
    __slots__ = ()


class Number(int):
    pass


def test_subclasses_of_str_and_int_are_encoded() -> None:
    event = lifecycle.startup(identity=Name("n1"), component=Name("server"), version=Name("1"), timestamp=Number(5))
    for written in (codec.encode(event), codec.encode(event, Format.CLOUDEVENTS)):
        read = lifecycle.parse(written)
        assert read == event
        assert type(read.identity) is str
        assert type(read.timestamp) is int


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_cannot_represent_are_rejected(number: float) -> None:
    state = NagiosState(
        **dict.fromkeys(["identity", "id", "version", "machine", "name", "plugin", "output"], "x"),
        protocol="io.choria.machine.watcher.nagios.v1.state",
        type="nagios",
        status="OK",
        timestamp=0,
        status_code=0,
        check_time=0,
        perfdata=[],
        runtime=number,
        annotations={},
    )
    with pytest.raises(InvalidEvent, match="is not a JSON number"):
        codec.encode(state)
