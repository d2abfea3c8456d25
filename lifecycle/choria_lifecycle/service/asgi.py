"""An ASGI application that announces itself, whatever framework it is made with and whatever server runs it.

Facts about lifespans are those of https://asgi.readthedocs.io/en/latest/specs/lifespan.html.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from choria_lifecycle.config.settings import ConnectionOptions
from choria_lifecycle.errors import LifecycleError
from choria_lifecycle.service.loop_thread import in_event_loop
from choria_lifecycle.service.service import Service
from choria_lifecycle.support.log import logger, warn_visibly

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType
    from typing import Unpack

    from choria_lifecycle.support.clock import Clock
    from choria_lifecycle.wire.cloudevents import Format

__all__ = ["ASGIApplication", "LifecycleASGIMiddleware", "ServiceOptions"]

# Frameworks and servers each have types of their own for these; a scope and a message are Any to suit all of them.
_Receive = Callable[[], Awaitable[Any]]
_Send = Callable[[Any], Awaitable[None]]
ASGIApplication = Callable[[Any, _Receive, _Send], Awaitable[None]]
"""An application of ASGI 3: takes a scope, and how to receive and to send messages."""


class ServiceOptions(ConnectionOptions, total=False):
    """Further options of a service: see `Service`, and `ConnectionOptions` for those of its connection."""

    per_process: bool
    servers: str | Iterable[str] | None
    interval: float
    format: Format
    timeout: float
    strict: bool
    limit: int
    clock: Clock | None
    environ: Mapping[str, str] | None


class LifecycleASGIMiddleware:
    """Announces an ASGI application while it runs.

        app = LifecycleASGIMiddleware(app, component="billing", version="1.4.2")

    Or as middleware: `app.add_middleware(LifecycleASGIMiddleware, component="billing", ...)`. It lives by the lifespan
    that the server gives to the application, and goes along with the application's own, if there is one: startup is
    published once the application has said that its startup is complete, and the server is told so after that;
    shutdown is published before the application begins to shut down, so that nobody who looks for the service finds one
    that has closed its database. Where the application fails, all that it says and raises goes through as it is; then
    nothing is announced, or shutdown follows. One that raises before it has asked for a message is taken for one
    without a lifespan, and what it has raised is logged, on standard error if nobody listens. A server that gives no
    lifespan, as `uvicorn --lifespan off`, has nothing announced. Requests and websockets pass untouched. Under an event
    loop other than asyncio's, as trio's, the start and the end wait in place.

    Each process announces for itself. Where a server runs several, they need `per_process`, or an announcement by the
    one that starts them; see docs/service.md.

    Args:
        app: the application; one without a lifespan too.
        component: as for `Service`.
        version: as for `Service`; it must be given, as a framework may be the one that calls.
        identity: as for `Service`.
        **options: as for `Service`. With `strict`, the application's startup fails where it cannot be announced; that
            its end was not announced is only logged, so that it can shut down in peace.

    Raises:
        OptionError: an event with these options cannot be.
    """

    def __init__(
        self,
        app: ASGIApplication,
        component: str,
        version: str,
        identity: str | None = None,
        **options: Unpack[ServiceOptions],
    ) -> None:
        self._app = app
        self._make_service = partial(Service, component, version, identity, **options)
        self._make_service()  # what is wrong with the options shows here already

    async def __call__(self, scope: Any, receive: _Receive, send: _Send) -> None:
        """Serve, as the application does."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _run_lifespan(self, scope: Any, receive: _Receive, send: _Send) -> None:
        service = self._make_service()
        async with AsyncExitStack() as stack:
            lifespan = _Lifespan(service, stack, receive, send)
            try:
                await self._app(scope, lifespan.receive, lifespan.send)
            except Exception as error:
                # One without a lifespan raises, or returns, before it has asked for anything.
                if lifespan.receive_called:
                    raise
                taken = "%s is taken for an application without a lifespan, as it raised before it had begun: %s: %s"
                warn_visibly(taken, service.component, type(error).__name__, error)
                logger.debug("it raised", exc_info=True)
            await lifespan.finish()


class _Lifespan:
    """A lifespan of an application: the messages between it and the server, and what is announced with them.

    Attributes:
        receive_called: whether the application has received a message.
    """

    def __init__(self, service: Service, stack: AsyncExitStack, receive: _Receive, send: _Send) -> None:
        self.receive_called = False
        self._service = service
        self._stack = stack
        self._receive = receive
        self._send = send
        self._started = self._failed = self._stopping = False
        self._message: Any = None

    async def receive(self) -> Any:
        """Receive a message for the application."""
        self.receive_called = True
        # Kept until it is handed over: the application may wait for it with a time limit.
        if self._message is None:
            self._message = await self._receive()
        if self._message["type"] == "lifespan.shutdown":
            self._stopping = True
            await self._stack.aclose()
        message, self._message = self._message, None
        return message

    async def send(self, message: Any) -> None:
        """Send a message of the application.

        Raises:
            LifecycleError: with `strict`, startup was not published; the server has been told.
        """
        if self._failed:
            return  # the server expects nothing after a failure
        self._failed = message["type"] == "lifespan.startup.failed"
        if message["type"] == "lifespan.startup.complete":
            self._started = True
            try:
                await self._enter()
            except LifecycleError as error:
                self._failed = True
                await self._send({"type": "lifespan.startup.failed", "message": str(error)})
                raise
            self._stack.push_async_exit(self._leave)
        await self._send(message)

    async def _enter(self) -> None:
        if in_event_loop():
            await self._service.__aenter__()
        else:
            self._service.start()

    async def _leave(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(LifecycleError):  # which has been logged
            if in_event_loop():
                await self._service.__aexit__(kind, error, traceback)
            else:
                self._service.stop()

    async def finish(self) -> None:
        """Do what the application, which has returned, has left undone; all of it where it has no lifespan."""
        if self._failed:
            return
        if not self._started:
            if not self.receive_called:
                await self.receive()
            await self.send({"type": "lifespan.startup.complete"})
        if not self._stopping:
            await self.receive()
            await self._send({"type": "lifespan.shutdown.complete"})
