"""A hostile publisher beside honest ones, through a real server, against a real `lifecycle tally`.

The hostile publisher's events may end in `other`; the honest ones' are counted exactly, and memory does not grow.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import nats

from choria_lifecycle.demo import embedded
from choria_lifecycle.tally.limits import Limits
from tests.bed.tallies import running_tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.bed.tallies import RunningTally, Scrape

HONEST = ("server", "provisioner", "broker")
NODES = 100

LIMITS = Limits(nodes=3000)
CROWD = 4000
GUESTS = 300
LONG_ONES = 250
# Nodes that leave after each wave: fewer than the next wave's long identities and guests need.
LEAVING = 500
OTHER = "other"
MEGABYTES = 8
MOST_GROWN = 8_000_000

LIFECYCLE = "choria.lifecycle.event"
TRANSITION = "choria.machine.transition"
EXEC = "choria.machine.watcher.exec.state"

# Legal in JSON, but not unescaped in a label, a page or a terminal.
FOUL = '"}\n# TYPE up gauge\nup 1\\\r\x00\x07\x1b[31m\x7f\x85\u2028\u202e<script>alert(1)</script>&amp;{{}}%s'
LONG = FOUL + "é" * 25_000


class Message(NamedTuple):
    """A message, and whether it is valid."""

    subject: str
    data: bytes
    good: bool = True


def dumps(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def lifecycle(kind: str, component: str, identity: str, token: str = "", **fields: object) -> Message:
    event = {"protocol": f"io.choria.lifecycle.v1.{kind}", "id": "i", "identity": identity, "component": component}
    return Message(f"{LIFECYCLE}.{kind}.{token or component}", dumps(event | {"timestamp": 1} | fields))


def governor(component: str, name: str, event: str = "enter") -> Message:
    return lifecycle("governor", component, "g", "t", governor=name, sequence=1, event_type=event)


def transition(machine: str, **fields: object) -> Message:
    event = {"protocol": "io.choria.machine.v1.transition", "identity": "n", "id": "i", "version": "1", "timestamp": 1}
    states = {"machine": machine, "transition": "start", "from_state": "idle", "to_state": "run"}
    return Message(TRANSITION, dumps(event | states | fields))


def run(machine: str, outcome: str = "success", nanoseconds: object = 10**9) -> Message:
    event = {"protocol": "io.choria.machine.watcher.exec.v1.state", "identity": "n", "id": "i", "version": "1"}
    watcher = {"timestamp": 1, "type": "exec", "machine": machine, "name": "check", "command": "/bin/true"}
    outcome_fields = {"previous_outcome": outcome, "previous_run_time": nanoseconds}
    return Message(EXEC, dumps(event | watcher | outcome_fields))


# The honest publishers, whose components have nodes of the same names.


def arriving() -> Iterator[Message]:
    for component in HONEST:
        for number in range(NODES):
            yield lifecycle("startup", component, f"n{number}", version=f"1.{number % 2}")
    yield from working()


def working() -> Iterator[Message]:
    """Yield an alive event of every node, a fifth of which upgrade."""
    for component in HONEST:
        for number in range(NODES):
            yield lifecycle("alive", component, f"n{number}", version="1.1" if number < 20 else f"1.{number % 2}")
        yield governor(component, "PUPPET")
    yield from (*[transition("honest")] * 5, *[run("honest")] * 7, *[run("honest", "error")] * 3)


def leaving() -> Iterator[Message]:
    for component in HONEST:
        for number in range(90, NODES):
            yield lifecycle("shutdown", component, f"n{number}")


VERSIONS = {"1.0": 35, "1.1": 55}


# The hostile publisher, with new names in each wave.


def wave(name: str) -> Iterator[Message]:
    """Yield one wave, beginning with events that need their own series and nodes while there is room."""
    yield from long(name)
    yield from odd(name)
    for number in range(GUESTS):
        yield lifecycle("alive", "server", f"{name}{number}", version=f"{name}.{number}")
    for number in range(2 * LIMITS.versions):
        yield lifecycle("alive", "evil", f"{name}{number}", version=f"{name}.{number}")
    for number in range(3 * LIMITS.components):
        yield lifecycle("alive", f"{name}{number}{FOUL}", f"{name}{number}", f"{name}{number}", version=FOUL)
    for number in range(CROWD):
        yield lifecycle("startup", "evil", f"crowd{name}{number}", version=f"{name}.{number}")
    for number in range(2 * LIMITS.governors):
        yield governor("evil", f"{name}{number}{FOUL}")
        yield governor(f"{name}{number}", f"{name}", "eviction")
    for number in range(2 * LIMITS.transitions):
        yield transition(f"{name}{number}")
        yield run(f"{name}{number}{FOUL}", "error" if number % 2 else "success", 2**63 - 1)
    yield from unreadable(name)
    for number in range(LEAVING):
        yield lifecycle("shutdown", "evil", f"crowd{name}{number}")


def long(name: str) -> Iterator[Message]:
    for number in range(LONG_ONES):
        yield lifecycle("alive", "evil", f"{name}{number}{'x' * 60_000}", version="1")
    for number in range(50):
        yield lifecycle("alive", f"{name}{LONG[:8000]}", f"{name}{number}{LONG[:8000]}", "t", version=LONG[:8000])
        yield governor("evil", f"{name}{number}{'g' * 60_000}")
        yield transition(f"{name}{number}", transition="t" * 10_000, from_state=LONG[:5000], to_state=LONG[:5000])
        yield run(f"{name}{number}{'m' * 60_000}")


def odd(name: str) -> Iterator[Message]:
    """Yield events that are valid but unusual."""
    yield lifecycle("alive", "evil", name, "server", version="1")
    yield lifecycle("alive", "", "", "t", version="")
    yield lifecycle("alive", OTHER, name, version=OTHER)
    yield lifecycle("shutdown", "evil", f"{name} unknown", "server.and.more")
    for number in range(3 * LIMITS.versions):
        yield lifecycle("alive", "fickle", "n", version=f"{name}.{number}")
    double = lifecycle("alive", "server", name, "server", version="1")
    yield double._replace(data=double.data[:-1] + b', "component": "evil"}')
    nested = lifecycle("alive", "evil", name, version="1")
    yield nested._replace(data=nested.data[:-1] + b', "x": ' + b"[" * 200 + b"]" * 200 + b"}")


def unreadable(name: str) -> Iterator[Message]:
    alive = lifecycle("alive", "server", name, version="X")
    spoilt = [
        b"",
        b"{",
        b"null",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b"\xff\xfe",
        alive.data.replace(b"X", b"\xff"),
        alive.data.replace(b"X", rb"\ud800"),
        alive.data.replace(b'"X"', b"1e400"),
        alive.data.replace(b": 1,", b": 1e400,"),
        alive.data.replace(b": 1,", b": " + b"9" * 5000 + b","),
        alive.data.replace(b": 1,", b": -9223372036854775809,"),
        alive.data.replace(b"X", b"x" * 65_536),
        governor("server", "G", FOUL).data,
        lifecycle("alive", "server", name, version="X", protocol="io.choria.lifecycle.v999.alive").data,
    ]
    for data in spoilt:
        yield Message(f"{LIFECYCLE}.alive.server", data, good=False)
        yield Message(f"{LIFECYCLE}.x.{name}.{'s' * 500}", data, good=False)
        yield Message(TRANSITION, data, good=False)
        yield Message(EXEC, data, good=False)
    for number in range(2 * LIMITS.components):
        yield Message(f"{LIFECYCLE}.alive.{name}{number}\x1b[31m<b>", b"{", good=False)
    for _ in range(MEGABYTES):
        yield Message(f"{LIFECYCLE}.alive.server", alive.data.replace(b"X", b"x" * 10**6), good=False)
        yield Message(TRANSITION, b"[" * 10**6, good=False)
    for nanoseconds in (10**30, 1e300, "1", None, [[]]):
        yield run(name, nanoseconds=nanoseconds)._replace(good=False)
    yield transition(name, version=1)._replace(good=False)


def publish(url: str, *publishers: Iterable[Message]) -> None:
    """Publish concurrently, each publisher over its own connection."""

    async def one(messages: Iterable[Message]) -> None:
        client = await nats.connect(url, allow_reconnect=False)
        left = iter(messages)
        while some := list(islice(left, 100)):
            for message in some:
                await client.publish(message.subject, message.data)
            await client.flush()
        await client.close()

    async def all_of_them() -> None:
        await asyncio.gather(*map(one, publishers))

    asyncio.run(all_of_them())


def counted(running: RunningTally, messages: Iterable[Message]) -> Scrape:
    """Wait until all messages are counted, under any name, and check the exact sums."""
    found = Counter(message.subject if message.good else "bad" for message in messages)
    wanted = {
        "good_events": sum(count for subject, count in found.items() if subject.startswith(LIFECYCLE)),
        "process_errors": found["bad"],
        "machine_transition": found[TRANSITION],
        "exec_watcher_runtime_count": found[EXEC],
    }
    numbers = running.until(lambda numbers: all(numbers.total(name) >= value for name, value in wanted.items()))
    assert {name: numbers.total(name) for name in wanted} == wanted
    assert numbers.total("dropped_messages") == numbers.total("gaps") == 0
    assert numbers.total("nodes") == numbers.total("versions") <= LIMITS.nodes
    return numbers


def check_caps(numbers: Scrape) -> None:
    """Check that series and labels are within the limits."""
    components = LIMITS.components + 1
    assert len(numbers.series("good_events")) <= components
    assert len(numbers.series("process_errors")) <= components + 2
    assert len(numbers.series("event_types")) <= components * 6
    assert len(numbers.series("governor")) <= (LIMITS.governors + components) * 4
    assert len(numbers.series("machine_transition")) <= LIMITS.transitions + 1
    for name in ("exec_watcher_success", "exec_watcher_failures", "exec_watcher_runtime_count"):
        assert len(numbers.series(name)) <= LIMITS.watchers + 1
    most = Counter(labels["component"] for labels, _ in numbers.series("versions"))
    assert max(most.values()) <= LIMITS.versions + 1
    assert max(len(text.encode()) for text in numbers.texts()) <= LIMITS.label_bytes
    assert not any(set(text) & set("\0\x1b\n\r\x7f\x85") for text in numbers.texts())


def check_honest(numbers: Scrape, rounds: int, guests: int) -> None:
    """Check the honest publishers' counts; `rounds` is how often they were `working`."""
    for component in HONEST:
        more = guests if component == "server" else 0
        types = {"startup": NODES, "alive": rounds * NODES + more, "governor": rounds, "shutdown": 10}
        assert numbers.by("type", "event_types", component=component) == types
        assert numbers.total("good_events", component=component) == sum(types.values())
        assert numbers.by("governor", "governor", component=component)["PUPPET"] == rounds
        versions = numbers.by("version", "versions", component=component)
        assert {version: versions[version] for version in VERSIONS} == VERSIONS
    for component in ("provisioner", "broker"):
        assert numbers.by("version", "versions", component=component) == VERSIONS
    assert numbers.total("machine_transition", machine="honest") == 5 * rounds
    assert numbers.total("exec_watcher_success", machine="honest") == 7 * rounds
    assert numbers.total("exec_watcher_failures", machine="honest") == 3 * rounds
    assert numbers.total("exec_watcher_runtime_sum", machine="honest") == 10 * rounds


def check_pages(running: RunningTally) -> None:
    code, page = running.get("/")
    assert (code, "<script>alert" in page, "&lt;script&gt;alert" in page) == (200, False, True)
    code, text = running.get("/api/v1/status")
    status = json.loads(text)
    assert (code, len(status["components"]) <= LIMITS.components + 1) == (200, True)
    assert not set(text[:-1]) & set("\0\x1b\n\r\x7f\x85")
    assert set(status["limits_hit"]) >= {"components", "versions", "governors", "nodes", "label_bytes"}


def test_honest_counts_are_exact_and_nothing_grows() -> None:
    """A second tally, which replays the hostile stream, gets the same nodes.

    A leak grows with every wave; a buffer that a busy machine lets grow does so once.
    """
    before, during = list(arriving()), list(working())
    with embedded.nats_server() as server:
        add_stream(server.url)
        arguments = "--server", server.url, "--limit", f"nodes={LIMITS.nodes}"
        with running_tally(*arguments) as running:
            publish(server.url, before)
            counted(running, before)
            sent, resident, grown = before, 0.0, []
            for name in "abcdef":
                publish(server.url, wave_ := list(wave(name)), during)
                sent = [*sent, *wave_, *during]
                before_, resident = resident, counted(running, sent).total("process_resident_memory_bytes")
                grown.append(resident - before_)
                if len(grown) > 2 and grown[-1] < MOST_GROWN:  # buffers grow to their final size in the first two
                    break
            assert grown[-1] < MOST_GROWN, grown
            publish(server.url, after := [*working(), *leaving()])
            numbers = counted(running, [*sent, *after])
            assert numbers.total("nodes") == LIMITS.nodes - len(HONEST) * 10
            assert all(numbers.by("limit", "limits_hit").values())
            assert numbers.by("version", "versions", component="fickle") == {f"{name}.{3 * LIMITS.versions - 1}": 1}
            check_honest(numbers, rounds=len(grown) + 2, guests=len(grown) * GUESTS)
            check_caps(numbers)
            check_pages(running)
        with running_tally(*arguments) as rebuilt:
            again = rebuilt.until(lambda numbers: not numbers.total("replaying"))
            assert again.series("versions") == numbers.series("versions")
            assert again.series("good_events") == []
            check_caps(again)


def test_the_first_names_get_series_and_the_sums_stay_exact(server: embedded.Server) -> None:
    hostile = [lifecycle("alive", f"c{number}", "n0", version="0") for number in range(LIMITS.components + 40)]
    hostile += [lifecycle("alive", f"c{number}", "n0", version=OTHER) for number in range(LIMITS.components, 80)]
    honest = [*arriving(), *working(), *leaving()]
    with running_tally("--server", server.url, "--replay", "off") as running:
        publish(server.url, hostile)
        counted(running, hostile)
        publish(server.url, honest)
        numbers = counted(running, [*hostile, *honest])
    types = {"startup": 3 * NODES, "alive": 3 * 2 * NODES + 56, "governor": 6, "shutdown": 30}
    assert numbers.by("type", "event_types", component=OTHER) == types
    versions = {version: 3 * nodes for version, nodes in VERSIONS.items()}
    assert numbers.by("version", "versions", component=OTHER) == {**versions, "0": 24, OTHER: 16}
    assert numbers.by("governor", "governor", component=OTHER) == {"PUPPET": 6}
    assert numbers.total("limits_hit", limit="components") == sum(types.values())
    assert len(numbers.series("good_events")) == LIMITS.components + 1


def add_stream(url: str) -> None:
    async def run() -> None:
        client = await nats.connect(url)
        await client.jetstream().add_stream(name="CHORIA_EVENTS", subjects=[f"{LIFECYCLE}.>"], storage="memory")
        await client.close()

    asyncio.run(run())
