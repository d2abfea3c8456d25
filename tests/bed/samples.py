"""Events that many tests start from: the examples in tests/examples, and variations of them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

import choria_lifecycle as lifecycle
from choria_schemas.registry import CONTRACTS
from tests.bed.paths import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

    from choria_schemas.registry import Contract

POSITIVE = sorted(EXAMPLES.joinpath("positive").iterdir())
NEGATIVE = sorted(EXAMPLES.joinpath("negative").iterdir())
ALL_CONTRACTS = sorted(set(CONTRACTS.values()), key=lambda contract: contract.protocol)
LIFECYCLE: dict[str, Contract] = {}
"""The contracts of lifecycle events by event type, each in its first version."""
for _contract in ALL_CONTRACTS:
    if "/lifecycle/" in _contract.path:
        LIFECYCLE.setdefault(_contract.protocol.rpartition(".")[2], _contract)

every_contract = pytest.mark.parametrize("contract", ALL_CONTRACTS, ids=lambda contract: contract.protocol)
every_spelling = pytest.mark.parametrize("protocol", sorted(CONTRACTS))
every_type = pytest.mark.parametrize("name", lifecycle.EVENT_TYPES)


def codes(path: Path) -> set[str]:
    """Return the codes in the name of an example."""
    before, dot, _ = path.stem.partition(".")
    return set(before.split("+")) if dot else set()


def example_path(contract: Contract) -> Path:
    """Return the file of a contract's example, such as file-state.json; its variations have longer names."""
    version = contract.path.split("/")[-2]
    name = re.sub(r"(?<!^)(?=[A-Z])", "-", contract.class_name).lower()
    return EXAMPLES / "positive" / f"{name}{'' if version == 'v1' else f'-{version}'}.json"


def examples(contract: Contract) -> list[Path]:
    """Return the files of a contract's example and of its variations that have all of the contract's fields."""
    first = example_path(contract)
    others = [path for path in POSITIVE if path.stem.startswith(f"{first.stem}-") and not codes(path)]
    fields = contract.schema()["properties"].keys()
    return [first, *(path for path in others if _read(path).keys() == fields)]


def example(protocol: str) -> dict[str, Any]:
    """Return the example of a contract, with the protocol in the given spelling.

    It is an event as Choria sends it, with its fields in Choria's order.

    Raises:
        LookupError: the contract has no example.
    """
    path = example_path(CONTRACTS[protocol])
    if not path.exists():
        raise LookupError(f"{protocol} has no example: add tests/examples/positive/{path.name}")
    return _read(path) | {"protocol": protocol}


def enveloped(event: dict[str, Any], **attributes: object) -> dict[str, Any]:
    """Return an event in an envelope as Choria sends it, with changed or further attributes."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": ".".join(CONTRACTS[event["protocol"]].protocol.split(".")[:3]),
        "type": event["protocol"],
        "subject": event["identity"],
        "datacontenttype": "application/json",
        "time": datetime.fromtimestamp(event["timestamp"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": event,
        **attributes,
    }


def _read(path: Path) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(path.read_bytes())
    return event


TIME = 1795336436
"""The timestamp of these events: 2026-11-22T08:33:56Z."""

STARTUP = example("io.choria.lifecycle.v1.startup") | {"timestamp": TIME}
ENVELOPE = enveloped(STARTUP)
TRANSITION = example("io.choria.machine.v1.transition") | {"timestamp": TIME}

# The options that have defaults.
_OPTIONAL = {"id", "timestamp", "sequence"}
OPTIONS: dict[str, dict[str, Any]] = {
    name: {field: value for field, value in example(contract.protocol).items() if field not in {"protocol", *_OPTIONAL}}
    for name, contract in LIFECYCLE.items()
    if example_path(contract).exists()
}
"""The required options of each event type, from its example."""

BASE = OPTIONS["shutdown"]

UNKNOWN_PROTOCOL = "io.choria.lifecycle.v1.never_published"
"""A protocol without a contract. A plausible name would break the tests on the day that upstream publishes it."""


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def make_event(name: str = "startup", **options: Any) -> lifecycle.Event:
    """Return an event with the id and time of STARTUP."""
    options = OPTIONS[name] | {"id": STARTUP["id"], "timestamp": TIME} | options
    return lifecycle.new(cast("Any", name), **options)
