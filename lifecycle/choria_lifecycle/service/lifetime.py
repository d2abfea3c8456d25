"""The life of a service: what its start begins, and its end finishes, in the thread or the loop where it speaks."""

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
from choria_lifecycle.service.loop_thread import CallerLoop, LoopThread, acquire
from choria_lifecycle.service.publisher import Borrowed
from choria_lifecycle.support.jitter import jitter
from choria_lifecycle.support.log import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from choria_lifecycle.config.settings import ConnectionOptions
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.service.environment import Environment
    from choria_lifecycle.service.publisher import PublisherSource
    from choria_lifecycle.support.clock import Clock
    from choria_lifecycle.wire.cloudevents import Format

__all__ = ["CLEANUP_TIMEOUT", "Run", "ServiceConfig"]

CLEANUP_TIMEOUT: Final = 1.0
"""Of the seconds for closing, what is left for letting go of the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """What a service was asked to be; see `Service`."""

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
    """A service from its start to its end. All of it may be called from any thread, and nothing waits.

    Args:
        config: what the service is.
        environment: what it finds where the plan leaves something open.

    Attributes:
        failure: why its end was not announced, once it has ended.
        ending: whether `end` was called.
    """

    def __init__(self, config: ServiceConfig, environment: Environment) -> None:
        self.failure: LifecycleError | None = None
        self._config = config
        self._environment = environment
        self._loop: LoopThread | CallerLoop | None = None
        self._announcer: Announcer | None = None
        self._open_error: ConnectionFailed | None = None  # why there is no announcer
        self._counters = AnnouncerCounters()  # where there is no announcer
        self._key: Hashable = None
        self._abandoned = False
        self._ending = False
        self._closing: asyncio.Task[None] | None = None
        self._ended = Future[None]()
        self._ended.set_running_or_notify_cancel()  # nobody who waits for it can cancel it
        self._ended.add_done_callback(lambda _: exit_hooks.unregister(self))

    @property
    def identity(self) -> str:
        """The node, once that is known; else empty."""
        return self._announcer.identity if self._announcer is not None else ""

    @property
    def counters(self) -> AnnouncerCounters:
        """What became of its events."""
        return self._announcer.counters if self._announcer is not None else self._counters

    @property
    def ending(self) -> bool:
        """Whether it has been ended, or is about to be."""
        return self._ending

    def begin(self) -> Future[None]:
        """Begin; the result is there once startup has been published, or has failed for the first time."""
        try:
            loop = CallerLoop() if self._config.middleware is not None else acquire()
        except (OSError, RuntimeError) as error:
            # Too many files or threads: the program's affair, which it will hear of from elsewhere.
            failed = Future[None]()
            failed.set_exception(self._cannot_announce(error))
            self._finish()
            return failed
        except BaseException:  # of a signal's handler
            self._finish()
            raise
        try:
            loop.call(self._open, loop)
            announced = loop.submit(self._wait_announced())
        finally:
            self._loop = loop  # from here on it can be ended
        if self._config.middleware is None:
            exit_hooks.register(self)
        if self._ending:
            self.end()
        return announced

    def call(self, action: Callable[[Announcer], object]) -> None:
        """Have its announcer say something."""
        if self._loop is None:
            self._counters.dropped += 1
        else:
            self._loop.call(self._call, action)

    def abandon(self) -> None:
        """Before `end`: where nobody may have heard of it so far, nobody shall."""
        self._abandoned = True

    def end(self) -> Future[None]:
        """Begin to end. The result is there once shutdown was published or given up, and all let go."""
        self._ending = True
        loop = self._loop
        # Where there is none yet, `begin` is under way, and will look.
        if loop is not None and not self._ended.done():
            if loop.dead:
                self._finish()
            else:
                with suppress(RuntimeError):  # its loop has been closed
                    # Which of several ends is the first is decided there, where no signal comes in between.
                    loop.call(self._close_once)
        return self._ended

    def join(self) -> None:
        """Once it has ended: let go of what only its own thread and the main thread can."""
        exit_hooks.unregister(self)
        if self._loop is not None:
            self._loop.join(CLEANUP_TIMEOUT)

    @property
    def on_loop_thread(self) -> bool:
        """Whether this is called where nothing must wait for its end, as it happens there."""
        return self._loop is not None and self._loop.on_loop_thread

    def _call(self, action: Callable[[Announcer], object]) -> None:
        if self._announcer is not None:
            action(self._announcer)
        else:
            self._counters.dropped += 1

    def _open(self, loop: LoopThread | CallerLoop) -> None:
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
        except Exception as error:  # noqa: BLE001 - of a clock of the program's own, or of options that cannot be
            self._open_error = self._cannot_announce(error)

    def _cannot_announce(self, error: Exception) -> ConnectionFailed:
        self._counters.failures += 1
        logger.warning("%s is not announced, nor will be: %s", self._config.component, error)
        return ConnectionFailed(f"{self._config.component} cannot be announced: {error}")

    def _open_source(self, loop: LoopThread | CallerLoop) -> PublisherSource:
        config, connect = self._config, self._environment.connect
        if config.middleware is not None:
            return Borrowed(config.middleware)
        assert isinstance(loop, LoopThread)  # noqa: S101 - see `begin`
        options: dict[str, Any] = {**config.connection, "environ": config.environ}
        environ = None if config.environ is None else tuple(sorted(config.environ.items()))
        key = (connect, config.servers, environ, tuple(sorted(config.connection.items())))
        line = loop.connection(key, partial(connect, config.servers, **options))
        self._key = key
        return line

    async def _wait_announced(self) -> None:
        if self._announcer is not None:
            await self._announcer.wait_announced()
        elif self._open_error is not None:
            raise self._open_error

    async def _find_identity(self) -> str:
        name = self._config.identity
        if name is None:
            config = self._config.connection.get("config")
            name = await asyncio.to_thread(self._environment.identity, config, self._config.environ)
        return f"{name}/{os.getpid()}" if self._config.per_process else name

    def _close_once(self) -> None:
        assert self._loop is not None  # noqa: S101 - see `end`
        self._open(self._loop)  # it may have been ended before
        self._closing = self._closing or asyncio.create_task(self._close())

    async def _close(self) -> None:
        assert self._loop is not None  # noqa: S101 - this runs there
        try:
            if self._announcer is not None:
                await self._close_announcer(self._announcer)
        finally:
            if isinstance(self._loop, LoopThread) and self._key is not None:
                await self._loop.disconnect(self._key)
            self._loop.release(self._finish)

    async def _close_announcer(self, announcer: Announcer) -> None:
        quiet = self._abandoned and not announcer.may_be_known
        try:
            await announcer.close(0 if quiet else exit_hooks.CLOSE_TIMEOUT - CLEANUP_TIMEOUT)
        except LifecycleError as error:
            self.failure = error
            if not quiet:
                logger.warning("the end of %s was not announced: %s", self._config.component, error)

    def _finish(self) -> None:
        with suppress(InvalidStateError):
            self._ended.set_result(None)
