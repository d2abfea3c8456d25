"""The contracts, each with an example of what Choria sends."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest

from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from choria_schemas.registry import Contract

_LIFECYCLE = {
    "protocol": "",
    "id": "afde5918-768b-4db1-8615-34f204b5f362",
    "identity": "n1.example.net",
    "component": "server",
    "timestamp": 1795336436,
}
_WATCHER = {
    "protocol": "",
    "identity": "n1.example.net",
    "id": "bac83cb2-4d25-4a48-9b8e-0f0a4e0c5a3f",
    "version": "0.0.1",
    "timestamp": 1795336436,
    "type": "",
    "machine": "mail",
    "name": "check",
}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "io.choria.lifecycle.v1.startup": _LIFECYCLE | {"version": "0.30.2"},
    "io.choria.lifecycle.v1.shutdown": _LIFECYCLE,
    "io.choria.lifecycle.v1.provisioned": _LIFECYCLE,
    "io.choria.lifecycle.v1.alive": _LIFECYCLE | {"version": "0.30.2"},
    "io.choria.lifecycle.v1.upgraded": _LIFECYCLE | {"version": "0.30.1", "new_version": "0.30.2"},
    "io.choria.lifecycle.v1.governor": _LIFECYCLE | {"governor": "PUPPET", "sequence": 10, "event_type": "eviction"},
    "io.choria.machine.v1.transition": {
        "protocol": "",
        "identity": "n1.example.net",
        "id": "3901412f-0b1c-4f6a-8f1e-6f2f4f0d2c11",
        "version": "1.0.0",
        "timestamp": 1795336436,
        "machine": "check_mailq",
        "transition": "ok_event",
        "from_state": "CRITICAL",
        "to_state": "OK",
    },
    "io.choria.machine.watcher.exec.v1.state": _WATCHER
    | {"type": "exec", "command": "./monitor.rb", "previous_outcome": "success", "previous_run_time": 1387005527},
    "io.choria.machine.watcher.file.v1.state": _WATCHER
    | {"type": "file", "path": "/etc/motd", "previous_outcome": "changed"},
    "io.choria.machine.watcher.archive.v1.state": _WATCHER
    | {
        "type": "archive",
        "source": "https://example.net/a.tgz",
        "creates": "a",
        "previous_outcome": "unknown",
        "previous_run_time": 0,
    },
    "io.choria.machine.watcher.ccm_manifest.v1.state": _WATCHER
    | {"type": "ccm_manifest", "previous_outcome": "stable", "previous_run_time": 1387005527},
    "io.choria.machine.watcher.expression.v1.state": _WATCHER | {"type": "expression", "previous_outcome": "skipped"},
    # Before the first message: Go's zero time.
    "io.choria.machine.watcher.gossip.v1.state": _WATCHER
    | {"type": "gossip", "previous_subject": "", "previous_payload": "", "previous_gossip": -62135596800},
    "io.choria.machine.watcher.httpswitch.v1.state": _WATCHER
    | {"type": "httpswitch", "status": "on", "is_on": True, "annotations": {"room": "lab"}},
    "io.choria.machine.watcher.kv.v1.state": _WATCHER
    | {"type": "kv", "state": "changed", "bucket": "CFG", "mode": "poll", "key": "web"},
    "io.choria.machine.watcher.machines.v1.state": _WATCHER
    | {"type": "machines", "machines": ["mail"], "previous_outcome": "updated", "previous_run_time": 1387005527},
    "io.choria.machine.watcher.metric.v1.state": _WATCHER
    | {
        "type": "metric",
        "metrics": {"labels": {"format": "choria"}, "metrics": {"choria_runtime_seconds": 0.5}, "time": 1795336436},
    },
    "io.choria.machine.watcher.plugins.v1.state": _WATCHER
    | {"type": "plugins", "plugins": [], "previous_outcome": "unknown", "previous_run_time": 0},
    "io.choria.machine.watcher.timer.v1.state": _WATCHER
    | {"type": "timer", "state": "running", "timer": 3_600_000_000_000},
    "io.choria.machine.watcher.schedule.v1.state": _WATCHER | {"type": "schedule", "state": "on"},
    # Before the first check: Go's zero time, and null for missing values.
    "io.choria.machine.watcher.nagios.v1.state": _WATCHER
    | {
        "type": "nagios",
        "plugin": "check_mailq -w 10",
        "status": "NOTCHECKED",
        "status_code": 5,
        "output": "",
        "check_time": -62135596800,
        "perfdata": None,
        "runtime": 0,
        "history": [],
        "annotations": None,
    },
}


@pytest.fixture(params=sorted({contract.protocol for contract in CONTRACTS.values()}))
def contract(request: pytest.FixtureRequest) -> Contract:
    """Each contract in turn."""
    return CONTRACTS[request.param]


@pytest.fixture
def document(contract: Contract) -> dict[str, Any]:
    """An event as Choria sends it under this contract, with its keys in Choria's order."""
    return copy.deepcopy(_EXAMPLES[contract.protocol]) | {"protocol": contract.protocol}


@pytest.fixture
def event(contract: Contract, document: dict[str, Any]) -> Any:
    """That event as an instance of its class, and of the classes nested in it."""
    kinds = get_type_hints(contract.cls)
    nested = {name: kind for name, kind in kinds.items() if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    return contract.cls(**document | {name: kind(**document[name]) for name, kind in nested.items()})


@pytest.fixture
def sample() -> Callable[[str], dict[str, Any]]:
    """A function that returns an event as Choria sends it under a protocol."""
    return lambda protocol: copy.deepcopy(_EXAMPLES[protocol]) | {"protocol": protocol}
