"""The last event of a process is delivered however the process ends, and nothing delays the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.connection import connect
from choria_schemas.lifecycle.v1 import Shutdown, Startup

if TYPE_CHECKING:
    from choria_lifecycle.demo import embedded

PROGRAMS = Path(__file__).parent / "programs"


async def start(server: embedded.Server, program: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAMS / program),
        *arguments,
        env={**os.environ, "NATS_URL": server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("way", "code", "stderr_text"),
    [("return", 0, b""), ("exception", 1, b"ValueError: on purpose"), ("exit", 7, b""), ("interrupt", -2, b"")],
)
async def test_the_last_event_is_delivered(server: embedded.Server, way: str, code: int, stderr_text: bytes) -> None:
    async with connect(server.url, environ={}) as middleware, middleware.events(component="billing") as events:
        process = await start(server, "ending.py", way)
        async with asyncio.timeout(30):
            _, errors = await process.communicate()
            assert isinstance(await anext(events), Shutdown)
        assert process.returncode == code
        assert stderr_text in errors
        assert b"Task" not in errors
        assert b"never" not in errors
        await middleware.flush()
        assert events.counters.received == 1


def test_the_end_of_the_event_loop_closes_the_connection(server: embedded.Server) -> None:
    async def abandoned(opened: asyncio.Event) -> None:
        async with connect(server.url, environ={}):
            opened.set()
            await asyncio.Event().wait()

    async def main() -> None:
        tasks.append(asyncio.create_task(abandoned(opened := asyncio.Event())))
        await opened.wait()

    tasks: list[asyncio.Task[None]] = []
    begun = time.monotonic()
    asyncio.run(main())
    assert tasks[0].cancelled()
    assert time.monotonic() - begun < 4


ABANDONED = """
import asyncio, sys
import choria_lifecycle as lifecycle

async def abandoned(opened):
    async with lifecycle.connect() as middleware:
        opened.set()
        try:
            await asyncio.Event().wait()
        finally:
            {call}

async def main():
    global kept
    opened = asyncio.Event()
    kept = asyncio.create_task(abandoned(opened))
    await opened.wait()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "call",
    [
        "await middleware.flush(0.5)",
        "await middleware.events(timeout=0.5).__aenter__()",
        "await middleware.publish(lifecycle.shutdown(identity='a', component='b'), timeout=0.5)",
    ],
)
async def test_a_call_after_the_reader_was_cancelled_fails(server: embedded.Server, call: str) -> None:
    """At the end, asyncio.run cancels all tasks: nats-py's reader ends before the task that publishes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ABANDONED.replace("{call}", call),
        env={**os.environ, "NATS_URL": server.url},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # Before Python 3.11.4, a timeout in a cancelled task is a cancellation, which asyncio does not report.
    quiet = sys.version_info < (3, 11, 4) and errors == b""
    assert quiet or b"errors.ConnectionFailed: " in errors or b"errors.DeliveryFailed: " in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_that_handles_signals_itself(server: embedded.Server, number: signal.Signals) -> None:
    async with connect(server.url, environ={}) as middleware, middleware.events(component="billing") as events:
        process = await start(server, "service.py")
        async with asyncio.timeout(30):
            assert isinstance(await anext(events), Startup)
            process.send_signal(number)
            assert isinstance(await anext(events), Shutdown)
            _, errors = await process.communicate()
        assert (process.returncode, errors) == (0, b"")
