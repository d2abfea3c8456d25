"""The default connection, identity and clock of services, which `choria_lifecycle.testing` replaces."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from choria_lifecycle.connection import connect
from choria_lifecycle.service.defaults import local_identity
from choria_lifecycle.support.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractAsyncContextManager
    from os import PathLike

    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.support.clock import Clock

__all__ = ["Environment", "current_environment", "override_environment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The connection, identity and clock of services that were given none.

    Attributes:
        connect: makes a connection; called like `choria_lifecycle.connect`.
        identity: returns this node's identity; called like `local_identity`, in a thread of its own.
        clock: determines when an alive event is due.
    """

    connect: Callable[..., AbstractAsyncContextManager[Middleware]]
    identity: Callable[[str | PathLike[str] | None, Mapping[str, str] | None], str]
    clock: Clock


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


_current = Environment(connect=connect, identity=local_identity, clock=SystemClock())
