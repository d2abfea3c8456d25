"""Durations come from monotonic clocks: every reading of the wall clock in the product has a reason in the table below.

The wall clock may be wrong, and may be set at any time, so the difference of two readings is not a duration. It says
what time it is: to people, in events, and for what is valid until a date. Ages and timeouts use `support.clock.steady`,
`asyncio`'s clock or `time.monotonic`; times of a server use `middleware.server_clock.ServerClock`.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.bed.paths import ROOT
from tests.bed.sources import parse, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES: Final = ROOT / "lifecycle" / "choria_lifecycle"

# A reading of the wall clock, by module and function, and the reason why it is not, or not only, a duration.
READINGS: Final = {
    ("cli/demo.py", "command"): "the timestamps of simulated events",
    ("cli/messages.py", "format_line"): "the time of a line in the log",
    ("cli/receiving.py", "announce_stream"): "the difference of two times of a stream, for people",
    ("cli/tally.py", "_parse_replay"): "a time on the command line, once",
    ("cli/tally.py", "_run_demo_fleet"): "the timestamps of simulated events",
    ("cli/validate.py", "command"): "the latest plausible timestamp of an event",
    ("cli/view.py", "_check_time_format"): "any time, to check a format",
    ("doctor/doctor.py", "iter_checks"): "the validity of certificates and tokens",
    ("events/options.py", "GENERATED"): "the timestamp of an event",
    ("middleware/delivery.py", "Gap.__str__"): "today's date, which is left out",
    ("middleware/inbox.py", "Inbox.missed"): "the times of a gap, for people",
    ("middleware/inbox.py", "LiveSink.message"): "`Delivery.received`, for people",
    ("middleware/inbox.py", "StreamSink.message"): "`Delivery.received`, for people",
    ("middleware/memory.py", "InMemoryTransport.__init__"): "the time at which a server starts; goes on by steady",
    ("middleware/selection.py", "check_interval"): "two times that the user gives, compared once",
    ("middleware/server_clock.py", "ServerClock.__init__"): "the difference to a server's clock, for a warning; once",
    ("middleware/subscription.py", "Subscription.__aenter__"): "`begin`, for people",
    ("nats/credentials.py", "_read_valid_jwt"): "the validity of a token",
    ("nats/credentials.py", "_read_valid_token"): "the validity of a token",
    ("nats/jetstream.py", "Streams.__init__"): "the time of a server that does not send it; read once",
    ("service/announcer.py", "Announcer._enqueue"): "the timestamp of an event",
    ("tally/daemon.py", "Tally.state"): "the time of a status, from which all its times count back",
    ("tally/intake.py", "Intake._receive_until_stream"): "the times of a gap, for people",
    ("validation/policy.py", "Policy.time"): "the latest plausible timestamp of an event",
    ("wire/verdict.py", "validate"): "the latest plausible timestamp of an event",
    ("wire/verdict.py", "validate_many"): "the latest plausible timestamp of an event",
}

# Names of modules and classes, and their members that read the wall clock.
_MEMBERS: Final = {
    "time": {"time", "time_ns", "ctime", "asctime", "gmtime", "localtime", "strftime", "CLOCK_REALTIME"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "os": {"times"},
}
# These read the clock only if no time is passed; with one, they convert it.
_CONVERSIONS: Final = {"ctime": 1, "asctime": 1, "gmtime": 1, "localtime": 1, "strftime": 2}


def readings(tree: ast.Module) -> Iterator[str]:
    """Yield the function or constant around each reading of the wall clock; a reference counts as a reading."""
    yield from _readings(tree, ())


def _readings(node: ast.AST, names: tuple[str, ...]) -> Iterator[str]:
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            names = (*names, node.name)
        case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)) if not names:
            names = (name,)
        case ast.ImportFrom(module="time") if any(each.name in _MEMBERS["time"] for each in node.names):
            yield "import"
        case ast.Call(func=ast.Attribute(value=ast.Name("time"), attr=attr)) if len(node.args) >= _CONVERSIONS.get(
            attr, len(node.args) + 1
        ):
            for each in node.args:
                yield from _readings(each, names)
            return
        case ast.Attribute(value=ast.Name(owner) | ast.Attribute(attr=owner), attr=attr) if attr in _MEMBERS.get(
            owner, ()
        ):
            yield ".".join(names)
    for each in ast.iter_child_nodes(node):
        yield from _readings(each, names)


def test_every_reading_of_the_wall_clock_has_a_reason() -> None:
    found = {
        (path.relative_to(SOURCES).as_posix(), function)
        for path in SOURCES.rglob("*.py")
        for function in readings(tree(path))
    }
    assert found == set(READINGS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def f(): return time.time()", ["f"]),
        ("class C:\n def m(self, clock=time.time): pass", ["C.m"]),
        ("async def f(): return datetime.datetime.now(UTC) - datetime.now()", ["f", "f"]),
        ("X = {'a': lambda: time.time_ns()}", ["X"]),
        ("X: Final = date.today()", ["X"]),
        ("time.clock_gettime(time.CLOCK_REALTIME)", [""]),
        ("from time import monotonic, time", ["import"]),
        ("from time import monotonic", []),
        ("def f(): time.gmtime(); time.strftime('%Y')", ["f", "f"]),
        ("def f(): time.gmtime(at); time.strftime('%Y', at)", []),
        ("def f(): time.gmtime(time.time())", ["f"]),
        ("def f(): time.monotonic(); steady(); loop.time(); self.time()", []),
    ],
)
def test_readings_are_found(text: str, found: list[str]) -> None:
    assert list(readings(parse(text))) == found


def test_received_messages_and_counts_are_timed_by_one_clock() -> None:
    """`time.monotonic` and `steady` differ by the time for which the machine was suspended."""
    for package in ("middleware", "tally", "election"):
        for path in (SOURCES / package).rglob("*.py"):
            assert "time.monotonic" not in path.read_text("utf-8"), path


def test_the_page_does_not_read_the_wall_clock() -> None:
    for path in SOURCES.rglob("*.js"):
        assert not re.search(r"\bDate\b", path.read_text("utf-8")), path
