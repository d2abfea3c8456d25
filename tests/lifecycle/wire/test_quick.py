from __future__ import annotations

import json
from typing import Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle import Format, InvalidEvent
from choria_lifecycle.wire import codec
from tests.bed.samples import ENVELOPE, STARTUP, compact, every_type, make_event


@every_type
def test_the_old_spelling_is_parsed_as_the_current_one(name: str) -> None:
    old = codec.encode(make_event(name)).replace(
        f"io.choria.lifecycle.v1.{name}".encode(), f"choria:lifecycle:{name}:1".encode()
    )
    assert lifecycle.detect_format(old) is Format.CHORIA
    assert lifecycle.parse(old) == make_event(name)
    wrapped = ENVELOPE | {"data": json.loads(old)}
    for spelling in (f"io.choria.lifecycle.v1.{name}", f"choria:lifecycle:{name}:1"):
        assert lifecycle.parse(compact(wrapped | {"type": spelling})) == make_event(name)


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


@pytest.mark.parametrize(
    "changes", [{"sequence": -1}, {"governor": ""}, {"event_type": "timeout"}, {"sequence": 2**63}, {"sequence": 1.0}]
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
