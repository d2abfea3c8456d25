"""The commands that receive events: where from, and what they say about events that may be missing."""

from __future__ import annotations

import asyncio
import re
import signal
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli import tally, validate, view
from choria_lifecycle.cli.receiving import missing, parse_since
from choria_lifecycle.middleware.delivery import StreamState
from choria_lifecycle.middleware.subscription import Deliveries
from choria_lifecycle.support.clock import steady
from tests.bed.validated import BAD, GOOD

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from click.testing import Result

    from choria_lifecycle.middleware.transport import Interest, Replay, ReplaySink, Sink

    Run = Callable[..., Result]

SUBJECT = "choria.lifecycle.event.startup.server"
TIMES = r"from \d\d:\d\d:\d\d to \d\d:\d\d:\d\d UTC"


class Scripted(lifecycle.InMemoryTransport):
    """A transport with stored messages, which does something after a subscription: publish, interrupt, or end."""

    def __init__(
        self, stored: Sequence[bytes] = (), then: Callable[[Scripted], object] = lambda transport: None
    ) -> None:
        super().__init__(["choria.lifecycle.>", "dc1.>"])
        self._then = then
        for data in stored:
            self._deliver((SUBJECT, data))

    async def subscribe(self, subject: str, queue: str, sink: Sink, timeout: float) -> Interest:
        subscription = await super().subscribe(subject, queue, sink, timeout)
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._then, self)
        return subscription

    def deliver(self, *payloads: bytes, subject: str = SUBJECT) -> None:
        for data in payloads:
            self._deliver((subject, data))


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the commands connect to a transport."""

    def use(transport: Scripted, **limits: Any) -> None:
        middleware = lifecycle.Middleware(transport, **limits)
        monkeypatch.setattr(lifecycle, "connect", lambda **_: middleware)

    return use


def lose(transport: Scripted, times: int = 1) -> None:
    for _ in range(times):
        transport.interrupt()


# ---- options


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("90m", timedelta(minutes=90)),
        ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22 13:00+01:00", datetime(2026, 11, 22, 12, tzinfo=UTC)),
    ],
)
def test_starts_of_a_replay(text: str, since: datetime | timedelta) -> None:
    assert parse_since(text) == since


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("2026-11-22T12:00:00", '"2026-11-22T12:00:00" has no time zone; write 2026-11-22T12:00:00Z for UTC'),
        (
            "2026-11-22",
            '"2026-11-22" has no time zone; write 2026-11-22T00:00:00Z for UTC, or an offset such as +01:00',
        ),
        ("2026-13-22", '"2026-13-22" is not a time; write one like 2026-11-22T12:00:00Z'),
        ("30", "30 has no unit; write for example 30s"),
        ("yesterday", '"yesterday" is not a duration'),
    ],
)
def test_other_texts_are_not_starts(text: str, hint: str) -> None:
    with pytest.raises(click.BadParameter, match=re.escape(hint)):
        parse_since(text)


def test_all_commands_have_the_same_options() -> None:
    options = [{flag: each for each in command.params for flag in each.opts} for command in (
        view.command, validate.command, tally.command
    )]  # fmt: skip
    assert options[0]["--until"].help == options[1]["--until"].help  # type: ignore[attr-defined]
    for name in ("--stream", "--subject"):
        first, *others = [re.sub(r" with .*?:", ":", str(each[name].help)) for each in options]  # type: ignore[attr-defined]
        assert others == [first, first]
    helps = {re.split("[,.]", str(each["--since"].help))[0] for each in options}  # type: ignore[attr-defined]
    assert len(helps) == 1


@pytest.mark.parametrize("arguments", [["view"], ["validate", "--server", "memory"]])
def test_a_stream_needs_a_start(arguments: list[str], run: Run) -> None:
    result = run(*arguments, "--stream", "X")
    assert result.exit_code == 2
    assert "--stream needs --since, the time to read from" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["validate", "--server", "x", "--until", "1h"], "--until needs --since, the time to read from"),
        (["view", "--until", "1h"], "--until needs --since, the time to read from"),
        (["validate", "--until", "1h"], "--until is for messages; add --server, --config, --subject or --since"),
        (["validate", "--follow"], "--follow is for messages; add --server, --config, --subject or --since"),
        (["validate", "--server", "x", "--follow"], "--follow needs --since, the time to read from"),
        (["validate", "--since", "2h", "--until", "1h", "--follow"], "--follow and --until cannot be combined"),
        (["validate", "--since", "1h", "--until", "1h"], "--until must be later than --since"),
        (["view", "--since", "1h", "--until", "2h"], "--until must be later than --since"),
        (["validate", "--since", "1h", "--until", "2026-01-01T00:00Z"], "--until must be later than --since"),
        (["validate", "--since", "2200-01-01T00:00Z"], "--since is in the future"),
        (
            ["validate", "--since", "1h", "--until", "2026-01-01"],
            "has no time zone; write 2026-01-01T00:00:00Z for UTC",
        ),
        (["view", "--input", "x", "--until", "1h"], "--until cannot be used with --input"),
    ],
)
def test_intervals_that_cannot_be_read(arguments: list[str], hint: str, run: Run) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert hint in result.stderr


@pytest.mark.parametrize("arguments", [["view"], ["validate"]])
@pytest.mark.parametrize("wrong", [["--stream", "a b"], ["--subject", "a..b"]])
def test_wrong_names_are_reported_before_connecting(arguments: list[str], wrong: list[str], run: Run) -> None:
    result = run(*arguments, "--since", "1h", *wrong, "--server", "127.0.0.1:1")
    assert result.exit_code == 2
    assert "is not a valid stream name" in result.stderr or "not a valid subject" in result.stderr


# ---- history


@pytest.mark.parametrize(("stored", "shown", "matching"), [([], 0, 0), ([GOOD, BAD, GOOD], 2, 3)])
def test_a_view_says_when_all_stored_events_are_shown(
    stored: list[bytes], shown: int, matching: int, run: Run, use: Any
) -> None:
    use(Scripted(stored, lambda transport: transport.deliver(GOOD)))
    result = run("view", "--since", "1h", "--count", shown + 1)
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, shown + 1)
    assert lines[0] == "Waiting for events from topic choria.lifecycle.event.> on memory"
    assert re.fullmatch(r"Reading the stream from \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, its beginning", lines[1])
    assert f"{shown} events shown out of {matching} stored; waiting for new ones" in lines
    rejected = matching - shown
    total = f"received {matching + 1} = {shown + 1} shown + 0 filtered + {rejected} rejected + 0 dropped"
    assert lines[-1] == total


def test_validating_a_stream(run: Run, use: Any) -> None:
    use(Scripted([GOOD, BAD], lambda transport: transport.deliver(GOOD)))
    result = run("validate", "--since", "1h", "--follow", "--count", 3)
    assert result.exit_code == 1
    assert "2 messages validated out of 2 stored; waiting for new ones\n" in result.stderr
    assert "checked 3 = 2 valid + 1 rejected" in result.stderr


@pytest.mark.parametrize("until", [[], ["--until", "2200-01-01T00:00Z"]])
def test_validating_a_stream_to_its_end(until: list[str], run: Run, use: Any) -> None:
    """What is published after the start is not judged."""
    use(Scripted([GOOD, BAD], lambda transport: transport.deliver(BAD)))
    result = run("validate", "--since", "1h", *until)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{SUBJECT}#2: $.identity: identity must be of type string, not 5 [schema-type]")
    assert len(result.stdout.splitlines()) == 1
    assert "waiting for new ones" not in result.stderr
    assert "checked 2 = 1 valid + 1 rejected" in result.stderr


def test_a_view_to_the_end(run: Run, use: Any) -> None:
    use(Scripted([GOOD, BAD, GOOD], lambda transport: transport.deliver(GOOD)))
    result = run("view", "--since", "1h", "--until", "2200-01-01T00:00Z")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert "waiting for new ones" not in result.stderr
    assert result.stderr.endswith("\nreceived 3 = 2 shown + 0 filtered + 1 rejected + 0 dropped\n")


def test_an_interval_without_messages(run: Run, use: Any) -> None:
    use(Scripted([GOOD]))
    result = run("validate", "--since", "2h", "--until", "1h")
    assert result.exit_code == 1
    times = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    line = f"^Nothing to read: the stream begins at {times}, after this interval$"
    assert re.search(line, result.stderr, re.MULTILINE)
    assert "nothing is stored on choria.lifecycle.event.> in this interval\n" in result.stderr
    use(Scripted([GOOD]))
    assert run("validate", "--since", "2h", "--until", "1h", "--allow-empty").exit_code == 0


class Unread(Scripted):
    """A transport whose stream stops delivering, or has discarded messages."""

    stalls = True

    async def replay(
        self, subject: str, since: float | timedelta, sink: ReplaySink, timeout: float, stream: str = ""
    ) -> Replay:
        if self.stalls:
            sink.capacity = lambda: (0, 0)  # type: ignore[method-assign]
        made = await super().replay(subject, since, sink, timeout, stream)

        async def check_history(timeout: float) -> None:
            sink.doubt(steady() - 60, steady(), "the stream discarded messages before they were read")

        made.check_history = check_history  # type: ignore[method-assign]
        return made


@pytest.mark.parametrize("stored", [[GOOD], [GOOD, BAD]])
def test_validate_is_not_clean_if_stored_messages_were_discarded(stored: list[bytes], run: Run, use: Any) -> None:
    transport = Unread(stored)
    transport.stalls = False
    use(transport)
    result = run("validate", "--since", "1h")
    assert result.exit_code == (1 if BAD in stored else 2)
    line = f"^messages may have been missed {TIMES}: the stream discarded messages before they were read$"
    assert re.search(line, result.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "end", "code"),
    [
        (["--for", "50ms"], None, 2),
        ([], signal.SIGTERM, 2),
        ([], signal.SIGINT, 130),
        (["--count", 1], signal.SIGTERM, 143),
    ],
)
def test_validate_is_not_clean_if_it_ends_before_the_stream_was_read(
    arguments: list[object], end: signal.Signals | None, code: int, run: Run, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = Unread([GOOD])
    use(transport)
    if end is not None:
        enter = Deliveries.__aenter__

        async def interrupted(self: Deliveries) -> Deliveries:
            asyncio.get_running_loop().call_later(0.02, signal.raise_signal, end)
            return await enter(self)

        monkeypatch.setattr(Deliveries, "__aenter__", interrupted)
    result = run("validate", "--since", "1h", *arguments)
    assert result.exit_code == code
    assert "not all stored messages were read\n" in result.stderr
    assert "nothing is stored" not in result.stderr


@pytest.mark.parametrize(("count", "code"), [(1, 0), (2, 1), (3, 1)])
def test_a_count_ends_it_sooner(count: int, code: int, run: Run, use: Any) -> None:
    use(Scripted([GOOD, BAD]))
    result = run("validate", "--since", "1h", "--count", count)
    assert result.exit_code == code
    assert f"checked {min(count, 2)} = " in result.stderr
    assert "not all stored" not in result.stderr


def test_a_view_filters_the_events_of_a_subject(run: Run, use: Any) -> None:
    transport = Scripted()
    transport.deliver(GOOD, subject="dc1.startup")
    use(transport)
    result = run("view", "--since", "1h", "--subject", "dc1.>", "--type", "shutdown", "--for", "50ms")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 events shown out of 1 stored; waiting for new ones" in result.stderr
    assert result.stderr.endswith("received 1 = 0 shown + 1 filtered + 0 rejected + 0 dropped\n")


# ---- what may be missing


@pytest.mark.parametrize("times", [1, 7])
def test_a_view_names_the_intervals_in_doubt(times: int, run: Run, use: Any) -> None:
    use(Scripted(then=partial(lose, times=times)))
    result = run("view", "--for", "50ms")
    *lines, total = result.stderr.splitlines()
    lines = [line for line in lines if not line.startswith("lifecycle: warning: ")][1:]
    if times > 5:
        assert lines.pop(0) == "events may have been missed in 7 intervals, the last:"
    assert len(lines) == min(times, 5)
    assert all(re.fullmatch(f"events may have been missed {TIMES}: the connection was lost", line) for line in lines)
    assert (result.exit_code, total) == (0, "received 0 = 0 shown + 0 filtered + 0 rejected + 0 dropped")


@pytest.mark.parametrize(
    ("stored", "arguments", "end", "code"),
    [
        ([GOOD], ["--for", "50ms"], None, 2),
        ([GOOD, BAD], ["--for", "50ms"], None, 1),
        ([GOOD], [], signal.SIGTERM, 2),
        ([GOOD, BAD], [], signal.SIGTERM, 1),
        ([GOOD], [], signal.SIGINT, 130),
        ([GOOD], ["--for", "50ms", "--count", 2], None, 1),
    ],
)
def test_validate_is_not_clean_after_a_gap(
    stored: list[bytes], arguments: list[object], end: signal.Signals | None, code: int, run: Run, use: Any
) -> None:
    def then(transport: Scripted) -> None:
        transport.deliver(*stored)
        transport.interrupt()
        if end is not None:
            asyncio.get_running_loop().call_later(0.02, signal.raise_signal, end)

    use(Scripted(then=then))
    result = run("validate", "--server", "memory", *arguments)
    assert result.exit_code == code
    assert re.search(f"^messages may have been missed {TIMES}: the connection was lost$", result.stderr, re.MULTILINE)


def test_validate_is_not_clean_after_dropped_messages(run: Run, use: Any) -> None:
    use(Scripted(then=lambda transport: transport.deliver(*[GOOD] * 5)), limit=2)
    result = run("validate", "--server", "memory", "--for", "50ms")
    assert result.exit_code == 2
    assert "3 messages were dropped: they arrived faster than they could be validated\n" in result.stderr


def test_a_gap_without_doubt_is_clean(run: Run, use: Any) -> None:
    """The stream supplies what was published while the connection was lost."""
    use(Scripted([GOOD], lose))
    result = run("validate", "--since", "1h", "--follow", "--for", "50ms")
    assert result.exit_code == 0
    assert "missed" not in result.stderr


async def test_the_end_of_a_subscription_in_doubt() -> None:
    transport = lifecycle.InMemoryTransport()
    async with (
        lifecycle.Middleware(transport) as middleware,
        middleware.deliveries(since=timedelta(hours=1)) as received,
    ):
        assert missing(middleware, received, "events", enough=False) == []
        received._live.sink.gap(steady())
        unread = "events published while the connection was lost may have been missed: not all were read"
        assert missing(middleware, received, "events", enough=False) == [unread]
        transport.interrupt()
        await transport.close()
        lost = "the connection is still lost: events published since may have been missed"
        assert missing(middleware, received, "events", enough=False) == [lost]


async def test_history_that_was_not_read() -> None:
    transport = Scripted([GOOD] * 3)
    async with (
        lifecycle.Middleware(transport) as middleware,
        middleware.deliveries(since=timedelta(hours=1)) as received,
    ):
        await anext(received)
        assert missing(middleware, received, "events", enough=False) == ["not all stored events were read"]
        assert missing(middleware, received, "events", enough=True) == []


async def test_the_only_source_has_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        lifecycle.Middleware(lifecycle.InMemoryTransport()) as middleware,
        middleware.deliveries(since=timedelta(hours=1)) as received,
    ):
        state = StreamState("S", "it has no leader", None, only=True, verified=True)
        monkeypatch.setattr(type(received), "stream", state)
        assert missing(middleware, received, "events", enough=False) == [
            "events may have been missed of late, as the stream S has a fault: it has no leader"
        ]
