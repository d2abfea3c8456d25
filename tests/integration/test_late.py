"""Events published after main has ended arrive, although asyncio's default executor no longer works then."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from dns.asyncresolver import Resolver

import choria_lifecycle as lifecycle
from choria_lifecycle.config.discovery import Brokers
from choria_lifecycle.connection import connect, publish_once
from choria_lifecycle.demo import embedded
from choria_lifecycle.doctor import check_connection
from choria_schemas.lifecycle.v1 import Alive, Shutdown, Startup
from tests.bed import servers
from tests.bed.certificates import LOOPBACK, Authority
from tests.bed.dns import dns_server

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parent / "programs" / "late.py"
# `make soak` repeats them more often.
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "1"))
EXIT_CODES = {"return": 0, "exit": 7, "exception": 1}
ENDS = list(EXIT_CODES)
CALLS = ["publish_once", "connect", "service"]
TIMES = ["atexit", "thread"]


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[embedded.Server, Path]]:
    """Run a server that requires TLS; yield it with the file of its authority."""
    folder, authority = tmp_path_factory.mktemp("late"), Authority.create("known")
    (folder / "ca.pem").write_bytes(authority.pem)
    certificate = authority.issue("localhost", addresses=[LOOPBACK])
    with embedded.nats_server(servers.tls(folder, certificate), jetstream=False) as running:
        yield running, folder / "ca.pem"


async def run(*arguments: str, **environ: str) -> tuple[int | None, str]:
    """Run the program; return its exit code and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", str(PROGRAM), *arguments,
        env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            written, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, written.decode()


async def check(middleware: lifecycle.Middleware, *arguments: str, **environ: str) -> None:
    """Check that the program's event arrives, each time it runs."""
    call, _, _, end = arguments
    expected = [Startup, Shutdown] if call == "service" else [Shutdown]
    async with middleware.events(component="billing") as events:
        for _ in range(ROUNDS):
            code, written = await run(*arguments, **environ)
            await middleware.flush()
            found = [type(await anext(events)) for _ in range(events.queued)]
            assert [each for each in found if each is not Alive] == expected, written
            assert code == EXIT_CODES[end], written
            lines = written.splitlines()
            assert lines[-1:] == (["ValueError: on purpose"] if end == "exception" else []), written
            assert "Exception ignored" not in written


@pytest.mark.parametrize("imported", ["before", "after", "call", "used"])
@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("call", CALLS)
async def test_the_event_arrives(server: embedded.Server, call: str, when: str, imported: str) -> None:
    async with connect(server.url, environ={}) as middleware:
        await check(middleware, call, when, imported, "return", NATS_URL=f"nats://localhost:{server.port}")


@pytest.mark.parametrize("end", ["exit", "exception"])
@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("call", CALLS)
async def test_the_event_arrives_however_main_ends(server: embedded.Server, call: str, when: str, end: str) -> None:
    async with connect(server.url, environ={}) as middleware:
        await check(middleware, call, when, "before", end, NATS_URL=server.url)


@pytest.mark.parametrize("host", ["localhost", LOOPBACK])
@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("call", CALLS)
async def test_the_event_arrives_over_tls(
    encrypted: tuple[embedded.Server, Path], call: str, when: str, host: str
) -> None:
    server, authority = encrypted
    url = f"tls://{host}:{server.port}"
    async with connect(url, ca=authority, environ={}) as middleware:
        await check(middleware, call, when, "call", "return", NATS_URL=url, NATS_CA=str(authority))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("nats://localhost:1", "cannot connect to nats://localhost:1: connection refused"),
        ("nats://nosuch.invalid:4222", "cannot connect to nats://nosuch.invalid:4222: host name not found"),
    ],
)
@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("call", ["publish_once", "connect"])
async def test_a_failure_is_an_error_of_this_library(call: str, when: str, url: str, reason: str) -> None:
    _, written = await run(call, when, "call", "return", NATS_URL=url)
    assert f"\nchoria_lifecycle.errors.ConnectionFailed: {reason}" in written


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose default executor refuses work, as it does once main has ended."""

    def run_in_executor(self, *_: Any) -> NoReturn:
        raise RuntimeError("cannot schedule new futures after shutdown")


def test_nothing_uses_the_default_executor(encrypted: tuple[embedded.Server, Path], server: embedded.Server) -> None:
    """Neither this library nor nats-py or dnspython, with a host name, TLS and SRV records."""
    encrypted_server, authority = encrypted
    options: dict[str, Any] = {"ca": authority, "environ": {}}
    event = lifecycle.shutdown(identity="n1.example.net", component="billing")

    async def main() -> None:
        url = f"tls://localhost:{encrypted_server.port}"
        async with connect(url, **options) as middleware, middleware.events() as events:
            await middleware.publish(event)
            assert await anext(events) == event
        assert [check.severity for check in await check_connection(url, **options)].count("error") == 0
        async with connect(f"nats://localhost:{server.port}", environ={}) as middleware:
            await middleware.flush()
            async with lifecycle.Service("billing", "1.4.2", middleware=middleware, strict=True):
                pass
        with dns_server({"_nats._tcp.example.net": [(0, 0, 4222, "localhost.")]}) as dns:
            resolver = Resolver(configure=False)
            resolver.nameservers, resolver.port = [dns.address], dns.port
            brokers = Brokers(["_nats._tcp.example.net"], resolver=resolver)
            assert await brokers.find(0, 10) == ["nats://localhost:4222"]

    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(main())


async def test_the_event_arrives_without_threads(server: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.12 and later may start no threads at interpreter exit."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    async with connect(f"nats://localhost:{server.port}", environ={}) as middleware, middleware.events() as events:
        await middleware.publish(lifecycle.shutdown(identity="n1.example.net", component="billing"))
        assert isinstance(await anext(events), Shutdown)


def test_a_dns_query_that_hangs_does_not_delay_publish_once(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: go_on.wait(30))
    begun = time.monotonic()
    try:
        with pytest.raises(lifecycle.ConnectionFailed, match=r"no answer within 0\.2 s"):
            publish_once(
                lifecycle.shutdown(identity="n1.example.net", component="billing"),
                "nats://broker.example.net:4222",
                timeout=0.2,
                environ={},
            )
        assert time.monotonic() - begun < 5
    finally:
        go_on.set()


async def test_each_address_of_a_host_is_tried(server: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def addresses(*ports: int) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (LOOPBACK, port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    url = "nats://broker.example.net:4222"
    addresses(1, server.port)
    async with connect(url, environ={}) as middleware:
        assert middleware.server == url
    addresses(1, 2)
    with pytest.raises(lifecycle.ConnectionFailed, match=f"{url}: connection refused"):
        async with connect(url, environ={}):
            pass
