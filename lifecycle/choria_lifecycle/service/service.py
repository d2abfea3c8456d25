"""`Service`, which announces a Python program from start to end."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from inspect import signature
from types import TracebackType
from typing import Final, Self, Unpack

from choria_lifecycle.config.settings import ConnectionOptions, check_options
from choria_lifecycle.errors import ConnectionFailed, LifecycleError, OptionError
from choria_lifecycle.events.factories import startup, upgraded
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.service import exit_hooks
from choria_lifecycle.service.announcer import Announcer, AnnouncerCounters
from choria_lifecycle.service.defaults import version_of
from choria_lifecycle.service.environment import current_environment
from choria_lifecycle.service.lifetime import Run, ServiceConfig
from choria_lifecycle.service.loop_thread import in_event_loop
from choria_lifecycle.support.choria import SERVICE_INTERVAL
from choria_lifecycle.support.clock import Clock
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire.cloudevents import Format

__all__ = ["INTERVAL", "Service"]

INTERVAL: Final = SERVICE_INTERVAL
"""Seconds between two alive events; the interval of Choria's own servers."""


class Service:
    """A service that announces itself: it publishes startup, then alive at intervals, then shutdown.

        with Service("billing", "1.4.2"):
            serve()

    In an event loop, use `async with`; where a block does not fit, use `start` and `stop`. A service runs only once.

    A daemon thread publishes, over one connection for all services of the process with the same connection settings.
    The service never harms the program: if no broker is reachable, the program runs anyway, and the service is
    announced as soon as one is. Failures are counted in `counters` and retried; the first of an outage is logged.

    Shutdown is published when the block ends, also by an exception, and when the process ends without `stop`: at
    interpreter exit, and on a SIGTERM, SIGINT, SIGHUP or SIGQUIT that would kill the process. The program's own signal
    handlers are left in place; shutdown is then published if they end the block or the interpreter. Python sets signal
    handlers only in the main thread, so start at least one service there.

    SIGKILL, other fatal signals, `os._exit`, `os.execv` and crashes announce nothing: the tally drops the service when
    it expires, after a long silence. A forked child never announces its parent's services, and may start its own.

    Args:
        component: the kind of software: letters, digits, - and _. It is part of the subject of the events.
        version: the software's version; by default, that of the distribution that provides the calling module.
        identity: the node that the service runs on; by default, this node's name as Choria derives it.
        per_process: append the process id to the identity, as in n1.example.net/4711. Set this if several processes of
            a node announce the same component: the tally counts processes with the same identity as one service, which
            the first shutdown removes.
        servers: the NATS servers, as for `connect`; by default, those that `connect` finds.
        middleware: publish with this middleware, in its event loop, instead of making a connection. The caller closes
            it, after the service has ended. Such a service needs `async with`, and does not end on a signal or at
            interpreter exit unless the program ends the block.
        interval: seconds between two alive events. The first is due after a random part of the interval, so that
            services started together do not publish in lockstep.
        format: the wire format of the events; by default, Choria's own.
        timeout: the maximum wait for startup to be published, in seconds; the wait ends when an attempt fails. The wait
            for shutdown takes at most 5 seconds in any case.
        strict: raise if startup or shutdown is not published, from `start` and `stop` or on entering and leaving the
            block; on leaving, another exception that ends the block takes precedence.
        limit: the maximum number of events queued while no broker is reachable. A full queue drops the oldest event; of
            alive events, only the latest is kept.
        clock: determines when an alive event is due; see `choria_lifecycle.testing.FakeClock`.
        environ: the environment variables that configure the connection; by default, `os.environ`.
        **connection: further options of the connection: see `ConnectionOptions`.

    Raises:
        OptionError: an option is invalid or unknown, or `version` is missing and no installed distribution provides
            the calling module.
    """

    def __init__(
        self,
        component: str,
        version: str | None = None,
        identity: str | None = None,
        *,
        per_process: bool = False,
        servers: str | Iterable[str] | None = None,
        middleware: Middleware | None = None,
        interval: float = INTERVAL,
        format: Format = Format.CHORIA,  # noqa: A002 - the name users know
        timeout: float = 2.0,
        strict: bool = False,
        limit: int = 64,
        clock: Clock | None = None,
        environ: Mapping[str, str] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> None:
        if version is None:
            version = version_of(sys._getframe(1).f_globals)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        startup(component=component, version=version, identity="checked" if identity is None else identity)
        check_options(connection, *_OPTIONS)
        numbers: dict[str, object] = {"interval": interval, "timeout": timeout, "limit": limit}
        for name, value in numbers.items():
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                raise OptionError(f"{name} must be a number above 0, not {quoted(value)}", invalid=(name,))
        if middleware is not None and (servers is not None or connection):
            raise OptionError("pass either middleware= or connection options, not both", invalid=("middleware",))
        self._config = ServiceConfig(
            component=component,
            version=version,
            identity=identity,
            per_process=per_process,
            middleware=middleware,
            interval=interval,
            format=format,
            limit=limit,
            clock=clock,
            servers=servers if servers is None or isinstance(servers, str) else tuple(servers),
            environ=environ,
            connection=connection,
        )
        self._version = version
        self._timeout = timeout
        self._strict = strict
        self._run: Run | None = None

    @property
    def component(self) -> str:
        """The kind of software."""
        return self._config.component

    @property
    def version(self) -> str:
        """The current version; `upgraded` changes it."""
        return self._version

    @property
    def identity(self) -> str:
        """The identity of the node, with the process id if `per_process` is set; empty until it is known."""
        found = self._run.identity if self._run is not None else ""
        return found or ("" if self._config.per_process else self._config.identity or "")

    @property
    def counters(self) -> AnnouncerCounters:
        """Counters of published events, failed attempts and dropped events."""
        return self._run.counters if self._run is not None else AnnouncerCounters()

    def provisioned(self) -> None:
        """Publish a provisioned event. Returns immediately; may be called from any thread.

        Raises:
            RuntimeError: the service is not running.
        """
        self._active_run.call(Announcer.provisioned)

    def upgraded(self, new_version: str) -> None:
        """Publish an upgraded event; later alive events carry the new version.

        Returns immediately; may be called from any thread.

        Raises:
            OptionError: the version is invalid.
            RuntimeError: the service is not running.
        """
        upgraded(identity="checked", component=self.component, version=self._version, new_version=new_version)
        self._active_run.call(lambda announcer: announcer.upgraded(new_version))
        self._version = new_version

    @property
    def _active_run(self) -> Run:
        if self._run is None or self._run.ending:
            raise RuntimeError(f"the service {self.component} is not running")
        return self._run

    def start(self) -> None:
        """Start the service, and wait up to `timeout` seconds until startup is published or an attempt fails.

        In a running event loop this does not wait; use `async with` there.

        Raises:
            RuntimeError: the service was started before; or it needs `async with`, because it has a middleware, or is
                strict and started in an event loop.
            LifecycleError: with `strict`, startup was not published; the service is not running.
        """
        in_loop = in_event_loop()
        if self._config.middleware is not None:
            raise RuntimeError("a service with middleware= runs in that middleware's event loop: use async with")
        if in_loop and self._strict:
            raise RuntimeError("strict=True waits for startup, which would block the event loop: use async with")
        run = self._new_run()
        try:
            announced = run.begin()
            if not in_loop:
                wait([announced], self._timeout)
                self._check_startup(announced)
        except BaseException:
            run.abandon()
            self._finish(run)
            raise

    def stop(self) -> None:
        """Publish shutdown and close the connection; blocks for at most 5 seconds. Does nothing if called again.

        Raises:
            LifecycleError: with `strict`, shutdown was not published.
        """
        if self._run is not None and self._config.middleware is None:
            self._raise_if_strict(self._finish(self._run))

    def _finish(self, run: Run) -> LifecycleError | None:
        """Wait for the end; return why shutdown was not published, or None if another caller began the end."""
        already_ending = run.ending
        ended = run.end()
        if run.on_loop_thread:
            return None  # called by the garbage collector, which may run in any thread
        try:
            wait([ended], exit_hooks.CLOSE_TIMEOUT)
        finally:
            run.join()
        return None if already_ending else run.failure

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._run is not None:
            failure = self._finish(self._run)
            if kind is None:  # an exception that ends the block takes precedence
                self._raise_if_strict(failure)

    async def __aenter__(self) -> Self:
        if self._config.middleware is not None:
            self._config.middleware.check_loop()
        run = self._new_run()
        announced: asyncio.Future[None] | None = None
        try:
            announced = asyncio.wrap_future(run.begin())
            await asyncio.wait({announced}, timeout=self._timeout)
            self._check_startup(announced)
        except BaseException:
            if announced is not None:
                announced.cancel()
            run.abandon()
            await self._finish_async(run)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._run is None:
            return
        if kind is GeneratorExit:
            # The loop has stopped and the coroutine is being closed, so it cannot await any more.
            if self._config.middleware is None and not sys.is_finalizing():
                self._finish(self._run)
            return
        failure = await self._finish_async(self._run)
        if kind is None:
            self._raise_if_strict(failure)

    async def _finish_async(self, run: Run) -> LifecycleError | None:
        """Do the same as `_finish` without blocking the event loop."""
        already_ending, loop = run.ending, asyncio.get_running_loop()
        ended = run.end()
        waiting = asyncio.wrap_future(ended)
        try:
            await asyncio.wait({waiting}, timeout=exit_hooks.CLOSE_TIMEOUT)
        except asyncio.CancelledError:
            waiting.cancel()
            ended.add_done_callback(lambda _: _call_soon(loop, run.join))  # the end continues in the background
            raise
        run.join()
        return None if already_ending else run.failure

    def _new_run(self) -> Run:
        if self._run is not None:
            raise RuntimeError("a service can be started only once: create a new one")
        # Taken at the start, because a module-level service is created before a test replaces the environment.
        self._run = Run(self._config, current_environment())
        return self._run

    def _check_startup(self, announced: Future[None] | asyncio.Future[None]) -> None:
        error: BaseException | None
        if announced.done() and not announced.cancelled():
            error = announced.exception()
        else:
            announced.cancel()  # so that asyncio does not report a later failure as never retrieved
            error = ConnectionFailed(f"startup of {self.component} was not confirmed within {self._timeout:g} s")
        if self._strict and error is not None:
            raise error

    def _raise_if_strict(self, failure: LifecycleError | None) -> None:
        if self._strict and failure is not None:
            raise failure


_OPTIONS: Final = tuple(name for name in signature(Service.__init__).parameters if name not in {"self", "connection"})


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(callback)
