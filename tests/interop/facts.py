"""The constants of Go's that the contracts must agree with, as the Go program lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from choria_schemas.registry import CONTRACTS
from tests.bed.samples import LIFECYCLE

from .reasons import NOT_IN_GO

if TYPE_CHECKING:
    from choria_schemas.registry import Contract

__all__ = ["Facts", "problems"]


class Facts(TypedDict):
    """The constants of Go's.

    Attributes:
        types: the types of lifecycle events.
        stages: the stages of governor events.
        watchers: the protocols of the watchers that the Go program makes, by the watcher's type.
        states: the names of the states of all watchers by type; empty or None for those that have none.
    """

    types: list[str]
    stages: list[str]
    watchers: dict[str, str]
    states: dict[str, list[str] | None]


def problems(facts: Facts) -> list[str]:
    """Return the differences between Go's constants and the contracts."""
    types, watchers = facts["types"], facts["watchers"]
    there = {LIFECYCLE[name].protocol if name in LIFECYCLE else name for name in types}
    there |= {"io.choria.machine.v1.transition", *watchers.values()}
    here = {contract.protocol for contract in CONTRACTS.values()}
    found = [f"{name}: Go has this event, and there is no contract" for name in there - here]
    found += [f"{name}: Go does not have this event; NOT_IN_GO needs a reason" for name in here - there - _EXCUSED]
    found += [f"{name}: Go has this event; remove it from NOT_IN_GO" for name in there & _EXCUSED]
    found += [
        f"{name}: Go has this watcher; make it in go/machine.go" for name in facts["states"] if name not in watchers
    ]
    expected = {LIFECYCLE["governor"].protocol: facts["stages"]}
    expected |= {protocol: states for name, protocol in watchers.items() if (states := facts["states"][name])}
    found += [
        f"{protocol}: none of its fields has the values that Go's has, {', '.join(sorted(values))}"
        for protocol, values in expected.items()
        if protocol in CONTRACTS and set(values) not in _enumerated(CONTRACTS[protocol])
    ]
    return sorted(found)


_EXCUSED = NOT_IN_GO.keys()


def _enumerated(contract: Contract) -> list[set[str]]:
    members = contract.schema()["properties"].values()
    return [set(member["enum"]) for member in members if "enum" in member]
