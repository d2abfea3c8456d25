"""dnspython's resolvers query the DNS server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import dns.asyncresolver
import dns.exception
import dns.resolver
import pytest

from .dns import DnsServer, dns_server

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "_mcollective-server._tcp.example.net"
SRV = [(10, 50, 4222, "broker1.example.net"), (20, 0, 4223, "broker2.example.net.")]


@pytest.fixture
def zone() -> dict[str, Any]:
    return {}


@pytest.fixture
def server(zone: dict[str, Any]) -> Iterator[DnsServer]:
    with dns_server(zone) as running:
        yield running


def resolver(server: DnsServer, kind: Any = dns.resolver.Resolver) -> Any:
    made = kind(configure=False)
    made.nameservers = [server.address]
    made.port = server.port
    made.lifetime = 5
    return made


def records(answer: Any) -> set[tuple[int, int, int, str]]:
    return {(each.priority, each.weight, each.port, each.target.to_text(omit_final_dot=True)) for each in answer}


def test_records(zone: dict[str, Any], server: DnsServer) -> None:
    zone[NAME] = SRV
    answer = resolver(server).resolve(NAME.upper(), "SRV")
    assert records(answer) == {(10, 50, 4222, "broker1.example.net"), (20, 0, 4223, "broker2.example.net")}
    assert server.asked == [f"SRV {NAME}"]


async def test_answers_can_change_while_a_coroutine_queries(zone: dict[str, Any], server: DnsServer) -> None:
    asking = resolver(server, dns.asyncresolver.Resolver)
    zone[NAME] = SRV[:1]
    assert len(await asking.resolve(NAME, "SRV")) == 1
    zone[NAME] = SRV
    assert len(await asking.resolve(NAME, "SRV")) == 2
    del zone[NAME]
    with pytest.raises(dns.resolver.NXDOMAIN):
        await asking.resolve(NAME, "SRV")


@pytest.mark.parametrize(
    ("known", "error"),
    [
        ("NXDOMAIN", dns.resolver.NXDOMAIN),
        ("SERVFAIL", dns.resolver.NoNameservers),
        ("EMPTY", dns.resolver.NoAnswer),
        ([], dns.resolver.NoAnswer),
        ("TIMEOUT", dns.resolver.LifetimeTimeout),
    ],
)
def test_failures(zone: dict[str, Any], server: DnsServer, known: Any, error: type[Exception]) -> None:
    zone[NAME] = known
    asking = resolver(server)
    if known == "TIMEOUT":
        asking.lifetime = 0.3
    with pytest.raises(error):
        asking.resolve(NAME, "SRV")
    assert set(server.asked) == {f"SRV {NAME}"}


def test_unknown_names_do_not_exist(server: DnsServer) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver(server).resolve(NAME, "SRV")


def test_other_types_have_no_records(zone: dict[str, Any], server: DnsServer) -> None:
    zone[NAME] = SRV
    with pytest.raises(dns.resolver.NoAnswer):
        resolver(server).resolve(NAME, "A")
    assert server.asked == [f"A {NAME}"]


def test_answers_too_long_for_udp_come_over_tcp(zone: dict[str, Any], server: DnsServer) -> None:
    zone[NAME] = [(number, 1, 4222, f"broker{number}.example.net") for number in range(100)]
    assert len(resolver(server).resolve(NAME, "SRV")) == 100
    assert server.asked == [f"SRV {NAME}", f"SRV {NAME} tcp"]


def test_nothing_is_left_behind() -> None:
    with dns_server({NAME: "TIMEOUT"}) as server:
        asking = resolver(server)
        asking.lifetime = 0.1
        with pytest.raises(dns.exception.Timeout):
            asking.resolve(NAME, "SRV", tcp=True)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("test bed")]
