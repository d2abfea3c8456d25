from __future__ import annotations

import base64
import json
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import Format, InvalidEvent, UnknownProtocol
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.cloudevents import source_of, unix_time, unwrap
from tests.bed.samples import ENVELOPE, STARTUP, UNKNOWN_PROTOCOL, compact, make_event


def test_data_may_be_base64() -> None:
    document = {name: value for name, value in ENVELOPE.items() if name != "data"}
    document["data_base64"] = base64.b64encode(compact(STARTUP)).decode()
    assert lifecycle.parse(compact(document)) == make_event()
    assert lifecycle.parse(compact(document | {"data": None})) == make_event()
    assert lifecycle.parse(compact(ENVELOPE | {"data_base64": None})) == make_event()


@pytest.mark.parametrize(
    ("changes", "path", "rule"),
    [
        ({"specversion": "0.3"}, "$.specversion", "enum"),
        ({"specversion": 1.0}, "$.specversion", "type"),
        ({"id": ""}, "$.id", "minLength"),
        ({"id": 5}, "$.id", "type"),
        ({"id": None}, "$.id", "type"),
        ({"source": "io.choria.machine"}, "$.source", "envelope"),
        ({"source": ""}, "$.source", "minLength"),
        ({"type": "io.choria.lifecycle.v1.alive"}, "$.type", "envelope"),
        ({"type": "com.example.other"}, "$.type", "envelope"),
        ({"subject": "n2.example.net"}, "$.subject", "envelope"),
        ({"subject": ""}, "$.subject", "minLength"),
        ({"time": "yesterday"}, "$.time", "format"),
        ({"time": "2026-11-22T08:33:56+0100"}, "$.time", "format"),
        ({"time": 1795336436}, "$.time", "type"),
        ({"datacontenttype": ""}, "$.datacontenttype", "minLength"),
        ({"dataschema": 1}, "$.dataschema", "type"),
        ({"data": None}, "$.data", "required"),
        ({"data": json.dumps(STARTUP)}, "$.data", "type"),
        ({"data": [STARTUP]}, "$.data", "type"),
        ({"data_base64": "e30="}, "$.data_base64", "envelope"),
        ({"data": None, "data_base64": "?"}, "$.data_base64", "base64"),
        ({"data": None, "data_base64": "e30"}, "$.data_base64", "base64"),
        ({"data": None, "data_base64": "/w=="}, "$.data_base64", "utf-8"),
        ({"data": None, "data_base64": "W10="}, "$.data_base64", "type"),
        ({"data": None, "data_base64": 5}, "$.data_base64", "type"),
        ({"data": ENVELOPE}, "$.data", "envelope"),
    ],
)
def test_an_invalid_envelope_is_rejected(changes: dict[str, Any], path: str, rule: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        lifecycle.parse(compact(ENVELOPE | changes))
    assert (caught.value.path, caught.value.rule) == (path, rule)


@pytest.mark.parametrize("name", ["specversion", "id", "source", "type"])
def test_a_missing_required_attribute_is_rejected(name: str) -> None:
    document = {attribute: value for attribute, value in ENVELOPE.items() if attribute != name}
    with pytest.raises(InvalidEvent) as caught:
        lifecycle.parse(compact(document))
    assert (caught.value.path, caught.value.rule) == (f"$.{name}", "required")


@pytest.mark.parametrize("name", ["subject", "time", "datacontenttype"])
@pytest.mark.parametrize("how", ["absent", "null"])
def test_optional_attributes_may_be_absent_or_null(name: str, how: str) -> None:
    document: dict[str, Any] = ENVELOPE | {name: None}
    if how == "absent":
        del document[name]
    assert lifecycle.parse(compact(document)) == make_event()


def test_extension_attributes_are_ignored() -> None:
    document = ENVELOPE | {"traceparent": "00-x", "trace_parent": 1, "dataschema": "https://x", "protocol": "https"}
    assert lifecycle.parse(compact(document)) == make_event()
    assert lifecycle.detect_format(compact(document)) is Format.CLOUDEVENTS


def test_errors_about_a_contradiction_name_both_values() -> None:
    with pytest.raises(InvalidEvent, match=r"io\.choria\.lifecycle\.v1\.alive.*io\.choria\.lifecycle\.v1\.startup"):
        lifecycle.parse(compact(ENVELOPE | {"type": "io.choria.lifecycle.v1.alive"}))
    with pytest.raises(InvalidEvent, match=r'"n2".*"n1\.example\.net"'):
        lifecycle.parse(compact(ENVELOPE | {"subject": "n2"}))


def test_chorias_own_format_takes_precedence() -> None:
    both = STARTUP | {"specversion": "1.0", "source": "io.choria.lifecycle", "type": "x", "data": 5}
    assert lifecycle.detect_format(compact(both)) is Format.CHORIA
    assert lifecycle.parse(compact(both)) == make_event()


@pytest.mark.parametrize(
    "data", ["", "{", "[]", "5", "null", b"\xff", "\ud800", b"[" * 5000, {"protocol": 5}, {"specversion": "1.0"}]
)
def test_documents_without_a_format(data: Any) -> None:
    assert lifecycle.detect_format(compact(data) if isinstance(data, dict) else data) is None


def test_a_document_with_a_protocol_is_not_an_envelope_for_any_reader() -> None:
    for protocol, error in (("io.choria.lifecycle.v1.alive", InvalidEvent), (UNKNOWN_PROTOCOL, UnknownProtocol)):
        raw = compact(ENVELOPE | {"protocol": protocol})
        for read in (lifecycle.parse, codec.decode):
            with pytest.raises(error):
                read(raw)
    assert lifecycle.parse(compact(ENVELOPE | {"protocol": "of another kind"})) == lifecycle.parse(compact(ENVELOPE))


def test_sources() -> None:
    assert source_of("io.choria.lifecycle.v1.startup") == "io.choria.lifecycle"
    assert source_of("io.choria.machine.watcher.exec.v1.state") == "io.choria.machine"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T08:33:56Z",
        "2026-11-22t08:33:56z",
        "2026-11-22T08:33:56.5Z",
        "2026-11-22T08:33:56.123456789Z",
        "2026-11-22T08:33:56+23:59",
        "2026-11-22T08:33:56-00:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
    ],
)
def test_times(text: str) -> None:
    assert unix_time(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Z",
        "2026-11-22",
        "2026-11-22T08:33:56",
        "2026-11-22 08:33:56Z",
        "2026-11-22T08:33:56+0100",
        "2026-11-22T08:33:56+25:00",
        "2026-W47-7T08:33:56Z",
        "20261122T083356.0Z",
        "2026-11-22T08:33:60Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T24:00:00.0Z",
        "2026-11-22T08:33:56+00:60",
        "2026-11-22T08:33:56+24:00",
        "2026-11-22T08:60:56Z",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-22T08:33:56ZZ",
        "2026-11-22T08:33:56Z+1",
        "2026-11-22T08:33:56Z\n",
        "\uff12026-11-22T08:33:56Z",
        "2026-11-22T08:33:5aZ",
        "2026-11-22T08:33:56,5Z",
    ],
)
def test_invalid_times(text: str) -> None:
    assert unix_time(text) is None


def test_an_event_without_an_envelope_is_unwrapped_as_it_is() -> None:
    for document in (STARTUP, STARTUP | {"data": {}}, {"protocol": "other"}, {}):
        parsed = unwrap(document)
        assert (parsed.format, parsed.path, parsed.findings) == (Format.CHORIA, "$", [])
        assert parsed.attribute("type") is None
        assert parsed.data is document


def test_an_envelope_is_unwrapped_with_its_header() -> None:
    parsed = unwrap(ENVELOPE)
    assert (parsed.format, parsed.data, parsed.path) == (Format.CLOUDEVENTS, STARTUP, "$.data")
    for name in ("type", "source", "subject"):
        assert parsed.attribute(name) == ENVELOPE[name]
    encoded = {**ENVELOPE, "data": None, "subject": 5, "data_base64": base64.b64encode(compact(STARTUP)).decode()}
    parsed = unwrap(encoded)
    assert (parsed.data, parsed.path) == (STARTUP, "$.data_base64")
    assert [parsed.attribute(name) for name in ("type", "subject")] == [encoded["type"], None]
    assert [finding.code for finding in parsed.findings] == ["envelope-type"]


def test_all_errors_of_an_envelope_are_found_and_its_data_is_still_returned() -> None:
    parsed = unwrap({"data": STARTUP, "id": "", "time": "now", "dataschema": None})
    assert parsed.data is STARTUP
    assert [(finding.path, finding.code) for finding in parsed.findings] == [
        ("$.specversion", "envelope-required"),
        ("$.id", "envelope-empty"),
        ("$.source", "envelope-required"),
        ("$.type", "envelope-required"),
        ("$.time", "envelope-time"),
    ]
