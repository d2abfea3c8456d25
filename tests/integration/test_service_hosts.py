"""Services under gunicorn and uvicorn are announced as docs/service.md promises, whatever happens to the workers.

The servers inherit a listening socket, so that a request waits until a worker accepts it.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections import Counter
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.connection import connect
from choria_lifecycle.events.event import event_type
from choria_schemas.lifecycle.v1 import Alive
from tests.bed.paths import DOCS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from choria_lifecycle.demo import embedded
    from choria_lifecycle.events.event import Event
    from choria_lifecycle.middleware.middleware import Middleware
    from choria_lifecycle.middleware.subscription import Subscription

EXAMPLES = DOCS / "service"
# An example for gunicorn that also reports when a worker is ready for signals.
CONFIGURATION = """
import os
exec(open({example!r}).read())
_inner = globals().get("post_worker_init", lambda worker: None)
def post_worker_init(worker):
    _inner(worker)
    os.write(2, b"worker %d is ready\\n" % worker.pid)
"""
READY = r"worker (\d+) is ready"
SERVING = r"\[(\d+)\] \[INFO\] (?:Application startup complete|ASGI server listening)"
# `make soak` repeats them more often.
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "1"))
# Requests that a worker answers before it is replaced.
SHARE = 8
GONE = r"Worker exiting \(pid: (\d+)\)|Worker \(pid:(\d+)\) was sent SIGTERM"
BOTH = ["startup", "shutdown"]


class Host:
    """A running application server.

    Attributes:
        process: its main process.
        log: its output so far.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.log: list[str] = []
        self._port = port
        self._unread: list[str] = []
        self._answers: Counter[int] = Counter()

    async def line(self, pattern: str) -> str:
        """Wait for a new line of the log that matches, and return the text of the pattern's group."""
        assert self.process.stderr is not None
        for number, line in enumerate(self._unread):
            if found := re.search(pattern, line):
                del self._unread[number]
                return found[found.lastindex or 0]
        while line := (await self.process.stderr.readline()).decode():
            self.log.append(line)
            if found := re.search(pattern, line):
                return found[found.lastindex or 0]
            self._unread.append(line)
        raise AssertionError(f"the server ended before it wrote {pattern}:\n{''.join(self.log)}")

    async def ask(self) -> int:
        """Make a request, and return the id of the process that answered it.

        Raises:
            ConnectionError: the process that accepted the request ended instead.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " not in head[:20]:
            raise ConnectionResetError
        # The chunked encoding puts the length before the chunk.
        process = int(body.split()[1 if b"chunked" in head.lower() else 0])
        self._answers[process] += 1
        return process

    async def recycled(self, ready: str) -> str:
        """Make requests until a worker has answered its share, and return the id of its replacement."""
        while self._answers[await self.ask()] < SHARE:
            pass
        return await self.line(ready)

    async def end(self, number: signal.Signals | None = None) -> int:
        """Send the main process a signal, if given, and return its exit code."""
        if number is not None:
            self.process.send_signal(number)
        _, rest = await self.process.communicate()
        self.log.append(rest.decode())
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def run(url: str, *command: str) -> AsyncGenerator[Host]:
    """Run a module in the folder of the examples; `{fd}` in its arguments is the listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        arguments = [argument.format(fd=listener.fileno()) for argument in command]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments,
            cwd=EXAMPLES,
            env={**os.environ, "NATS_URL": url, "PYTHONDONTWRITEBYTECODE": "1"},
            pass_fds=[listener.fileno()],
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        host = Host(process, listener.getsockname()[1])
        try:
            async with asyncio.timeout(20):
                yield host
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.communicate()
                print("".join(host.log))


@asynccontextmanager
async def watch(server: embedded.Server) -> AsyncGenerator[tuple[Middleware, Subscription]]:
    async with connect(server.url, environ={}) as middleware, middleware.events(component="billing") as events:
        yield middleware, events


Found = dict[str, list[str]]


async def seen(middleware: Middleware, events: Subscription, before: Found | None = None) -> Found:
    """Return the types of the events received so far, by identity."""
    await middleware.flush()
    found = before or {}
    for _ in range(events.queued):
        note(found, await anext(events))
    return found


def note(found: Found, event: Event) -> None:
    if not isinstance(event, Alive):  # may come at any time
        found.setdefault(event.identity, []).append(event_type(event))


@pytest.fixture(autouse=True, params=range(ROUNDS))
def again(request: pytest.FixtureRequest) -> int:
    """Runs each test ROUNDS times."""
    return request.param


UVICORN_WORKER = ("-k", "uvicorn.workers.UvicornWorker")
GUNICORN = {
    # The configuration that announces, the application, and further arguments.
    "host": ("gunicorn_host.py", "wsgi:app"),
    "host-preload-uvicorn": ("gunicorn_host.py", "web_any:application", "--preload", *UVICORN_WORKER),
    "process": ("gunicorn_process.py", "wsgi:app"),
    "process-preload-threads": ("gunicorn_process.py", "wsgi:app", "--preload", "-k", "gthread"),
    "process-uvicorn": ("gunicorn_process.py", "web_any:application", *UVICORN_WORKER),
    "process-asgi": ("gunicorn_process.py", "web_any:application", "-k", "asgi"),
    "wrapper-preload-uvicorn": ("", "web_any:app", "--preload", *UVICORN_WORKER),
    "wrapper-asgi": ("", "web_any:app", "-k", "asgi"),
}


def gunicorn(kind: str, folder: Path) -> list[str]:
    example, *arguments = GUNICORN[kind]
    configuration = folder / "gunicorn.conf.py"
    configuration.write_text(CONFIGURATION.format(example=str(EXAMPLES / example) if example else os.devnull))
    command = ["gunicorn", "--bind", "fd://{fd}", "--workers", "2", "--max-requests", str(SHARE), "--no-control-socket"]
    return [*command, "--config", str(configuration), *arguments]


@pytest.mark.parametrize("kind", GUNICORN)
async def test_gunicorn(server: embedded.Server, tmp_path: Path, kind: str) -> None:
    ready = SERVING if kind.startswith("wrapper") else READY
    async with watch(server) as (middleware, events), run(server.url, *gunicorn(kind, tmp_path)) as host:
        first = {await host.line(ready) for _ in range(2)}
        await host.ask()
        host.process.send_signal(signal.SIGHUP)
        second = {await host.line(ready) for _ in range(2)}
        for _ in range(2):
            first.discard(await host.line(GONE))
        assert not first
        killed = str(await host.ask())
        found: Found = {}
        while not kind.startswith("host") and not any(name.endswith(f"/{killed}") for name in found):
            note(found, await anext(events))  # a worker may serve before it is announced
        os.kill(int(killed), signal.SIGKILL)
        later = {await host.line(ready), await host.recycled(ready)}
        assert await host.end(signal.SIGTERM) == 0
        found = await seen(middleware, events, found)
    if kind.startswith("host"):
        assert list(found.values()) == [BOTH], host.log
    else:
        found = {identity.rpartition("/")[2]: types for identity, types in found.items()}
        assert found.pop(killed) == ["startup"], host.log
        assert (second | later) - {killed} <= set(found)
        assert set(map(tuple, found.values())) == {tuple(BOTH)}, (found, host.log)


@pytest.mark.parametrize("kind", ["host", "process", "wrapper-asgi"])
async def test_gunicorn_on_sigint(server: embedded.Server, tmp_path: Path, kind: str) -> None:
    async with watch(server) as (middleware, events), run(server.url, *gunicorn(kind, tmp_path)) as host:
        for _ in range(2):
            await host.line(SERVING if kind.startswith("wrapper") else READY)
        await host.ask()
        assert await host.end(signal.SIGINT) == 0
        found = await seen(middleware, events)
    assert list(found.values()) == [BOTH] * (1 if kind.startswith("host") else 2), host.log


UVICORN = {
    "middleware": ("web:app",),
    "own-lifespan": ("web_lifespan:app",),
    "no-lifespan": ("web_any:app",),
    "no-lifespan-on": ("web_any:app", "--lifespan", "on"),
    "lifespan-off": ("web_any:app", "--lifespan", "off"),
}
# The same as without an announcement: uvicorn handles the first two, and the third kills it.
CODES = {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 0, signal.SIGHUP: -signal.SIGHUP}


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("middleware", signal.SIGTERM),
        ("middleware", signal.SIGINT),
        ("own-lifespan", signal.SIGTERM),
        ("no-lifespan", signal.SIGTERM),
        ("no-lifespan-on", signal.SIGHUP),
        ("lifespan-off", signal.SIGTERM),
    ],
)
async def test_uvicorn(server: embedded.Server, kind: str, number: signal.Signals) -> None:
    command = ["uvicorn", "--fd", "{fd}", *UVICORN[kind]]
    async with watch(server) as (middleware, events), run(server.url, *command) as host:
        await host.line("Uvicorn running")
        before = await seen(middleware, events)
        assert await host.end(number) == CODES[number]
        after = await seen(middleware, events)
    expected = [] if kind == "lifespan-off" else ["startup"]
    assert list(before.values()) == [expected][: len(expected)], host.log
    assert list(after.values()) == [["shutdown"]][: len(expected)], host.log
    assert "Traceback" not in "".join(host.log)


async def test_uvicorn_on_a_second_sigint(server: embedded.Server, tmp_path: Path) -> None:
    (tmp_path / "hanging.py").write_text(
        "import asyncio, web_any\n"
        "from choria_lifecycle.service.asgi import LifecycleASGIMiddleware\n"
        "async def hang(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    print('asked', file=__import__('sys').stderr, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "app = LifecycleASGIMiddleware(hang, component='billing', version='1.4.2')\n"
    )
    command = ["uvicorn", "--fd", "{fd}", "--app-dir", str(tmp_path), "hanging:app"]
    async with watch(server) as (middleware, events), run(server.url, *command) as host:
        request = asyncio.create_task(host.ask())
        await host.line("asked")
        host.process.send_signal(signal.SIGINT)
        await host.line("Waiting for connections to close")
        host.process.send_signal(signal.SIGINT)
        # On Python 3.12 and newer, uvicorn still waits until they are closed.
        request.cancel()
        assert await host.end() == 0
        with suppress(ConnectionError, asyncio.CancelledError):
            await request
        found = await seen(middleware, events)
    assert list(found.values()) == [BOTH], host.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_uvicorn_with_workers(server: embedded.Server, number: signal.Signals) -> None:
    command = ["uvicorn", "--fd", "{fd}", "--workers", "2", "web_any:app"]
    async with watch(server) as (middleware, events), run(server.url, *command) as host:
        for _ in range(2):
            await host.line("Application startup complete")
        killed = await host.ask()
        if number is signal.SIGTERM:
            os.kill(killed, signal.SIGKILL)
            await host.line("Application startup complete")
        await host.end(number)
        found = await seen(middleware, events)
    if number is signal.SIGTERM:
        assert found.pop(next(name for name in found if name.endswith(f"/{killed}"))) == ["startup"]
    assert list(found.values()) == [BOTH] * 2, host.log


NOWHERE = "nats://127.0.0.1:1"


async def test_gunicorn_serves_without_a_broker(tmp_path: Path) -> None:
    async with run(NOWHERE, *gunicorn("host", tmp_path)) as host:
        for _ in range(2):
            await host.line(READY)
        await host.ask()
        assert await host.end(signal.SIGTERM) == 0


async def test_uvicorn_serves_without_a_broker() -> None:
    async with run(NOWHERE, "uvicorn", "--fd", "{fd}", "web_any:app") as host:
        await host.ask()
        assert await host.end(signal.SIGTERM) == -signal.SIGTERM
    assert "Application shutdown complete" in "".join(host.log)


@pytest.mark.parametrize("lifespan", ["auto", "on"])
async def test_strict_makes_uvicorn_exit(tmp_path: Path, lifespan: str) -> None:
    (tmp_path / "strict.py").write_text(
        "from choria_lifecycle.service.asgi import LifecycleASGIMiddleware\n"
        "from web_any import application\n"
        "app = LifecycleASGIMiddleware(application, 'billing', '1.4.2', strict=True)\n"
    )
    command = ["uvicorn", "--fd", "{fd}", "--app-dir", str(tmp_path), "--lifespan", lifespan, "strict:app"]
    async with run(NOWHERE, *command) as host:
        await host.line("ERROR: .*cannot connect")
        await host.line("Application startup failed. Exiting.")
        await host.process.communicate()
        assert host.process.returncode == 3
    assert "Traceback" not in "".join(host.log)


PREFORK = """
import multiprocessing, sys, time
from choria_lifecycle import Service

def work(running):
    with Service("billing", "1.4.2", per_process=True, timeout=10):
        if running:
            running.set()
            time.sleep(60)

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    running = context.Event()
    with Service("billing", "1.4.2", "parent", timeout=10):
        children = [context.Process(target=work, args=[way]) for way in (None, running)]
        for child in children:
            child.start()
        running.wait()
        children[1].terminate()
        for child in children:
            child.join()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_multiprocessing(server: embedded.Server, tmp_path: Path, method: str) -> None:
    (tmp_path / "prefork.py").write_text(PREFORK)
    async with watch(server) as (middleware, events):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(tmp_path / "prefork.py"), method, env={**os.environ, "NATS_URL": server.url}
        )
        async with asyncio.timeout(20):
            assert await process.wait() == 0
        found = await seen(middleware, events)
    assert "parent" in found
    assert list(found.values()) == [BOTH] * 3
