"""Candidates of one election, each in its own process, and a check that no two ever led at the same time."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choria_lifecycle.support.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Candidate", "Race", "bucket", "race", "wait_until"]

PROGRAM = Path(__file__).with_name("candidate.py")
SECONDS = 30.0
# Samples are a hundredth of a second apart; after a longer gap the process was suspended, and claims nothing.
CONTINUOUS = 0.1


def bucket(ttl: float, replicas: int = 1) -> dict[str, Any]:
    """Return the stream of the candidates' bucket: like the one Choria's broker makes, but deletable."""
    return {
        "name": "KV_ELECTION",
        "subjects": ["$KV.ELECTION.>"],
        "max_age": int(ttl * 1e9),
        "max_msgs_per_subject": 1,
        "max_msg_size": 1024,
        "discard": "new",
        "allow_rollup_hdrs": True,
        "allow_direct": True,
        "num_replicas": replicas,
    }


class Candidate:
    """A candidate in its own process.

    Attributes:
        name: its name.
        samples: its output so far.
    """

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.samples: list[dict[str, Any]] = []
        self.process = process
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.samples.append(json.loads(line))

    @property
    def leads(self) -> bool:
        return bool(self.samples and self.samples[-1]["leader"] and steady() - self.samples[-1]["at"] < CONTINUOUS)

    def resign(self) -> None:
        """Make the candidate resign and exit."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(SECONDS) == 0
        self._thread.join()
        assert self.samples[-1]["wins"] == self.samples[-1]["losses"]

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self._thread.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def claims(self) -> list[tuple[float, float]]:
        """Return the periods during which it claimed to lead."""
        spans: list[tuple[float, float]] = []
        for line in self.samples:
            if not line["leader"]:
                continue
            at = line["at"]
            if spans and at - spans[-1][1] < CONTINUOUS:
                spans[-1] = (spans[-1][0], at)
            else:
                spans.append((at, at))
        return spans


class Race:
    """All candidates of one election."""

    def __init__(self, stack: ExitStack) -> None:
        self.all: list[Candidate] = []
        self._stack = stack

    def enter(self, *urls: str, program: tuple[str, ...] = (sys.executable, str(PROGRAM))) -> Candidate:
        """Start a candidate, by default this project's."""
        name = f"c{len(self.all)}"
        process = subprocess.Popen([*program, name, *urls], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        candidate = Candidate(name, process)
        self._stack.callback(candidate.end)
        self.all.append(candidate)
        return candidate

    def leaders(self) -> list[Candidate]:
        return [candidate for candidate in self.all if candidate.leads]

    async def wait_for_leader(self, *candidates: Candidate) -> Candidate:
        """Wait until one of these candidates leads."""
        try:
            await wait_until(lambda: any(each.leads for each in candidates))
        except TimeoutError as error:
            raise TimeoutError(f"none leads: {[(each.name, each.samples[-1:]) for each in self.all]}") from error
        return next(each for each in candidates if each.leads)

    def check(self, together: float = 0.0) -> None:
        """Assert that no two candidates claimed to lead at the same time for longer than this many seconds."""
        until = 0.0
        for start, end, name in sorted((*span, each.name) for each in self.all for span in each.claims()):
            assert start > until - together, f"{name} leads from {start} on, and another until {until}"
            until = max(until, end)


@contextmanager
def race(together: float = 0.0) -> Iterator[Race]:
    """Run an election; on exit, end its candidates and check that no two led together for longer than this."""
    with ExitStack() as stack:
        running = Race(stack)
        yield running
    running.check(together)


async def wait_until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not happened():  # noqa: ASYNC110 - in other processes
            await asyncio.sleep(0.01)
