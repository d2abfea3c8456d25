"""The connection to NATS: opened by a deadline or not at all, then reconnected forever."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Final

from nats import errors

from choria_lifecycle.config.discovery import Brokers
from choria_lifecycle.config.resolve import FALLBACK
from choria_lifecycle.errors import ConnectionFailed, LifecycleError, NotAuthorised
from choria_lifecycle.nats.client import Client
from choria_lifecycle.nats.credentials import credentials, inbox_prefix
from choria_lifecycle.nats.diagnosis import CertificateRefusedError, diagnose, hint, is_authentication_error
from choria_lifecycle.nats.permissions import PermissionWatcher
from choria_lifecycle.nats.reconnect import ReconnectHandler
from choria_lifecycle.nats.tls import tls_context
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from choria_lifecycle.config.settings import ConnectionSettings

__all__ = ["Connection"]


# A black hole is noticed within a minute. Choria's client pings every 30 s and allows two outstanding.
_PING_SECONDS = 20
_PINGS_OUTSTANDING = 1

# The minimum time for connecting to one of many servers, unless half of the whole timeout is less.
_MIN_ATTEMPT_SECONDS = 1.0

# For each step of a reconnect: the TCP connection, the greeting, the TLS handshake, and authentication.
_RECONNECT_STEP_SECONDS = 5


class Connection:
    """A client with its settings, reconnect policy and error reporting.

    Attributes:
        client: the client.
        permissions: dispatches the server's permission errors.
        closing: whether `close` was called.
        js_api: the subject below which JetStream's API is called.
        js_domain: the JetStream domain in the settings, or empty.
    """

    def __init__(self, settings: ConnectionSettings, timeout: float) -> None:
        self._brokers = Brokers(settings.srv) if settings.srv else None
        self.client: Final = Client(
            lambda: tls_context(settings),
            require_tls=settings.tls,
            # Without TLS, credentials for a server on this machine must not go to servers elsewhere.
            gossip=settings.tls or not settings.local,
            find_brokers=self._find if self._brokers else None,
        )
        self.permissions: Final = PermissionWatcher(inbox_prefix(settings))
        self.closing: bool = False
        self.js_api: Final = settings.js_api
        self.js_domain: Final = settings.js_domain or ""
        self._settings = settings
        self._timeout = timeout
        self._deadline = asyncio.get_running_loop().time() + timeout
        self._backoff = ReconnectHandler()
        self._up = asyncio.Event()
        self._opening = True
        self._failures: list[tuple[str, Exception]] = []
        self._servers: list[str] = []
        self._last_error: Exception | None = None
        self._logged: set[str] = set()  # errors logged since the connection was lost
        self._reported_loss: asyncio.Future[Exception] | None = None

    @classmethod
    async def open(cls, settings: ConnectionSettings, timeout: float) -> Connection:
        """Connect to one of the servers, trying each once.

        Raises:
            ConnectionFailed: no server could be reached, or DNS names none; the message gives the reason for each.
            NotAuthorised: no server accepted the connection and one refused the credentials; or a token has expired.
            ConfigError: a file with credentials cannot be used.
            MissingExtra: the credentials or the DNS lookup need an optional package.
        """
        self = cls(settings, timeout)
        client = self.client
        arguments = credentials(settings)
        if settings.tls:
            tls_context(settings)  # raises now rather than for each server
        failed: LifecycleError | None = None
        try:
            async with asyncio.timeout(timeout):
                self._servers = client.usable(await self._find(timeout / 2)) or list(settings.servers)
                if not self._servers:
                    self._record_failure(errors.NoServersError())
                await client.connect(
                    servers=self._servers,
                    name=settings.name,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnect,
                    reconnected_cb=self._on_reconnect,
                    reconnect_to_server_handler=self._backoff,
                    max_reconnect_attempts=-1,
                    # SRV records come in the order of their priority.
                    dont_randomize=self._brokers is not None,
                    # A silent server must leave time for the others.
                    connect_timeout=self._attempt_timeout(len(self._servers)),  # type: ignore[arg-type]
                    ping_interval=_PING_SECONDS,
                    max_outstanding_pings=_PINGS_OUTSTANDING,
                    inbox_prefix=self.permissions.inbox,
                    # Buffer nothing while disconnected, and never wait within nats-py's publish, which would swallow a
                    # cancellation.
                    pending_size=-1,
                    flusher_queue_size=0,
                    **arguments,
                )
            if not client.is_connected:
                self._record_failure(errors.Error("nats: the server did not answer the credentials with PONG"))
        except BaseException as error:
            self.close()
            await client.shutdown()
            if not isinstance(error, Exception):
                raise
            if isinstance(error, LifecycleError):
                failed = error
            else:
                self._failures.append((self._last_tried, self._interpret(error)))
                failed = self._connect_error()
        if failed is not None:
            # Drop the traceback: nats-py's frames hold the password, and some tools log local variables.
            failed.__context__ = None
            raise failed.with_traceback(None)
        self._opening = False
        self._failures.clear()
        client.options["connect_timeout"] = settings.connect_timeout or _RECONNECT_STEP_SECONDS
        self._up.set()
        logger.debug("connected to %s", self.server)
        return self

    async def _find(self, timeout: float = _RECONNECT_STEP_SECONDS) -> list[str]:
        """Return the brokers that DNS currently names; empty if it names none, or is not used."""
        if self._brokers is None:
            return []
        return await self._brokers.find(asyncio.get_running_loop().time(), timeout)

    @property
    def server(self) -> str:
        """The connected server's URL without credentials; empty while disconnected."""
        url = self.client.connected_url
        return safe(f"{url.scheme}://{url.netloc.rpartition('@')[2]}") if url is not None else ""

    @property
    def state(self) -> str:
        """The reason why there is no connection."""
        if self.closing:
            return "the middleware is closed"
        if self._is_up:
            return "the server does not respond"
        reason = f" ({diagnose(self._last_error)})" if self._last_error is not None else ""
        return f"the connection is lost{reason} and was not restored in time"

    def close(self) -> None:
        """Stop reporting a lost connection, and stop waiting for it to be restored."""
        self.closing = True
        self._up.set()

    async def connected(self, deadline: float) -> bool:
        """Wait for a connection; return False if it is not up by the deadline, or after `close`."""
        while not self._is_up and not self.closing:
            self._up.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._up.wait()
            except TimeoutError:
                return False
        return not self.closing

    @property
    def _is_up(self) -> bool:
        """True while connected and reading.

        asyncio.run may cancel nats-py's tasks before the tasks that wait here, which nats-py does not notice.
        """
        return self.client.is_connected and not self.client.lost.done()

    @property
    def _last_tried(self) -> str:
        """The server that was tried last."""
        url = self.client.last_tried
        return safe(f"{url.scheme}://{url.netloc}") if url is not None else ", ".join(self._servers) or "any broker"

    def _record_failure(self, error: Exception) -> None:
        self._failures.append((self._last_tried, self._interpret(error)))
        left = len(self._servers) - len(self._failures)
        if left <= 0:
            raise self._connect_error()
        # Time that one server did not use goes to the others.
        self.client.options["connect_timeout"] = self._attempt_timeout(left)

    def _attempt_timeout(self, servers: int) -> float:
        """Return the timeout for the next of the remaining servers: its share of the time, but not too little."""
        remaining = max(0.0, self._deadline - asyncio.get_running_loop().time())
        share = max(remaining / servers, min(_MIN_ATTEMPT_SECONDS, self._timeout / 2))
        return min(self._settings.connect_timeout or remaining, share, remaining)

    def _connect_error(self) -> LifecycleError:
        late = f" within {self._timeout:g} s"
        reasons = [
            f"{server}: {diagnose(error)}{late if isinstance(error, TimeoutError) and not error.args else ''}"
            for server, error in self._failures
        ]
        if self._brokers is not None and self._brokers.failure:
            reasons.append(f"DNS ({self._brokers.failure})")
        hints = dict.fromkeys(hint(error, self._settings) for _, error in self._failures)
        origin = self._settings.origins.get("servers", "")
        if self._settings.servers == (FALLBACK,) and origin.startswith("no "):
            more = "choria_lifecycle.doctor.check_connection() reports more"
            hints[f"That broker is a guess: {safe(origin)}; {more}."] = None
        kind = NotAuthorised if any(is_authentication_error(error) for _, error in self._failures) else ConnectionFailed
        return kind(" ".join([f"cannot connect to {'; '.join(reasons)}.", *filter(None, hints)]))

    def _interpret(self, error: Exception) -> Exception:
        """Return the error, or CertificateRefusedError if it means that the server refused the client certificate."""
        ended = isinstance(error, ssl.SSLError | ConnectionResetError | BrokenPipeError | errors.UnexpectedEOF)
        if self.client.wants_certificate and ended and not isinstance(error, ssl.SSLCertVerificationError):
            return CertificateRefusedError(presented=self._settings.cert is not None, error=error)
        return error

    async def _on_error(self, error: Exception) -> None:
        if self._opening:
            # Raises through nats-py's own loop, which would otherwise retry forever.
            self._record_failure(error)
        elif self.permissions.dispatch(str(error).removeprefix("nats: ")):
            pass  # raised to the caller that is waiting
        else:
            # If this is the end of the connection, `_on_disconnect` follows and gives the reason.
            quiet = self.closing or (self._is_up and isinstance(error, OSError | errors.UnexpectedEOF))
            error = self._interpret(error)
            self._last_error = error
            text = diagnose(error)
            # Warn once per outage, not at each attempt.
            level = logging.DEBUG if quiet or text in self._logged else logging.WARNING
            self._logged.add(text)
            logger.log(level, "connection to NATS: %s", text)

    async def _on_disconnect(self) -> None:
        # nats-py also calls this when it starts over after a failed attempt to reconnect.
        if not self.closing and not self._opening and self.client.lost is not self._reported_loss:
            self._reported_loss = self.client.lost
            reason = self.client.lost.result() if self.client.lost.done() else errors.StaleConnectionError()
            self._last_error = reason
            logger.warning("lost the connection to NATS: %s; reconnecting", diagnose(reason))

    async def _on_reconnect(self) -> None:
        self._backoff.reset()
        self._last_error = None
        self._logged.clear()
        logger.warning("reconnected to %s", self.server)
        self._up.set()
