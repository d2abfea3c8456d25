"""What services take from the world around them; `choria_lifecycle.testing` puts something else in its place."""

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

__all__ = ["Environment", "current_environment", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a service finds where it was not told otherwise.

    Attributes:
        connect: makes a connection; called as `choria_lifecycle.connect` is.
        identity: returns the name of this node; called as `local_identity` is, in a thread of its own.
        clock: tells when an alive event is due.
    """

    connect: Callable[..., AbstractAsyncContextManager[Middleware]]
    identity: Callable[[str | PathLike[str] | None, Mapping[str, str] | None], str]
    clock: Clock


def current_environment() -> Environment:
    """Return those of a service that is started now."""
    return _current


@contextmanager
def replaced(environment: Environment) -> Generator[None]:
    """Give these to every service of this process, in whatever thread, that is started within the block."""
    global _current  # noqa: PLW0603 - one per process, as the services' connection is
    previous, _current = _current, environment
    try:
        yield
    finally:
        _current = previous


_current = Environment(connect=connect, identity=local_identity, clock=SystemClock())
