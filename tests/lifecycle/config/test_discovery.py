"""Brokers from DNS, with a real server on the loopback interface."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from dns.asyncresolver import Resolver

from choria_lifecycle.config.discovery import Brokers, order_records
from choria_lifecycle.errors import MissingExtra
from tests.bed.dns import dns_server

if TYPE_CHECKING:
    from tests.bed.dns import DnsServer, Zone

NEW, OLD = "_mcollective-server._tcp.example.net", "_x-puppet-mcollective._tcp.example.net"


def asking(server: DnsServer) -> Brokers:
    resolver = Resolver(configure=False)
    resolver.nameservers = [server.address]
    resolver.port = server.port
    return Brokers((NEW, OLD), resolver=resolver)


@pytest.mark.parametrize(
    ("zone", "found"),
    [
        ({NEW: [(10, 0, 4222, "a.example.net")]}, ["nats://a.example.net:4222"]),
        ({OLD: [(10, 0, 4333, "b.example.net")]}, ["nats://b.example.net:4333"]),
        ({NEW: [(1, 0, 1, "a.net")], OLD: [(1, 0, 2, "b.net")]}, ["nats://a.net:1"]),
        ({NEW: "EMPTY", OLD: [(1, 0, 2, "b.net")]}, ["nats://b.net:2"]),
        ({NEW: "SERVFAIL", OLD: [(1, 0, 2, "b.net")]}, ["nats://b.net:2"]),
        (
            {NEW: [(30, 0, 1, "c.net"), (10, 0, 1, "a.net"), (20, 0, 1, "b.net")]},
            ["nats://a.net:1", "nats://b.net:1", "nats://c.net:1"],
        ),
        ({NEW: [(0, 0, 0, ".")]}, []),
        ({NEW: [(1, 0, 1, r"user\@a.net"), (1, 0, 1, r"a\047b.net"), (2, 0, 1, "b.net")]}, ["nats://b.net:1"]),
        (
            {NEW: [(number, 0, 1, f"b{number}.net") for number in range(100)]},
            [f"nats://b{number}.net:1" for number in range(32)],
        ),
        ({}, []),
    ],
)
async def test_answers(zone: Zone, found: list[str]) -> None:
    with dns_server(zone) as server:
        brokers = asking(server)
        assert await brokers.find(0, 5) == found
        assert (brokers.failure == "") is bool(found)


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        ({}, f"{NEW}: no such record; {OLD}: no such record"),
        ({NEW: [(0, 0, 0, ".")]}, f"{NEW}: no such service; {OLD}: no such record"),
        ({NEW: "SERVFAIL", OLD: "SERVFAIL"}, "SERVFAIL"),
    ],
)
async def test_the_reason_for_a_failure(zone: Zone, reason: str) -> None:
    with dns_server(zone) as server:
        brokers = asking(server)
        assert await brokers.find(0, 5) == []
        assert reason in brokers.failure


async def test_a_silent_server_times_out() -> None:
    with dns_server({NEW: "TIMEOUT", OLD: [(1, 0, 1, "b.net")]}) as server:
        brokers = asking(server)
        assert await brokers.find(0, 0.5) == ["nats://b.net:1"]
    with dns_server({NEW: "TIMEOUT", OLD: "TIMEOUT"}) as server:
        brokers = asking(server)
        assert await brokers.find(0, 0.5) == []
        assert brokers.failure == f"{NEW}: no answer from DNS; {OLD}: no answer from DNS"


async def test_an_answer_is_cached_for_five_seconds() -> None:
    zone = {NEW: [(1, 0, 1, "a.net")]}
    with dns_server(zone) as server:
        brokers = asking(server)
        assert await brokers.find(100, 5) == ["nats://a.net:1"]
        zone[NEW] = [(1, 0, 1, "b.net")]
        assert await brokers.find(104.9, 5) == ["nats://a.net:1"]
        assert await brokers.find(105, 5) == ["nats://b.net:1"]
        assert server.asked == [f"SRV {NEW}"] * 2


def test_records_are_drawn_by_weight() -> None:
    records = [(1, 60, "a"), (1, 30, "b"), (1, 10, "c"), (1, 0, "d"), (0, 0, "first"), (2, 99, "last")]
    draw = random.Random(1)
    orders = [order_records(records, draw.uniform) for _ in range(10_000)]
    assert {tuple(sorted(order)) for order in orders} == {("a", "b", "c", "d", "first", "last")}
    assert {(order[0], order[-1]) for order in orders} == {("first", "last")}
    shares = Counter(order[1] for order in orders)
    for url, share in (("a", 6000), ("b", 3000), ("c", 1000)):
        assert abs(shares[url] - share) < 200
    assert shares["d"] < 10


def test_order_without_weights_and_with_duplicates() -> None:
    assert order_records([]) == []
    assert sorted(order_records([(1, 0, "a"), (1, 0, "b")])) == ["a", "b"]
    assert order_records([(1, 5, "a"), (1, 5, "a"), (2, 5, "a")]) == ["a"]


def test_records_without_weights_are_equally_likely() -> None:
    draw = random.Random(1)
    first = Counter(order_records([(1, 0, "a"), (1, 0, "b"), (1, 0, "c")], draw.uniform)[0] for _ in range(3000))
    assert all(abs(count - 1000) < 150 for count in first.values())


def test_without_dnspython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"_mcollective-server.*choria-lifecycle\[choria\]"):
        Brokers((NEW,))
