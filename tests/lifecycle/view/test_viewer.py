from __future__ import annotations

import json
import math
import re
import time
import unicodedata
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.middleware.delivery import Counters, Delivery
from choria_lifecycle.middleware.selection import EventFilter
from choria_lifecycle.view.viewer import Style, View, ViewCounts, ViewFormat
from choria_lifecycle.wire import codec
from tests.bed.samples import every_type, make_event

NOON = 1795348800  # 2026-11-22T12:00:00Z
SUBJECT = "choria.lifecycle.event.startup.server"
TRANSITION = (
    b'{"protocol":"io.choria.machine.v1.transition","id":"1","identity":"n","timestamp":1,"version":"1",'
    b'"machine":"m","transition":"t","from_state":"a","to_state":"b","info_source":"x"}'
)
BAD = b'{"protocol":"io.choria.lifecycle.v1.startup"}'


def startup(**values: object) -> lifecycle.Event:
    options = {"identity": "n1.example.net", "component": "server", "version": "0.30.1", "timestamp": NOON}
    return lifecycle.startup(**{**options, **values})


def delivery(data: bytes | lifecycle.Event, received: float = NOON + 1.25, subject: str = SUBJECT) -> Delivery:
    data = data if isinstance(data, bytes) else codec.encode(data)
    try:
        return Delivery(subject, data, received, codec.decode(data), None)
    except lifecycle.LifecycleError as error:
        return Delivery(subject, data, received, None, error)


def shown(event: bytes | lifecycle.Event, **style: object) -> str:
    line = View(EventFilter(), Style(**{"utc": True, **style})).render(delivery(event))
    assert line is not None
    return line.text


def test_a_line_has_the_receive_time_and_the_text_of_choria() -> None:
    assert shown(startup()) == "12:00:01 [startup] n1.example.net: server version 0.30.1"


def test_own_time_shows_the_time_of_the_event() -> None:
    assert shown(startup(), own_time=True).startswith("12:00:00 [startup] ")


def test_times_are_local_unless_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert shown(startup(), utc=False).startswith("17:30:01 ")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("timestamp", [-62135596800, 253402300799])
@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_events_at_the_ends_of_the_calendar_are_shown(
    timestamp: int, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert " [startup] " in shown(startup(timestamp=timestamp), own_time=True, utc=False)
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("output", ViewFormat)
def test_an_event_with_a_time_outside_the_calendar_is_shown(output: ViewFormat) -> None:
    view = View(EventFilter(), Style(own_time=True, output=output))
    line = view.render(delivery(startup(timestamp=2**60), received=math.nan), "events.ndjson:7")
    assert line is not None
    assert not line.rejected
    assert view.counts == ViewCounts(received=1, shown=1)
    if output is ViewFormat.TEXT:
        assert line.text.startswith("--:--:-- [startup] n1.example.net")
    elif output is ViewFormat.JSON:
        assert json.loads(line.text)["received"] is None


def test_line_breaks_in_a_time_format_are_escaped() -> None:
    assert shown(startup(), time_format="%H\n%M").startswith("12\\n00 [startup]")


def test_the_time_format_is_used() -> None:
    assert shown(startup(), time_format="%Y-%m-%dT%H:%M:%SZ").startswith("2026-11-22T12:00:01Z [startup]")


def test_color_applies_to_the_type_only() -> None:
    assert shown(startup(), color=True) == ("12:00:01 \x1b[32m[startup]\x1b[0m n1.example.net: server version 0.30.1")


@every_type
def test_every_event_type_has_a_color(name: str) -> None:
    line = shown(make_event(name), color=True)
    assert re.search(rf"\x1b\[[\d;]+m\[{name}\]\x1b\[0m n1\.example\.net: ", line)


def test_a_rejected_delivery_is_shown_with_its_subject_and_the_reason() -> None:
    line = View(EventFilter(), Style(utc=True)).render(delivery(BAD))
    assert line is not None
    assert line.rejected
    assert line.text == f"12:00:01 [rejected] {SUBJECT}: $.id: id is missing; it must be of type string"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nonsense", "invalid JSON"),
        (b'{"protocol":"io.choria.lifecycle.v9.startup"}', "io.choria.lifecycle.v9.startup"),
        (
            TRANSITION,
            "io.choria.machine.v1.transition is not a lifecycle event",
        ),
    ],
)
def test_other_documents_are_rejected_with_a_reason(data: bytes, reason: str) -> None:
    view = View(EventFilter(), Style())
    line = view.render(delivery(data))
    assert line is not None
    assert line.rejected
    assert reason in line.text
    assert view.counts == ViewCounts(received=1, rejected=1)


def test_events_that_the_filter_drops_are_counted() -> None:
    view = View(
        EventFilter(types=["startup", "alive"], components=["server"], identities=["n?.example.*", "db*"]), Style()
    )
    wanted = [
        startup(),
        startup(identity="db7"),
        lifecycle.alive(identity="n2.example.net", component="server", version="1"),
    ]
    others = [
        startup(identity="N1.EXAMPLE.NET"),
        startup(identity="xn1.example.net"),
        startup(component="billing"),
        lifecycle.shutdown(identity="n1.example.net", component="server"),
    ]
    lines = [view.render(delivery(event)) for event in [*wanted, *others]]
    assert [line is not None for line in lines] == [True] * 3 + [False] * 4
    assert view.counts == ViewCounts(received=7, shown=3, filtered=4)


def test_json_output_is_a_record() -> None:
    assert json.loads(shown(startup(id="abc"), output=ViewFormat.JSON)) == {
        "received": "2026-11-22T12:00:01.250000Z",
        "subject": SUBJECT,
        "format": "choria",
        "event": {
            "protocol": "io.choria.lifecycle.v1.startup",
            "id": "abc",
            "identity": "n1.example.net",
            "component": "server",
            "timestamp": NOON,
            "version": "0.30.1",
        },
    }


def test_raw_output_is_the_document_on_one_line() -> None:
    pretty = json.dumps(json.loads(codec.encode(startup())), indent=1).replace("\n", "\r\n").encode()
    line = shown(pretty, output=ViewFormat.RAW)
    assert "\n" not in line
    assert "\r" not in line
    assert json.loads(line) == json.loads(pretty)


def test_raw_output_is_escaped_on_a_terminal_only() -> None:
    data = codec.encode(replace(startup(), identity="a\u202eb\x9b"))
    assert shown(data, output=ViewFormat.RAW) == data.decode()
    assert shown(data, output=ViewFormat.RAW, terminal=True).isprintable()


hostile = st.text(
    st.sampled_from('\x1b\n\r\t\x00\x7f\x85\x9b\u2028\u202e\u2066\u00ad\ue000\U000e0001[]: a"\\é'), max_size=12
)


@given(identity=hostile, component=hostile, version=hostile, output=st.sampled_from([ViewFormat.TEXT, ViewFormat.JSON]))
def test_an_event_cannot_forge_a_line(identity: str, component: str, version: str, output: ViewFormat) -> None:
    event = replace(startup(), identity=identity, component=component, version=version)
    line = View(EventFilter(), Style(output=output)).render(delivery(codec.encode(event)))
    assert line is not None
    assert not line.rejected
    assert _is_plain(line.text)
    if output is ViewFormat.JSON:
        assert json.loads(line.text)["event"]["identity"] == identity


@given(subject=hostile, protocol=hostile, key=hostile, value=hostile)
def test_a_rejected_document_cannot_forge_a_line(subject: str, protocol: str, key: str, value: str) -> None:
    document = json.dumps({"protocol": protocol, key: value}).encode()
    line = View(EventFilter(), Style()).render(delivery(document, subject=subject))
    assert line is not None
    assert line.rejected
    assert _is_plain(line.text)


def _is_plain(text: str) -> bool:
    return not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} for char in text)


def test_the_total_adds_up() -> None:
    counts = ViewCounts(shown=3, filtered=2, rejected=1).including(
        Counters(received=20, delivered=5, rejected=1, filtered=7, dropped=4, gaps=0), unread=3
    )
    assert str(counts) == "received 17 = 3 shown + 9 filtered + 1 rejected + 4 dropped"
    assert counts.received == counts.shown + counts.filtered + counts.rejected + counts.dropped


def test_the_total_names_every_count() -> None:
    assert all(each.name in str(ViewCounts()) for each in fields(ViewCounts))


def test_an_unknown_receive_time_is_null() -> None:
    line = View(EventFilter(), Style(output=ViewFormat.JSON)).render(
        delivery(codec.encode(startup()), received=math.nan, subject="")
    )
    assert line is not None
    assert json.loads(line.text)["received"] is None
    assert json.loads(line.text)["subject"] is None
