"""Files of events to counts of the valid ones: this library against common alternatives, and against Go.

Each peer does the whole job: it reads the file line by line, parses, validates the envelope against the schema of
CloudEvents and the event against the schema that its protocol names, and counts the valid lines by type.
"""

import gc
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from . import archive, golang
from .archive import CONTRADICTION, CUT, MISSING, TYPE, VALUE, Archive
from .corpus import PROTOCOL, TYPES, Fields
from .measure import Peer, Settings, demand, take_turns
from .report import Section, Target, section

OURS = "choria_lifecycle, errors only"
WARNING = "choria_lifecycle, with warnings"
UNSPOILT = "choria_lifecycle, errors only, no bad line"
JSONSCHEMA_RS = "orjson + jsonschema-rs"

ONE = "lifecycle validate --no-warnings"
TWO = "lifecycle validate --no-warnings --jobs 2"
ONE_WARNING = "lifecycle validate"
TWO_WARNING = "lifecycle validate --jobs 2"

_SCHEMA = Path(__file__).parent.parent / "data" / "cloudevents.json"
ALL = frozenset({MISSING, TYPE, CUT, VALUE, CONTRADICTION})
SYNTAX = frozenset({CUT})
_GO = frozenset({TYPE, CUT})

_WHY_JSONV2 = "this engine takes half the time of Go's default one"
_WHY_RS = "half of our time is msgspec's, and a seventh goes into reading the file; the rest is a loop in Python"
_WHY_WARNING = "quotes, UUID, clock and component are checked in Python"
_WHY_BAD = "a bad line is read again by json and fastjsonschema, and takes as long as 50 good ones"
_WHY_TWO = "the processes take a tenth of a second to start, as long as they then work"


def _at_least(bound: float, what: str, ours: str, peer: str, why: str = "") -> Target:
    return Target(what=what, ours=ours, bound=bound, at_least=True, peers=(peer,), why=why)


_ERRORS, _WARNINGS, _BAD = "validate, errors only", "validate, with warnings", "validate, 1 % bad"
_NEW = "Go with its new JSON engine"

TARGETS = {
    "good": (
        _at_least(2.5, f"{_ERRORS}: faster than Go", OURS, golang.PLAIN),
        _at_least(2.5, f"{_ERRORS}: faster than {_NEW}", OURS, golang.JSONV2, _WHY_JSONV2),
        _at_least(2.2, f"{_ERRORS}: faster than {JSONSCHEMA_RS}", OURS, JSONSCHEMA_RS, _WHY_RS),
        _at_least(1, f"{_WARNINGS}: speed of Go", WARNING, golang.PLAIN, _WHY_WARNING),
        _at_least(1, f"{_WARNINGS}: speed of {_NEW}", WARNING, golang.JSONV2, _WHY_WARNING),
    ),
    "bad": (
        _at_least(0.6, f"{_BAD}: share of the speed without bad lines", OURS, UNSPOILT, _WHY_BAD),
        _at_least(0.6 * 2.5, f"{_BAD}: 60 % of the target against Go", OURS, golang.PLAIN, _WHY_BAD),
        _at_least(0.6 * 2.5, f"{_BAD}: 60 % of the target against {_NEW}", OURS, golang.JSONV2, _WHY_BAD),
        _at_least(0.6 * 2, f"{_BAD}: 60 % of the target against {JSONSCHEMA_RS}", OURS, JSONSCHEMA_RS, _WHY_BAD),
    ),
    "current": (
        _at_least(2.5, f"{_ERRORS}, no old spelling: faster than Go", OURS, golang.PLAIN),
        _at_least(1, f"{_WARNINGS}, no old spelling: speed of Go", WARNING, golang.PLAIN, _WHY_WARNING),
    ),
}

FILE_TARGETS = (
    _at_least(2.5, f"{ONE}: faster than Go", ONE, golang.PLAIN),
    _at_least(1, f"{ONE_WARNING}: speed of Go", ONE_WARNING, golang.PLAIN, "the findings are written, too"),
    _at_least(1.8, f"{TWO}: against one process", TWO, ONE, _WHY_TWO),
    _at_least(
        1.8, f"{TWO_WARNING}: against one process", TWO_WARNING, ONE_WARNING, "one process writes the findings of both"
    ),
)

_TITLES = {
    "good": "Validate a mix: 30 % CloudEvents, 10 % in the old spelling of the protocol",
    "bad": "Validate the mix with 1 % bad lines",
    "current": "Validate the mix without the old spelling",
}
_REMARKS = {
    "good": "It is in the page cache; all read it line by line, and count the valid lines by type.",
    "bad": (
        "The bad lines, in equal shares: a missing field, a wrong type, a wrong value, a truncated line, an envelope "
        "whose type contradicts the event. This library reports errors with location; the others only detect them."
    ),
    "current": "The same events, so that Go reads all of them.",
}

Read = Callable[[Path], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Reader:
    """A Python peer.

    Attributes:
        name: its name in the table.
        read: reads a file and returns the number of valid lines of each type.
        sees: the kinds of defects that it detects.
        note: how its work differs.
        share: the fraction of the lines that it reads, for slow peers.
    """

    name: str
    read: Read
    sees: frozenset[str] = ALL
    note: str = ""
    share: float = 1

    def peer(self, lines: Archive) -> Peer:
        """Check the result, and return the timed peer.

        Raises:
            WrongAnswerError: it accepts other lines.
        """
        found, expected = Counter(self.read(lines.path)), lines.passing(self.sees)
        demand(found == expected, self.name, f"passed {dict(found)} of {dict(expected)}")

        def turn(passes: int) -> float:
            gc.collect()
            begin = perf_counter_ns()
            for _ in range(passes):
                self.read(lines.path)
            return (perf_counter_ns() - begin) / (passes * lines.size)

        return Peer(self.name, turn, self.note)


def measure(kind: str, settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure readers on one file: good, bad or current."""

    def lines(share: float = 1, *, bad: bool = kind == "bad") -> Archive:
        return archive.make(folder, round(settings.lines * share), bad=bad, old=kind != "current")

    readers = list(ours(old=kind != "current"))
    if kind != "current":
        readers += _others()
    peers = [reader.peer(lines(reader.share)) for reader in readers]
    if kind == "bad":
        peers.append(Reader(UNSPOILT, readers[0].read).peer(lines(bad=False)))
    peers += [_go_peer(reference, lines()) for reference in go.references]
    samples = take_turns(peers, max(2, settings.rounds // 5), passes=_once)
    slow = ", ".join(f"{reader.name} {lines(reader.share).size:,}" for reader in readers if reader.share < 1)
    remark = f"A file of {settings.lines:,} lines{f'; for {slow} of them' if slow else ''}. {_REMARKS[kind]}"
    return section(_TITLES[kind], "ns", peers, samples, targets=TARGETS[kind], missing=go.missing, remarks=[remark])


def measure_file(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure whole commands on a large file; Go, which has no such command, from open to end of file."""
    lines = archive.make(folder, settings.archive)
    peers = [
        command_peer(ONE, lines),
        command_peer(TWO, lines),
        command_peer(ONE_WARNING, lines, "writes a finding for each line in the old spelling"),
        command_peer(TWO_WARNING, lines, "as above"),
        *(_go_peer(reference, lines) for reference in go.references),
    ]
    samples = take_turns(peers, settings.archives, passes=_once)
    remark = (
        f"A file of {settings.archive:,} lines, {lines.path.stat().st_size / 1e6:,.0f} MB, all of them valid. Commands "
        "are measured from the start of the interpreter to its end, and write to /dev/null; Go is running already."
    )
    title = "Validate a large file with the command"
    return section(title, "rate", peers, samples, targets=FILE_TARGETS, missing=go.missing, remarks=[remark])


def _once(peer: Peer) -> int:
    return 1


def command(line: str) -> list[str]:
    """Return the command line that a row names, as it is run here."""
    name, *arguments = line.split()
    return [str(Path(sys.executable).with_name(name)), *arguments]


def command_peer(name: str, lines: Archive, note: str = "") -> Peer:
    expected = lines.passing(ALL)
    arguments = [*command(name), str(lines.path)]

    def turn(passes: int) -> float:
        begin = perf_counter_ns()
        ended = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        spent = perf_counter_ns() - begin
        said = ended.stderr.strip()[-2000:]
        demand(ended.returncode == 0 and passed(said) == expected, name, f"passed {dict(expected)} as {said}")
        return spent / lines.size

    return Peer(name, turn, note)


def passed(said: str) -> Counter[str]:
    """Return the number of valid documents of each type, from the command's final report."""
    passed: Counter[str] = Counter()
    for name, valid in re.findall(r"^(?:choria|cloudevents) +(\w+) +([\d,]+) +[\d,]+ +[\d,]+$", said, re.MULTILINE):
        passed[name] += int(valid.replace(",", ""))
    return passed


def _go_peer(reference: golang.Reference, lines: Archive) -> Peer:
    expected = lines.passing(_GO, takes_old=False)

    def turn(passes: int) -> float:
        answer = reference.ask(work="validate", corpus=str(lines.path), passes=passes)
        found = Counter(answer["accepted"])
        demand(found == expected, reference.name, f"passed {dict(found)} of {dict(expected)}")
        demand(answer["lines"] == lines.size, reference.name, f"read {answer['lines']} of {lines.size} lines")
        return float(answer["nanos"])

    notes = ["refuses the old spelling"] * any(sort.is_old for sort in lines.sorts)
    notes += ["detects only wrong types and truncation"] * any(sort.bad for sort in lines.sorts)
    return Peer(reference.name, turn, "; ".join(notes) or "requires no field")


def ours(*, old: bool = True) -> Iterator[Reader]:
    from choria_lifecycle.validation.policy import DocumentCounts, Policy, validate_batch
    from choria_lifecycle.validation.source import DocumentSource

    def reading(*, warnings: bool) -> Read:
        policy = Policy(now=time.time(), warnings=warnings)

        def read(path: Path) -> Mapping[str, int]:
            counts = DocumentCounts()
            with path.open("rb") as file:
                for batch in DocumentSource(file):
                    counts.add(validate_batch(batch, policy).counts)
            passed: Counter[str] = Counter()
            for (_, name), (valid, *_) in counts.kinds.items():
                passed[name] += valid
            return +passed

        return read

    yield Reader(OURS, reading(warnings=False), note="like the command in one process")
    yield Reader(WARNING, reading(warnings=True), note="an old spelling is a finding" if old else "")


def _others() -> Iterator[Reader]:
    # Imported one by one, so that a missing package only affects its own section.
    import fastjsonschema
    import jsonschema
    import jsonschema_rs
    import orjson
    import pydantic

    from . import models

    yield Reader("orjson.loads alone", parsing(orjson.loads), SYNTAX, "checks nothing, detects only truncation")
    yield Reader(
        JSONSCHEMA_RS,
        asking(orjson.loads, lambda schema: jsonschema_rs.validator_for(schema).is_valid),
        note="the same schemas, is_valid",
    )
    yield Reader(
        "orjson + fastjsonschema",
        raising(
            orjson.loads,
            lambda schema: fastjsonschema.compile(deepcopy(schema)),
            fastjsonschema.JsonSchemaValueException,
        ),
        note="the same schemas",
    )
    yield Reader("pydantic", modelling(models, pydantic.ValidationError), note="TypeAdapter, models")
    yield Reader(
        "orjson + jsonschema",
        asking(orjson.loads, lambda schema: jsonschema.validators.validator_for(schema)(schema).is_valid),
        note="the same schemas, is_valid",
        share=0.05,
    )


def _schemas() -> tuple[Fields, dict[str, Fields]]:
    """Return the schema of an envelope, and the schemas of the events by type name."""
    import choria_schemas

    return json.loads(_SCHEMA.read_text("utf-8")), {name: choria_schemas.schema(PROTOCOL + name) for name in TYPES}


def _by_protocol(compiler: Callable[[Fields], Any]) -> tuple[Any, dict[str, tuple[str, Any]]]:
    """Return the validator of envelopes and, by protocol in either spelling, the type and validator of events."""
    envelope, schemas = _schemas()
    contracts: dict[str, tuple[str, Any]] = {}
    for name, schema in schemas.items():
        contract = name, compiler(schema)
        contracts |= {PROTOCOL + name: contract, f"choria:lifecycle:{name}:1": contract}
    return compiler(envelope), contracts


def parsing(loads: Callable[[bytes], Any]) -> Read:
    names = {PROTOCOL + name: name for name in TYPES} | {f"choria:lifecycle:{name}:1": name for name in TYPES}

    def read(path: Path) -> Mapping[str, int]:
        passed = dict.fromkeys(TYPES, 0)
        with path.open("rb") as lines:
            for line in lines:
                try:
                    document = loads(line)
                except ValueError:
                    continue
                passed[names[document.get("protocol") or document["data"]["protocol"]]] += 1
        return passed

    return read


def asking(loads: Callable[[bytes], Any], compiler: Callable[[Fields], Callable[[Any], bool]]) -> Read:
    """Read with libraries that answer fastest by returning a boolean."""
    is_envelope, contracts = _by_protocol(compiler)

    def read(path: Path) -> Mapping[str, int]:
        passed = dict.fromkeys(TYPES, 0)
        with path.open("rb") as lines:
            for line in lines:
                try:
                    document = loads(line)
                    protocol = document.get("protocol")
                    if protocol is None:
                        if not is_envelope(document):
                            continue
                        # An event that contradicts this violates its schema, which fixes the protocol.
                        protocol, document = document["type"], document["data"]
                    name, is_valid = contracts[protocol]
                except (ValueError, LookupError):
                    continue
                if is_valid(document):
                    passed[name] += 1
        return passed

    return read


def raising(loads: Callable[[bytes], Any], compiler: Callable[[Fields], Any], error: type[Exception]) -> Read:
    """Read with libraries that raise an exception for invalid documents."""
    check_envelope, contracts = _by_protocol(compiler)

    def read(path: Path) -> Mapping[str, int]:
        passed = dict.fromkeys(TYPES, 0)
        with path.open("rb") as lines:
            for line in lines:
                try:
                    document = loads(line)
                    protocol = document.get("protocol")
                    if protocol is None:
                        check_envelope(document)
                        protocol, document = document["type"], document["data"]
                    name, check = contracts[protocol]
                    check(document)
                except (ValueError, LookupError, error):
                    continue
                passed[name] += 1
        return passed

    return read


def modelling(models: Any, error: type[Exception]) -> Read:
    native, wrapped = models.native, models.cloudevent

    def read(path: Path) -> Mapping[str, int]:
        classes = dict.fromkeys(models.CLASSES.values(), 0)
        with path.open("rb") as lines:
            for line in lines:
                try:
                    if line.startswith(b'{"specversion"'):
                        envelope = wrapped(line)
                        event = envelope.data
                        if envelope.type != event.protocol:
                            continue
                    else:
                        event = native(line)
                except error:
                    continue
                classes[type(event)] += 1
        return {cls.__name__.lower(): number for cls, number in classes.items()}

    return read
