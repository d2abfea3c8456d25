"""The nodes of a component: versions, expiry, limits and memory."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from choria_lifecycle.tally.labels import Labels
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.nodes import SHARDS, LastSeen, NodeCounter, Nodes


def make(**limits: int) -> tuple[Nodes, NodeCounter, Labels]:
    labels, counter = Labels(Limits(**limits)), NodeCounter()
    return Nodes(labels, counter), counter, labels


def expire(nodes: Nodes, oldest: int) -> list[LastSeen]:
    found = [nodes.expire(number, oldest, 10_000) for number in range(SHARDS)]
    gone = [node for _, nodes in found for node in nodes]
    assert sum(count for count, _ in found) == len(gone)
    return sorted(gone)


def test_a_node_has_one_version_at_a_time() -> None:
    nodes, counter, _ = make()
    assert not nodes.record("n1", "1", 5)
    assert not nodes.record("n1", "1", 5)
    assert not nodes.record("n1", "1", 6)
    assert not nodes.record("n2", "1", 6)
    assert (nodes.versions(), counter.nodes) == ({"1": 2}, 2)
    assert nodes.record("n1", "2", 6)
    assert (nodes.versions(), counter.nodes) == ({"1": 1, "2": 1}, 2)
    nodes.remove("n2")
    nodes.remove("n2")
    nodes.remove("n3")
    assert (nodes.versions(), counter.nodes) == ({"2": 1}, 1)


def test_an_expired_node_has_its_last_version() -> None:
    nodes, counter, _ = make()
    nodes.record("n1", "1", 5)
    nodes.record("n2", "1", 5)
    nodes.record("n2", "2", 7)
    nodes.record("n3", "1", 6)
    assert expire(nodes, 5) == []
    assert expire(nodes, 7) == [("n1", "1", 5), ("n3", "1", 6)]
    assert (nodes.versions(), counter.nodes) == ({"2": 1}, 1)
    assert expire(nodes, 8) == [("n2", "2", 7)]
    assert (nodes.versions(), counter.nodes) == ({}, 0)


def test_at_most_some_expired_nodes_are_returned() -> None:
    nodes, _, _ = make()
    for number in range(10 * SHARDS):
        nodes.record(f"n{number}", "1", 0)
    count, gone = nodes.expire(0, 1, 2)
    assert count > 2
    assert len(gone) == 2


def test_versions_with_nodes_are_limited() -> None:
    nodes, _, labels = make(versions=2)
    for number in range(4):
        nodes.record(f"n{number}", f"1.{number}", 0)
    assert nodes.versions() == {"1.0": 1, "1.1": 1, "other": 2}
    assert labels.hits["versions"] == 2
    nodes.remove("n0")
    assert nodes.record("n2", "1.2", 1)
    assert nodes.versions() == {"1.1": 1, "1.2": 1, "other": 1}
    assert labels.hits["versions"] == 2
    assert expire(nodes, 2) == [("n1", "1.1", 0), ("n2", "1.2", 1), ("n3", "other", 0)]


def test_a_version_named_other_counts_as_other() -> None:
    nodes, _, labels = make(versions=1)
    nodes.record("n1", "other", 0)
    nodes.record("n2", "1", 0)
    nodes.record("n3", "2", 0)
    assert nodes.versions() == {"1": 1, "other": 2}
    assert labels.hits["versions"] == 1


def test_versions_with_the_same_label_are_one() -> None:
    nodes, counter, _ = make(label_bytes=3)
    assert not nodes.record("n1", "1.0-a", 0)
    assert not nodes.record("n1", "1.0-b", 0)
    nodes.record("n2", "1.0", 0)
    assert (nodes.versions(), counter.nodes) == ({"1.0": 2}, 2)


def test_nodes_beyond_the_limit_are_not_kept() -> None:
    nodes, counter, labels = make(nodes=2)
    for identity in ("n1", "n2", "n3", "n3"):
        nodes.record(identity, identity, 0)
    assert (nodes.versions(), counter.nodes, labels.hits["nodes"]) == ({"n1": 1, "n2": 1}, 2, 2)
    nodes.record("n1", "n1", 3)
    nodes.remove("n2")
    nodes.record("n3", "n3", 3)
    assert (nodes.versions(), counter.nodes, labels.hits["nodes"]) == ({"n1": 1, "n3": 1}, 2, 2)


@pytest.mark.parametrize(
    "identity", ["x" * 128, "x" * 129, "x" * 65_000, "é" * 32, "é" * 33, "😀" * 20_000, "\ud800" * 99]
)
def test_nodes_with_any_name_are_recognised(identity: str) -> None:
    nodes, counter, _ = make()
    other = identity + "x"
    nodes.record(identity, "1", 0)
    nodes.record(other, "1", 0)
    assert nodes.record(identity, "2", 0)
    assert counter.nodes == 2
    nodes.remove(identity)
    ((shown, version, _),) = expire(nodes, 1)
    assert version == "1"
    assert len(shown) <= 128


@pytest.mark.parametrize("identity", ["{}" + "x" * 60_000, "{}" + "😀" * 15_000, "😀" * 25 + "{}"], ids=len)
def test_long_names_take_little_memory(identity: str) -> None:
    nodes, _, _ = make()
    count = 5000
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(count):
            nodes.record(identity.format(number), "1", 0)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken / count < 400


def test_memory_is_released() -> None:
    nodes, _, _ = make()
    tracemalloc.start()
    try:
        for minute in range(3):
            for number in range(20_000):
                nodes.record(f"node-{minute}-{number}", f"1.{number % 300}", minute)
            assert len(expire(nodes, minute + 1)) > 0
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 300_000


def test_a_node_takes_little_memory() -> None:
    nodes, _, _ = make()
    count = 100_000
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(count):
            nodes.record(f"web{number:07}.dc1.example.net", f"0.30.{number % 7}", number // 4000)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken / count < 160
