"""Opening a connection: time limits, reported reasons, and secrets that stay hidden."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.connection import connect, publish_once
from choria_lifecycle.demo import embedded
from tests.bed.faults import proxy

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

USERS = 'authorization { users = [ { user: "alice", password: "s3cret" } ] }'
UNREACHABLE = "nats://127.0.0.1:1"


@pytest.fixture(scope="module")
def guarded() -> Iterator[embedded.Server]:
    with embedded.nats_server(USERS, jetstream=False) as running:
        yield running


@pytest.fixture(scope="module")
def encrypted(tls: Path) -> Iterator[embedded.Server]:
    config = f'tls {{ cert_file: "{tls}/server.pem", key_file: "{tls}/server.key", ca_file: "{tls}/ca.pem" }}'
    with embedded.nats_server(f"{config}\n{USERS}", jetstream=False) as running:
        yield running


def secure(server: embedded.Server) -> str:
    return server.url.replace("nats://", "tls://")


def tasks_left() -> list[str]:
    """Return the names of running tasks, except the test's own and those of a `FakeServer`."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks() - {asyncio.current_task()}]
    return [name for name in names if name != "FakeServer.serve"]


async def refused(kind: type[Exception], *args: Any, **options: Any) -> str:
    """Return the message of the error that connecting raises, and check that no task is left."""
    with pytest.raises(kind) as raised:
        async with connect(*args, environ={}, **options):
            pytest.fail("connected")
    assert tasks_left() == []
    assert "s3cret" not in str(raised.value)
    return str(raised.value)


async def test_the_connection_is_closed_after_the_block(server: embedded.Server) -> None:
    async with connect(server.url, environ={}) as middleware:
        assert middleware.server == server.url
    assert middleware.server == ""
    await middleware.close()
    assert tasks_left() == []


async def test_the_environment_is_used(guarded: embedded.Server) -> None:
    environ = {"NATS_URL": guarded.url, "NATS_USER": "alice", "NATS_PASSWORD": "s3cret"}
    async with connect(environ=environ) as middleware:
        assert middleware.server == guarded.url


async def test_a_user_in_the_url_is_used(guarded: embedded.Server) -> None:
    async with connect(guarded.url.replace("//", "//alice:s3cret@"), environ={}) as middleware:
        assert middleware.server == guarded.url


async def test_a_refused_connection_is_reported() -> None:
    assert await refused(lifecycle.ConnectionFailed, UNREACHABLE) == (
        f"cannot connect to {UNREACHABLE}: connection refused. Is the server running, and the port right?"
    )


async def test_each_server_is_tried_and_named() -> None:
    message = await refused(lifecycle.ConnectionFailed, [UNREACHABLE, "nats://127.0.0.1:2"])
    assert f"{UNREACHABLE}: connection refused" in message
    assert "nats://127.0.0.1:2: connection refused" in message
    assert message.count("Is the server running") == 1


async def test_one_reachable_server_is_enough(server: embedded.Server) -> None:
    async with connect([UNREACHABLE, server.url], environ={}) as middleware:
        assert middleware.server == server.url


async def test_an_unknown_host_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host name not found" in await refused(lifecycle.ConnectionFailed, "nats://nosuch.invalid:4222")


async def test_a_wrong_password_is_reported(guarded: embedded.Server) -> None:
    begun = time.monotonic()
    message = await refused(lifecycle.NotAuthorised, guarded.url, user="alice", password="wrong")
    assert message == (
        f"cannot connect to {guarded.url}: the server refused the credentials. "
        "Are user and password right (argument user)?"
    )
    assert time.monotonic() - begun < 4


async def test_a_missing_password_is_refused(guarded: embedded.Server) -> None:
    await refused(lifecycle.NotAuthorised, guarded.url)


async def test_a_silent_server_times_out(fake_server: Any) -> None:
    async with fake_server(None) as silent:
        begun = time.monotonic()
        message = await refused(lifecycle.ConnectionFailed, silent.url, timeout=0.3)
        assert 0.25 < time.monotonic() - begun < 3
        assert "no answer" in message


async def test_a_silent_server_leaves_time_for_the_next(fake_server: Any, server: embedded.Server) -> None:
    async with fake_server(None) as silent, connect([silent.url, server.url], timeout=2, environ={}) as middleware:
        assert middleware.server == server.url


async def test_a_socket_without_accept_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
        assert "no answer" in await refused(lifecycle.ConnectionFailed, url, timeout=0.3)


async def test_another_protocol_is_refused(fake_server: Any) -> None:
    async with fake_server({"max_payload": 1}, b"HTTP/1.1 400 Bad Request\r\n") as fake:
        await refused(lifecycle.ConnectionFailed, fake.url, timeout=1)


async def test_cancelling_while_connecting_leaves_no_tasks(fake_server: Any) -> None:
    async with fake_server(None) as silent:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), connect(silent.url, environ={}):
                pytest.fail("connected")
    assert tasks_left() == []


async def test_tls_with_a_user(encrypted: embedded.Server, tls: Path) -> None:
    options = {"user": "alice", "password": "s3cret", "ca": tls / "ca.pem", "environ": {}}
    async with connect(secure(encrypted), **options) as middleware:
        await middleware.flush()
    assert tasks_left() == []


@pytest.fixture(scope="module")
def lenient(tls: Path) -> Iterator[embedded.Server]:
    config = f'allow_non_tls: true\ntls {{ cert_file: "{tls}/server.pem", key_file: "{tls}/server.key" }}'
    with embedded.nats_server(f"{config}\n{USERS}", jetstream=False) as running:
        yield running


async def test_tls_is_used_if_the_url_requires_it(lenient: embedded.Server, tls: Path) -> None:
    options: dict[str, Any] = {"user": "alice", "password": "s3cret", "environ": {}}
    async with connect(secure(lenient), ca=tls / "ca.pem", **options) as middleware:
        await middleware.flush()
        assert middleware._transport._connection.client._socket._io_writer.get_extra_info("cipher")
    async with connect(lenient.url, **options) as middleware:
        assert middleware._transport._connection.client._socket._io_writer.get_extra_info("cipher") is None
    message = await refused(lifecycle.ConnectionFailed, secure(lenient), ca=tls / "other-ca.pem", timeout=2)
    assert "certificate not trusted" in message


async def test_the_server_that_failed_is_named(fake_server: Any) -> None:
    info = {"max_payload": 1048576, "connect_urls": ["192.0.2.1:4222", "192.0.2.2:4222"]}
    async with fake_server(info, b"-ERR 'Authorization Violation'\r\n") as fake:
        message = await refused(lifecycle.NotAuthorised, fake.url)
        assert message.startswith(
            f"cannot connect to {fake.url}: the server refused the credentials. It requires credentials: set "
        )


async def test_no_traceback_holds_the_password(guarded: embedded.Server) -> None:
    with pytest.raises(lifecycle.NotAuthorised) as raised:
        await connect(guarded.url, user="alice", password="marker", environ={}).__aenter__()
    # No frame of nats-py, whose locals include the line with the password.
    assert raised.value.__context__ is None
    files = {frame.filename for frame in traceback.extract_tb(raised.value.__traceback__)}
    assert not any("aio" in file for file in files)


@pytest.mark.parametrize("option", ["ca", "creds", "nkey"])
async def test_missing_files_are_named(option: str, tmp_path: Path) -> None:
    assert str(tmp_path / "missing") in await refused(
        lifecycle.ConfigError, UNREACHABLE, **{option: tmp_path / "missing"}
    )


async def test_broken_files_are_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("nothing of use\n")
    assert str(broken) in await refused(lifecycle.ConfigError, UNREACHABLE, ca=broken)
    assert str(broken) in await refused(lifecycle.ConfigError, UNREACHABLE, cert=broken, key=broken)
    assert str(broken) in await refused(lifecycle.ConfigError, UNREACHABLE, creds=broken)
    assert str(broken) in await refused(lifecycle.ConfigError, UNREACHABLE, nkey=broken)


async def test_a_missing_nkeys_package_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert "choria-lifecycle[" in await refused(lifecycle.MissingExtra, UNREACHABLE, nkey=tmp_path)


async def test_an_nkey_authenticates(tmp_path: Path) -> None:
    seed = tmp_path / "seed"
    seed.write_text("SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU\n")
    user = "UBPDQKMVFZ7VSTPSIZCHV2X6JKUFR7IIZYIE4HUB6DHQ7I4DIVHSNOJD"
    import nkeys

    user = nkeys.from_seed(bytearray(seed.read_bytes().strip())).public_key.decode()
    with embedded.nats_server(f"authorization {{ users = [ {{ nkey: {user} }} ] }}", jetstream=False) as server:
        async with connect(server.url, nkey=seed, environ={}) as middleware:
            await middleware.flush()
        await refused(lifecycle.NotAuthorised, server.url)


async def test_creds_sign_the_nonce(fake_server: Any, tmp_path: Path) -> None:
    creds = tmp_path / "user.creds"
    creds.write_text(
        "-----BEGIN NATS USER JWT-----\neyJ0.header.s3cret\n------END NATS USER JWT------\n\n"
        "-----BEGIN USER NKEY SEED-----\nSUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU\n"
        "------END USER NKEY SEED------\n"
    )
    for demand in ({"auth_required": True}, {}):
        async with fake_server({"max_payload": 1048576, "nonce": "abc", **demand}) as fake:
            async with connect(fake.url, creds=creds, environ={}):
                pass
            assert b'"jwt": "eyJ0.header.s3cret"' in fake.received
            assert b'"sig": "' in fake.received
            assert b"SUAML" not in fake.received
    async with fake_server({"max_payload": 1048576, "nonce": "abc", "auth_required": True}) as stripped:
        await refused(lifecycle.ConnectionFailed, stripped.url.replace("nats", "tls"), creds=creds, timeout=2)
        assert bytes(stripped.received) == b""


def test_publish_once_publishes(server: embedded.Server) -> None:
    publish_once(lifecycle.shutdown(identity="n1.example.net", component="server"), server.url, environ={})


async def test_publish_once_in_an_event_loop_is_refused_with_advice() -> None:
    with pytest.raises(RuntimeError, match=r"async with choria_lifecycle\.connect"):
        publish_once(lifecycle.shutdown(identity="n1.example.net", component="server"), UNREACHABLE)


def test_use_from_another_event_loop_is_refused(server: embedded.Server) -> None:
    event = lifecycle.shutdown(identity="n1.example.net", component="server")
    with asyncio.Runner() as first, asyncio.Runner() as second:

        async def opened() -> lifecycle.Middleware:
            return await manager.__aenter__()

        manager = connect(server.url, environ={})
        middleware = first.run(opened())
        with pytest.raises(RuntimeError, match="another event loop"):
            second.run(middleware.publish(event))
        first.run(middleware.publish(event))
        first.run(manager.__aexit__(None, None, None))


@pytest.mark.parametrize("greeting", [b"INFO []\r\n", b"INFO 3\r\n", b"x" * 70_000])
async def test_an_invalid_greeting_does_not_block_other_servers(
    fake_server: Any, server: embedded.Server, greeting: bytes
) -> None:
    async with fake_server(None, greetings=(greeting,)) as odd:
        async with connect([odd.url, server.url], timeout=4, environ={}) as middleware:
            assert middleware.server == server.url
        await refused(lifecycle.ConnectionFailed, odd.url, timeout=1)


async def test_unused_time_is_left_to_the_remaining_servers(fake_server: Any) -> None:
    info = {"max_payload": 1048576}
    async with fake_server(info) as slow, running(slow.url, 0.3) as url:
        others = [f"nats://127.0.0.1:{port}" for port in range(1, 21)]
        async with connect([*others, url], timeout=4, environ={}) as middleware:
            assert middleware.server == url


@asynccontextmanager
async def running(url: str, seconds: float) -> AsyncGenerator[str]:
    """Run a proxy that delays traffic."""
    async with proxy(int(url.rpartition(":")[2])) as between:
        between.delay(seconds)
        yield between.url


@pytest.mark.parametrize("option", ["ca", "creds", "nkey"])
async def test_pipes_and_invalid_file_names_are_refused(option: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in await refused(lifecycle.ConfigError, UNREACHABLE, **{option: tmp_path / "pipe"})
    assert "not a valid file name" in await refused(lifecycle.ConfigError, UNREACHABLE, **{option: "a\0b"})
    assert "cannot read" in await refused(lifecycle.ConfigError, config=tmp_path / "pipe")
