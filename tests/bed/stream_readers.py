"""The readers of events with history, run side by side, and what each of them saw."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias
from unittest import mock

import choria_lifecycle as lifecycle
from choria_lifecycle.cli import validate, view
from choria_lifecycle.support.log import logger
from choria_lifecycle.tally import daemon, recorder
from choria_lifecycle.tally.daemon import Tally, TallyOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import click

    from choria_lifecycle.middleware.subscription import Subscription

__all__ = ["Published", "Reader", "Report", "impatient_tallies", "running_readers"]

Published: TypeAlias = dict[str, tuple[float, float]]
"""The times just before and just after each startup event was published, by the event's id."""

_HISTORY: Final = timedelta(minutes=30)
_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02

# A tally in miniature: its expiry of 80 minutes, and the other intervals in proportion.
_EXPIRY: Final = 3.0
_INTERVALS: Final = (
    (recorder, "MINUTE", 0.5),
    (daemon, "_SWEEP_INTERVAL", 1.0),
    (daemon, "_PING_INTERVAL", 0.2),
    (daemon, "_PING_TIMEOUT", 0.5),
)

# The reader to which the messages of a task belong.
_SAID: ContextVar[list[str] | None] = ContextVar("said", default=None)
_SAYS_MISSED: Final = re.compile(r"\b(?:missed|missing|gaps?)\b").search


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a reader saw.

    Attributes:
        reader: its name.
        published: the number of startup events.
        seen: how many of them it saw.
        duplicates: the ids of those that it saw repeatedly.
        missing: the ids of those that it did not see.
        uncovered: those of the missing that no gap covers, with the times at which they were published.
        alive_published: the number of alive events; None while more are published.
        alive_seen: how many of them it saw.
        never_stored: the number of messages that the stream has not stored; None to leave them out of account.
        counted: for a tally, the startup events in its metrics.
        expired: for a tally, the living nodes that expired.
        counters: for a library reader, gaps, unstored and dropped messages; None where there is no such counter.
        gaps: begin, end and reason of each gap.
        said: its messages.
    """

    HEADER: ClassVar = (
        f"{'fault':30} {'reader':14} {'seen':>9} {'dup':>3} {'alive':>11} {'gaps':>4} {'unstored':>9} {'drop':>4} "
        f"{'expd':>4}  said"
    )

    reader: str
    published: int
    seen: int
    duplicates: list[str]
    missing: list[str]
    uncovered: Published
    alive_published: int | None
    alive_seen: int
    never_stored: int | None
    counted: int | None
    expired: int
    counters: dict[str, int | None]
    gaps: list[tuple[float, float, str]]
    said: list[str]

    @property
    def problems(self) -> list[str]:
        """Losses of which the reader knows nothing, duplicates, and living nodes that expired."""
        found = []
        if self.duplicates:
            found.append(f"{len(self.duplicates)} events repeatedly, such as {self.duplicates[0]}")
        if self.uncovered:
            name, (before, _) = next(iter(self.uncovered.items()))
            found.append(f"{len(self.uncovered)} events missing in silence, such as {name}, published at {before:.2f}")
        if self.alive_published is not None and self.alive_seen > self.alive_published:
            found.append(f"{self.alive_seen} alive events of {self.alive_published}")
        if self.alive_published is not None and self.alive_seen < self.alive_published and not self._doubts:
            found.append(f"{self.alive_seen} alive events of {self.alive_published}, in silence")
        unstored = self.counters.get("unstored")
        # A message that a frozen leader stores after more than 10 s counts as well.
        never = self.never_stored
        if never is not None and unstored is not None and not never <= unstored <= never + 5 and not self._doubts:
            found.append(f"{unstored} unstored messages of {self.never_stored}")
        if self.counted is not None and self.counted > self.published:
            found.append(f"counted {self.counted} of {self.published}")
        if self.counted is not None and self.counted < self.published and not self._doubts:
            found.append(f"counted {self.counted} of {self.published}, in silence")
        if self.expired:
            found.append(f"{self.expired} living nodes expired")
        return found

    @property
    def _doubts(self) -> bool:
        return bool(self.counters.get("gaps")) or any(map(_SAYS_MISSED, self.said))

    def __str__(self) -> str:
        counts = [self.counters.get(name) for name in ("gaps", "unstored", "dropped")]
        gaps, unstored, dropped = ("-" if count is None else str(count) for count in counts)
        if self.never_stored is not None and unstored != "-":
            unstored += f"/{self.never_stored}"
        alive = f"{self.alive_seen}/{self.alive_published}"
        said = " | ".join(f"{text} (x{times})" if times > 1 else text for text, times in Counter(self.said).items())
        intervals = "".join(f" [{begin:.2f} to {end:.2f}: {reason}]" for begin, end, reason in self.gaps)
        return (
            f"{self.reader:14} {self.seen:4}/{self.published:4} {len(self.duplicates):3} {alive:>11} {gaps:>4} "
            f"{unstored:>9} {dropped:>4} {self.expired if self.counted is not None else '-':>4}  {said}{intervals}"
        )


class Reader(ABC):
    """A reader that runs within its block, as a task of its own.

    Attributes:
        name: its name.
        ids: how often it saw each startup or shutdown event.
        alive: how many alive events it saw.
        said: its messages: warnings of the library, or the standard error of a process.

    Args:
        name: its name.
        url: the server.
    """

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.ids: Counter[str] = Counter()
        self.alive = 0
        self.said: list[str] = []
        self._url = url
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it; return once it receives events.

        Raises:
            TimeoutError: it was not ready in time.
        """

        async def run() -> None:
            _SAID.set(self.said)
            await self._run()

        self._task = asyncio.create_task(run())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._task, ready}, timeout=_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()
        if not self._ready.is_set():
            raise TimeoutError(f"{self.name} was not ready: {self.said}")

    async def stop(self) -> None:
        """Stop it, if it still runs. An error that ended it is among its messages."""
        if self._task is not None:
            self._task.cancel()
            (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
            if isinstance(outcome, Exception):
                self.said.append(f"ended: {outcome!r}")
            self._task = None

    @abstractmethod
    async def _run(self) -> None: ...

    def see(self, event: object) -> None:
        """Record an event."""
        if isinstance(event, lifecycle.Event) and lifecycle.event_type(event) != "alive":
            self.ids[event.id] += 1
        else:
            self.alive += 1

    def report(
        self, published: Published, *, alive_published: int | None = None, never_stored: int | None = None
    ) -> Report:
        """Return what it has seen so far; for the arguments see `Report`."""
        missing = [name for name in published if not self.ids[name]]
        gaps = self._gaps()
        return Report(
            reader=self.name,
            published=len(published),
            seen=len(published) - len(missing),
            duplicates=[name for name in published if self.ids[name] > 1],
            missing=missing,
            uncovered={name: published[name] for name in missing if not self._covers(gaps, *published[name])},
            alive_published=alive_published,
            alive_seen=self.alive,
            never_stored=never_stored,
            counted=self._counted(),
            expired=self._expired(),
            counters=self._counters(),
            gaps=gaps,
            said=list(self.said),
        )

    def _covers(self, gaps: list[tuple[float, float, str]], before: float, after: float) -> bool:
        return any(begin <= after and before <= end for begin, end, _ in gaps)

    def _gaps(self) -> list[tuple[float, float, str]]:
        return []

    def _counters(self) -> dict[str, int | None]:
        return {}

    def _counted(self) -> int | None:
        return None

    def _expired(self) -> int:
        return 0


class _Subscriber(Reader):
    """`middleware.events(since=...)` or `middleware.deliveries(since=...)`."""

    _subscription: Subscription[Any] | None = None

    async def _run(self) -> None:
        async with lifecycle.connect(self._url, environ={}) as middleware:
            subscribe = middleware.events if self.name == "events" else middleware.deliveries
            async with subscribe(since=_HISTORY) as received:
                self._subscription = received
                self._ready.set()
                async for each in received:
                    self.see(each.event if isinstance(each, lifecycle.Delivery) else each)

    def _gaps(self) -> list[tuple[float, float, str]]:
        return [(gap.begin, gap.end, gap.reason) for gap in getattr(self._subscription, "gaps", ())]

    def _counters(self) -> dict[str, int | None]:
        counters = None if self._subscription is None else self._subscription.counters
        return {name: getattr(counters, name, None) for name in ("gaps", "unstored", "dropped")}


class _TallyReader(Reader):
    """A tally in this process."""

    _tally: Tally | None = None

    async def _run(self) -> None:
        replay = 0.0 if self.name == "tally live" else _HISTORY.total_seconds()
        async with lifecycle.connect(self._url, environ={}) as middleware:
            tally = self._tally = Tally(middleware, TallyOptions(expiry=_EXPIRY, replay=replay))
            with ExitStack() as stack:
                for name in ("record", "replay"):
                    stack.enter_context(mock.patch.object(tally.recorder, name, self._seeing(tally.recorder, name)))
                running = asyncio.create_task(tally.run())
                try:
                    while not running.done() and not _is_reading(tally):  # noqa: ASYNC110 - it tells only when asked
                        await asyncio.sleep(_POLL_SECONDS)
                    self._ready.set()
                    await running
                finally:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)

    def _seeing(self, recorder: recorder.Recorder, name: str) -> Any:
        method = getattr(recorder, name)

        def see(event: object, *arguments: float) -> None:
            self.see(event)
            method(event, *arguments)

        return see

    def _counters(self) -> dict[str, int | None]:
        if self._tally is None:
            return {}
        state = self._tally.state()
        unstored = None if state.replay_state == "off" else self._tally._intake.unstored
        return {"gaps": state.gaps, "dropped": state.dropped, "unstored": unstored}

    def _covers(self, gaps: list[tuple[float, float, str]], before: float, after: float) -> bool:
        return bool(self._counters()["gaps"])

    def _counted(self) -> int | None:
        return 0 if self._tally is None else self._tally.recorder.event_types.get(("server", "startup"), 0)

    def _expired(self) -> int:
        return 0 if self._tally is None else self._tally.recorder.nodes_expired.get("fleet", 0)


def _is_reading(tally: Tally) -> bool:
    return tally.state().subscribed and tally.state().replay_state in ("done", "off")


class _ProcessReader(Reader):
    """`lifecycle view` or `lifecycle validate`, whose messages are not of the same time as those of a gap."""

    _COMMANDS: ClassVar[dict[str, click.Command]] = {"view": view.command, "validate": validate.command}
    _TOTALS: Final = re.compile(r"received \d|checked \d|FORMAT |CODE |choria |id-uuid ")
    _TABLE_ALIVE: Final = re.compile(r"^choria +alive +([\d,]+)", re.MULTILINE)

    async def _run(self) -> None:
        options = {option for parameter in self._COMMANDS[self.name].params for option in parameter.opts}
        history = ["--since", f"{_HISTORY.total_seconds():g}s"] if "--since" in options else []
        follow = ["--follow"] if "--follow" in options else []
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "choria_lifecycle", self.name, "--server", self._url, "--output", "json"),
            *history,
            *follow,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        reading = asyncio.gather(self._read_output(process.stdout), self._read_messages(process.stderr))
        try:
            await asyncio.shield(reading)
        finally:
            # A signal to a process that has ended would reap it, which asyncio does not expect.
            if not reading.done():
                process.terminate()
            try:
                async with asyncio.timeout(_SECONDS):
                    await reading
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise

    async def _read_output(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            found = json.loads(line)
            if self.name == "validate":
                self.ids[found["value"]] += 1  # its finding about an id that is not a UUID
            else:
                self.see(lifecycle.parse(json.dumps(found["event"]).encode()))

    async def _read_messages(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            text = line.decode().strip()
            if text.startswith(("Waiting for events", "Validating messages")):
                self._ready.set()
            elif found := self._TABLE_ALIVE.match(text):
                self.alive = int(found[1].replace(",", ""))
            elif text and not self._TOTALS.match(text):
                self.said.append(text)

    def _covers(self, gaps: list[tuple[float, float, str]], before: float, after: float) -> bool:
        return any(map(_SAYS_MISSED, self.said))


class _Handler(logging.Handler):
    """Adds each message to those of the reader whose task logged it."""

    def emit(self, record: logging.LogRecord) -> None:
        said = _SAID.get()
        if said is not None:
            said.append(record.getMessage())


@contextmanager
def impatient_tallies() -> Iterator[None]:
    """Within the block, nodes expire after seconds, so that a fault that starves a tally of events is seen."""
    with ExitStack() as stack:
        for module, name, seconds in _INTERVALS:
            stack.enter_context(mock.patch.object(module, name, seconds))
        yield


@asynccontextmanager
async def running_readers(url: str) -> AsyncIterator[list[Reader]]:
    """Run one reader of each kind within the block, which starts once all of them receive events."""
    readers: list[Reader] = [_Subscriber("events", url), _Subscriber("deliveries", url)]
    readers += [_ProcessReader("view", url), _ProcessReader("validate", url)]
    readers += [_TallyReader("tally", url), _TallyReader("tally live", url)]
    handler = _Handler(logging.WARNING)
    async with AsyncExitStack() as stack:
        logger.addHandler(handler)
        stack.callback(logger.removeHandler, handler)
        for reader in readers:
            stack.push_async_callback(reader.stop)
        await asyncio.gather(*(reader.start() for reader in readers))
        yield readers
