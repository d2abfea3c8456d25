"""The default connection, identity and clock of services, which `choria_lifecycle.testing` replaces."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from choria_lifecycle.config.table import CONNECT_TIMEOUT
from choria_lifecycle.connection import open_transport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.service.defaults import local_identity
from choria_lifecycle.support.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager
    from os import PathLike
    from typing import Unpack

    from choria_lifecycle.config.settings import ConnectionOptions
    from choria_lifecycle.support.clock import Clock

__all__ = ["Environment", "current_environment", "override_environment"]


@asynccontextmanager
async def _connect(
    servers: str | Iterable[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> AsyncGenerator[Middleware]:
    """Connect regardless of a guard, so that one which is set up later does not stop a service from reconnecting."""
    transport = await open_transport(servers, timeout=CONNECT_TIMEOUT, environ=environ, **options)
    async with Middleware(transport) as middleware:
        yield middleware


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The connection, identity and clock of services that were given none; by default, those of this machine.

    Attributes:
        connect: makes a connection; called like `choria_lifecycle.connect`.
        identity: returns this node's identity; called like `local_identity`, in a thread of its own.
        clock: determines when an alive event is due.
    """

    connect: Callable[..., AbstractAsyncContextManager[Middleware]] = _connect
    identity: Callable[[str | PathLike[str] | None, Mapping[str, str] | None], str] = local_identity
    clock: Clock = field(default_factory=SystemClock)


def current_environment() -> Environment:
    """Return the environment of a service that starts now."""
    return _current


@contextmanager
def override_environment(environment: Environment) -> Generator[None]:
    """Use an environment for every service that this process starts within the block, in any thread."""
    global _current  # noqa: PLW0603 - one per process, like the services' loop thread
    previous, _current = _current, environment
    try:
        yield
    finally:
        _current = previous


_current = Environment()
