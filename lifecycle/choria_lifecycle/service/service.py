"""A service that the network can see: it announces itself, says that it is alive, and that it ends."""

from __future__ import annotations

import asyncio
import math
import sys
from concurrent.futures import Future, wait
from contextlib import suppress
from inspect import signature
from typing import TYPE_CHECKING, Final

from choria_lifecycle.config.settings import check_options
from choria_lifecycle.errors import ConnectionFailed, LifecycleError, OptionError
from choria_lifecycle.events.factories import startup, upgraded
from choria_lifecycle.service import exit_hooks
from choria_lifecycle.service.announcer import Announcer, AnnouncerCounters
from choria_lifecycle.service.defaults import version_of
from choria_lifecycle.service.environment import current_environment
from choria_lifecycle.service.lifetime import Run, ServiceConfig
from choria_lifecycle.service.loop_thread import in_event_loop
from choria_lifecycle.support.text import quoted
from choria_lifecycle.wire.cloudevents import Format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self, Unpack

    from choria_lifecycle.config.settings import ConnectionOptions
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.support.clock import Clock

__all__ = ["INTERVAL", "Service"]

INTERVAL: Final = 30 * 60.0
"""Seconds between two heartbeats, as Choria's servers have it."""


class Service:
    """Announces a service for as long as a block lasts: `with Service("billing", "1.4.2"):`, or `async with`.

    It publishes startup, then alive at intervals, then shutdown. It speaks in a thread of its own, on a connection that
    services of one process share, and never harms the program that carries it: where it fails, it says so once in the
    log, counts, and tries on. Without a broker the program starts all the same, and is announced when one comes.

    Shutdown is published with the end of the block, an exception, `sys.exit`, the interpreter's exit, and SIGTERM,
    SIGINT, SIGHUP and SIGQUIT where they would kill; not with `os._exit`, `os.execv`, SIGKILL or other signals: whoever
    counts gives up such a service after 80 minutes of silence. Where the program has a handler of its own for a signal,
    that one decides. What a process announces is its own: a child that was forked has nothing to say, and may start a
    service of its own.

    A service is started once. `start` and `stop` do what the block does.

    Args:
        component: the kind of software it is: letters, digits, - and _; part of the subject of its events.
        version: its version; by default that of the distribution which provides the module that calls this.
        identity: the node that it runs on; by default the name that Choria has for this one.
        per_process: add the id of the process to the identity, as in n1.example.net/4711. Where several processes of
            a node announce the same component, each needs an identity of its own: the first of them that ends takes
            away what all have announced.
        servers: where to connect; see `connect`, as for the connection's other options.
        middleware: publish with this one instead, in the event loop that it belongs to: for `async with` alone, and
            the end of that loop, by a signal too, is then the program's affair.
        interval: seconds between two alive events. The first comes after a random part of that, so that services which
            start together are not heard together.
        format: how to write the events.
        timeout: how many seconds the start waits at most until startup has been published; less where an attempt fails
            before. The end waits for at most 5 seconds.
        strict: have `start` and `stop` raise what went wrong, instead of going on; the end of the block too, unless an
            exception leaves it already.
        limit: how many events wait at most while there is no connection; the oldest make place, and a heartbeat takes
            that of the one before.
        clock: what tells when an alive event is due; see `choria_lifecycle.testing.FakeClock`.
        environ: where to look for variables; default `os.environ`.
        **connection: see `ConnectionOptions`.

    Raises:
        OptionError: an event with these options cannot be, there is no such option, or no distribution says which
            version this is.
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
                raise OptionError(f"{name} is a number above 0, not {quoted(value)}", invalid=(name,))
        if middleware is not None and (servers is not None or connection):
            raise OptionError("give either a middleware, or where to connect", invalid=("middleware",))
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
        """The kind of software it is."""
        return self._config.component

    @property
    def version(self) -> str:
        """The version it runs."""
        return self._version

    @property
    def identity(self) -> str:
        """The node that it runs on; empty until that is known."""
        found = self._run.identity if self._run is not None else ""
        return found or ("" if self._config.per_process else self._config.identity or "")

    @property
    def counters(self) -> AnnouncerCounters:
        """What became of its events."""
        return self._run.counters if self._run is not None else AnnouncerCounters()

    # What it may say in between.

    def provisioned(self) -> None:
        """Say that the node has been provisioned. Returns at once; for any thread.

        Raises:
            RuntimeError: the service does not run.
        """
        self._active_run.call(Announcer.provisioned)

    def upgraded(self, new_version: str) -> None:
        """Say that another version runs from now on, which alive events name then. Returns at once; for any thread.

        Raises:
            OptionError: it is no version.
            RuntimeError: the service does not run.
        """
        upgraded(identity="checked", component=self.component, version=self._version, new_version=new_version)
        self._active_run.call(lambda announcer: announcer.upgraded(new_version))
        self._version = new_version

    @property
    def _active_run(self) -> Run:
        if self._run is None or self._run.ending:
            raise RuntimeError(f"the service {self.component} does not run")
        return self._run

    # A synchronous program.

    def start(self) -> None:
        """Begin to announce the service; waits until that has been done or has failed, for `timeout` at most.

        In an event loop it waits for nothing: there `async with` is the way.

        Raises:
            RuntimeError: it was started before; or it cannot be started so, with a middleware of the program's own, or
                with `strict` in an event loop.
            LifecycleError: with `strict`, startup was not published; the service does not run then.
        """
        in_loop = in_event_loop()
        if self._config.middleware is not None:
            raise RuntimeError("a service on a middleware of your own lives in its event loop: use async with")
        if in_loop and self._strict:
            raise RuntimeError("a strict service waits for its start, which an event loop must not: use async with")
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
        """Say that the service ends, and let go of everything; takes 5 seconds at most. Does nothing the second time.

        Raises:
            LifecycleError: with `strict`, shutdown was not published.
        """
        if self._run is not None and self._config.middleware is None:
            self._raise_if_strict(self._finish(self._run))

    def _finish(self, run: Run) -> LifecycleError | None:
        """Wait for the end, and return why it was not announced; nothing for an end that somebody else has begun."""
        already_ending = run.ending
        ended = run.end()
        if run.on_loop_thread:
            return None  # the garbage collector came by, which comes in any thread
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
            if kind is None:  # what ends the block is what the program is to hear of
                self._raise_if_strict(failure)

    # An asynchronous one.

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
            # The loop has stopped for good, and Python lets go of this coroutine, which may wait for nothing any more.
            if self._config.middleware is None and not sys.is_finalizing():
                self._finish(self._run)
            return
        failure = await self._finish_async(self._run)
        if kind is None:
            self._raise_if_strict(failure)

    async def _finish_async(self, run: Run) -> LifecycleError | None:
        """See `_finish`."""
        already_ending, loop = run.ending, asyncio.get_running_loop()
        ended = run.end()
        waiting = asyncio.wrap_future(ended)
        try:
            await asyncio.wait({waiting}, timeout=exit_hooks.CLOSE_TIMEOUT)
        except asyncio.CancelledError:
            waiting.cancel()
            ended.add_done_callback(lambda _: _call_soon(loop, run.join))  # the end goes on without us
            raise
        run.join()
        return None if already_ending else run.failure

    # Both.

    def _new_run(self) -> Run:
        if self._run is not None:
            raise RuntimeError("a service is started once: make another one")
        # The surroundings of now, and not of where it was made: a module's own service is made before a test begins.
        self._run = Run(self._config, current_environment())
        return self._run

    def _check_startup(self, announced: Future[None] | asyncio.Future[None]) -> None:
        error: BaseException | None
        if announced.done() and not announced.cancelled():
            error = announced.exception()
        else:
            announced.cancel()  # nobody waits for it any more, nor for what may go wrong later
            error = ConnectionFailed(f"startup of {self.component} was not confirmed within {self._timeout:g} s")
        if self._strict and error is not None:
            raise error

    def _raise_if_strict(self, failure: LifecycleError | None) -> None:
        if self._strict and failure is not None:
            raise failure


_OPTIONS: Final = tuple(name for name in signature(Service.__init__).parameters if name not in {"self", "connection"})


def _call_soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # it has been closed
        loop.call_soon_threadsafe(callback)
