"""Events to bytes: create an event, encode it and build its subject, as a publisher does for every event."""

import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from . import corpus, golang
from .corpus import Fields
from .measure import Peer, Settings, demand, looping, passes_for, take_turns
from .report import Section, Target, section
from .writers import ORJSON, OURS, Order, Sent, grouped, writers

TARGETS = {
    "native": (
        Target(
            what="create native: speed of Go",
            ours=OURS,
            bound=0.85,
            at_least=True,
            peers=(golang.PLAIN,),
        ),
        Target(
            what="create native: speed of Go by CPU time",
            ours=OURS,
            bound=1.5,
            at_least=True,
            peers=(golang.PLAIN + golang.CPU,),
            why="msgspec takes a quarter, the id and the clock a fifth; the interpreter calls and checks for the rest",
        ),
        Target(
            what="create native: faster than orjson",
            ours=OURS,
            bound=2,
            at_least=True,
            peers=(ORJSON,),
            why="orjson's row checks no option; most of its time is uuid4",
        ),
    ),
    "cloudevents": (
        Target(
            what="create CloudEvents: faster than Go",
            ours=OURS,
            bound=1.5,
            at_least=True,
            peers=(golang.PLAIN,),
        ),
        Target(
            what="create CloudEvents: faster than Go by CPU time",
            ours=OURS,
            bound=2.2,
            at_least=True,
            peers=(golang.PLAIN + golang.CPU,),
            why="as for native",
        ),
    ),
}

_TITLES = {
    "native": "Create, encode and subject, native",
    "cloudevents": "Create, encode and subject, CloudEvents",
}


def check_made(name: str, made: Sequence[Sent], orders: Sequence[Order], kind: str) -> None:
    """Check that each order became an event with its fields, a unique id, the current time, and the right subject.

    Raises:
        WrongAnswerError: one did not.
    """
    demand(len(made) == len(orders), name, f"made {len(made)} of {len(orders)} events")
    now, ids = time.time(), set()
    for (subject, body), order in zip(made, orders, strict=True):
        document = corpus.loads(body)
        fields = document.pop("data") if kind == "cloudevents" else document
        expected = {"protocol": order.protocol, "identity": order.identity, "component": order.component, **order.extra}
        found = {key: value for key, value in fields.items() if key not in ("id", "timestamp")}
        demand(found == expected, name, f"made {found} of {expected}")
        demand(abs(now - fields["timestamp"]) < 60, name, f"is off by more than a minute: {fields['timestamp']}")
        demand(uuid.UUID(fields["id"]).version == 4, name, f"has no random id: {fields['id']}")
        demand(subject == f"choria.lifecycle.event.{order.name}.{order.component}", name, f"publishes to {subject}")
        if kind == "cloudevents":
            demand(document == corpus.envelope(fields), name, f"has the envelope {document}")
        ids.add(fields["id"])
    demand(len(ids) == len(orders), name, "gives one id to several events")


def measure(kind: str, settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure one format: native or cloudevents."""
    fleet = corpus.fleet(settings.size)
    orders = list(map(Order.of, fleet))
    peers = []
    for writer in writers(kind):
        check_made(writer.name, [writer.loop(grouped([order])) for order in orders], orders, kind)
        peers.append(looping(writer.name, writer.loop, grouped(orders), writer.note, len(orders)))
    peers += _go_peers(fleet, kind, go, folder / "orders.ndjson")
    samples = take_turns(peers, settings.rounds, passes_for(settings.budget, len(orders)))
    return section(_TITLES[kind], "ns", peers, samples, targets=TARGETS[kind], missing=go.missing)


def _go_peers(fleet: Sequence[Fields], kind: str, go: golang.Toolchain, path: Path) -> list[Peer]:
    path.write_bytes(b"".join(corpus.dumps(fields) + b"\n" for fields in fleet))
    for reference in go.references:
        answer = reference.ask(work="create", corpus=str(path), format=kind, answer=True)
        made = [(event["subject"], event["body"].encode()) for event in answer["events"]]
        check_made(reference.name, made, list(map(Order.of, fleet)), kind)
    return [
        reference.peer(work="create", corpus=str(path), format=kind, cpu=cpu)
        for reference in go.references
        for cpu in ((False, True) if reference.name == golang.PLAIN else (False,))
    ]
