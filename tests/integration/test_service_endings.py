"""Startup and shutdown of a service arrive exactly once, however its process ends; on a real nats-server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.connection import connect
from choria_schemas.lifecycle.v1 import Alive, Shutdown, Startup

if TYPE_CHECKING:
    from choria_lifecycle.demo import embedded

PROGRAM = Path(__file__).parent / "programs" / "announced.py"
# `make soak` repeats them more often.
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "1"))

# The way, the signal that ends it, its exit code, and its last line on standard error.
WAYS: list[tuple[str, signal.Signals | None, int, str]] = [
    ("return", None, 0, ""),
    ("exception", None, 1, "ValueError: on purpose"),
    ("exit", None, 7, ""),
    ("sigterm", signal.SIGTERM, -signal.SIGTERM, ""),
    ("sigint", signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"),
    ("sighup", signal.SIGHUP, -signal.SIGHUP, ""),
    ("sigterm-handled", signal.SIGTERM, 9, ""),
    ("started", None, 0, ""),
    ("started-exception", None, 1, "ValueError: on purpose"),
    ("started-exit", None, 7, ""),
    ("started-sigterm", signal.SIGTERM, -signal.SIGTERM, ""),
    ("started-after-thread", signal.SIGTERM, -signal.SIGTERM, ""),
    ("started-sigint", signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"),
    ("started-thread", None, 0, ""),
    ("started-fork", None, 0, ""),
    ("started-fork-sigterm", None, 0, ""),
    ("fork", None, 0, ""),
    ("async", None, 0, ""),
    ("async-exception", None, 1, "ValueError: on purpose"),
    ("async-exit", None, 7, ""),
    ("async-sigterm", signal.SIGTERM, -signal.SIGTERM, ""),
    ("async-sigint", signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"),
    ("async-cancelled", None, 1, "asyncio.exceptions.CancelledError"),
    ("async-cancelled-twice", None, 1, "asyncio.exceptions.CancelledError"),
    ("async-handled", signal.SIGTERM, 0, ""),
    ("async-loop-stop", None, 0, ""),
    ("async-task-abandoned", None, 0, ""),
]


@pytest.mark.parametrize(("way", "number", "code", "last"), WAYS, ids=[way for way, *_ in WAYS])
async def test_startup_and_shutdown_arrive_once(
    server: embedded.Server, way: str, number: signal.Signals | None, code: int, last: str
) -> None:
    async with connect(server.url, environ={}) as middleware:
        for _ in range(ROUNDS):
            async with middleware.events(component=way) as events:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-W", "error", str(PROGRAM), way,
                    env={**os.environ, "NATS_URL": server.url},
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
                try:
                    async with asyncio.timeout(30):
                        if number is not None:
                            assert process.stdout is not None
                            assert await process.stdout.readline() == b"ready\n"
                            process.send_signal(number)
                        _, stderr = await process.communicate()
                finally:
                    if process.returncode is None:
                        process.kill()
                await middleware.flush()
                found = [type(await anext(events)) for _ in range(events.queued)]
            lines = stderr.decode().splitlines()
            # An alive event may come at any time.
            assert [each for each in found if each is not Alive] == [Startup, Shutdown], stderr.decode()
            assert (process.returncode, lines[-1] if lines else "") == (code, last), stderr.decode()
            assert "Exception ignored" not in stderr.decode()


async def test_a_signal_handler_unknown_to_python_is_left_in_place(server: embedded.Server) -> None:
    """As that of faulthandler, which shows where a program hangs."""
    async with connect(server.url, environ={}) as middleware, middleware.events(component="started-dump") as events:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "error", str(PROGRAM), "started-dump",
            env={**os.environ, "NATS_URL": server.url},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(30):
                assert process.stdout is not None
                assert process.stderr is not None
                assert await process.stdout.readline() == b"ready\n"
                process.send_signal(signal.SIGQUIT)
                while b"in started" not in await process.stderr.readline():
                    pass
                process.terminate()
                await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == -signal.SIGTERM
        await middleware.flush()
        found = [type(await anext(events)) for _ in range(events.queued)]
    assert [each for each in found if each is not Alive] == [Startup, Shutdown]
