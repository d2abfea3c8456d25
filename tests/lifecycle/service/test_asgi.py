"""An ASGI application announces itself, whatever it does with its lifespan; the server of the events is a real one."""

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
    """Returns what the server has seen so far."""
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
    """Stands for the server that runs the application, with a lifespan as far as it goes."""

    def __init__(self, app: ASGIApplication) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        self._app = app
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._state: dict[str, Any] = {}
        self.task = asyncio.ensure_future(app({"type": "lifespan", "state": self._state}, self._told.get, self._hear))

    async def _hear(self, message: Any) -> None:
        self.said.put_nowait(message)

    async def tell(self, message: Any) -> Any:
        """Return the answer, or the exception that the application has raised."""
        self._told.put_nowait(message)
        answer = asyncio.ensure_future(self.said.get())
        async with asyncio.timeout(20):
            await asyncio.wait({answer, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return self.task.exception()

    async def ask(self, kind: str, path: str, message: Any) -> list[Any]:
        """Return what is answered to a request."""
        answers: list[Any] = []

        async def receive() -> Any:
            return message

        async def send(answer: Any) -> None:
            answers.append(answer)

        scope = {"type": kind, "method": "GET", "path": path, "query_string": b"", "headers": [], "state": self._state}
        await self._app(scope, receive, send)
        return answers


async def test_it_is_announced_within_the_lifespan_of_the_application(server, seen) -> None:
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
    assert await host.tell(STARTUP) == COMPLETE
    steps["serving"] = await seen()
    assert await host.tell(SHUTDOWN) == OVER
    await host.task
    assert steps == {"starting": [], "serving": ["startup"], "stopping": ["startup", "shutdown"]}


async def test_it_needs_no_event_loop_of_asyncio(server, seen) -> None:
    """As under trio: here nothing is ever waited for, so that nothing has to run it."""
    told, said = [STARTUP, SHUTDOWN], []

    async def receive() -> Any:
        return told.pop(0)

    async def send(message: Any) -> None:
        said.append(message)

    def live() -> None:
        with pytest.raises(StopIteration):
            announced(returning, server)({"type": "lifespan"}, receive, send).__await__().__next__()

    await asyncio.to_thread(live)
    assert said == [COMPLETE, OVER]
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
async def test_an_application_needs_no_lifespan(server, seen, app: ASGIApplication) -> None:
    host = Host(announced(app, server))
    assert await host.tell(STARTUP) == COMPLETE
    assert await seen() == ["startup"]
    assert await host.tell(SHUTDOWN) == OVER
    assert await seen() == ["startup", "shutdown"]
    await host.task


@pytest.mark.parametrize("step", ["starting", "saying so", "serving", "stopping"])
async def test_failures_of_the_application_go_through(server, seen, step: str) -> None:
    failure = ValueError("on purpose")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if step == "starting":
            raise failure
        if step == "saying so":
            await send(FAILED | {"message": "no database"})
            return
        await send(COMPLETE)
        if step == "stopping":
            await receive()
        raise failure

    host = Host(announced(app, server))
    answer = await host.tell(STARTUP)
    match step:
        case "starting":
            assert answer is failure
        case "saying so":
            assert answer == FAILED | {"message": "no database"}
            await host.task
        case "serving" | "stopping":
            assert answer == COMPLETE
            assert await host.tell(SHUTDOWN) is failure
    assert await seen() == ([] if step in {"starting", "saying so"} else ["startup", "shutdown"])
    assert host.said.empty()


async def test_what_is_raised_before_the_lifespan_is_logged(server, seen, caplog: pytest.LogCaptureFixture) -> None:
    """It may be that the application has no lifespan, or that it is broken."""
    host = Host(announced(refusing, server))
    assert await host.tell(STARTUP) == COMPLETE
    text = "billing is treated as an application without lifespan support: before receiving a message, it raised"
    assert caplog.messages == [f"{text} ValueError: only HTTP is served here"]
    await host.tell(SHUTDOWN)
    await host.task


async def test_where_nobody_configures_a_log_it_is_on_standard_error(
    server, seen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with uvicorn as it comes."""
    monkeypatch.setattr(logging.getLogger("choria_lifecycle"), "propagate", False)
    host = Host(announced(refusing, server))
    assert await host.tell(STARTUP) == COMPLETE
    assert "message, it raised ValueError: only HTTP is served here\n" in capsys.readouterr().err
    await host.tell(SHUTDOWN)
    await host.task


async def test_an_application_may_lose_patience(server, seen) -> None:
    """It waits for messages with a time limit, which is over while shutdown is published."""
    waits = asyncio.Event()
    before = signal.getsignal(signal.SIGTERM)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() == STARTUP
        await send(COMPLETE)
        patience = asyncio.ensure_future(receive())
        await waits.wait()
        patience.cancel()
        await asyncio.wait({patience})
        assert patience.cancelled()
        assert await receive() == SHUTDOWN
        await send(OVER)

    host = Host(announced(app, server))
    assert await host.tell(STARTUP) == COMPLETE
    aexit = Service.__aexit__

    async def held(self: Service, *of: Any) -> None:
        waits.set()
        await aexit(self, *of)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Service, "__aexit__", held)
        assert await host.tell(SHUTDOWN) == OVER
    await host.task
    async with asyncio.timeout(10):  # the end of the service goes on, and needs this loop to restore the handlers
        while signal.getsignal(signal.SIGTERM) is not before:  # noqa: ASYNC110 - nothing tells when it changes
            await asyncio.sleep(0)
    assert await seen() == ["startup", "shutdown"]


async def test_one_that_is_cancelled_has_ended(server, seen) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(COMPLETE)
        await receive()

    host = Host(announced(app, server))
    await host.tell(STARTUP)
    host.task.cancel()
    await asyncio.wait({host.task})
    assert host.task.cancelled()
    assert await seen() == ["startup", "shutdown"]


async def test_without_a_broker_the_application_serves() -> None:
    host = Host(announced(returning, "nats://127.0.0.1:1"))
    assert await host.tell(STARTUP) == COMPLETE
    assert await host.tell(SHUTDOWN) == OVER
    await host.task


async def test_strict_lets_the_startup_fail() -> None:
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
    answer = await host.tell(STARTUP)
    await asyncio.wait({host.task})
    assert host.task.exception() is failed[0]
    assert answer == FAILED | {"message": str(failed[0])}
    assert "\n" not in answer["message"]
    assert host.said.empty()


async def test_strict_leaves_the_shutdown_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exit_hooks, "CLOSE_TIMEOUT", 1)
    stopped: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(COMPLETE)
        stopped.append(await receive())
        await send(OVER)

    with embedded.nats_server(jetstream=False) as server:
        host = Host(announced(app, server, strict=True))
        assert await host.tell(STARTUP) == COMPLETE
    assert await host.tell(SHUTDOWN) == OVER
    await host.task
    assert stopped == [SHUTDOWN]


@pytest.mark.parametrize("kind", ["http", "websocket", "of tomorrow"])
async def test_all_else_is_not_touched(kind: str) -> None:
    passed: list[Any] = []

    async def app(*given: Any) -> None:
        passed.extend(given)
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


def test_wrong_options_show_at_once() -> None:
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
    for _ in range(2):  # each lifespan has a service of its own
        host = Host(served)
        assert await host.tell(STARTUP) == COMPLETE
        answers = await host.ask("http", "/", {"type": "http.request"})
        assert answers[1]["body"] == b"open"
        answers = await host.ask("websocket", "/talk", {"type": "websocket.connect"})
        assert answers[1]["text"] == "open"
        assert await host.tell(SHUTDOWN) == OVER
        await host.task
    assert await seen() == ["startup", "shutdown"] * 2
    assert app.steps == ["opened", "closed"] * 2


async def test_each_process_may_have_its_own_identity(server, watcher: Middleware) -> None:
    host = Host(announced(returning, server, per_process=True))
    async with watcher.events("startup") as events:
        await host.tell(STARTUP)
        assert (await anext(events)).identity == f"n1.example.net/{os.getpid()}"
    await host.tell(SHUTDOWN)
    await host.task
