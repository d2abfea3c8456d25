"""A middleware without a network, and services that announce themselves there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from choria_lifecycle.events.factories import startup
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.service.environment import Environment, replaced
from choria_lifecycle.testing.announcements import Announcements
from choria_lifecycle.wire.codec import parse

if TYPE_CHECKING:
    from collections.abc import Generator

    from choria_lifecycle.middleware.transport import Message
    from choria_lifecycle.testing.fake_clock import FakeClock

__all__ = ["MemoryMiddleware", "announcing"]


class MemoryMiddleware(Middleware):
    """A middleware in memory that remembers what is published with it; what it publishes, it receives too.

    It belongs to the event loop it is first used in, and need not be closed.

    Args:
        announcements: where to remember; by default one of its own.

    Attributes:
        announcements: what was published.
    """

    def __init__(self, announcements: Announcements | None = None) -> None:
        self.announcements = announcements or Announcements()
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
    """Have every service of this process that is started within the block announce itself to memory.

    That needs no change to the program: a `Service` connects nowhere then, whatever it was told of servers and
    credentials, which are not even looked at, and asks neither DNS nor Choria's configuration for its identity. Its
    heartbeats come when the test moves `announcements.clock`. A service with a middleware or a clock of its own keeps
    that. What else the program connects to, with `connect` for example, is not touched.

    Args:
        identity: the node on which services run that were not told theirs.
        clock: tells the time of services that have no clock of their own; by default a new one, which the result has.

    Returns:
        As the block's variable, what they announce.

    Raises:
        OptionError: no node can have this identity.
    """
    startup(identity=identity, component="checked", version="checked")
    announcements = Announcements(clock)

    def connect(*_: object, **__: object) -> MemoryMiddleware:
        return MemoryMiddleware(announcements)

    def node(*_: object) -> str:
        return identity

    with replaced(Environment(connect=connect, identity=node, clock=announcements.clock)):
        yield announcements
