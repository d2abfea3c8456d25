"""ASGI middleware that announces an application, written with any framework, under any server.

Lifespans are specified in https://asgi.readthedocs.io/en/latest/specs/lifespan.html.
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

# Scopes and messages are Any, because each framework and server has its own types for them.
_Receive = Callable[[], Awaitable[Any]]
_Send = Callable[[Any], Awaitable[None]]
ASGIApplication = Callable[[Any, _Receive, _Send], Awaitable[None]]
"""An ASGI 3 application: called with a scope, `receive` and `send`."""


class ServiceOptions(ConnectionOptions, total=False):
    """Options of a `Service`, in addition to those of its connection."""

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
    """ASGI middleware that announces an application while it runs.

        app = LifecycleASGIMiddleware(app, component="billing", version="1.4.2")

    With a framework: `app.add_middleware(LifecycleASGIMiddleware, component="billing", version="1.4.2")`.

    The server's lifespan messages decide when:

    - Startup is published once the application has reported that it has started, before the server is notified.
    - Shutdown is published before the application begins to shut down, so that no client finds an announced service
      whose database is already closed.
    - If the application fails, its messages and exceptions are passed on unchanged. If it fails during startup, nothing
      is announced; if it fails later, shutdown is published.
    - An application that raises before it receives its first message is treated as one without lifespan support. The
      exception is logged, or written to standard error if `logging` is not configured.
    - If the server sends no lifespan, as with `uvicorn --lifespan off`, nothing is announced.

    Requests and websockets are passed on unchanged. Under an event loop other than asyncio's, such as trio's, start and
    end block the loop.

    Each process announces itself. If the server runs several, set `per_process`, or announce the process that starts
    them; see docs/service.md.

    Args:
        app: the application, with or without lifespan support.
        component: as for `Service`.
        version: as for `Service`, but required: the caller may be a framework, which has a version of its own.
        identity: as for `Service`.
        **options: the other options of `Service`, except `middleware`. With `strict`, the application's startup fails
            if startup is not published; a shutdown that is not published is only logged, and the application shuts down
            normally.

    Raises:
        OptionError: an option is invalid.
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
        self._make_service()  # checks the options

    async def __call__(self, scope: Any, receive: _Receive, send: _Send) -> None:
        """Serve one connection or lifespan of the application."""
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
                # An application without lifespan support raises, or returns, before it receives anything.
                if lifespan.receive_called:
                    raise
                text = "%s is treated as an application without lifespan support: before receiving a message, it raised"
                warn_visibly(f"{text} %s: %s", service.component, type(error).__name__, error)
                logger.debug("the application raised", exc_info=True)
            await lifespan.finish()


class _Lifespan:
    """One lifespan of an application: passes messages between it and the server, and announces it.

    Attributes:
        receive_called: whether the application has called `receive`.
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
        """Return the server's next message; if it is lifespan.shutdown, publish shutdown first."""
        self.receive_called = True
        # Kept until it is returned: the application may cancel this call, and call again.
        if self._message is None:
            self._message = await self._receive()
        if self._message["type"] == "lifespan.shutdown":
            self._stopping = True
            await self._stack.aclose()
        message, self._message = self._message, None
        return message

    async def send(self, message: Any) -> None:
        """Pass a message on to the server; if it is lifespan.startup.complete, publish startup first.

        Raises:
            LifecycleError: with `strict`, startup was not published; the server is notified of the failed startup.
        """
        if self._failed:
            return  # the server expects no message after a failure
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
        with suppress(LifecycleError):  # already logged
            if in_event_loop():
                await self._service.__aexit__(kind, error, traceback)
            else:
                self._service.stop()

    async def finish(self) -> None:
        """Complete the lifespan for an application that returned early, or that does not support lifespans."""
        if self._failed:
            return
        if not self._started:
            if not self.receive_called:
                await self.receive()
            await self.send({"type": "lifespan.startup.complete"})
        if not self._stopping:
            await self.receive()
            await self._send({"type": "lifespan.shutdown.complete"})
