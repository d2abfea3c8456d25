"""An in-memory middleware, and a block whose services publish to one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from choria_lifecycle.events.factories import startup
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.middleware.transport import Message
from choria_lifecycle.service.environment import Environment, override_environment
from choria_lifecycle.testing.announcements import Announcements
from choria_lifecycle.testing.fake_clock import FakeClock
from choria_lifecycle.wire.codec import parse

__all__ = ["MemoryMiddleware", "announcing"]


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
    """Record what services announce, in place of any connection, for services started in the block, in any thread.

    The program needs no changes. A `Service` makes no connection and ignores its servers and credentials; it does not
    derive its identity from DNS or Choria's configuration; and its alive events are due when the test advances
    `announcements.clock`. A service with its own middleware or clock keeps it. Everything else, such as `connect`,
    still uses the network.

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

    def connect(*_: object, **__: object) -> MemoryMiddleware:
        return MemoryMiddleware(announcements)

    def node(*_: object) -> str:
        return identity

    with override_environment(Environment(connect=connect, identity=node, clock=announcements.clock)):
        yield announcements
