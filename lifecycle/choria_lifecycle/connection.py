"""Connect to the middleware, or publish a single event through it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Unpack

from choria_lifecycle.config.resolve import choria_configuration, resolve
from choria_lifecycle.config.settings import ConnectionOptions, ConnectionSettings, check_options
from choria_lifecycle.config.table import CONNECT_TIMEOUT
from choria_lifecycle.events.event import Event
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.middleware.subscription import LIMIT, LIMIT_BYTES
from choria_lifecycle.support.threads import run_in_thread
from choria_lifecycle.wire.cloudevents import Format

if TYPE_CHECKING:
    from choria_lifecycle.nats import NatsTransport

__all__ = ["NetworkGuard", "check_guard", "connect", "guard_network", "open_transport", "publish_once"]


class NetworkGuard(NamedTuple):
    """A guard that keeps tests away from the network.

    Attributes:
        connect: makes the connection of `publish_once` instead; called like `connect`.
        reason: the name of the guard and the way out, for the error of `connect`.
    """

    connect: Callable[..., AbstractAsyncContextManager[Middleware]]
    reason: str


@contextmanager
def guard_network(guard: NetworkGuard | None) -> Generator[None]:
    """Use a guard, or none, for the calls that this process makes within the block, in any thread."""
    global _guard  # noqa: PLW0603 - one per process
    previous, _guard = _guard, guard
    try:
        yield
    finally:
        _guard = previous


def check_guard(function: str) -> None:
    """Raise RuntimeError if a guard applies: unlike a LifecycleError, no program takes it for a broker that is down.

    Args:
        function: the name of the function that would connect.
    """
    if _guard is not None:
        raise RuntimeError(f"{function} is blocked by {_guard.reason}")


_guard: NetworkGuard | None = None


@asynccontextmanager
async def connect(
    servers: str | Iterable[str] | None = None,
    *,
    timeout: float = CONNECT_TIMEOUT,
    limit: int = LIMIT,
    limit_bytes: int = LIMIT_BYTES,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> AsyncGenerator[Middleware]:
    """Connect to NATS: `async with connect() as middleware`.

    The first connection must succeed within the timeout. A connection that is lost later is re-established, forever,
    with pauses of 0.5 to 20 seconds; a server that stops responding is noticed within a minute. Leaving the block
    delivers the messages that have arrived and closes the connection within 5 seconds.

    Args:
        servers: `host`, `host:port` or a `nats://` or `tls://` URL, or several; each is tried once. Default NATS_URL;
            else, on a Choria client, the brokers and credentials of Choria's configuration; else
            `nats://127.0.0.1:4222`. If TLS is required, as by Choria's configuration, nothing is sent to a server that
            does not offer it.
        timeout: seconds for connecting, across all servers, DNS included. If Choria's configuration leaves a domain or
            directory to facter or puppet, each of these may take a further 5 seconds before that.
        limit: how many messages each subscription queues before it drops and counts newer ones.
        limit_bytes: the same limit in bytes, subjects included; default 64 MiB.
        environ: the environment variables; default `os.environ`.
        **options: see `ConnectionOptions`.

    Raises:
        ConfigError: the settings contradict each other, or a file cannot be used.
        ConnectionFailed: no server could be reached; the message gives the reason for each.
        NotAuthorised: a server refused the credentials, or a token has expired.
        MissingExtra: an optional package is not installed: for creds and nkey files, Choria's tokens, or SRV records.
        OptionError: an option is unknown.
        RuntimeError: `choria_lifecycle.testing.announcing` keeps this process off the network.
    """
    check_options(options, "timeout", "limit", "limit_bytes", "environ")
    check_guard("connect")
    transport = await open_transport(servers, timeout=timeout, environ=environ, **options)
    async with Middleware(transport, limit=limit, limit_bytes=limit_bytes) as middleware:
        yield middleware


async def open_transport(
    servers: str | Iterable[str] | None = None,
    *,
    timeout: float,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> NatsTransport:
    """Connect as `connect` does, regardless of a guard; the caller closes the transport."""
    from choria_lifecycle.nats import NatsTransport

    environ = os.environ if environ is None else environ
    # In a thread: it reads files, and may run facter or puppet.
    settings = await run_in_thread(_settings, servers, environ, options)
    return await NatsTransport.open(settings, timeout)


def _settings(
    servers: str | Iterable[str] | None, environ: Mapping[str, str], options: ConnectionOptions
) -> ConnectionSettings:
    configuration = choria_configuration(servers, config=options.get("config"), environ=environ)
    return resolve(servers, configuration=configuration, environ=environ, **options)


def publish_once(
    event: Event,
    servers: str | Iterable[str] | None = None,
    *,
    format: Format = Format.CHORIA,  # noqa: A002 - the name users know
    stored: bool = False,
    timeout: float = CONNECT_TIMEOUT,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> None:
    """Connect, publish one event, and close; for scripts and cron.

    Works in atexit handlers too, and in threads that outlive the main thread.

    Args:
        event: the event.
        servers: as for `connect`.
        format: the wire format; default Choria's own JSON.
        stored: wait until a JetStream stream has acknowledged it.
        timeout: seconds for connecting, and again for publishing.
        environ: as for `connect`.
        **options: as for `connect`.

    Raises:
        RuntimeError: the caller runs in an event loop, which this would block.
        LifecycleError: any error that `connect` and `Middleware.publish` raise.
    """

    async def run() -> None:
        opened = connect if _guard is None else _guard.connect
        async with opened(servers, timeout=timeout, environ=environ, **options) as middleware:
            await middleware.publish(event, format=format, stored=stored, timeout=timeout)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(run())
    else:
        raise RuntimeError(
            "publish_once is for synchronous programs; in an event loop write: "
            "async with choria_lifecycle.connect() as middleware: await middleware.publish(event)"
        )
