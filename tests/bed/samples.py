"""Options and documents that many tests start from."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

import choria_lifecycle as lifecycle

BASE: dict[str, Any] = {"identity": "n1.example.net", "component": "server"}
OPTIONS: dict[str, dict[str, Any]] = {
    "alive": BASE | {"version": "0.30.2"},
    "governor": BASE | {"governor": "PUPPET", "event_type": "enter"},
    "provisioned": BASE,
    "shutdown": BASE,
    "startup": BASE | {"version": "0.30.2"},
    "upgraded": BASE | {"version": "0.30.1", "new_version": "0.30.2"},
}
every_type = pytest.mark.parametrize("name", lifecycle.EVENT_TYPES)

STARTUP = {
    "protocol": "io.choria.lifecycle.v1.startup",
    "id": "afde5918-768b-4db1-8615-34f204b5f362",
    "identity": "n1.example.net",
    "component": "server",
    "timestamp": 1795336436,
    "version": "0.30.2",
}
ENVELOPE = {
    "specversion": "1.0",
    "id": STARTUP["id"],
    "source": "io.choria.lifecycle",
    "type": STARTUP["protocol"],
    "subject": "n1.example.net",
    "datacontenttype": "application/json",
    "time": "2026-11-22T08:33:56Z",
    "data": STARTUP,
}
TRANSITION = {
    "protocol": "io.choria.machine.v1.transition",
    "identity": "n1.example.net",
    "id": "3901412f-0000-4000-8000-000000000000",
    "version": "1.0.0",
    "timestamp": 1795336436,
    "machine": "check_mailq",
    "transition": "ok_event",
    "from_state": "CRITICAL",
    "to_state": "OK",
}

UNKNOWN_PROTOCOL = "io.choria.lifecycle.v1.never_published"
"""A protocol without a contract. A plausible name would break the tests on the day that upstream publishes it."""


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def make_event(name: str = "startup", **options: Any) -> lifecycle.Event:
    """Return an event with the id and time of STARTUP."""
    return lifecycle.new(cast("Any", name), **OPTIONS[name] | {"id": STARTUP["id"], "timestamp": 1795336436} | options)
