"""Bytes to events: this library against common alternatives, and against Go."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import corpus, golang
from .corpus import Document, Fields
from .measure import Peer, Settings, WrongAnswerError, demand, each, looping, passes_for, take_turns
from .report import Section, Target, section

OURS = "choria_lifecycle.parse"
ORJSON = "orjson.loads alone"
JSONSCHEMA_RS = "orjson + jsonschema-rs"

TARGETS = {
    "native": (
        Target(what="parse native: faster than Go", ours=OURS, bound=3.3, at_least=True, peers=(golang.PLAIN,)),
        Target(
            what="parse native: faster than Go with its new JSON engine",
            ours=OURS,
            bound=3.3,
            at_least=True,
            peers=(golang.JSONV2,),
            why="this engine takes half the time of Go's default one",
        ),
        Target(
            what="parse native: time of orjson.loads alone",
            ours=OURS,
            bound=1.35,
            at_least=False,
            peers=(ORJSON,),
            why="msgspec alone takes 1.0x; 0.2 us go into the choice of its decoder by a byte, and into the checks of "
            "size, ASCII, 64 bits and spelling",
        ),
    ),
    "cloudevents": (
        Target(what="parse CloudEvents: faster than Go", ours=OURS, bound=5, at_least=True, peers=(golang.PLAIN,)),
        Target(
            what="parse CloudEvents: faster than Go with its new JSON engine",
            ours=OURS,
            bound=4.5,
            at_least=True,
            peers=(golang.JSONV2,),
            why="as for native; the time of the envelope is checked in Python too",
        ),
        Target(
            what="parse CloudEvents: time of orjson.loads alone",
            ours=OURS,
            bound=1.35,
            at_least=False,
            peers=(ORJSON,),
            why="msgspec alone takes 0.95x; subject, time and bounds take 0.2 us in Python, the rest as for native",
        ),
    ),
    "mixed": (
        Target(
            what="parse the mix: faster than orjson + jsonschema-rs",
            ours=OURS,
            bound=1.3,
            at_least=True,
            peers=(JSONSCHEMA_RS,),
            why="a third of the time goes into the checks in Python that the rows above name",
        ),
    ),
}

_MIX, _CURRENT, _DECODE = "parse, the mix", "parse, native", "codec.decode, the mix"
_OLD, _VALIDATE, _MANY = "parse, old spelling", "validate, the mix", "validate_many, the mix"
_MACHINE = ("transition", "exec-state", "nagios-state")

PATH_TARGETS = (
    Target(what="codec.decode: time of parse", ours=_DECODE, bound=1.1, at_least=False, peers=(_MIX,)),
    Target(
        what="parse the old spelling: time of the current one", ours=_OLD, bound=2, at_least=False, peers=(_CURRENT,)
    ),
    Target(what="validate: time of parse", ours=_VALIDATE, bound=2.5, at_least=False, peers=(_MIX,)),
)

_TITLES = {
    "native": "Parse native events",
    "cloudevents": "Parse CloudEvents",
    "mixed": "Parse a mix: 30 % CloudEvents, 10 % in the old spelling of the protocol",
}
_CORPORA = {"native": corpus.native, "cloudevents": corpus.cloudevents, "mixed": corpus.mixed}


@dataclass(frozen=True, slots=True)
class Reader:
    """A Python peer: its function, and how to get an event's fields from the result."""

    name: str
    read: Callable[[bytes], Any]
    fields: Callable[[Any], Fields]
    note: str = ""
    normalises: bool = False

    def check(self, documents: Sequence[Document]) -> None:
        """Check that it reads every document correctly.

        Raises:
            WrongAnswerError: it does not.
        """
        for document in documents:
            expected = document.fields
            if self.normalises:
                expected = expected | {"protocol": corpus.PROTOCOL + corpus.event_type(expected)}
            found = self.fields(self.read(document.data))
            demand(found == expected, self.name, f"read {document.data!r} as {found}")


def measure(kind: str, settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure one corpus: native, cloudevents or mixed."""
    documents = _CORPORA[kind](settings.size)
    readers = list(_readers(kind))
    for reader in readers:
        reader.check(documents)
    data = [document.data for document in documents]
    peers = [looping(reader.name, each(reader.read), data, reader.note) for reader in readers]
    missing = go.missing
    if kind == "mixed":
        missing = dict.fromkeys(golang.NAMES, "refuses the old spelling")
    else:
        peers += _go_peers(documents, go, folder / f"{kind}.ndjson")
    samples = take_turns(peers, settings.rounds, passes_for(settings.budget, len(data)))
    return section(_TITLES[kind], "ns", peers, samples, targets=TARGETS[kind], missing=missing)


def measure_paths(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure the other ways to read and to validate, and other events."""
    from choria_lifecycle import codec, parse, validate, validate_many

    def data(documents: Sequence[Document]) -> list[bytes]:
        for document in documents:
            found = corpus.loads(codec.encode(codec.decode(document.data)))
            right = found == document.fields | {"protocol": found["protocol"]}
            demand(right, "codec.decode", f"read {document.data!r} as {found}")
        return [document.data for document in documents]

    mix, native, old = (data(make(settings.size)) for make in (corpus.mixed, corpus.native, corpus.old))
    demand(list(validate_many(native)) == [], _MANY, "has findings about valid events")
    peers = [looping(_CURRENT, each(parse), native), looping(_OLD, each(parse), old)]
    peers += [looping(_MIX, each(parse), mix), looping(_DECODE, each(codec.decode), mix)]
    peers += [
        looping(_VALIDATE, each(validate), mix),
        looping(_MANY, lambda items: deque(validate_many(items), 0), mix),
    ]
    for name in _MACHINE:
        peers.append(looping(f"codec.decode, {name}", each(codec.decode), data(corpus.machine(name, settings.size))))
    samples = take_turns(peers, settings.rounds, passes_for(settings.budget, settings.size))
    return section("Read and validate other events, in other ways", "ns", peers, samples, targets=PATH_TARGETS)


def _go_peers(documents: Sequence[Document], go: golang.Toolchain, path: Path) -> list[Peer]:
    path.write_bytes(b"".join(document.data + b"\n" for document in documents))
    for reference in go.references:
        answer = reference.ask(work="parse", corpus=str(path), answer=True)
        read = [corpus.loads(event["body"]) for event in answer["events"]]
        demand(read == [document.fields for document in documents], reference.name, "read other fields")
    return [reference.peer(work="parse", corpus=str(path)) for reference in go.references]


def _readers(kind: str) -> Iterator[Reader]:
    # Imported one by one, so that a missing package only affects its own section.
    import fastjsonschema
    import jsonschema
    import jsonschema_rs
    import orjson

    from choria_lifecycle import parse

    from . import models

    opened = _opened if kind == "mixed" else (_data if kind == "cloudevents" else _same)
    yield Reader(OURS, parse, asdict, "checks the contract, returns frozen dataclasses", normalises=True)
    yield Reader(ORJSON, orjson.loads, opened, "checks nothing, returns dictionaries")

    models_read: dict[str, Callable[[bytes], Any]] = {
        "native": models.native,
        "cloudevents": models.cloudevent,
        "mixed": _either(models),
    }
    yield Reader(
        "pydantic", models_read[kind], lambda model: getattr(model, "data", model).model_dump(), "TypeAdapter, models"
    )

    compilers: dict[str, tuple[Callable[[Fields], Callable[[Any], object]], str]] = {
        "orjson + fastjsonschema": (lambda schema: fastjsonschema.compile(deepcopy(schema)), "the same schemas"),
        JSONSCHEMA_RS: (lambda schema: jsonschema_rs.validator_for(schema).validate, "the same schemas"),
        "orjson + jsonschema": (lambda schema: jsonschema.Draft4Validator(schema).validate, "the same schemas"),
    }
    for name, (compiler, note) in compilers.items():
        yield Reader(name, _validating(compiler, orjson.loads), opened, f"{note}, returns dictionaries")

    if kind == "cloudevents":
        yield _cloudevents_sdk()


def _validating(
    compiler: Callable[[Fields], Callable[[Any], object]], loads: Callable[[bytes], Any]
) -> Callable[[bytes], Any]:
    """Decode, choose the validator by the protocol, validate."""
    import choria_schemas

    validators: dict[str | tuple[str, str], Callable[[Any], object]] = {}
    for name in corpus.TYPES:
        schema = choria_schemas.schema(corpus.PROTOCOL + name)
        wrapped = compiler(_envelope_schema(schema))
        validators |= {corpus.PROTOCOL + name: compiler(schema), f"choria:lifecycle:{name}:1": compiler(schema)}
        validators |= {("cloudevent", corpus.PROTOCOL + name): wrapped}

    def read(data: bytes) -> Any:
        document = loads(data)
        protocol = document.get("protocol") or ("cloudevent", document["type"])
        validators[protocol](document)
        return document

    # A validator that accepts everything would be fast and wrong.
    for name in corpus.TYPES:
        try:
            read(corpus.dumps({"protocol": corpus.PROTOCOL + name, "id": 1}))
        except Exception:  # noqa: BLE001 - each library has its own exception
            continue
        raise WrongAnswerError(f"accepts a broken {name} event")
    return read


def _envelope_schema(schema: Fields) -> Fields:
    text = {"type": "string", "minLength": 1}
    properties = {"specversion": {"enum": ["1.0"]}, "source": {"enum": [corpus.SOURCE]}, "id": text, "type": text}
    properties |= {name: {"type": "string"} for name in ("subject", "datacontenttype", "time")}
    inner = {key: value for key, value in schema.items() if key not in ("$schema", "id")}
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "required": ["specversion", "source", "id", "type", "data"],
        "properties": properties | {"data": inner},
    }


def _cloudevents_sdk() -> Reader:
    from cloudevents.core.formats.json import JSONFormat
    from cloudevents.core.v1.event import CloudEvent

    form = JSONFormat()

    def read(data: bytes) -> Any:
        return form.read(CloudEvent, data)

    return Reader("cloudevents SDK", read, lambda event: event.get_data(), "checks the envelope only")


def _either(models: Any) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        return (models.cloudevent if b'"specversion"' in data else models.native)(data)

    return read


def _same(document: Fields) -> Fields:
    return document


def _data(document: Fields) -> Fields:
    data: Fields = document["data"]
    return data


def _opened(document: Fields) -> Fields:
    return document["data"] if "specversion" in document else document
