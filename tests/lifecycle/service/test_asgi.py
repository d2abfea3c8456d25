"""An ASGI application is announced, whatever it does with its lifespan; on a real nats-server."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response

from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from choria_lifecycle.errors import ConnectionFailed, OptionError
from choria_lifecycle.events.event import event_type
from choria_lifecycle.service import exit_hooks
from choria_lifecycle.service.asgi import ASGIApplication, LifecycleASGIMiddleware
from choria_lifecycle.service.service import Service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from choria_lifecycle.middleware.middleware import Middleware

STARTUP, COMPLETE, FAILED = ({"type": f"lifespan.startup{end}"} for end in ("", ".complete", ".failed"))
SHUTDOWN, OVER = ({"type": f"lifespan.shutdown{end}"} for end in ("", ".complete"))


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Server]:
    with embedded.nats_server(jetstream=False) as running:
        yield running


@pytest.fixture
async def watcher(server: embedded.Server) -> AsyncGenerator[Middleware]:
    async with connect(server.url, environ={}) as middleware:
        yield middleware


@pytest.fixture
async def seen(watcher: Middleware) -> AsyncGenerator[Callable[[], Awaitable[list[str]]]]:
    """Returns the types of the events that the server has received so far."""
    async with watcher.events() as events:
        found: list[str] = []

        async def so_far() -> list[str]:
            await watcher.flush()
            found.extend([event_type(await anext(events)) for _ in range(events.queued)])
            return list(found)

        yield so_far


def announced(app: ASGIApplication, server: embedded.Server | str, **options: Any) -> LifecycleASGIMiddleware:
    url = server if isinstance(server, str) else server.url
    return LifecycleASGIMiddleware(
        app, "billing", "1.4.2", "n1.example.net", servers=url, environ={}, **({"timeout": 10} | options)
    )


class Host:
    """An ASGI server, reduced to lifespans and single requests."""

    def __init__(self, app: ASGIApplication) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self._app = app
        self._incoming: asyncio.Queue[Any] = asyncio.Queue()
        self._state: dict[str, Any] = {}
        self.task = asyncio.ensure_future(
            app({"type": "lifespan", "state": self._state}, self._incoming.get, self._receive_from_app)
        )

    async def _receive_from_app(self, message: Any) -> None:
        self.sent.put_nowait(message)

    async def send(self, message: Any) -> Any:
        """Send a lifespan message; return the answer, or the exception that the application raised."""
        self._incoming.put_nowait(message)
        answer = asyncio.ensure_future(self.sent.get())
        async with asyncio.timeout(20):
            await asyncio.wait({answer, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return self.task.exception()

    async def request(self, kind: str, path: str, message: Any) -> list[Any]:
        """Return the application's answers to a request."""
        answers: list[Any] = []

        async def receive() -> Any:
            return message

        async def send(answer: Any) -> None:
            answers.append(answer)

        scope = {"type": kind, "method": "GET", "path": path, "query_string": b"", "headers": [], "state": self._state}
        await self._app(scope, receive, send)
        return answers


async def test_it_is_announced_from_startup_to_shutdown_of_the_application(server, seen) -> None:
    steps: dict[str, list[str]] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["mine"] = 1
        assert await receive() == STARTUP
        steps["starting"] = await seen()
        await send(COMPLETE)
        assert await receive() == SHUTDOWN
        steps["stopping"] = await seen()
        await send(OVER)

    host = Host(announced(app, server))
    assert await host.send(STARTUP) == COMPLETE
    steps["serving"] = await seen()
    assert await host.send(SHUTDOWN) == OVER
    await host.task
    assert steps == {"starting": [], "serving": ["startup"], "stopping": ["startup", "shutdown"]}


async def test_it_works_without_an_asyncio_event_loop(server, seen) -> None:
    """As under trio; nothing here suspends the coroutine, so no loop has to run it."""
    incoming, sent = [STARTUP, SHUTDOWN], []

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    def live() -> None:
        with pytest.raises(StopIteration):
            announced(returning, server)({"type": "lifespan"}, receive, send).__await__().__next__()

    await asyncio.to_thread(live)
    assert sent == [COMPLETE, OVER]
    assert await seen() == ["startup", "shutdown"]


async def refusing(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("only HTTP is served here")


async def returning(scope: Any, receive: Any, send: Any) -> None: ...


async def asking(scope: Any, receive: Any, send: Any) -> None:
    await receive()


async def leaving(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send(COMPLETE)


@pytest.mark.parametrize("app", [refusing, returning, asking, leaving])
async def test_an_application_may_ignore_its_lifespan(server, seen, app: ASGIApplication) -> None:
    host = Host(announced(app, server))
    assert await host.send(STARTUP) == COMPLETE
    assert await seen() == ["startup"]
    assert await host.send(SHUTDOWN) == OVER
    assert await seen() == ["startup", "shutdown"]
    await host.task


@pytest.mark.parametrize("step", ["starting", "reporting", "serving", "stopping"])
async def test_failures_of_the_application_are_passed_on(server, seen, step: str) -> None:
    failure = ValueError("on purpose")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if step == "starting":
            raise failure
        if step == "reporting":
            await send(FAILED | {"message": "no database"})
            return
        await send(COMPLETE)
        if step == "stopping":
            await receive()
        raise failure

    host = Host(announced(app, server))
    answer = await host.send(STARTUP)
    match step:
        case "starting":
            assert answer is failure
        case "reporting":
            assert answer == FAILED | {"message": "no database"}
            await host.task
        case "serving" | "stopping":
            assert answer == COMPLETE
            assert await host.send(SHUTDOWN) is failure
    assert await seen() == ([] if step in {"starting", "reporting"} else ["startup", "shutdown"])
    assert host.sent.empty()


async def test_an_exception_before_the_first_message_is_logged(server, seen, caplog: pytest.LogCaptureFixture) -> None:
    """The application may not support lifespans, or may be broken."""
    host = Host(announced(refusing, server))
    assert await host.send(STARTUP) == COMPLETE
    text = "billing is treated as an application without lifespan support: before receiving a message, it raised"
    assert caplog.messages == [f"{text} ValueError: only HTTP is served here"]
    await host.send(SHUTDOWN)
    await host.task


async def test_without_a_logging_configuration_it_is_on_standard_error(
    server, seen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As under uvicorn by default."""
    monkeypatch.setattr(logging.getLogger("choria_lifecycle"), "propagate", False)
    host = Host(announced(refusing, server))
    assert await host.send(STARTUP) == COMPLETE
    assert "message, it raised ValueError: only HTTP is served here\n" in capsys.readouterr().err
    await host.send(SHUTDOWN)
    await host.task


async def test_an_application_may_cancel_receive_and_call_it_again(server, seen) -> None:
    """Its timeout for the next message expires while shutdown is being published."""
    waits = asyncio.Event()
    before = signal.getsignal(signal.SIGTERM)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == STARTUP
        await send(COMPLETE)
        receiving = asyncio.ensure_future(receive())
        await waits.wait()
        receiving.cancel()
        await asyncio.wait({receiving})
        assert receiving.cancelled()
        assert await receive() == SHUTDOWN
        await send(OVER)

    host = Host(announced(app, server))
    assert await host.send(STARTUP) == COMPLETE
    aexit = Service.__aexit__

    async def observed(self: Service, *arguments: Any) -> None:
        waits.set()
        await aexit(self, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Service, "__aexit__", observed)
        assert await host.send(SHUTDOWN) == OVER
    await host.task
    async with asyncio.timeout(10):  # the end of the service goes on, and needs this loop to restore the handlers
        while signal.getsignal(signal.SIGTERM) is not before:  # noqa: ASYNC110 - nothing tells when it changes
            await asyncio.sleep(0)
    assert await seen() == ["startup", "shutdown"]


async def test_a_cancelled_application_has_shut_down(server, seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(COMPLETE)
        await receive()

    host = Host(announced(app, server))
    await host.send(STARTUP)
    host.task.cancel()
    await asyncio.wait({host.task})
    assert host.task.cancelled()
    assert await seen() == ["startup", "shutdown"]


async def test_the_application_serves_without_a_broker() -> None:
    host = Host(announced(returning, "nats://127.0.0.1:1"))
    assert await host.send(STARTUP) == COMPLETE
    assert await host.send(SHUTDOWN) == OVER
    await host.task


async def test_strict_fails_the_startup() -> None:
    failed: list[BaseException] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        try:
            await send(COMPLETE)
        except ConnectionFailed as error:
            failed.append(error)
            await send(FAILED)
            raise

    host = Host(announced(app, "nats://127.0.0.1:1", strict=True))
    answer = await host.send(STARTUP)
    await asyncio.wait({host.task})
    assert host.task.exception() is failed[0]
    assert answer == FAILED | {"message": str(failed[0])}
    assert "\n" not in answer["message"]
    assert host.sent.empty()


async def test_strict_does_not_fail_the_shutdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exit_hooks, "CLOSE_TIMEOUT", 1)
    stopped: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(COMPLETE)
        stopped.append(await receive())
        await send(OVER)

    with embedded.nats_server(jetstream=False) as server:
        host = Host(announced(app, server, strict=True))
        assert await host.send(STARTUP) == COMPLETE
    assert await host.send(SHUTDOWN) == OVER
    await host.task
    assert stopped == [SHUTDOWN]


@pytest.mark.parametrize("kind", ["http", "websocket", "unknown"])
async def test_other_scopes_are_passed_on_unchanged(kind: str) -> None:
    passed: list[Any] = []

    async def app(*arguments: Any) -> None:
        passed.extend(arguments)
        raise failure

    async def receive() -> Any: ...

    async def send(message: Any) -> None: ...

    scope, failure = {"type": kind}, ValueError("on purpose")
    threads = threading.enumerate()
    with pytest.raises(ValueError, match="on purpose") as caught:
        await announced(app, "nats://127.0.0.1:1")(scope, receive, send)
    assert caught.value is failure
    assert [one is other for one, other in zip(passed, (scope, receive, send), strict=True)] == [True] * 3
    assert set(threading.enumerate()) <= set(threads)


def test_invalid_options_raise_at_once() -> None:
    for wrong in ({"component": "a.b"}, {"version": ""}, {"interval": 0}):
        with pytest.raises(OptionError):
            LifecycleASGIMiddleware(returning, **({"component": "billing", "version": "1.4.2"} | wrong))


@asynccontextmanager
async def database(app: Any) -> AsyncGenerator[dict[str, str]]:
    app.steps.append("opened")
    yield {"database": "open"}
    app.steps.append("closed")


@pytest.mark.parametrize("kind", [FastAPI, Starlette])
@pytest.mark.parametrize("form", ["wrapper", "middleware"])
async def test_frameworks(server, seen, kind: type[FastAPI | Starlette], form: str) -> None:
    app = kind(lifespan=database)
    app.steps = []

    async def index(request: Request) -> Response:
        return PlainTextResponse(request.state.database)

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.state.database)

    app.router.add_route("/", index)
    app.router.add_websocket_route("/talk", talk)
    options: dict[str, Any] = {"component": "billing", "version": "1.4.2", "timeout": 10}
    options |= {"identity": "n1.example.net", "servers": server.url, "environ": {}}
    if form == "middleware":
        app.add_middleware(LifecycleASGIMiddleware, **options)
        served: Any = app
    else:
        served = LifecycleASGIMiddleware(app, **options)
    for _ in range(2):  # each lifespan starts a service of its own
        host = Host(served)
        assert await host.send(STARTUP) == COMPLETE
        answers = await host.request("http", "/", {"type": "http.request"})
        assert answers[1]["body"] == b"open"
        answers = await host.request("websocket", "/talk", {"type": "websocket.connect"})
        assert answers[1]["text"] == "open"
        assert await host.send(SHUTDOWN) == OVER
        await host.task
    assert await seen() == ["startup", "shutdown"] * 2
    assert app.steps == ["opened", "closed"] * 2


async def test_the_process_id_may_be_part_of_the_identity(server, watcher: Middleware) -> None:
    host = Host(announced(returning, server, per_process=True))
    async with watcher.events("startup") as events:
        await host.send(STARTUP)
        assert (await anext(events)).identity == f"n1.example.net/{os.getpid()}"
    await host.send(SHUTDOWN)
    await host.task
