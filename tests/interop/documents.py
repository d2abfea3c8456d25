"""Documents for both sides to judge, and reasons where the verdicts differ."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bed.samples import LIFECYCLE, example

from .events import TIME
from .events import protocol as protocol_of
from .reasons import NOT_IN_GO

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A document to judge.

    Attributes:
        name: its notable property.
        family: lifecycle or machine, which selects Go's reader.
        document: the bytes.
        reason: why the verdicts differ, by its name in reasons.py; empty if they agree.
    """

    name: str
    family: str = "lifecycle"
    document: bytes
    reason: str = ""


def rows() -> Iterator[Row]:
    """Yield every document, grouped by subject matter."""
    yield from _text()
    yield from _protocols()
    yield from _fields()
    yield from _envelopes()
    yield from _machine()


# Short, since there are many. The timestamp is far from now, which exposes one made up by Go.
ID = "e1"
START: dict[str, Any] = {
    "protocol": "io.choria.lifecycle.v1.startup",
    "id": ID,
    "identity": "n1",
    "component": "server",
    "timestamp": TIME,
    "version": "1.0",
}
SLOT: dict[str, Any] = {
    **{name: value for name, value in START.items() if name != "version"},
    "protocol": "io.choria.lifecycle.v1.governor",
    "governor": "PUPPET",
    "sequence": 10,
    "event_type": "enter",
}
_UPGRADED = START | {"protocol": "io.choria.lifecycle.v1.upgraded", "new_version": "1.1"}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _without(event: dict[str, Any], *names: str) -> bytes:
    return _json({name: value for name, value in event.items() if name not in names})


def _renamed(event: dict[str, Any], old: str, new: str) -> bytes:
    return _json({new if name == old else name: value for name, value in event.items()})


def _raw(name: str, text: str, event: dict[str, Any] = START) -> bytes:
    """Replace a value by JSON text, which may be invalid."""
    return _json(event | {name: "@@"}).replace(b'"@@"', text.encode())


def _around(data: Any = START, **changes: Any) -> dict[str, Any]:
    envelope = {
        "specversion": "1.0",
        "id": ID,
        "source": "io.choria.lifecycle",
        "type": "io.choria.lifecycle.v1.startup",
        "subject": "n1",
        "datacontenttype": "application/json",
        "data": data,
    }
    return envelope | changes


def _wrapped(data: Any = START, **changes: Any) -> bytes:
    return _json(_around(data, **changes))


def _text() -> Iterator[Row]:
    plain = _json(START)
    tail = plain[:-1]
    yield Row(name="nothing", document=b"")
    yield Row(name="blanks", document=b" \n")
    for name, document in {"null": b"null", "a number": b"5", "text": b'"x"', "an empty array": b"[]"}.items():
        yield Row(name=name, document=document)
    yield Row(name="an empty object", document=b"{}")
    yield Row(name="an array of events", document=b"[" + plain + b"]")
    yield Row(name="an event", document=plain)
    yield Row(name="blanks between everything", document=json.dumps(START, indent=2).encode())
    yield Row(name="a newline at the end", document=plain + b"\n")
    yield Row(name="text at the end", document=plain + b"x")
    yield Row(name="another event at the end", document=plain + plain)
    yield Row(name="a zero byte at the end", document=plain + b"\0")
    yield Row(name="truncated", document=tail)
    yield Row(name="a byte order mark", document=b"\xef\xbb\xbf" + plain)
    yield Row(name="UTF-16", document=plain.decode().encode("utf-16"))
    yield Row(name="single quotes", document=plain.replace(b'"', b"'"))
    yield Row(name="a trailing comma", document=tail + b",}")
    yield Row(name="a comment", document=tail + b"/* */}")
    yield Row(name="a control character in text", document=_raw("identity", '"a\tb"'))
    yield Row(name="all characters escaped", document=_raw("identity", '"\\u006e\\u0031\\/\\ud83d\\ude00"'))
    yield Row(name="an escape in the key protocol", document=plain.replace(b'"protocol"', b'"\\u0070rotocol"'))
    yield Row(name="invalid UTF-8 in a value", document=plain.replace(b"server", b"ser\xffver"), reason="utf-8")
    yield Row(name="a surrogate in UTF-8", document=plain.replace(b"server", b"ser\xed\xa0\x80ver"), reason="utf-8")
    yield Row(name="half of a surrogate pair", document=_raw("identity", '"n\\ud800"'), reason="half-pair")
    yield Row(name="half of a pair in an extra field", document=_raw("extra", '"\\udc00"'), reason="half-pair")
    for number in ("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "0x10"):
        yield Row(name=f"{number} in an extra field", document=_raw("extra", number))
    yield Row(
        name="1e400 in an extra field",
        document=_raw("extra", "1e400"),
    )
    yield Row(name="an integer of 5,000 digits in an extra field", document=_raw("extra", "9" * 5000))
    yield Row(name="65,536 bytes", document=_json(START | {"extra": "x" * (65536 - len(plain) - 11)}))
    yield Row(name="65,537 bytes", document=_json(START | {"extra": "x" * (65537 - len(plain) - 11)}), reason="size")
    yield Row(name="65,537 bytes, most of them blanks", document=plain + b" " * (65537 - len(plain)), reason="size")
    yield Row(name="256 levels", document=_raw("extra", "[" * 255 + "]" * 255))
    yield Row(name="257 levels", document=_raw("extra", "[" * 256 + "]" * 256), reason="depth")
    yield Row(name="10,001 levels", document=_raw("extra", "[" * 10000 + "]" * 10000))
    yield Row(name="an extra field twice", document=tail + b',"extra":1,"extra":2}')
    yield Row(name="identity twice", document=tail + b',"identity":"n2"}')
    yield Row(name="timestamp twice, the second null", document=tail + b',"timestamp":null}', reason="null")
    yield Row(name="protocol twice, the same", document=tail + b',"protocol":"' + START["protocol"].encode() + b'"}')
    yield Row(
        name="protocol twice, alive last",
        document=tail + b',"protocol":"io.choria.lifecycle.v1.alive"}',
        reason="two-protocols",
    )


def _protocols() -> Iterator[Row]:
    for protocol in (
        *(
            "",
            "io.choria.lifecycle",
            "io.choria.lifecycle.v1",
            "io.choria.lifecycle.v1.",
            "IO.CHORIA.LIFECYCLE.V1.STARTUP",
        ),
        *("io.choria.lifecycle.v1.nosuch", "io.choria.lifecycle.v2.startup", "io.choria.lifecycle.v1.startup.x"),
        *("io.choria.lifecycleX.v1.startup", "io.choria.lifecycle.v1.startup ", "io.choria.lifecycle.v1.Startup"),
        *("io.choria.machine.v1.transition", "io.choria.sr.v2.age_advisory", "choria:lifecycle:nosuch:1"),
        *("choria:lifecycle:startup:2", "https://choria.io/x.json"),
    ):
        yield Row(name=f'protocol "{protocol}"', document=_json(START | {"protocol": protocol}))
    for text in ("5", "null", "true", "[]", '{"v":1}'):
        yield Row(name=f"protocol {text}", document=_raw("protocol", text))
    yield Row(name="no protocol", document=_without(START, "protocol"))
    yield Row(name="Protocol", document=_renamed(START, "protocol", "Protocol"))
    yield Row(name="another event's protocol", document=_json(START | {"protocol": "io.choria.lifecycle.v1.shutdown"}))
    for contract in LIFECYCLE.values():
        for old in contract.protocols[1:] if contract.protocol not in NOT_IN_GO else ():
            yield Row(name=f'protocol "{old}"', document=_json(_short(old)), reason="old-spelling")


def _short(protocol: str) -> dict[str, Any]:
    return example(protocol) | {"id": ID, "identity": "n1", "timestamp": TIME}


def _fields() -> Iterator[Row]:
    yield Row(name="the protocol alone", document=_json({"protocol": START["protocol"]}), reason="made-up")
    for name in ("id", "identity", "component", "timestamp", "version"):
        yield Row(name=f"no {name}", document=_without(START, name), reason="made-up")
    for name in ("identity", "component", "version"):
        yield Row(name=f"{name} null", document=_json(START | {name: None}), reason="null")
        yield Row(name=f"{name} empty", document=_json(START | {name: ""}))
    yield Row(name="id null", document=_json(START | {"id": None}), reason="null")
    yield Row(name="id empty", document=_json(START | {"id": ""}))
    yield Row(name="id that is not a UUID", document=_json(START | {"id": "1"}))
    yield Row(name="timestamp null", document=_json(START | {"timestamp": None}), reason="null")
    for name, value in (("id", 5), ("identity", 5), ("identity", ["n1"]), ("component", True), ("version", 1.5)):
        yield Row(name=f"{name} {json.dumps(value)}", document=_json(START | {name: value}))
    yield Row(name="IDENTITY", document=_renamed(START, "identity", "IDENTITY"), reason="case")
    yield Row(name="Version", document=_renamed(START, "version", "Version"), reason="case")
    yield Row(name="identity, then IDENTITY", document=_json(START | {"IDENTITY": "n2"}), reason="case")
    yield Row(name="timestamp with a long s", document=_renamed(START, "timestamp", "time\u017ftamp"), reason="case")
    yield Row(name="extra fields", document=_json({"x": [1, {"y": None}], **START, "": "", "\u0000": 1.5}))
    for text in ("-1", "0", "-0", "9223372036854775807", "-9223372036854775808"):
        yield Row(name=f"timestamp {text}", document=_raw("timestamp", text))
    for text in ("9223372036854775808", "-9223372036854775809", "1" + "0" * 400, "1.5", "true", '"1700000000"', '""'):
        yield Row(name=f"timestamp {text if len(text) < 30 else '10^400'}", document=_raw("timestamp", text))
    for text in ("1.0", "1e3", "17E8"):
        yield Row(name=f"timestamp {text}", document=_raw("timestamp", text))
    yield Row(name="upgraded without new_version", document=_without(_UPGRADED, "new_version"), reason="made-up")
    yield Row(name="upgraded", document=_json(_UPGRADED))
    yield Row(name="governor", document=_json(SLOT))
    yield Row(name="governor without governor", document=_without(SLOT, "governor"))
    yield Row(name="governor with an empty governor", document=_json(SLOT | {"governor": ""}))
    yield Row(name="governor without sequence", document=_without(SLOT, "sequence"), reason="made-up")
    yield Row(name="governor with sequence null", document=_json(SLOT | {"sequence": None}), reason="null")
    integers = ("0", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616")
    for text in (*integers, "-1", "1.5", '"10"'):
        yield Row(name=f"governor with sequence {text}", document=_raw("sequence", text, SLOT))
    yield Row(name="governor with sequence 10.0", document=_raw("sequence", "10.0", SLOT))
    yield Row(name="governor without event_type", document=_without(SLOT, "event_type"), reason="made-up")
    for stage in ("", "paused", "timeout", "ENTER"):
        document = _json(SLOT | {"event_type": stage})
        yield Row(name=f'governor with event_type "{stage}"', document=document, reason="stage")
    yield Row(name="governor with event_type 1", document=_json(SLOT | {"event_type": 1}))


def _envelopes() -> Iterator[Row]:
    envelope = _around()
    sent = {**{name: value for name, value in envelope.items() if name != "data"}, "time": "2023-11-14T22:13:20Z"}
    plain = _json(envelope)
    event = _json(START)

    def row(name: str, document: bytes, reason: str = "") -> Row:
        return Row(name=f"envelope: {name}", document=document, reason=reason)

    yield row("as sent by Choria", _json(sent | {"data": START}))
    yield row("attributes in reverse order", _json({"data": START} | dict(reversed(sent.items()))))
    yield row("blanks between everything", json.dumps(sent | {"data": START}, indent=2).encode())
    yield row("no time", plain)
    for name in ("subject", "datacontenttype"):
        yield row(f"no {name}", _without(envelope, name))
    for name in ("subject", "datacontenttype", "time"):
        yield row(f"{name} null", _wrapped(**{name: None}))
        yield row(f"{name} empty", _wrapped(**{name: ""}), "empty")
    for name in ("id", "type"):
        yield row(f"no {name}", _without(envelope, name), "required")
        yield row(f"{name} null", _wrapped(**{name: None}), "required")
        yield row(f"{name} empty", _wrapped(**{name: ""}), "empty")
    yield row("no specversion", _without(envelope, "specversion"))
    yield row("no source", _without(envelope, "source"))
    for version in ("", "0.3", "1", "1.0 ", "1.1", "2.0"):
        yield row(f'specversion "{version}"', _wrapped(specversion=version))
    yield row("specversion 1.0 as a number", _raw("specversion", "1.0", envelope))
    yield row("specversion twice", plain[:-1] + b',"specversion":"1.0"}', "twice")
    yield row("SpecVersion", _renamed(envelope, "specversion", "SpecVersion"))
    for source in ("", "io.choria.machine", "io.choria.lifecycle.x", "/io.choria.lifecycle", "IO.CHORIA.LIFECYCLE"):
        yield row(f'source "{source}"', _wrapped(source=source))
    yield row("another type than the data's", _wrapped(type="io.choria.lifecycle.v1.alive"), "contradiction")
    yield row("a type of another family", _wrapped(type="com.example.thing"), "contradiction")
    yield row("the type in the old spelling", _wrapped(type="choria:lifecycle:startup:1"))
    yield row("another id than the data's", _wrapped(id="1"))
    yield row("another subject than the data's identity", _wrapped(subject="n2"), "contradiction")
    yield row("another time than the data's", _wrapped(time="2001-01-01T00:00:00Z"))
    for name, value in (("id", 5), ("type", 5), ("source", 5), ("subject", 5), ("time", TIME), ("datacontenttype", 5)):
        yield row(f"{name} {value}", _wrapped(**{name: value}))
    for time in ("2023-11-14T22:13:20.123456789Z", "2023-11-14T23:13:20+01:00", "0001-01-01T00:00:00Z"):
        yield row(f"time {time}", _wrapped(time=time))
    for time in ("yesterday", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-02-30T00:00:00Z"):
        yield row(f"time {time}", _wrapped(time=time))
    yield row("time in lower case", _wrapped(time="2023-11-14t22:13:20z"), "lower-case")
    yield row("time with a leap second", _wrapped(time="2016-12-31T23:59:60Z"))
    yield row("time in the year 0", _wrapped(time="0000-01-01T00:00:00Z"), "year-0")
    yield row("time in the year 10000", _wrapped(time="10000-01-01T00:00:00Z"))
    yield row("time with a comma", _wrapped(time="2023-11-14T22:13:20,5Z"), "lax-time")
    yield row("time with an offset of a day", _wrapped(time="2023-11-14T22:13:20+24:00"), "lax-time")
    yield row("time of one digit", _wrapped(time="2023-11-14T2:13:20Z"), "lax-time")

    yield row("no data", _without(envelope, "data"))
    for data in (None, 5, "x", [START], True):
        yield row(f"data {'an array' if isinstance(data, list) else json.dumps(data)}", _wrapped(data))
    yield row("data an empty object", _wrapped({}))
    yield row("data as JSON text", _wrapped(event.decode()))
    yield row("data twice, the second null", plain[:-1] + b',"data":null}')
    yield row("data twice, the first null", _json({"data": None}).removesuffix(b"}") + b"," + plain[1:], "first-data")
    yield row("data without id and timestamp", _wrapped({"protocol": START["protocol"]}), "made-up")
    yield row("data in the old spelling", _wrapped(START | {"protocol": "choria:lifecycle:startup:1"}), "old-spelling")
    old = {"type": "choria:lifecycle:startup:1"}
    yield row(
        "all in the old spelling", _wrapped(START | {"protocol": "choria:lifecycle:startup:1"}, **old), "old-spelling"
    )
    yield row("data of an unknown type", _wrapped(START | {"protocol": "io.choria.lifecycle.v1.nosuch"}))
    yield row("data with an extra field", _wrapped(START | {"x": 1}))
    yield row("data with IDENTITY", _wrapped(json.loads(_renamed(START, "identity", "IDENTITY"))), "case")
    yield row("an envelope as data", _wrapped(envelope), "nested")
    yield row("data is an event with the attributes of an envelope", _wrapped(START | {"specversion": "1.0"}))
    yield row("an event with the attributes of an envelope", _json(START | _around({}) | {"id": ID}))
    yield row("another protocol beside the envelope", _wrapped(protocol="com.example"))

    coded = base64.b64encode(event).decode()
    yield row("data_base64", _json(_swapped(envelope, coded)))
    yield row("data_base64 first", _json({"data_base64": coded} | _swapped(envelope, coded)))
    yield row("data_base64 null beside data", _wrapped(data_base64=None), "null-base64")
    yield row("data and data_base64", _wrapped(data_base64=coded), "both-data")
    bare = base64.b64encode(event + b" " * (1 + -len(event) % 3)).decode().rstrip("=")
    yield row("data_base64 without padding", _json(_swapped(envelope, bare)))
    other = base64.urlsafe_b64encode(_json(START | {"identity": "~~~???\u00ff\u00ff"})).decode()
    yield row("data_base64 in the URL-safe alphabet", _json(_swapped(envelope, other)))
    yield row("data_base64 in lines", _json(_swapped(envelope, f"{coded[:76]}\n{coded[76:]}")))
    yield row("data_base64 that is not JSON", _json(_swapped(envelope, "AAAA")))
    yield row("data_base64 empty", _json(_swapped(envelope, "")))
    yield row("data_base64 is a number", _json(_swapped(envelope, 5)))
    yield row("data_base64 of an envelope", _json(_swapped(envelope, base64.b64encode(plain).decode())), "nested")

    for media in ("application/cloudevents+json", "text/json", "application/json; charset=utf-8"):
        yield row(f"datacontenttype {media}", _wrapped(datacontenttype=media))
    yield row("datacontenttype application/x+json", _wrapped(datacontenttype="application/x+json"), "media-type")
    for media in ("text/plain", "application/octet-stream", "nonsense"):
        yield row(f"datacontenttype {media}", _wrapped(datacontenttype=media), "media-type")
        yield row(
            f"datacontenttype {media}, data as text", _wrapped(event.decode(), datacontenttype=media), "text-data"
        )

    yield row("an extension", _wrapped(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
    yield row("an extension in upper case", _wrapped(TraceParent="x"))
    yield row("dataschema", _wrapped(dataschema="https://choria.io/x.json"))
    yield row("dataschema null", _wrapped(dataschema=None))
    for name in ("trace_parent", "trace-parent", "träce", "a b"):
        yield row(f"an extension named {name}", _wrapped(**{name: "x"}), "names")
    for scalar in (True, 5, 1.5, None):
        yield row(f"an extension of {json.dumps(scalar)}", _wrapped(extra=scalar))
    yield row("an extension of the least 32-bit number", _wrapped(extra=-(2**31)))
    yield row("an extension beyond 32 bits", _wrapped(extra=2**31), "values")
    yield row("an extension with the name of an attribute in another case", _wrapped(Subject="n1"), "names")
    for nested in ([1], {"a": 1}):
        yield row(f"an extension of {json.dumps(nested)}", _wrapped(extra=nested), "values")
    yield row("an attribute with an empty name before the data", plain.replace(b'"data":', b'"":1,"data":'), "nameless")
    yield row("text at the end", plain + b"x", "tail")
    yield row("a newline at the end", plain + b"\n")
    yield row("another event at the end", plain + event, "tail")
    yield row("truncated", plain[:-1])
    yield row("invalid UTF-8 in the subject", plain.replace(b'"subject":"n1', b'"subject":"n\xff'), "utf-8")
    yield row("invalid UTF-8 in the data", plain.replace(b'"server"', b'"ser\xffver"'), "utf-8")
    yield row("half of a surrogate pair in the id", _raw("id", '"n\\ud800"', envelope), "half-pair")
    yield row("a control character in an attribute", _raw("id", '"a\tb"', envelope))
    yield row("an array of envelopes", b"[" + plain + b"]")


def _swapped(envelope: dict[str, Any], encoded: Any) -> dict[str, Any]:
    """Replace data by data_base64."""
    return {name: value for name, value in envelope.items() if name != "data"} | {"data_base64": encoded}


_AGENT: dict[str, Any] = {
    "identity": "n1",
    "id": ID,
    "version": "1.0",
    "timestamp": TIME,
    "machine": "m1",
}
_MOVE = {
    "protocol": protocol_of("transition"),
    **_AGENT,
    "transition": "ok_event",
    "from_state": "CRITICAL",
    "to_state": "OK",
}


def _state(type: str, **fields: Any) -> dict[str, Any]:
    return {"protocol": protocol_of(type), **_AGENT, "type": type, "name": "w1", **fields}


_EXEC = _state("exec", command="./x", previous_outcome="success", previous_run_time=5)
_RUN = {"previous_outcome": "unknown", "previous_run_time": 0}
_NAGIOS = _state(
    "nagios",
    plugin="check",
    status="OK",
    status_code=0,
    output="OK",
    check_time=TIME,
    perfdata=[],
    runtime=0.5,
    history=[],
    annotations={},
)


def _machine() -> Iterator[Row]:
    def row(name: str, data: Any, reason: str = "", **changes: Any) -> Row:
        known: dict[str, Any] = {"source": "io.choria.machine"}
        if isinstance(data, dict) and "protocol" in data:
            known["type"] = data["protocol"]
        return Row(
            name=f"machine: {name}", family="machine", document=_wrapped(data, **(known | changes)), reason=reason
        )

    def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
        return {name: value for name, value in event.items() if name not in names}

    yield row("a transition", _MOVE)
    yield row("a transition with an extra field", _MOVE | {"extra": 1})
    yield row("a transition without to_state", without(_MOVE, "to_state"), "contract")
    yield row("a transition with to_state null", _MOVE | {"to_state": None}, "contract")
    yield row("a transition with To_State", without(_MOVE, "to_state") | {"To_State": "OK"}, "case")
    yield row("a transition with timestamp 1.5", _MOVE | {"timestamp": 1.5})
    yield row("a transition with timestamp 1.0", _MOVE | {"timestamp": 1.0})
    yield row("a transition of version 2", _MOVE | {"protocol": "io.choria.machine.v2.transition"})
    yield row("a transition from another source", _MOVE, "contradiction", source="io.choria.lifecycle")
    yield row("a transition in an envelope of another type", _MOVE, "contradiction", type=_EXEC["protocol"])
    yield row("a transition with another identity than the subject", _MOVE, "contradiction", subject="n2")
    yield Row(name="machine: a transition without an envelope", family="machine", document=_json(_MOVE), reason="bare")
    yield Row(name="machine: text at the end", family="machine", document=row("", _MOVE).document + b"x", reason="tail")
    yield row("a lifecycle event", START, "lifecycle", source="io.choria.lifecycle")
    yield row("exec", _EXEC)
    yield row("exec without previous_run_time", without(_EXEC, "previous_run_time"), "contract")
    yield row("exec with previous_run_time 0.5", _EXEC | {"previous_run_time": 0.5})
    yield row("exec of another type", _EXEC | {"type": "file"}, "contract")
    yield row("exec with an unknown outcome", _EXEC | {"previous_outcome": "great"}, "contract")
    yield row("file of type exec", _state("file", path="/x", previous_outcome="changed") | {"type": "exec"}, "contract")
    yield row(
        "schedule of type file, as upstream's schema has it",
        _state("schedule", state="on") | {"type": "file"},
        "contract",
    )
    yield row("schedule with an unknown state", _state("schedule", state="perhaps"), "contract")
    yield row("nagios", _NAGIOS)
    yield row("nagios with status_code 6", _NAGIOS | {"status_code": 6}, "contract")
    yield row("nagios with an unknown status", _NAGIOS | {"status": "FINE"}, "contract")
    yield row("nagios with status_code 0.5", _NAGIOS | {"status_code": 0.5})
    yield row("nagios with annotations of a number", _NAGIOS | {"annotations": {"a": 1}})
    yield row(
        "nagios with an unknown unit", _NAGIOS | {"perfdata": [{"label": "a", "value": 1.5, "unit": "h"}]}, "contract"
    )
    yield row("nagios with a time in words", _NAGIOS | {"history": [{"execute": "now", "status": 0}]}, "history-time")
    yield row("timer", _state("timer", state="running", timer=5))
    yield row("timer of type exec", _state("timer", state="running", timer=5) | {"type": "exec"}, "contract")
    yield row("kv without a key", _state("kv", state="changed", bucket="CFG", mode="poll"))
    yield row("machines null", _state("machines", machines=None, **_RUN | {"previous_outcome": "updated"}), "contract")
    yield row("machines of numbers", _state("machines", machines=[1], **_RUN))
    yield row("httpswitch with is_on 1", _state("httpswitch", status="on", is_on=1, annotations={}))
    for name, value in (("1e400", 10**400), ("text", "7")):
        metrics = {"labels": {}, "metrics": {"a": value}, "time": TIME}
        yield row(f"metric with a value of {name}", _state("metric", metrics=metrics))
    for time in (2**63 - 1, 2**63):
        metrics = {"labels": {}, "metrics": {}, "time": time}
        yield row(f"metric with time {time}", _state("metric", metrics=metrics))
    yield row("an unknown watcher", _state("nosuch"))
    yield row("no protocol", without(_EXEC, "protocol"), type=_EXEC["protocol"])
