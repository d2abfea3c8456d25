"""The input for both tallies."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bed.samples import LIFECYCLE, example
from tests.interop.reasons import NOT_IN_GO

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["EXEC", "TRANSITION", "Message", "Role", "Scrape", "Sequence", "Step", "Wait", "sequences", "varied"]

TRANSITION = "choria.machine.transition"
EXEC = "choria.machine.watcher.exec.state"

MINUTE = 60.0
TYPES = [name for name, contract in LIFECYCLE.items() if contract.protocol not in NOT_IN_GO]


@dataclass(frozen=True, slots=True)
class Message:
    """A published message."""

    subject: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passing; at each full minute both tallies expire old nodes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Role:
    """A won or lost election."""

    active: bool


@dataclass(frozen=True, slots=True)
class Scrape:
    """A scrape."""


Step = Message | Wait | Role | Scrape


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence of steps.

    Attributes:
        name: describes its purpose.
        steps: ends with a scrape.
        component: the component to count; `*` for all.
        reason: why the two sides differ in more than `tally.ALWAYS`; empty if they do not.
    """

    name: str
    steps: tuple[Step, ...]
    component: str = "*"
    reason: str = ""


def sequence(name: str, *steps: Step, component: str = "*", reason: str = "") -> Sequence:
    return Sequence(name, (*steps, Scrape()), component, reason)


def event(kind: str, identity: str = "n1", version: str = "1.0", component: str = "server", **more: Any) -> Message:
    """Return an event as sent by Choria's servers, in an envelope; `bare` without one, `on` another subject."""
    bare, on, old = more.pop("bare", False), more.pop("on", component), more.pop("old", False)
    protocol = f"io.choria.lifecycle.v1.{kind}"
    fields = example(protocol) | {"identity": identity, "component": component, "timestamp": 1795336436}
    if old:
        fields["protocol"] = f"choria:lifecycle:{kind}:1"
    fields |= {name: value for name, value in {"version": version, "new_version": "9.9"}.items() if name in fields}
    body = fields | more if bare or old else _wrapped("lifecycle", protocol, fields | more)
    return Message(f"choria.lifecycle.event.{kind}.{on}", _dumps(body))


def transition(machine: str = "puppet", latter: str = "RUN", **more: Any) -> Message:
    fields = {
        "protocol": "io.choria.machine.v1.transition",
        "identity": "n1",
        "id": "3901412f-1f7e-4a43-9c2b-5f2b8b7e5d1a",
        "version": "1.0.0",
        "timestamp": 1795336436,
        "machine": machine,
        "transition": "start",
        "from_state": "IDLE",
        "to_state": latter,
    }
    return Message(TRANSITION, _dumps(_wrapped("machine", "io.choria.machine.v1.transition", fields | more)))


def run(outcome: str = "success", nanoseconds: int = 1_387_005_527, name: str = "monitor", **more: Any) -> Message:
    protocol = "io.choria.machine.watcher.exec.v1.state"
    fields = {
        "protocol": protocol,
        "identity": "n1",
        "id": "bac83cb2-0000-4000-8000-000000000000",
        "version": "0.0.1",
        "timestamp": 1795336436,
        "type": "exec",
        "machine": "DockerExample",
        "name": name,
        "command": "./monitor.rb",
        "previous_outcome": outcome,
        "previous_run_time": nanoseconds,
    }
    return Message(EXEC, _dumps(_wrapped("machine", protocol, fields | more)))


def _wrapped(family: str, protocol: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": fields["id"],
        "source": f"io.choria.{family}",
        "type": protocol,
        "subject": fields["identity"],
        "datacontenttype": "application/json",
        "time": "2026-11-22T08:33:56Z",
        "data": fields,
    }


def _dumps(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def sequences() -> Iterator[Sequence]:
    """Yield the sequences to record."""
    yield from _nodes()
    yield from _times()
    yield from _counted()
    yield from _refused()
    yield from _labelled()
    yield from _roles()
    for seed in range(4):
        yield varied(seed, 60)


def _nodes() -> Iterator[Sequence]:
    for kind in TYPES:
        yield sequence(f"one {kind} event", event(kind))
        yield sequence(f"one {kind} event, native", event(kind, bare=True))
    yield sequence("a version again", event("alive"), event("alive"), event("startup"))
    yield sequence("another version", event("alive"), event("alive", version="2"))
    yield sequence("started in another version", event("alive"), event("startup", version="2"))
    yield sequence("stopped", event("alive"), event("alive", "n2"), event("shutdown"))
    yield sequence("stopped and started", event("startup"), event("shutdown"), event("startup", version="2"))
    yield sequence("stopped twice", event("startup"), event("shutdown"), event("shutdown"))
    yield sequence("only stopped", event("shutdown", "n9"))
    yield sequence("upgraded in place", event("alive"), event("upgraded"), event("alive", version="9.9"))
    yield sequence(
        "two components on a node",
        event("alive"),
        event("alive", component="provisioner", version="3"),
        event("shutdown"),
    )
    yield sequence("without a version", event("alive", version=""), event("alive", "n2", version=" "))
    yield sequence("without an identity", event("alive", "", bare=True), event("alive", "", bare=True))


def _times() -> Iterator[Sequence]:
    for minutes in (79, 80, 81, 200):
        yield sequence(f"silent for {minutes} minutes", event("alive"), Wait(minutes * MINUTE))
    for seconds in (1, 30, 59):
        steps = Wait(seconds), event("alive"), Wait(80 * MINUTE - 1), Scrape(), Wait(MINUTE)
        yield sequence(f"heard {seconds} seconds after a minute", *steps)
    yield sequence("heard again", event("alive"), Wait(50 * MINUTE), event("alive"), Wait(50 * MINUTE))
    yield sequence("expired and back", event("alive"), Wait(90 * MINUTE), event("alive", version="2"))
    yield sequence("expired and stopped", event("alive"), Wait(90 * MINUTE), event("shutdown"))
    yield sequence("stopped before it could expire", event("alive"), Wait(30.0), event("shutdown"), Wait(90 * MINUTE))
    beats = [step for _ in range(5) for step in (event("alive"), Wait(30 * MINUTE), Scrape())]
    yield sequence("alive every half hour", *beats)


def _counted() -> Iterator[Sequence]:
    words = "enter", "exit", "timeouts", "eviction", "enter"
    yield sequence("a governor", *(event("governor", event_type=word, bare=True) for word in words))
    other = event("governor", component="CLI", governor="REBOOT", bare=True)
    yield sequence("two governors", event("governor"), other, other)
    yield sequence("transitions", transition(), transition(), transition(latter="FAIL"), transition("reboot"))
    yield sequence("runs of a watcher", run(), run("error", 5), run("skipped"), run("unknown", 0), run(nanoseconds=0))
    yield sequence("a run announced again", run(), Wait(MINUTE), run(), run())
    yield sequence("a run that ended before it began", run(nanoseconds=-1_000_000_000), run(nanoseconds=500_000_000))
    yield sequence("watchers of machines", run(machine="a"), run(machine="b"), run(name="x"), run(version="2"))


def _refused() -> Iterator[Sequence]:
    for name, body in (
        ("nothing", b""),
        ("not JSON", b"{"),
        ("another document", b'{"protocol":"x"}'),
        ("a list", b"[]"),
    ):
        messages = [Message(subject, body) for subject in ("choria.lifecycle.event.alive.server", TRANSITION)]
        yield sequence(f"unreadable: {name}", event("alive"), *messages, *messages)
    yield sequence("unreadable: a run", Message(EXEC, b"{"), Message(EXEC, b"[]"))
    wrong = {"protocol": "io.choria.machine.v2.transition"}
    yield sequence("a transition of another version", transition(**wrong))
    yield sequence(
        "unreadable among good ones", event("alive"), Message(event("alive").subject, b"?"), event("alive", "n2")
    )
    yield sequence("on the subject of another component", event("alive", on="agent"))
    yield sequence("one component alone", event("alive"), event("alive", component="agent"), component="server")
    yield sequence(
        "a component with dots",
        event("alive", component="a.b"),
        reason="`*` stands for one token of a subject; here all components are those with dots as well.",
    )
    yield sequence(
        "another component on the selected subject",
        event("alive", component="agent", on="server"),
        component="server",
        reason="Go believes the event; here an event of another component than its subject's was not asked for.",
    )
    yield sequence(
        "the old spelling",
        event("alive", old=True),
        reason="Go's format detection lets no old spelling through; here both are read.",
    )
    yield sequence(
        "an event without a timestamp",
        Message("choria.lifecycle.event.shutdown.server", b'{"protocol":"io.choria.lifecycle.v1.shutdown"}'),
        reason="Go makes up what is missing; here nothing is made up.",
    )
    yield sequence(
        "another kind of watcher on the subject of exec watchers",
        Message(EXEC, transition().body),
        reason="Go ignores what has no outcome; here it cannot be read as what the subject says.",
    )


def _labelled() -> Iterator[Sequence]:
    for version in ('"', "\\", "\\n", "{a=1}", "größe", "😀", "\u2028", "# x", "a b", "x" * 128):
        name = version if len(version) < 10 else f"{len(version)} characters"
        yield sequence(
            f"a version with {name!a}", event("alive", version=version), event("alive", "n2", version=version)
        )
    yield sequence(
        "a version with control characters",
        event("alive", version="1\n2\t3"),
        reason="Go writes control characters; here they are U+FFFD in a label.",
    )
    yield sequence(
        "a long version",
        event("alive", version="1." + "0" * 200),
        reason="Go keeps what it is given; here a label has at most 128 bytes.",
    )
    yield sequence(
        "one component too many",
        *(event("alive", component=f"c{number:02}", bare=True) for number in range(65)),
        reason="Go makes a series of everything; here what is beyond the limits is in other.",
    )


def _roles() -> Iterator[Sequence]:
    lost, won = Role(active=False), Role(active=True)
    yield sequence("never won", lost, event("startup"), run(), transition())
    yield sequence("lost between a start and a stop", event("startup"), lost, Scrape(), event("shutdown"))
    yield sequence(
        "lost and won again", event("alive"), lost, event("alive", version="2"), won, event("alive", version="3")
    )
    yield sequence("lost before an expiry", event("alive"), event("alive", "n2"), lost, Wait(90 * MINUTE))
    yield sequence("lost while counting", event("governor"), run(), lost, event("governor"), run(), transition())


def varied(seed: int, count: int) -> Sequence:
    """Return a sequence of this many messages of a small fleet over a few hours."""
    rng = random.Random(f"tally {seed}")
    steps: list[Step] = []
    for _ in range(count):
        kind = rng.choice(["alive"] * 5 + ["startup", *TYPES])
        identity, version = f"n{rng.randrange(8)}", rng.choice(["1", "1", "2", "3"])
        bare, component = rng.random() < 0.5, rng.choice(["server", "server", "server", "agent"])
        message = event(kind, identity, version, component, bare=bare)
        steps.append(
            rng.choice(
                [message] * 12 + [transition(latter=version), run(), run("error", 10), Message(message.subject, b"?")]
            )
        )
        if rng.random() < 0.2:
            steps.append(Wait(rng.choice([1.0, 60.0, 1800.0, 2000.5, 4800.0])))
        if rng.random() < 0.02:
            steps.append(Scrape())
    return sequence(f"varied, {seed}", *steps)
