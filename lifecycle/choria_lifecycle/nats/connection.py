"""A connection to NATS: made before a deadline or not at all, and from then on made again for ever."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nats import errors

from choria_lifecycle.errors import ConnectionFailed, LifecycleError, NotAuthorised
from choria_lifecycle.log import logger
from choria_lifecycle.nats.backoff import Backoff
from choria_lifecycle.nats.causes import cause, is_refusal
from choria_lifecycle.nats.client import Client
from choria_lifecycle.nats.credentials import credentials
from choria_lifecycle.text import safe

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["Connection"]


# Choria's client pings every 30 s and allows two outstanding; a black hole is noticed within a minute this way.
_PING_SECONDS = 20
_PINGS_OUTSTANDING = 1

# For each step of a reconnect: the TCP connection, the greeting, the TLS handshake, the answer to the credentials.
_RECONNECT_STEP_SECONDS = 5

_VIOLATION = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"', re.IGNORECASE)


class Connection:
    """One of nats-py's clients with everything that is decided about it.

    Attributes:
        client: the client.
        closing: whether `close` was called.
    """

    def __init__(self, settings: ConnectionSettings, within: float) -> None:
        self.client = Client()
        self.closing = False
        self._settings = settings
        self._within = within
        self._backoff = Backoff()
        self._up = asyncio.Event()
        self._opening = True
        self._failures: list[tuple[str, Exception]] = []
        self._last_error: Exception | None = None
        self._waiting: list[tuple[set[str], str, asyncio.Future[NotAuthorised]]] = []

    @classmethod
    async def open(cls, settings: ConnectionSettings, within: float) -> Connection:
        """Connect to one of the servers, each of which is tried once.

        Raises:
            ConnectionFailed: none could be reached; the message says why for each.
            NotAuthorised: none could be reached, and one refused the credentials.
            ConfigError: a file with credentials cannot be used.
            MissingExtra: the credentials need an optional package.
        """
        self = cls(settings, within)
        client = self.client
        arguments = credentials(settings, lambda: client.offers_tls)
        try:
            async with asyncio.timeout(within):
                await client.connect(
                    servers=list(settings.servers),
                    name=settings.name,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                    reconnect_to_server_handler=self._backoff,
                    max_reconnect_attempts=-1,
                    # A silent server takes its share of the time and leaves the others theirs.
                    connect_timeout=within / len(settings.servers),  # type: ignore[arg-type]
                    ping_interval=_PING_SECONDS,
                    max_outstanding_pings=_PINGS_OUTSTANDING,
                    # Nothing is buffered while disconnected; and nats-py never waits within publish, where it would
                    # swallow a cancellation.
                    pending_size=-1,
                    **arguments,
                )
            if not client.is_connected:
                self._fail(errors.UnexpectedEOF())
        except BaseException as error:
            self.close()
            await client.shutdown()
            if isinstance(error, (LifecycleError, asyncio.CancelledError)) or not isinstance(error, Exception):
                raise
            self._failures.append((self._trying, error))
            raise self._unreachable() from error
        self._opening = False
        self._failures.clear()
        client.options["connect_timeout"] = _RECONNECT_STEP_SECONDS
        self._up.set()
        logger.debug("connected to %s", self.server)
        return self

    @property
    def server(self) -> str:
        """The server this is connected to, without credentials; empty while it is not connected."""
        url = self.client.connected_url
        return safe(f"{url.scheme}://{url.netloc.rpartition('@')[2]}") if url is not None else ""

    @property
    def state(self) -> str:
        """In words, why there is no connection."""
        if self.closing:
            return "the middleware is closed"
        if self.client.is_connected:
            return "the server does not answer"
        reason = f" ({cause(self._last_error)})" if self._last_error is not None else ""
        return f"the connection is lost{reason} and has not come back in time"

    def close(self) -> None:
        """Announce the end: losing the connection is no news then, and nobody waits for it to come back."""
        self.closing = True
        self._up.set()

    async def connected(self, deadline: float) -> bool:
        """Wait until there is a connection; False if there is none by the deadline."""
        while not self.client.is_connected and not self.closing:
            self._up.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._up.wait()
            except TimeoutError:
                return False
        return not self.closing

    @contextmanager
    def refusals(self, publishing: Iterable[str], subscribing: str = "") -> Generator[asyncio.Future[NotAuthorised]]:
        """While this lasts, learn whether the server refuses a subject.

        Args:
            publishing: the subjects that are published on.
            subscribing: the beginning of a subject that is subscribed to.

        Returns:
            A future whose result, not its exception, is the NotAuthorised to raise.
        """
        refused: asyncio.Future[NotAuthorised] = asyncio.get_running_loop().create_future()
        # The server's words reach us in lower case: nats-py's parser sees to that.
        entry = ({subject.lower() for subject in publishing}, subscribing.lower(), refused)
        self._waiting.append(entry)
        try:
            yield refused
        finally:
            self._waiting.remove(entry)
            refused.cancel()

    def _refuse(self, error: Exception) -> bool:
        """Tell those who wait for a refusal; False if nobody does."""
        found = _VIOLATION.search(str(error))
        if found is None:
            return False
        action, subject = found[1].lower(), found[2]
        told = False
        for publishing, subscribing, refused in self._waiting:
            if subject in publishing if action == "publish" else subscribing and subject.startswith(subscribing):
                told = True
                if not refused.done():
                    verb = "publish to" if action == "publish" else "subscribe to"
                    refused.set_result(NotAuthorised(f"the server does not allow this user to {verb} {safe(subject)}"))
        return told

    @property
    def _trying(self) -> str:
        """The server that is being tried: nats-py moves it to the end of its list."""
        url = self.client.servers[-1] if self.client.servers else None
        return f"{url.scheme}://{url.netloc}" if url is not None else ", ".join(self._settings.servers)

    def _fail(self, error: Exception) -> None:
        self._failures.append((self._trying, error))
        if len(self._failures) >= len(self._settings.servers):
            raise self._unreachable()

    def _unreachable(self) -> LifecycleError:
        late = f" within {self._within:g} s"
        reasons = [
            f"{server}: {cause(error)}{late if isinstance(error, TimeoutError) and not error.args else ''}"
            for server, error in self._failures
        ]
        kind = NotAuthorised if any(is_refusal(error) for _, error in self._failures) else ConnectionFailed
        return kind(f"cannot connect to {'; '.join(reasons)}")

    async def _on_error(self, error: Exception) -> None:
        if self._opening:
            # Raised through nats-py's own loop, which would otherwise try for ever.
            self._fail(error)
        elif self._refuse(error):
            pass  # whoever waits gets it as an exception
        else:
            self._last_error = error
            level = logging.DEBUG if self.closing else logging.WARNING
            logger.log(level, "connection to NATS: %s", cause(error))

    async def _on_disconnect(self) -> None:
        if not self.closing and not self._opening:
            reason = self.client.lost.result() if self.client.lost.done() else errors.StaleConnectionError()
            self._last_error = reason
            logger.warning("lost the connection to NATS: %s; reconnecting", cause(reason))

    async def _on_reconnect(self) -> None:
        self._backoff.reset()
        self._last_error = None
        logger.warning("reconnected to %s; messages in between were missed", self.server)
        self._up.set()
