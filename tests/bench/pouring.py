"""A separate process that publishes a fleet's alive events: `python -m tests.bench.pouring URL NODES`.

Each input line `COUNT RATE` makes it publish this many events, at this rate per second, or all at once if the rate is
0. Once the server has them, it prints the seconds taken. It prints `ready` first, and exits at the end of its input.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import nats

from choria_lifecycle import encode

from .fleet import alive

COMPONENT = "component0"

_SUBJECT = f"choria.lifecycle.event.alive.{COMPONENT}"
_VERSIONS = 5
_PORTION_SECONDS = 0.01


class PublisherProcess:
    """The process, as seen by its parent; `nodes` is the number of nodes that its events come from."""

    def __init__(self, process: subprocess.Popen[str], thread: ThreadPoolExecutor, nodes: int) -> None:
        self.nodes = nodes
        self._process = process
        self._thread = thread

    def start(self, count: int, rate: int) -> Future[float]:
        """Start publishing; the result, in seconds, follows once the server has all events."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count} {rate}\n")
        self._process.stdin.flush()
        return self._thread.submit(lambda: float(self.line()))

    def line(self) -> str:
        """Return the next line of its output."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def pouring(url: str, nodes: int) -> Iterator[PublisherProcess]:
    """Start the process; it is ready when the block is entered."""
    command = [sys.executable, "-m", "tests.bench.pouring", url, str(nodes)]
    with (
        ThreadPoolExecutor(1) as thread,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            publisher = PublisherProcess(process, thread, nodes)
            assert publisher.line() == "ready\n"
            yield publisher
        finally:
            process.kill()


async def _main(url: str, nodes: int) -> None:
    payloads = [encode(alive(number, 1, _VERSIONS)) for number in range(nodes)]
    client = await nats.connect(url)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(await _pour(client, payloads, *map(int, line.split())), flush=True)
    await client.close()


async def _pour(client: Any, payloads: list[bytes], count: int, rate: int) -> float:
    now = asyncio.get_running_loop().time
    portion = max(1, int(rate * _PORTION_SECONDS)) if rate else count
    begin = now()
    for first in range(0, count, portion):
        if rate:
            await asyncio.sleep(begin + first / rate - now())
        for number in range(first, min(first + portion, count)):
            await client.publish(_SUBJECT, payloads[number % len(payloads)])
    await client.flush()
    return now() - begin


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
