"""A service that the network can see: it announces itself, says that it is alive, and that it ends."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, Final

from choria_lifecycle.envelope import Format
from choria_lifecycle.errors import ConnectionFailed, LifecycleError, OptionError
from choria_lifecycle.event import startup, upgraded
from choria_lifecycle.log import logger
from choria_lifecycle.service import endings
from choria_lifecycle.service.announcer import Announcer, Counters
from choria_lifecycle.service.channel import Given
from choria_lifecycle.service.engine import borrow, in_event_loop
from choria_lifecycle.service.origin import version_of
from choria_lifecycle.service.surroundings import current
from choria_lifecycle.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self, Unpack

    from choria_lifecycle.config.settings import ConnectionOptions
    from choria_lifecycle.middleware import Middleware
    from choria_lifecycle.service.channel import Channel
    from choria_lifecycle.service.clock import Clock
    from choria_lifecycle.service.engine import Engine

__all__ = ["INTERVAL", "Service"]

INTERVAL: Final = 30 * 60.0
"""Seconds between two heartbeats, as Choria's servers have it."""

# Of the time for closing, what is left for letting go of the connection.
_LETTING_GO: Final = 1.0


class Service:
    """Announces a service for as long as a block lasts: `with Service("billing", "1.4.2"):`, or `async with`.

    It publishes startup, then alive at intervals, then shutdown. It speaks in a thread of its own, on a connection that
    services of one process share, and never harms the program that carries it: where it fails, it says so once in the
    log, counts, and tries on. Without a broker the program starts all the same, and is announced when one comes.

    However the process ends, shutdown is published: with the block, an exception, `sys.exit`, a signal that would kill
    it, the interpreter's exit. Only `os._exit` and SIGKILL leave no time; whoever counts gives up such a service after
    80 minutes of silence. Where the program has a handler of its own for a signal, that one decides. What a process
    announces is its own: a child that was forked has nothing to say, and may start a service of its own.

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
        strict: have `start` and `stop` raise what went wrong, instead of going on.
        limit: how many events wait at most while there is no connection; the oldest make place, and a heartbeat takes
            that of the one before.
        clock: what tells when an alive event is due; see `choria_lifecycle.testing.FakeClock`.
        environ: where to look for variables; default `os.environ`.
        **connection: see `ConnectionOptions`.

    Raises:
        OptionError: an event with these options cannot be, or no distribution says which version this is.
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
        numbers: dict[str, object] = {"interval": interval, "timeout": timeout, "limit": limit}
        for name, value in numbers.items():
            if not (isinstance(value, int | float) and value > 0):
                raise OptionError(f"{name} is more than nothing, not {quoted(value)}", invalid=(name,))
        if middleware is not None and (servers is not None or connection):
            raise OptionError("give either a middleware, or where to connect", invalid=("middleware",))
        self._component = component
        self._version = version
        self._identity = identity
        self._per_process = per_process
        self._middleware = middleware
        self._interval = interval
        self._format = format
        self._timeout = timeout
        self._strict = strict
        self._limit = limit
        self._clock = clock
        self._environ = environ
        self._servers = servers if servers is None or isinstance(servers, str) else tuple(servers)
        self._connection = connection
        self._engine: Engine | None = None
        self._announcer: Announcer | None = None
        self._started = self._over = False
        self._around = current()
        self._ending: Future[None] | None = None
        self._failure: LifecycleError | None = None

    @property
    def component(self) -> str:
        """The kind of software it is."""
        return self._component

    @property
    def version(self) -> str:
        """The version it runs."""
        return self._version

    @property
    def identity(self) -> str:
        """The node that it runs on; empty until that is known."""
        found = self._announcer.identity if self._announcer is not None else ""
        return found or ("" if self._per_process else self._identity or "")

    @property
    def counters(self) -> Counters:
        """What became of its events."""
        return self._announcer.counters if self._announcer is not None else Counters()

    # What it may say in between.

    def provisioned(self) -> None:
        """Say that the node has been provisioned. Returns at once.

        Raises:
            RuntimeError: the service does not run.
        """
        self._tell(Announcer.provisioned)

    def upgraded(self, new_version: str) -> None:
        """Say that another version runs from now on, which alive events name then. Returns at once.

        Raises:
            OptionError: it is no version.
            RuntimeError: the service does not run.
        """
        upgraded(identity="checked", component=self._component, version=self._version, new_version=new_version)
        self._tell(lambda announcer: announcer.upgraded(new_version))
        self._version = new_version

    def _tell(self, what: Callable[[Announcer], object]) -> None:
        if not self._started or self._over:
            raise RuntimeError(f"the service {self._component} does not run")
        if self._engine is not None:
            self._engine.call(lambda: what(self._here))
        else:
            what(self._here)

    @property
    def _here(self) -> Announcer:
        assert self._announcer is not None  # noqa: S101 - it has been opened, or is opened before
        return self._announcer

    # A synchronous program.

    def start(self) -> None:
        """Begin to announce the service; waits until that has been done or has failed, for `timeout` at most.

        In an event loop it waits for nothing: there `async with` is the way.

        Raises:
            RuntimeError: it was started before, or is to publish with a middleware of the program's own.
            LifecycleError: with `strict`, startup was not published; the service does not run then.
        """
        if self._middleware is not None:
            raise RuntimeError("a service on a middleware of your own lives in its event loop: use async with")
        announced = self._launch()
        try:
            if not in_event_loop():
                wait([announced], self._timeout)
                self._check(announced)
        except BaseException:
            self._strict = False
            self.stop()
            raise

    def stop(self) -> None:
        """Say that the service ends, and let go of everything; takes 5 seconds at most. Does nothing the second time.

        Raises:
            LifecycleError: with `strict`, shutdown was not published.
        """
        if self._engine is None or self._over:
            return
        ending = self.end()
        if self._engine.here:
            return  # the garbage collector came by, which comes in any thread
        try:
            wait([ending], endings.CLOSE_SECONDS)
        finally:
            self._settle()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # An asynchronous one.

    async def __aenter__(self) -> Self:
        if self._middleware is not None:
            self._middleware.check_loop()
            self._begin()
            self._open(Given(self._middleware))
            announced: asyncio.Future[None] = asyncio.ensure_future(self._here.announced())
        else:
            announced = asyncio.wrap_future(self._launch())
        try:
            await asyncio.wait({announced}, timeout=self._timeout)
            self._check(announced)
        except BaseException:
            announced.cancel()
            self._strict = False
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._over:
            return
        if self._engine is None:
            await self._close()
            self._settle()
            return
        if kind is GeneratorExit:
            # The loop has stopped for good, and Python lets go of this coroutine, which may wait for nothing any more.
            if not sys.is_finalizing():
                self.stop()
            return
        ending = asyncio.wrap_future(self.end())
        try:
            await asyncio.wait({ending}, timeout=endings.CLOSE_SECONDS)
        except asyncio.CancelledError:
            self._strict = False
            ending.add_done_callback(lambda _: self._settle())  # the end goes on without us
            raise
        self._settle()

    # Both.

    def end(self) -> Future[None]:
        """Begin to end, for `endings`. The result is there once shutdown was published or given up, and all let go."""
        if self._ending is None:
            self._ending = ending = Future[None]()
            engine = self._engine
            if engine is None or engine.dead:
                ending.set_result(None)
            else:

                def let_go(_: Future[None]) -> None:
                    engine.give_back(lambda: ending.set_result(None))

                engine.submit(self._close()).add_done_callback(let_go)
        return self._ending

    def _begin(self) -> None:
        if self._started:
            raise RuntimeError("a service is started once: make another one")
        self._started = True
        # Here, and not where it was made: a module's own service is made before a test begins.
        self._around = current()

    def _launch(self) -> Future[None]:
        """Begin in the thread; the result is there once startup has been published, or has failed."""
        self._begin()
        self._engine = borrow()
        endings.watch(self)
        options = self._connection
        connect = self._around.connect
        key = (connect, self._servers, tuple(sorted(options.items())), id(self._environ))
        line = self._engine.line(key, partial(connect, self._servers, environ=self._environ, **options))
        self._engine.call(self._open, line)
        return self._engine.submit(self._announced())

    def _open(self, channel: Channel) -> None:
        self._announcer = Announcer(
            component=self._component,
            version=self._version,
            identity=self._find_identity,
            channel=channel,
            interval=self._interval,
            first=random.uniform(0, self._interval),  # noqa: S311 - to spread them
            format=self._format,
            limit=self._limit,
            clock=self._clock or self._around.clock,
        )

    async def _announced(self) -> None:
        await self._here.announced()

    async def _find_identity(self) -> str:
        name = self._identity
        if name is None:
            name = await asyncio.to_thread(self._around.identity, self._connection.get("config"), self._environ)
        return f"{name}/{os.getpid()}" if self._per_process else name

    async def _close(self) -> None:
        try:
            await self._here.close(endings.CLOSE_SECONDS - _LETTING_GO)
        except LifecycleError as error:
            self._failure = error
            logger.warning("the end of %s was not announced: %s", self._component, error)

    def _check(self, announced: Future[None] | asyncio.Future[None]) -> None:
        error: BaseException | None
        if announced.done() and not announced.cancelled():
            error = announced.exception()
        else:
            announced.cancel()  # nobody waits for it any more, nor for what may go wrong later
            error = ConnectionFailed(f"startup of {self._component} was not confirmed within {self._timeout:g} s")
        if self._strict and error is not None:
            raise error

    def _settle(self) -> None:
        self._over = True
        endings.watch_no_more(self)
        if self._engine is not None:
            self._engine.join(_LETTING_GO)
        if self._strict and self._failure is not None:
            raise self._failure
