"""An in-memory middleware, and blocks in which events go to one, or to the network again."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from choria_lifecycle.config.settings import check_options
from choria_lifecycle.connection import NetworkGuard, guard_network
from choria_lifecycle.events.factories import startup
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.middleware.transport import Message
from choria_lifecycle.service.environment import Environment, override_environment
from choria_lifecycle.testing.announcements import Announcements
from choria_lifecycle.testing.fake_clock import FakeClock
from choria_lifecycle.wire.codec import parse

__all__ = ["MemoryMiddleware", "allow_network", "announcing"]

_GUARD: Final = (
    "choria_lifecycle.testing.announcing (fixture lifecycle_announcements): give the program a MemoryMiddleware "
    "(fixture lifecycle_middleware), or connect within choria_lifecycle.testing.allow_network"
)


class MemoryMiddleware(Middleware):
    """An in-memory middleware that records what it publishes, and receives it too.

    It belongs to the event loop in which it is first used, and need not be closed.

    Args:
        announcements: the record to add to; by default, a new one.

    Attributes:
        announcements: the published events.
    """

    def __init__(self, announcements: Announcements | None = None) -> None:
        self.announcements: Final = announcements or Announcements()
        super().__init__(_RecordingTransport(self.announcements))


class _RecordingTransport(InMemoryTransport):
    def __init__(self, announcements: Announcements) -> None:
        super().__init__()
        self._announcements = announcements

    def _deliver(self, message: Message) -> None:
        super()._deliver(message)
        self._announcements.record(parse(message[1]))


@contextmanager
def announcing(*, identity: str = "test.example.net", clock: FakeClock | None = None) -> Generator[Announcements]:
    """Record events in place of any connection, for calls made in the block and services started in it, in any thread.

    The program needs no changes, and no connection leaves the process. A `Service` and `publish_once` ignore servers
    and credentials, and publish to the record. A `Service` does not derive its identity from DNS or Choria's
    configuration, and its alive events are due when the test advances `announcements.clock`; one with its own
    middleware or clock keeps it. `connect` and `check_connection` raise RuntimeError.

    Child processes, and services and connections started before the block, still use the network. So does everything
    within `allow_network`.

    Args:
        identity: the identity of services that were given none.
        clock: the clock of services that have none of their own; by default, a new one.

    Returns:
        A context manager whose value is the record of announcements.

    Raises:
        OptionError: the identity is invalid.
    """
    startup(identity=identity, component="checked", version="checked")
    announcements = Announcements(clock)

    def connect(*_: object, **options: object) -> MemoryMiddleware:
        check_options(options, "timeout", "environ")
        return MemoryMiddleware(announcements)

    def node(*_: object) -> str:
        return identity

    environment = Environment(connect=connect, identity=node, clock=announcements.clock)
    with override_environment(environment), guard_network(NetworkGuard(connect, _GUARD)):
        yield announcements


@contextmanager
def allow_network() -> Generator[None]:
    """Use the network again within `announcing`, for tests that need a real broker.

    In the block, and in any thread, `connect` and `publish_once` connect, and so do services started in the block; they
    use this machine's identity and clock.
    """
    with override_environment(Environment()), guard_network(None):
        yield
