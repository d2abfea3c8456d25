"""One run of a service, from start to end."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from choria_lifecycle.errors import ConnectionFailed, LifecycleError
from choria_lifecycle.service import exit_hooks
from choria_lifecycle.service.announcer import Announcer, AnnouncerCounters
from choria_lifecycle.service.loop_thread import CallerLoop, LoopThread
from choria_lifecycle.service.publisher import Borrowed
from choria_lifecycle.support.jitter import jitter
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from choria_lifecycle.config.settings import ConnectionOptions
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.service.environment import Environment
    from choria_lifecycle.service.loop_thread import ServiceLoop
    from choria_lifecycle.service.publisher import PublisherSource
    from choria_lifecycle.support.clock import Clock
    from choria_lifecycle.wire.cloudevents import Format

__all__ = ["CLEANUP_TIMEOUT", "Run", "ServiceConfig"]

CLEANUP_TIMEOUT: Final = 1.0
"""The seconds of `CLOSE_TIMEOUT` that are reserved for closing the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """The arguments of a `Service`, which documents them."""

    component: str
    version: str
    identity: str | None
    per_process: bool
    middleware: Middleware | None
    interval: float
    format: Format
    limit: int
    clock: Clock | None
    servers: str | tuple[str, ...] | None
    environ: Mapping[str, str] | None
    connection: ConnectionOptions


class Run:
    """A service from start to end. Every method may be called from any thread; only `join` blocks.

    Args:
        config: the service's configuration.
        environment: supplies what the configuration leaves unset.

    Attributes:
        failure: the reason why shutdown was not published, once the run has ended.
    """

    def __init__(self, config: ServiceConfig, environment: Environment) -> None:
        self.failure: LifecycleError | None = None
        self._config = config
        self._environment = environment
        self._loop: ServiceLoop | None = None
        self._announcer: Announcer | None = None
        self._open_error: ConnectionFailed | None = None  # set instead of the announcer
        self._counters = AnnouncerCounters()  # used while there is no announcer
        self._key: Hashable = None
        self._abandoned = False
        self._ending = False
        self._closing: asyncio.Task[None] | None = None
        self._ended = Future[None]()
        self._ended.set_running_or_notify_cancel()  # so that no waiting caller can cancel it
        self._ended.add_done_callback(lambda _: exit_hooks.unregister(self))

    @property
    def identity(self) -> str:
        """The node's identity; empty until it is known."""
        return self._announcer.identity if self._announcer is not None else ""

    @property
    def counters(self) -> AnnouncerCounters:
        """The counters of the service's events."""
        return self._announcer.counters if self._announcer is not None else self._counters

    @property
    def ending(self) -> bool:
        """True once `end` was called."""
        return self._ending

    def begin(self) -> Future[None]:
        """Start the service, and return a future that is done once startup is published or its first attempt failed."""
        try:
            loop: ServiceLoop = CallerLoop() if self._config.middleware is not None else LoopThread.acquire()
        except (OSError, RuntimeError) as error:
            # Too many open files or threads: the service must not stop the program because of that.
            failed = Future[None]()
            failed.set_exception(self._cannot_announce(error))
            self._finish()
            return failed
        except BaseException:  # raised by a signal handler
            self._finish()
            raise
        try:
            loop.call(self._open, loop)
            announced = loop.submit(self._wait_announced())
        finally:
            self._loop = loop  # from here on, `end` can end it
        if self._config.middleware is None:
            exit_hooks.register(self)
        if self._ending:
            self.end()
        return announced

    def call(self, action: Callable[[Announcer], object]) -> None:
        """Call a function with the announcer, in the announcer's loop."""
        if self._loop is None:
            self._counters.dropped += 1
        else:
            self._loop.call(self._call, action)

    def abandon(self) -> None:
        """Skip shutdown if startup cannot have reached a broker yet; call this before `end`."""
        self._abandoned = True

    def end(self) -> Future[None]:
        """Begin ending the service; the future is done once shutdown is published or given up, and all is closed."""
        self._ending = True
        loop = self._loop
        # If it is not set yet, `begin` is still running, and calls this again.
        if loop is not None and not self._ended.done():
            if loop.dead:
                self._finish()
            else:
                with suppress(RuntimeError):  # the loop is closed
                    # The loop decides which of several calls comes first, as no signal can interrupt it there.
                    loop.call(self._close_once)
        return self._ended

    def join(self) -> None:
        """After the end, clean up what only this thread can: the loop's thread and, in the main thread, the signals."""
        exit_hooks.unregister(self)
        if self._loop is not None:
            self._loop.join(CLEANUP_TIMEOUT)

    @property
    def on_loop_thread(self) -> bool:
        """True if the current thread runs the service's loop and so must not wait for its end."""
        return self._loop is not None and self._loop.on_loop_thread

    def _call(self, action: Callable[[Announcer], object]) -> None:
        if self._announcer is not None:
            action(self._announcer)
        else:
            self._counters.dropped += 1

    def _open(self, loop: ServiceLoop) -> None:
        if self._announcer is not None or self._open_error is not None:
            return
        config = self._config
        try:
            self._announcer = Announcer(
                component=config.component,
                version=config.version,
                identity=self._find_identity,
                source=self._open_source(loop),
                interval=config.interval,
                initial_delay=jitter.uniform(0, config.interval),
                format=config.format,
                limit=config.limit,
                clock=config.clock or self._environment.clock,
            )
        except Exception as error:  # noqa: BLE001 - raised by the caller's clock, or by invalid connection options
            self._open_error = self._cannot_announce(error)

    def _cannot_announce(self, error: Exception) -> ConnectionFailed:
        self._counters.failures += 1
        failure = ConnectionFailed(f"{self._config.component} cannot be announced: {error}")
        logger.warning("%s", failure)
        return failure

    def _open_source(self, loop: ServiceLoop) -> PublisherSource:
        config, connect = self._config, self._environment.connect
        if config.middleware is not None:
            return Borrowed(config.middleware)
        assert isinstance(loop, LoopThread)  # noqa: S101 - see `begin`
        options: dict[str, Any] = {**config.connection, "environ": config.environ}
        environ = None if config.environ is None else tuple(sorted(config.environ.items()))
        key = (connect, config.servers, environ, tuple(sorted(config.connection.items())))
        connection = loop.connection(key, partial(connect, config.servers, **options))
        self._key = key
        return connection

    async def _wait_announced(self) -> None:
        if self._announcer is not None:
            await self._announcer.wait_announced()
        elif self._open_error is not None:
            raise self._open_error

    async def _find_identity(self) -> str:
        name = self._config.identity
        if name is None:
            path = self._config.connection.get("config")
            name = await run_in_thread(self._environment.identity, path, self._config.environ)
        return f"{name}/{os.getpid()}" if self._config.per_process else name

    def _close_once(self) -> None:
        assert self._loop is not None  # noqa: S101 - see `end`
        self._open(self._loop)  # `end` may have come first
        self._closing = self._closing or asyncio.create_task(self._close())

    async def _close(self) -> None:
        assert self._loop is not None  # noqa: S101 - this runs in it
        try:
            if self._announcer is not None:
                await self._close_announcer(self._announcer)
        finally:
            if isinstance(self._loop, LoopThread) and self._key is not None:
                await self._loop.disconnect(self._key)
            self._loop.release(self._finish)

    async def _close_announcer(self, announcer: Announcer) -> None:
        unknown = self._abandoned and not announcer.may_be_known
        try:
            await announcer.close(0 if unknown else exit_hooks.CLOSE_TIMEOUT - CLEANUP_TIMEOUT)
        except LifecycleError as error:
            self.failure = error
            if not unknown:
                logger.warning("shutdown of %s was not announced: %s", self._config.component, error)

    def _finish(self) -> None:
        with suppress(InvalidStateError):
            self._ended.set_result(None)
