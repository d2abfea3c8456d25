from __future__ import annotations

import gzip
import io
import json
import math
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Delivery
from choria_lifecycle.validation.decompression import UnreadableContent
from choria_lifecycle.view.recording import encode_record, read_deliveries
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.jsontext import MAX_SIZE
from choria_lifecycle.wire.locations import AUTO, MAX_HOLDER, Location

EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="1", id="a", timestamp=1795348800)
SUBJECT = "choria.lifecycle.event.startup.server"


def read(data: bytes) -> list[tuple[int, Delivery]]:
    return list(read_deliveries(io.BytesIO(data)))


@pytest.mark.parametrize("form", list(lifecycle.Format))
def test_a_document_is_read_unchanged(form: lifecycle.Format) -> None:
    data = lifecycle.encode(EVENT, format=form)
    [(number, delivery)] = read(data)
    assert (number, delivery.subject, delivery.data, delivery.event, delivery.error) == (1, "", data, EVENT, None)
    assert math.isnan(delivery.received)


@given(
    form=st.sampled_from(lifecycle.Format),
    received=st.integers(0, 4 * 10**15).map(lambda micro: micro / 10**6),
    subject=st.just(SUBJECT) | st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_a_record_is_read_as_the_original_delivery(form: lifecycle.Format, received: float, subject: str) -> None:
    sent = Delivery(subject, lifecycle.encode(EVENT, format=form), received, EVENT, None)
    line = encode_record(sent, EVENT)
    assert line.isprintable()
    [(_, delivery)] = read(line.encode())
    assert delivery._replace(received=0.0) == sent._replace(received=0.0)
    assert delivery.received == pytest.approx(received, abs=1e-6)


def test_an_unknown_time_and_subject_stay_unknown() -> None:
    line = encode_record(Delivery("", codec.encode(EVENT), math.nan, EVENT, None), EVENT)
    [(_, delivery)] = read(line.encode())
    assert math.isnan(delivery.received)
    assert delivery.subject == ""


def test_lines_are_numbered_and_empty_lines_are_skipped() -> None:
    data = codec.encode(EVENT)
    found = read(b"\n" + data + b"\r\n  \n\t" + data + b"\nnonsense")
    assert [(number, delivery.event) for number, delivery in found] == [(2, EVENT), (4, EVENT), (5, None)]


@pytest.mark.parametrize("length", [MAX_HOLDER - 1, MAX_HOLDER, MAX_HOLDER + 1, 3 * MAX_HOLDER])
def test_a_line_of_any_length_is_one_delivery(length: int) -> None:
    data = codec.encode(EVENT)
    found = read(b"x" * length + b"\n" + data + b"\n")
    assert [(number, delivery.event) for number, delivery in found] == [(1, None), (2, EVENT)]
    assert isinstance(found[0][1].error, lifecycle.InvalidEvent)
    assert found[0][1].error.rule == "size"


PRETTY = json.dumps(json.loads(codec.encode(EVENT)), indent=1).encode()
COMPACT = codec.encode(EVENT)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (PRETTY + b"\n" + PRETTY, [1, 9]),
        (b"[" + PRETTY + b",\n" + COMPACT + b"]", [1, 9]),
        (b"id: 1\ndata: " + COMPACT + b"\n\ndata:" + COMPACT + b"\n\n", [2, 4]),
        (b'[#1] Received on "x"\n' + COMPACT + b'\n\n[#2] Received on "x"\na: b\n\n' + COMPACT, [2, 7]),
        (b"\x1e" + COMPACT + b"\n\x1e" + PRETTY + b"\n", [1, 2]),
        (b"\xef\xbb\xbf" + COMPACT + b"\n" + COMPACT, [1, 2]),
        (gzip.compress(PRETTY + COMPACT), [1, 8]),
    ],
    ids=["lines", "array", "server-sent", "nats-sub", "sequence", "mark", "compressed"],
)
def test_each_layout_is_read_as_by_validation(data: bytes, lines: list[int]) -> None:
    assert [(number, delivery.event) for number, delivery in read(data)] == [(line, EVENT) for line in lines]


def test_an_error_between_documents_is_a_delivery_in_its_place() -> None:
    found = read(b"[" + COMPACT + b"\n" + COMPACT + b",\n{}")
    rules = [getattr(delivery.error, "rule", None) for _, delivery in found]
    assert [number for number, _ in found] == [1, 2, 2, 3, 3]
    assert sorted(map(str, rules)) == ["None", "None", "json", "required", "truncated"]


@pytest.mark.parametrize(
    "received",
    [
        "yesterday",
        "",
        "2026-11-22T12:00:00",
        "2026-11-22 12:00:00Z",
        "2026-W47-7T12:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59.999999Z",
        "2026-13-01T00:00:00Z",
        "\x1b[2J\n12:00:00",
    ],
)
def test_a_record_with_an_invalid_time_is_rejected(received: str) -> None:
    line = json.dumps({"received": received, "subject": "s", "format": None, "event": json.loads(codec.encode(EVENT))})
    [(_, delivery)] = read(line.encode())
    assert delivery.event is None
    assert isinstance(delivery.error, lifecycle.InvalidEvent)
    assert delivery.error.path == "$.received"


def test_a_record_of_another_protocol_is_rejected() -> None:
    [(_, delivery)] = read(b'{"received":null,"subject":null,"format":"cloudevents","event":{"protocol":"x"}}')
    assert isinstance(delivery.error, lifecycle.UnknownProtocol)


def test_an_event_with_the_fields_of_a_record_is_read_as_an_event() -> None:
    document = {**json.loads(codec.encode(EVENT)), "received": "x", "subject": "x", "format": "choria", "event": {}}
    [(_, delivery)] = read(json.dumps(document).encode())
    assert delivery.event == EVENT


@given(st.binary(max_size=200))
def test_any_other_line_is_an_error(data: bytes) -> None:
    with suppress(UnreadableContent):  # it begins like another format
        for _, delivery in read(data):
            assert delivery.error is not None


@given(
    form=st.sampled_from(lifecycle.Format),
    text=st.text(st.sampled_from('\x7f\x80\x9f\u202e\u2066\U000e0001\u2028\x1b"\\a\u00e9'), min_size=1, max_size=40),
)
def test_an_event_that_escapes_make_too_long_is_read_back(form: lifecycle.Format, text: str) -> None:
    once, twice = (len(codec.encode(replace(EVENT, version=text * times), form)) for times in (1, 2))
    each = twice - once
    event = replace(EVENT, version=text * (1 + (MAX_SIZE - once) // each))
    sent = Delivery(SUBJECT, codec.encode(event, form), 0.0, event, None)
    assert MAX_SIZE - each < len(sent.data) <= MAX_SIZE
    [(_, delivery)] = read(encode_record(sent, event).encode())
    assert delivery == sent


def test_an_event_with_a_time_outside_the_calendar_is_read_back() -> None:
    event = replace(EVENT, timestamp=2**60)
    data = codec.encode(EVENT, lifecycle.Format.CLOUDEVENTS).replace(
        b'"timestamp":1795348800', b'"timestamp":%d' % 2**60
    )
    [(_, delivery)] = read(encode_record(Delivery(SUBJECT, data, 0.0, event, None), event).encode())
    assert (delivery.event, delivery.data) == (event, codec.encode(event))


# ---- events within other documents


def held(text: str) -> bytes:
    return json.dumps({"log": text}).encode()


def test_an_event_is_read_at_a_place() -> None:
    text = codec.encode(EVENT).decode()
    lines = b"\n".join([held(text), held(text.replace('"n1.example.net"', "5")), held("up"), codec.encode(EVENT)])
    found = list(read_deliveries(io.BytesIO(lines), Location.parse("$.log")))
    assert [(number, delivery.event, delivery.subject) for number, delivery in found] == [
        (1, EVENT, ""),
        (2, None, ""),
        (3, None, ""),
        (4, None, ""),
    ]
    assert found[0][1].data == text.encode()
    assert [getattr(delivery.error, "path", None) for _, delivery in found] == [None, "$.log.identity", "$.log", "$"]


def test_auto_reads_records_as_records() -> None:
    text = codec.encode(EVENT).decode()
    record = encode_record(Delivery(SUBJECT, text.encode(), 1700000000.5, EVENT, None), EVENT)
    lines = [record.encode(), text.encode(), held(text), json.dumps({"logs": [text, text]}).encode()]
    found = list(read_deliveries(io.BytesIO(b"\n".join(lines)), AUTO))
    assert [(number, delivery.event) for number, delivery in found] == [(n, EVENT) for n in (1, 2, 3, 4, 4)]
    assert [delivery.subject for _, delivery in found] == [SUBJECT, "", "", "", ""]
    assert found[0][1].received == 1700000000.5


def test_an_unknown_protocol_at_a_place_stays_unknown() -> None:
    unknown = '{"protocol":"com.example.x"}'
    [(_, delivery)] = read_deliveries(io.BytesIO(held(unknown)), Location.parse("$.log"))
    assert isinstance(delivery.error, lifecycle.UnknownProtocol)
