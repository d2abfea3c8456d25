"""Events within other documents: recognised, and read at a path."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.wire.jsontext import MAX_DEPTH, MAX_SIZE, read_json
from choria_lifecycle.wire.locations import AUTO, MAX_HOLDER, Location, below, events_at, find_event, path_text

EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="1", id="a", timestamp=1700000000)
TEXT = lifecycle.encode(EVENT).decode()
OBJECT: dict[str, Any] = json.loads(TEXT)
BASE64 = b64encode(TEXT.encode()).decode()
ENVELOPE: dict[str, Any] = json.loads(lifecycle.encode(EVENT, lifecycle.Format.CLOUDEVENTS))

WRAPPINGS: list[tuple[str, dict[str, Any], str, str]] = [
    ("journald", {"__CURSOR": "s=1", "PRIORITY": "6", "MESSAGE": TEXT}, "$.MESSAGE", "text"),
    ("docker", {"log": f"{TEXT}\n", "stream": "stdout", "time": "2026-11-22T08:33:56Z"}, "$.log", "text"),
    ("fluentd", {"container_name": "/billing", "source": "stdout", "log": TEXT}, "$.log", "text"),
    ("fluentd, parsed", {"log": OBJECT, "tag": "billing"}, "$.log", "an object"),
    ("vector", {"host": "n1", "message": TEXT, "source_type": "nats", "subject": "x"}, "$.message", "text"),
    ("filebeat", {"@timestamp": "2026", "message": TEXT, "log": {"offset": 0, "file": {}}}, "$.message", "text"),
    ("filebeat, parsed", {"@timestamp": "2026", "json": OBJECT, "log": {"offset": 0}}, "$.json", "an object"),
    ("filebeat, both", {"json": OBJECT, "message": TEXT}, "$.message", "text"),
    ("gelf", {"version": "1.1", "host": "n1", "short_message": TEXT, "level": 6}, "$.short_message", "text"),
    ("gelf, cut", {"version": "1.1", "short_message": TEXT[:40], "full_message": TEXT}, "$.full_message", "text"),
    ("gelf, both", {"version": "1.1", "short_message": TEXT, "full_message": TEXT}, "$.full_message", "text"),
    (
        "loki, push",
        {"streams": [{"stream": {"job": "x"}, "values": [["1700000000000000000", TEXT]]}]},
        "$.streams[*].values[*][1]",
        "text",
    ),
    (
        "loki, query",
        {"status": "success", "data": {"resultType": "streams", "result": [{"values": [["17", TEXT]]}]}},
        "$.data.result[*].values[*][1]",
        "text",
    ),
    ("loki, logcli", {"labels": {"job": "x"}, "line": TEXT, "timestamp": "2026-11-22T08:33:56Z"}, "$.line", "text"),
    ("elasticsearch, hit", {"_index": "events", "_id": "1", "_source": OBJECT}, "$._source", "an object"),
    ("elasticsearch, shipped", {"_index": "events", "_source": {"message": TEXT}}, "$._source.message", "text"),
    (
        "elasticsearch, search",
        {"took": 5, "hits": {"total": {"value": 1}, "hits": [{"_index": "x", "_source": OBJECT}]}},
        "$.hits.hits[*]._source",
        "an object",
    ),
    ("kafka connect, text", {"schema": {"type": "string"}, "payload": TEXT}, "$.payload", "text"),
    ("kafka connect", {"schema": {"type": "struct", "fields": []}, "payload": OBJECT}, "$.payload", "an object"),
    (
        "nats stream get --json",
        {"subject": "choria.lifecycle.event.startup.server", "seq": 17, "data": BASE64, "time": "2026"},
        "$.data",
        "base64",
    ),
    (
        "jetstream api",
        {
            "type": "io.nats.jetstream.api.v1.stream_msg_get_response",
            "message": {"subject": "x", "seq": 17, "hdrs": "TkFUUy8xLjANCg0K", "data": BASE64},
        },
        "$.message.data",
        "base64",
    ),
    ("message, text", {"subject": "x", "data": TEXT, "header": {"Nats-Msg-Id": ["17"]}}, "$.data", "text"),
    (
        "adapter",
        {"protocol": "choria:adapters:jetstream:output:1", "data": TEXT, "sender": "n1", "time": "2026"},
        "$.data",
        "text",
    ),
    (
        "adapter, streams",
        {"protocol": "choria:adapters:choria_streams:output:1", "data": BASE64, "sender": "n1"},
        "$.data",
        "base64",
    ),
    ("view", {"received": None, "subject": None, "format": None, "event": OBJECT}, "$.event", "an object"),
    ("envelope within", {"log": json.dumps(ENVELOPE)}, "$.log", "text"),
    ("wrapped twice", {"log": json.dumps({"MESSAGE": TEXT})}, "$.log.MESSAGE", "text"),
    ("base64 in text", {"log": json.dumps({"message": {"data": BASE64}})}, "$.log.message.data", "base64"),
    ("unknown names", {"some": {"odd name": OBJECT}}, '$.some["odd name"]', "an object"),
    ("texts in an array", {"lines": [TEXT, TEXT]}, "$.lines[*]", "text"),
    ("journald, bytes", {"MESSAGE": list(TEXT.encode()), "PRIORITY": "6"}, "$.MESSAGE", "byte values"),
    ("bytes in text", {"log": json.dumps({"MESSAGE": list(TEXT.encode())})}, "$.log.MESSAGE", "byte values"),
    ("text in bytes", {"a": list(json.dumps({"b": TEXT}).encode())}, "$.a.b", "text"),
    ("text of text", {"log": json.dumps(TEXT)}, "$.log", "text"),
    ("text of base64", {"log": json.dumps(json.dumps(BASE64))}, "$.log", "base64"),
    ("nearest first", {"payload": {"event": OBJECT}, "other": TEXT}, "$.other", "text"),
]
NAMES = [name for name, *_ in WRAPPINGS]


@pytest.mark.parametrize(("document", "path", "form"), [each[1:] for each in WRAPPINGS], ids=NAMES)
def test_an_event_is_found_and_read_where_it_lies(document: dict[str, Any], path: str, form: str) -> None:
    found = find_event(document)
    assert str(found) == f"an event is in {path}, as {form}"
    raw = json.dumps(document).encode()
    taken = events_at(raw, Location.parse(path))
    assert taken == events_at(raw, AUTO)
    for event in taken:
        assert json.loads(event.data) in (OBJECT, ENVELOPE)
        # The path of an event reads exactly this event.
        assert events_at(raw, Location.parse(event.path)) == [event]


@pytest.mark.parametrize(("document", "path", "form"), [each[1:] for each in WRAPPINGS], ids=NAMES)
def test_the_finding_about_the_document_names_the_event(document: dict[str, Any], path: str, form: str) -> None:
    [finding] = lifecycle.validate(json.dumps(document))
    assert finding.path == "$.protocol"
    assert finding.message.endswith(f"; an event is in {path}, as {form}")


@pytest.mark.parametrize(
    "document",
    [
        OBJECT,
        ENVELOPE,
        OBJECT | {"note": TEXT},
        ENVELOPE | {"data": TEXT},  # an envelope with a mistake
        {"type": "io.choria.lifecycle.v1.startup", "source": "io.choria.lifecycle", "data": OBJECT},
        {"protocol": "io.choria.lifecyle.v1.startup", "event": OBJECT},
        {"log": "started"},
        {"log": TEXT[:-1]},
        {"log": "e" * 100},
        {"log": BASE64[:-5]},
        {"log": b64encode(b"{\xff}").decode()},
        {"log": {"protocol": 5, "data": 5}},
        {"log": {"protocol": "choria:transport:1", "data": "x"}},
        {"log": {"type": "io.choria.lifecycle"}},
        {},
        [],
        None,
        5,
    ],
    ids=repr,
)
def test_a_document_that_is_an_event_or_holds_none(document: object) -> None:
    assert find_event(document) is None
    raw = json.dumps(document).encode()
    assert [(path, data) for path, data, _ in events_at(raw, AUTO)] == [("$", raw)]


NOT_HELD = "no event here: expected an object, or JSON text, base64 or byte values of one, not"


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({"a": 5}, "$.log", 'no event here: the member "log" is missing; the first members are "a"'),
        ({}, "$.log", 'no event here: the member "log" is missing; the first members are none'),
        (5, "$.log", 'no event here: expected an object with the member "log", not 5'),
        ({"log": 5}, "$.log", f"{NOT_HELD} 5"),
        ({"log": None}, "$.log", f"{NOT_HELD} null"),
        ({"log": "up"}, "$.log", f'{NOT_HELD} "up"'),
        ({"log": "[5]"}, "$.log", f"{NOT_HELD} [5]"),
        ({"log": []}, "$.log", f"{NOT_HELD} []"),
        ({"log": [123, 256]}, "$.log", f"{NOT_HELD} [123, 256]"),
        ({"log": "[" * 5000}, "$.log", "no event here: arrays and objects are nested deeper than 256 levels"),
        ({"log": '{"a":' * 5000}, "$.log.a", "no event here: arrays and objects are nested deeper than 256 levels"),
        ({"log": list(b"[" * 5000)}, "$.log[*]", "no event here: arrays and objects are nested deeper than 256 levels"),
        ({"log": []}, "$.log[*]", "no event here: the array is empty"),
        ({"log": {}}, "$.log[*]", "no event here: expected an array, not {}"),
        ({"log": "x"}, "$.log[0]", 'no event here: expected an array, not "x"'),
        ({"log": [1]}, "$.log[1]", "no event here: element 1 is missing; the array has 1"),
        ({"log": "x"}, "$.log.b", 'no event here: expected an object with the member "b", not "x"'),
        ({"log": "{x"}, "$.log.b", "no event here: JSON is malformed: "),
    ],
)
def test_a_place_without_an_event(document: object, path: str, message: str) -> None:
    [event] = events_at(json.dumps(document).encode(), Location.parse(path))
    assert event.finding is not None
    assert (event.data, event.finding.code) == (b"", "input-location")
    assert event.finding.message[: len(message)] == message
    assert event.finding.path == event.path
    assert path.startswith(event.path)


def test_the_events_of_an_array_and_its_other_elements_are_returned_in_order() -> None:
    raw = json.dumps({"values": [["1", TEXT], ["2", "up"], ["3"], ["4", OBJECT]]}).encode()
    taken = events_at(raw, AUTO)
    assert [(each.path, each.finding and each.finding.code) for each in taken] == [
        ("$.values[0][1]", None),
        ("$.values[1][1]", "input-location"),
        ("$.values[2]", "input-location"),
        ("$.values[3][1]", None),
    ]


def test_the_bytes_of_an_event_are_those_of_the_document() -> None:
    event = b'{"protocol":"io.choria.x", "a":1.0,\n"a":12345678901234567890123,  "b":"\\u00e9"}'
    assert events_at(b' {"log" : %b , "b" : 5}' % event, Location.parse("$.log"))[0].data == event
    assert events_at(json.dumps({"log": event.decode()}).encode(), AUTO)[0].data == event


@pytest.mark.parametrize("raw", [b"", b"{", b'{"log":"\xff"}', b'{"log":"\\ud800"}', b'{"log":NaN}', b"[" * 300])
def test_a_document_that_cannot_be_read_is_returned_itself(raw: bytes) -> None:
    for location in (AUTO, Location.parse("$.log")):
        assert events_at(raw, location) == [("$", raw, None)]


def test_text_that_begins_like_json_is_an_event() -> None:
    [event] = events_at(json.dumps({"log": TEXT[:30]}).encode(), Location.parse("$.log"))
    assert event == ("$.log", TEXT[:30].encode(), None)


@pytest.mark.parametrize(
    "encoded",
    [
        BASE64,
        BASE64.rstrip("="),
        urlsafe_b64encode(b' {"protocol":"io.choria.x","a":"\xc3\xbf\xc3\xbe???>>>"}').decode(),
        "\n".join(BASE64[at : at + 76] for at in range(0, len(BASE64), 76)),
        b64encode(b" \t\r\n" + TEXT.encode()).decode(),
        b64encode(b"\n" + TEXT.encode()).decode(),
        b64encode(b"\r" + TEXT.encode()).decode(),
        b64encode(b"\t" + TEXT.encode()).decode(),
    ],
)
def test_the_spellings_of_base64(encoded: str) -> None:
    [event] = events_at(json.dumps({"data": encoded}).encode(), AUTO)
    assert event.path == "$.data"
    assert json.loads(event.data)["protocol"].startswith("io.choria.")


@pytest.mark.parametrize(("document", "form"), [(TEXT, "text"), (BASE64, "base64"), (json.dumps(TEXT), "text")])
def test_a_document_that_is_a_string_with_an_event(document: str, form: str) -> None:
    raw = json.dumps(document).encode()
    [finding] = lifecycle.validate(raw)
    assert (finding.code, finding.path) == ("input-type", "$")
    assert finding.message.endswith(f"; an event is in $, as {form}")
    for location in (AUTO, Location.parse("$")):
        assert [(path, json.loads(data)) for path, data, _ in events_at(raw, location)] == [("$", OBJECT)]


def test_an_array_of_events_names_them() -> None:
    raw = json.dumps([OBJECT, OBJECT]).encode()
    [finding] = lifecycle.validate(raw)
    assert finding.message.endswith("; an event is in $[*], as an object")
    assert len(events_at(raw, AUTO)) == 2


# ---- hostile documents


def nested(levels: int, value: object) -> object:
    for _ in range(levels):
        value = {"a": value}
    return value


def test_deep_nesting_is_searched_to_a_limit() -> None:
    assert find_event(nested(7, OBJECT)) is not None
    assert find_event(nested(8, OBJECT)) is None
    deep = nested(MAX_DEPTH - 2, OBJECT)
    assert find_event(deep) is None
    [event] = events_at(json.dumps(deep).encode(), Location.parse("$" + ".a" * (MAX_DEPTH - 2)))
    assert json.loads(event.data) == OBJECT


def test_text_in_text_in_text_is_searched_to_a_limit() -> None:
    text: str = TEXT
    for _ in range(4):
        text = json.dumps({"log": text})
    assert str(find_event(json.loads(text))) == "an event is in $.log.log.log.log, as text"
    [event] = events_at(text.encode(), AUTO)
    assert json.loads(event.data) == OBJECT
    for _ in range(5):
        text = json.dumps({"log": text})
    assert find_event(json.loads(text)) is None


def test_a_wide_document_is_searched_to_a_limit() -> None:
    assert find_event({str(number): number for number in range(900)} | {"log": TEXT}) is not None
    assert find_event({str(number): number for number in range(10_000)} | {"log": TEXT}) is None
    assert find_event({"a": [[[0] * 3000] * 3000] * 3000}) is None


def test_an_event_of_any_size_in_base64() -> None:
    large = b64encode(b'{"protocol":"io.choria.x","a":"%b"}' % (b"y" * MAX_SIZE)).decode()
    [event] = events_at(json.dumps({"data": large}).encode(), AUTO)
    assert event.finding is not None
    assert (event.path, event.data, event.finding.code) == ("$.data", b"", "input-size")
    # It would exceed the limit of the document that holds it.
    huge = json.dumps({"data": large * 20}).encode()
    assert len(huge) > MAX_HOLDER
    [event] = events_at(huge, AUTO)
    assert event.finding is not None
    assert (event.path, event.finding.code) == ("$", "input-size")


def test_the_number_of_listed_places_is_limited() -> None:
    taken = events_at(json.dumps({"a": [0] * 1000 + [OBJECT]}).encode(), Location.parse("$.a[*]"))
    codes = [each.finding.code if each.finding else None for each in taken]
    assert codes == ["input-location"] * 100 + ["errors-cut"] + [None]


def test_a_path_that_is_too_long_to_show_is_not_suggested() -> None:
    assert find_event({"x" * 300: OBJECT}) is None


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_document_is_searched_and_read_without_an_error(document: object) -> None:
    raw = json.dumps(document).encode()
    for location in (AUTO, Location.parse("$.a[0]"), Location.parse("$[*]")):
        for event in events_at(raw, location):
            assert bool(event.data) != (event.finding is not None)


# ---- paths


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.a", ("a",)),
        ("$.a.b[0]['c.d']", ("a", "b", 0, "c.d")),
        ('$["c.d"][*]', ("c.d", None)),
        ("$.@timestamp.log-line._source", ("@timestamp", "log-line", "_source")),
        ("$.größe", ("größe",)),
        (r"""$['it\'s "x"']""", ('it\'s "x"',)),
        (r"""$["\u00e9\n\\"]""", ("é\n\\",)),
        ("$['']", ("",)),
        ("$[17]", (17,)),
    ],
)
def test_a_path_is_parsed(text: str, steps: tuple[str | int | None, ...]) -> None:
    location = Location.parse(text)
    assert location.steps == steps
    assert Location.parse(str(location)) == location


def test_auto_is_a_location() -> None:
    assert Location.parse("auto") is AUTO
    assert str(AUTO) == "auto"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a path begins with $, as in $.message"),
        ("message", "a path begins with $, as in $.message"),
        (".log", "a path begins with $, as in $.message"),
        ("a.b", "a path begins with $, as in $.a.b"),
        ("Auto", "a path begins with $, as in $.Auto"),
        ("$log", """expected .name, [0], [*] or ['name'] after "$", not "log\""""),
        ("$.", """expected .name, [0], [*] or ['name'] after "$", not ".\""""),
        ("$.a.", """expected .name, [0], [*] or ['name'] after "$.a", not ".\""""),
        ("$..a", """expected .name, [0], [*] or ['name'] after "$", not "..a\""""),
        ("$.a[x]", """expected .name, [0], [*] or ['name'] after "$.a", not "[x]\""""),
        ("$.a[-1]", """expected .name, [0], [*] or ['name'] after "$.a", not "[-1]\""""),
        ("$.a['b]", """expected .name, [0], [*] or ['name'] after "$.a", not "['b]\""""),
        (r"$['\q']", "expected .name, [0], [*] or ['name'] after \"$\", not \"['\\\\q']\""),
        ("$.a b", """expected .name, [0], [*] or ['name'] after "$.a", not " b\""""),
        ("$[1234567890]", """expected .name, [0], [*] or ['name'] after "$", not "[1234567890]\""""),
    ],
)
def test_what_is_not_a_path(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message follows
        Location.parse(text)
    assert str(caught.value) == message


@given(st.lists(st.text(st.characters(codec="utf-8")) | st.integers(0, 999) | st.none()).map(tuple))
def test_each_path_is_written_as_it_is_parsed(steps: tuple[str | int | None, ...]) -> None:
    text = path_text(steps)
    assert text.isprintable()
    assert Location.parse(text).steps == steps


def test_findings_are_moved_below_the_place_of_the_event() -> None:
    findings = lifecycle.validate(TEXT)
    assert [each.path for each in findings] == ["$.id"]
    assert [each.path for each in below("$.log", findings)] == ["$.log.id"]
    assert below("$", findings) is findings
    assert read_json(TEXT.encode()) == OBJECT
