"""Network faults: every event is delivered or reported as possibly lost."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from dns.asyncresolver import Resolver

import choria_lifecycle as lifecycle
from choria_lifecycle.config import discovery
from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from choria_lifecycle.nats import connection, reconnect
from tests.bed import servers
from tests.bed.certificates import LOOPBACK, Authority, IssuedCertificate
from tests.bed.choria import choria_broker
from tests.bed.dns import dns_server
from tests.bed.faults import running_proxy
from tests.bed.tokens import client_token, write_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tests.bed.choria import Broker
    from tests.bed.dns import DnsServer
    from tests.bed.faults import Proxy

SECONDS = 20.0
OURS = Authority.create("Our CA")
OTHER = Authority.create("Another CA")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once and forever: the length of the pauses is not under test."""
    monkeypatch.setattr(reconnect, "MIN_DELAY", 0.01)
    monkeypatch.setattr(reconnect, "MAX_DELAY", 0.02)


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """Check that the test leaves no tasks behind."""
    yield
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def between(server: embedded.Server) -> Iterator[Proxy]:
    with running_proxy(server.port) as running:
        yield running


def alive(number: int) -> lifecycle.Event:
    return lifecycle.alive(identity=f"n{number}.example.net", component="faults", version="1.0.0")


async def refused(url: str | None, **options: Any) -> str:
    """Return the error message of a connection that fails within its timeout."""
    begun = time.monotonic()
    with pytest.raises(lifecycle.ConnectionFailed) as raised:
        await connect(url, **{"environ": {}, "timeout": 2, **options}).__aenter__()
    assert time.monotonic() - begun < 2 + 3
    return str(raised.value)


async def lost(middleware: lifecycle.Middleware) -> None:
    """Wait until the middleware has noticed the end of the connection."""
    await asyncio.wait({middleware._transport._connection.client.lost}, timeout=SECONDS)
    assert middleware._transport._connection.client.lost.done()


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Log repeated failures too, which are otherwise suppressed."""
    caplog.set_level(logging.DEBUG, "choria_lifecycle")


async def logged(caplog: pytest.LogCaptureFixture, words: str, times: int = 1) -> None:
    """Wait until the library has logged these words."""
    enough = asyncio.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if sum(words in each.getMessage() for each in [*caplog.records, record]) >= times:
                enough.set()

    listener = Listener()
    logging.getLogger("choria_lifecycle").addHandler(listener)
    try:
        if sum(words in record.getMessage() for record in caplog.records) < times:
            await asyncio.wait_for(enough.wait(), SECONDS)
    finally:
        logging.getLogger("choria_lifecycle").removeHandler(listener)


# The first connection


async def test_refused(between: Proxy) -> None:
    between.refuse()
    assert await refused(between.url) == (
        f"cannot connect to {between.url}: connection refused. Is the server running, and the port right?"
    )
    between.heal()
    async with connect(between.url, environ={}) as middleware:
        await middleware.publish(alive(1))


async def test_reset(between: Proxy) -> None:
    between.reset()
    assert await refused(between.url) == f"cannot connect to {between.url}: the server closed the connection."


@pytest.mark.parametrize("ways", [("to_server", "to_client"), ("to_server",), ("to_client",)])
async def test_black_hole(ways: tuple[str, ...], between: Proxy) -> None:
    between.black_hole(*(getattr(between, way) for way in ways))
    assert await refused(between.url, timeout=0.3) == (
        f"cannot connect to {between.url}: no answer within 0.3 s. Does a firewall drop what is sent there?"
    )


async def test_a_black_hole_leaves_time_for_the_next_server(between: Proxy, server: embedded.Server) -> None:
    between.black_hole()
    async with connect([between.url, server.url], timeout=2, environ={}) as middleware:
        assert middleware.server == server.url


@pytest.mark.parametrize("size", [0, 1, 50])
async def test_cut_during_the_greeting(size: int, between: Proxy) -> None:
    between.to_client.cut_after = size
    await refused(between.url)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[embedded.Server, Path]]:
    """Run a server with a certificate for localhost; yield it with the file of its authority."""
    folder = tmp_path_factory.mktemp("encrypted")
    (folder / "ca.pem").write_bytes(OURS.pem)
    settings = servers.tls(folder, OURS.issue("localhost"), timeout=10)
    with embedded.nats_server(settings, jetstream=False) as running:
        yield running, folder / "ca.pem"


@pytest.mark.parametrize("fault", ["hole", "cut", "reset"])
async def test_fault_during_the_handshake(fault: str, encrypted: Any) -> None:
    server, ca = encrypted
    with running_proxy(server.port) as between:
        url = f"tls://localhost:{between.port}"
        if fault == "hole":
            between.black_hole(between.to_server)
            assert "no answer within 0.5 s" in await refused(url, ca=ca, timeout=0.5)
        elif fault == "cut":
            with socket.create_connection((LOOPBACK, server.port)) as plain:
                greeting = len(plain.makefile("rb").readline())
            between.to_client.cut_after = greeting + 100
            await refused(url, ca=ca)
        else:
            between.to_server.cut_after = 10
            await refused(url, ca=ca)


# An established connection


@dataclass(slots=True)
class Traffic:
    """Events in both directions through a proxy, with a witness connected directly.

    Attributes:
        middleware: connected through the proxy.
        events: its subscription.
        witness: a subscription without the proxy.
        direct: connected without the proxy.
        confirmed: the ids that were published successfully.
        uncertain: the ids that may or may not have arrived.
    """

    middleware: lifecycle.Middleware
    events: Any
    direct: lifecycle.Middleware
    witness: Any
    confirmed: list[str] = field(default_factory=list)
    uncertain: set[str] = field(default_factory=set)

    async def publish(self, count: int) -> None:
        for number in range(count):
            event = alive(number)
            try:
                await self.middleware.publish(event, timeout=SECONDS)
                self.confirmed.append(event.id)
            except lifecycle.DeliveryFailed as error:
                assert error.may_arrive  # otherwise it would have waited
                self.uncertain.add(event.id)

    async def received(self, middleware: lifecycle.Middleware, events: Any) -> list[str]:
        """Return the ids of all events that have arrived so far."""
        await middleware.flush(timeout=SECONDS)
        ids = []
        while events.queued:
            ids.append((await anext(events)).id)
        return ids

    async def check(self, *, gaps: int) -> None:
        """Check that confirmed events arrived once and in order, and that missed events are counted as gaps."""
        arrived = await self.received(self.direct, self.witness)
        assert [each for each in arrived if each not in self.uncertain] == self.confirmed
        assert len(set(arrived)) == len(arrived)
        seen = await self.received(self.middleware, self.events)
        assert len(set(seen)) == len(seen)
        assert set(seen) <= set(arrived)
        assert self.events.counters.gaps == gaps
        assert self.events.counters.rejected == self.events.counters.dropped == 0
        if not gaps:
            assert seen == arrived
            assert not self.uncertain


@asynccontextmanager
async def traffic(between: Proxy, server: embedded.Server) -> AsyncIterator[Traffic]:
    async with (
        asyncio.timeout(30),
        connect(server.url, environ={}) as direct,
        direct.events(component="faults") as witness,
        connect(between.url, environ={}) as middleware,
        middleware.events(component="faults") as events,
    ):
        yield Traffic(middleware, events, direct, witness)


async def test_slices_lose_nothing(between: Proxy, server: embedded.Server) -> None:
    between.slice(7)
    async with traffic(between, server) as both:
        await both.publish(10)
        await both.middleware.publish_many([alive(1)] * 5)
        both.confirmed += [(await anext(both.witness)).id for _ in range(15)][10:]
        both.confirmed[:10] = []
        seen = await both.received(both.middleware, both.events)
        assert seen[10:] == both.confirmed
        assert both.events.counters.gaps == 0


async def test_slices_within_tls(encrypted: Any) -> None:
    server, ca = encrypted
    with running_proxy(server.port) as between:
        between.slice(7)
        url = f"tls://localhost:{between.port}"
        async with connect(url, ca=ca, environ={}) as middleware, middleware.events() as events:
            await middleware.publish(alive(1))
            assert (await anext(events)).identity == "n1.example.net"


async def test_latency_loses_nothing(between: Proxy, server: embedded.Server) -> None:
    between.delay(0.2)
    async with traffic(between, server) as both:
        begun = time.monotonic()
        await both.publish(2)
        assert 0.8 <= time.monotonic() - begun < 5  # each waits for its confirmation
        await both.check(gaps=0)


def _drop(between: Proxy) -> None:
    between.drop()


def _away(between: Proxy) -> None:
    between.refuse()
    between.drop()


def _reset(between: Proxy) -> None:
    between.reset()


def _hole(between: Proxy) -> None:
    between.black_hole()


def _deaf(between: Proxy) -> None:
    between.black_hole(between.to_server)


def _mute(between: Proxy) -> None:
    between.black_hole(between.to_client)


@pytest.mark.parametrize("fault", [_drop, _away, _reset, _hole, _deaf, _mute])
async def test_the_connection_is_restored(
    fault: Callable[[Proxy], None], between: Proxy, server: embedded.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connection._PING_SECONDS * (connection._PINGS_OUTSTANDING + 1) <= 60
    monkeypatch.setattr(connection, "_PING_SECONDS", 0.1)
    async with traffic(between, server) as both:
        await both.publish(5)
        publishing = asyncio.create_task(both.publish(50))
        client = both.middleware._transport._connection.client
        noticed = client.lost
        fault(between)
        await asyncio.wait({noticed}, timeout=SECONDS)
        assert noticed.done()
        between.heal()
        await publishing
        await both.publish(5)
        assert len(both.uncertain) <= 2
        gaps = both.events.counters.gaps
        assert gaps >= 1
        await both.check(gaps=gaps)
        if fault is _drop:
            assert gaps == 1


async def test_a_server_that_closes_each_reconnection(fake_server: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It closes without an error, after CONNECT."""
    answers = (b"PONG\r\n", b"PONG\r\n", None, None, None, None)
    async with (
        fake_server({"max_payload": 1048576}, *answers) as fake,
        connect(fake.url, environ={}) as middleware,
        middleware.events() as events,
    ):
        with pytest.raises(lifecycle.DeliveryFailed):
            await middleware.publish(alive(1))
        await middleware.publish(alive(2), timeout=SECONDS)
        assert events.counters.gaps == 1
    said = [record.getMessage() for record in caplog.records]
    assert sum("reconnected to " in text for text in said) == 1
    assert sum("lost the connection to NATS" in text for text in said) == 1
    assert "connection to NATS: the server closed the connection" in said


async def test_closing_a_broken_connection(server: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has not noticed yet, and data is pending."""
    async with connect(server.url, environ={}) as middleware:
        client = middleware._transport._connection.client

        async def broken() -> None:
            raise BrokenPipeError

        client._pending.append(b"PUB other 0\r\n\r\n")
        client._pending_data_size += 15
        monkeypatch.setattr(client._socket, "drain", broken)
        await client.shutdown()


async def test_a_truncated_message_is_dropped(between: Proxy, server: embedded.Server) -> None:
    async with traffic(between, server) as both:
        await both.publish(1)
        between.to_client.cut_after = 1000  # in the middle of the next one
        await both.direct.publish_many([alive(1)] * 20)
        await lost(both.middleware)
        between.heal()
        await both.publish(1)
        await both.middleware.flush(timeout=SECONDS)
        assert both.events.counters.gaps == 1
        assert 1 < both.events.counters.received < 20
        while both.events.queued:
            await anext(both.events)
        assert both.events.counters.rejected == 0


async def test_a_name_that_no_longer_resolves(
    between: Proxy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    url = f"nats://localhost:{between.port}"
    async with connect(url, environ={}) as middleware:
        with monkeypatch.context() as patch:
            patch.setattr(socket, "getaddrinfo", unknown)
            between.drop()
            await logged(caplog, "host name not found", times=2)
        await middleware.publish(alive(1), timeout=SECONDS)
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", unknown)
        assert await refused(url) == (
            f"cannot connect to {url}: host name not found (Name or service not known). "
            "Is the name right, and does this machine's DNS work?"
        )


# Files that are replaced while a program runs


def replaced(folder: Path, authority: Authority, name: str, **more: Any) -> dict[str, Path]:
    """Overwrite the client's certificate; return the arguments of `connect`."""
    cert, key = authority.issue(name, **more).write(folder, "client")
    return {"cert": cert, "key": key}


def guard(folder: Path, shown: IssuedCertificate, clients: Authority | None = None) -> str:
    folder.mkdir(exist_ok=True)
    return servers.tls(folder, shown, clients=clients)


async def test_server_comes_back_with_another_authority(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(OURS.pem)
    with embedded.nats_server(guard(tmp_path / "1", OURS.issue("localhost")), jetstream=False) as first:
        url = f"tls://localhost:{first.port}"
        async with connect(url, ca=ca, environ={}) as middleware, middleware.events() as events:
            first.kill()
            await lost(middleware)
            settings = guard(tmp_path / "2", OTHER.issue("localhost"))
            with embedded.nats_server(settings, jetstream=False, port=first.port):
                await logged(caplog, "connection to NATS: certificate not trusted (", times=3)
                told = [each.levelname for each in caplog.records if "certificate not trusted" in each.getMessage()]
                assert (told[0], set(told[1:])) == ("WARNING", {"DEBUG"})
                with pytest.raises(lifecycle.DeliveryFailed, match="certificate not trusted") as raised:
                    await middleware.publish(alive(1), timeout=0.1)
                assert not raised.value.may_arrive
                ca.unlink()  # it may be gone for a moment
                await logged(caplog, f"cannot read {ca}")
                ca.write_bytes(OTHER.pem)
                await middleware.publish(alive(2), timeout=SECONDS)
                assert (await anext(events)).identity == "n2.example.net"
                assert events.counters.gaps == 1
    said = [record.getMessage() for record in caplog.records]
    assert sum("reconnected to " in text for text in said) == 1
    assert sum("lost the connection to NATS" in text for text in said) == 1


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_server_comes_back_and_requires_another_certificate(
    version: ssl.TLSVersion, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ssl.create_default_context

    def limited(**arguments: Any) -> ssl.SSLContext:
        context = original(**arguments)
        context.maximum_version = version
        return context

    monkeypatch.setattr(ssl, "create_default_context", limited)
    ca = tmp_path / "ca.pem"
    ca.write_bytes(OURS.pem)
    shown = OURS.issue("localhost")
    with embedded.nats_server(guard(tmp_path / "1", shown, OURS), jetstream=False) as first:
        pair = replaced(tmp_path, OURS, "alice")
        url = f"tls://localhost:{first.port}"
        async with connect(url, ca=ca, **pair, environ={}) as middleware, middleware.events() as events:
            first.kill()
            await lost(middleware)
            settings = guard(tmp_path / "2", shown, OTHER)
            with embedded.nats_server(settings, jetstream=False, port=first.port):
                await logged(caplog, "connection to NATS: the server does not accept the client certificate", times=5)
                assert not any("reconnected to " in record.getMessage() for record in caplog.records)
                with pytest.raises(lifecycle.DeliveryFailed) as raised:
                    await middleware.publish(alive(1), timeout=0.1)
                assert not raised.value.may_arrive
                replaced(tmp_path, OTHER, "bob")
                await middleware.publish(alive(2), timeout=SECONDS)
                assert (await anext(events)).identity == "n2.example.net"
                assert events.counters.gaps == 1
    assert sum("reconnected to " in record.getMessage() for record in caplog.records) == 1


async def test_a_renewed_certificate_is_used_for_the_next_connection(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(OURS.pem)
    (tmp_path / "1").mkdir()
    settings = servers.tls(tmp_path / "1", OURS.issue("localhost"), clients=OURS, mapped=True)
    known = [servers.User(name="CN=alice", publish=["none"]), servers.User(name="CN=bob")]
    with (
        embedded.nats_server(f"{settings}\n{servers.users(*known)}", jetstream=False) as server,
        running_proxy(server.port) as between,
    ):
        url = f"tls://localhost:{between.port}"
        async with connect(url, ca=ca, **replaced(tmp_path, OURS, "alice"), environ={}) as middleware:
            replaced(tmp_path, OURS, "bob")
            with pytest.raises(lifecycle.NotAuthorised):
                await middleware.publish(alive(1))
            between.drop()
            await lost(middleware)
            await middleware.publish(alive(2), timeout=SECONDS)


async def test_a_password_that_is_changed_and_restored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = servers.users(servers.User(name="alice", password="right"))
    other = servers.users(servers.User(name="alice", password="other"))
    with embedded.nats_server(config, jetstream=False) as first:
        options = {"user": "alice", "password": "right", "environ": {}}
        async with connect(first.url, **options) as middleware, middleware.events() as events:
            first.kill()
            await lost(middleware)
            with embedded.nats_server(other, jetstream=False, port=first.port) as second:
                await logged(caplog, "connection to NATS: the server refused the credentials", times=3)
                second.kill()
            with embedded.nats_server(config, jetstream=False, port=first.port):
                await middleware.publish(alive(1), timeout=SECONDS)
                assert (await anext(events)).identity == "n1.example.net"
    assert sum("reconnected to " in record.getMessage() for record in caplog.records) == 1


ISSUER = Ed25519PrivateKey.generate()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with (
        embedded.nats_server(jetstream=False) as behind,
        choria_broker(ISSUER, OURS.issue("localhost"), behind.port) as running,
    ):
        yield running


def token_of(tmp_path: Path, **more: Any) -> tuple[str, dict[str, Any]]:
    """Return a function that overwrites the token and returns it with the arguments of `connect`."""
    token = client_token(ISSUER, callerid="up=alice", pub_subjects=["choria.lifecycle.>"], **more)
    written = write_credentials(tmp_path, token)
    config = tmp_path / "client.conf"
    config.write_text(
        f"plugin.security.provider = choria\n"
        f"plugin.security.choria.token_file = {written.token_file}\n"
        f"plugin.security.choria.seed_file = {written.seed_file}\n"
    )
    return token.jwt, {"config": config, "environ": {"USER": "alice"}}


async def test_a_renewed_token_is_used_for_the_next_connection(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running_proxy(broker.port) as between:
        _, options = token_of(tmp_path)
        url = f"nats://localhost:{between.port}"
        async with connect(url, **options) as middleware, middleware.events() as events:
            second, _ = token_of(tmp_path)
            between.drop()
            await lost(middleware)
            await middleware.publish(alive(1), timeout=SECONDS)
            assert (await anext(events)).identity == "n1.example.net"
            assert broker.connects[-1]["auth_token"] == second
            seen = len(broker.connects)
            token_of(tmp_path, expires=-60)
            between.drop()
            await logged(caplog, "connection to NATS: the token ", times=3)
            assert len(broker.connects) == seen
            (tmp_path / "token.jwt").unlink()
            await logged(caplog, f"connection to NATS: cannot read {tmp_path / 'token.jwt'}")
            fourth, _ = token_of(tmp_path)
            await middleware.publish(alive(2), timeout=SECONDS)
            assert (await anext(events)).identity == "n2.example.net"
            assert broker.connects[-1]["auth_token"] == fourth
            assert events.counters.gaps == 2
    said = [record.getMessage() for record in caplog.records]
    assert sum("reconnected to " in text for text in said) == 2
    assert all(record.exc_info is None for record in caplog.records)


# SRV records

DOMAIN = "example.net"
FIRST, SECOND = f"_mcollective-server._tcp.{DOMAIN}", f"_x-puppet-mcollective._tcp.{DOMAIN}"


@dataclass(slots=True)
class Records:
    """The DNS server's zone and the questions it was asked."""

    zone: dict[str, Any]
    dns: DnsServer
    options: dict[str, Any]


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Records]:
    """Run a DNS server for the library; yield it with the arguments of `connect` that make it use DNS."""
    zone: dict[str, Any] = {}
    with dns_server(zone) as dns:
        resolver = Resolver(configure=False)
        resolver.nameservers, resolver.port = [dns.address], dns.port
        monkeypatch.setattr(connection, "Brokers", partial(discovery.Brokers, resolver=resolver))
        monkeypatch.setattr(discovery, "_CACHE_SECONDS", 0.0)
        config = tmp_path / "client.conf"
        config.write_text(f"plugin.choria.srv_domain = {DOMAIN}\nplugin.choria.ssldir = {tmp_path}\n")
        options = {"config": config, "tls": False, "environ": {"USER": "alice"}, "timeout": 2}
        yield Records(zone, dns, options)


def _puppet_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make puppet:4222 resolve to a server on this machine."""
    original = socket.getaddrinfo

    def lookup(host: Any, service: Any, **more: Any) -> list[Any]:
        if (host, service) == ("puppet", 4222):
            host, service = LOOPBACK, port
        return original(host, service, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


async def connected(records: Records, **more: Any) -> str:
    async with asyncio.timeout(SECONDS), connect(**{**records.options, **more}) as middleware:
        await middleware.publish(alive(1))
        return middleware.server


async def test_lower_priorities_come_first(records: Records, server: embedded.Server, between: Proxy) -> None:
    records.zone[FIRST] = [(20, 0, between.port, "localhost"), (10, 0, server.port, "localhost")]
    for _ in range(3):
        assert await connected(records) == f"nats://localhost:{server.port}"
    records.zone[FIRST] = [(20, 0, between.port, "localhost."), (10, 0, 1, "localhost.")]
    assert await connected(records) == f"nats://localhost:{between.port}"
    assert set(records.dns.asked) == {f"SRV {FIRST}"}


@pytest.mark.parametrize("first", ["NXDOMAIN", "EMPTY", "SERVFAIL"])
async def test_the_second_name_is_queried(first: str, records: Records, server: embedded.Server) -> None:
    records.zone |= {FIRST: first, SECOND: [(0, 0, server.port, "localhost")]}
    assert await connected(records) == f"nats://localhost:{server.port}"
    assert records.dns.asked[-2:] == [f"SRV {FIRST}", f"SRV {SECOND}"]


@pytest.mark.parametrize("both", ["NXDOMAIN", "EMPTY", "SERVFAIL", "TIMEOUT"])
async def test_without_records_the_default_is_puppet(
    both: str, records: Records, server: embedded.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    _puppet_at(server.port, monkeypatch)
    records.zone |= {FIRST: both, SECOND: both}
    begun = time.monotonic()
    assert await connected(records) == "nats://puppet:4222"
    assert time.monotonic() - begun < 3
    _puppet_at(1, monkeypatch)
    message = await refused(None, **records.options | {"timeout": 1})
    assert message.startswith("cannot connect to nats://puppet:4222: connection refused; DNS (")
    assert f"{FIRST}: " in message
    assert f"{SECOND}: " in message


@pytest.mark.parametrize("name", ["localhost", "broker.example.net"])
async def test_target_of_a_record_is_verified(name: str, records: Records, tmp_path: Path) -> None:
    """A forged DNS answer does not help an attacker who has no certificate for the name in it."""
    (tmp_path / "ca.pem").write_bytes(OURS.pem)
    pair = replaced(tmp_path, OURS, "alice")
    keys = {
        "provider": "file",
        "file.ca": tmp_path / "ca.pem",
        "file.certificate": pair["cert"],
        "file.key": pair["key"],
    }
    lines = [f"plugin.choria.srv_domain = {DOMAIN}", *(f"plugin.security.{key} = {keys[key]}" for key in keys)]
    records.options["config"].write_text("\n".join(lines))
    with embedded.nats_server(guard(tmp_path / "1", OURS.issue(name), OURS), jetstream=False) as server:
        records.zone[FIRST] = [(0, 0, server.port, "localhost")]
        if name == "localhost":
            assert await connected(records, tls=None) == f"nats://localhost:{server.port}"
        else:
            message = await refused(None, **records.options | {"tls": None})
            assert "certificate is not valid for 'localhost'" in message


async def test_federated_clients_query_their_own_records(records: Records, server: embedded.Server) -> None:
    federation = f"_mcollective-federation_server._tcp.{DOMAIN}"
    records.options["environ"] |= {"CHORIA_FED_COLLECTIVE": "far"}
    records.zone[federation] = [(0, 0, server.port, "localhost")]
    records.zone[FIRST] = [(0, 0, 1, "localhost")]
    assert await connected(records) == f"nats://localhost:{server.port}"
    records.zone.clear()
    message = await refused(None, **records.options)
    assert f"{federation}: " in message
    assert "puppet" not in message.replace("_x-puppet-", "")


async def test_an_answer_that_changes_between_connections(records: Records, caplog: pytest.LogCaptureFixture) -> None:
    with (
        embedded.nats_server(jetstream=False) as first,
        embedded.nats_server(jetstream=False) as second,
        embedded.nats_server(jetstream=False) as third,
    ):
        records.zone[FIRST] = [(0, 0, first.port, "localhost")]
        async with connect(**records.options) as middleware, middleware.events() as events:
            for number, (old, new) in enumerate([(first, second), (second, third)], 1):
                # A reachable one, and before it an unreachable one.
                records.zone[FIRST] = [(10, 0, new.port, "localhost"), (0, 0, 1, "localhost")]
                old.kill()
                await lost(middleware)
                await middleware.publish(alive(number), timeout=SECONDS)
                assert middleware.server == f"nats://localhost:{new.port}"
                assert (await anext(events)).identity == f"n{number}.example.net"
                assert events.counters.gaps == number


async def test_dns_fails_between_connections(records: Records, server: embedded.Server, between: Proxy) -> None:
    """The known brokers are kept."""
    records.zone[FIRST] = [(0, 0, between.port, "localhost")]
    async with connect(**records.options) as middleware:
        for answer in ("NXDOMAIN", "SERVFAIL"):
            records.zone[FIRST] = answer
            between.drop()
            await lost(middleware)
            await middleware.publish(alive(1), timeout=SECONDS)
            assert middleware.server == f"nats://localhost:{between.port}"
