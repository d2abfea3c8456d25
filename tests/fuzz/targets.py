"""What the library does with untrusted bytes, and the properties that must hold.

A target is a generator function: the code before its `yield` runs the library, and is timed; the code after it checks
the results, and raises if a property does not hold. Every target takes every input, as bytes: an input found with one
target is tried with all of them.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rfc3339_validator import validate_rfc3339

import choria_lifecycle as lifecycle
from choria_lifecycle.events import subjects
from choria_lifecycle.events.options import check_component
from choria_lifecycle.middleware.delivery import Delivery
from choria_lifecycle.middleware.selection import EventFilter
from choria_lifecycle.support.text import quoted, safe
from choria_lifecycle.validation.bulk import check_one
from choria_lifecycle.validation.policy import Policy, validate_batch
from choria_lifecycle.validation.records import read_record
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.view import recording
from choria_lifecycle.view.viewer import Style, View, ViewFormat
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.cloudevents import unix_time
from choria_lifecycle.wire.jsontext import MAX_SIZE
from choria_lifecycle.wire.locations import AUTO, Location, events_at
from choria_lifecycle.wire.warnings import warnings_for
from tests.bed import oracle
from tests.bed.samples import LIFECYCLE, OPTIONS
from tests.fuzz import inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hypothesis.strategies import SearchStrategy

__all__ = ["TARGETS", "Target", "agreed_verdict"]

HANGS = 5
"""Seconds of processor time after which the library is considered hanging; the worst 64 kB take less than one."""

FINDINGS = 250
"""The maximum number of findings per document: 100 errors, 100 warnings, and those about the envelope."""

LONGEST = 8192
"""The maximum length of a finding: a path and a value of some hundred characters, each of them escaped."""

ESCAPE = len("\\U0010ffff")
"""The maximum length of the escape for one character."""


class Hangs(Exception):
    """The library took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A part of the library that reads untrusted input.

    Attributes:
        name: its name on the command line.
        run: a generator function, see the module's docstring.
        inputs: a strategy for suitable inputs.
        max_size: the size in bytes above which input is refused unread; None for no limit.
    """

    name: str
    run: Callable[[bytes], Iterator[None]]
    inputs: SearchStrategy[bytes]
    max_size: int | None = None

    def __call__(self, raw: bytes) -> float:
        """Try an input; return the library's time in seconds, and raise if a property does not hold."""
        took, steps = self._run(raw)
        for _ in steps:
            pass
        return took

    def time(self, raw: bytes) -> float:
        """Return the library's time for an input in seconds, without checking the results."""
        return self._run(raw)[0]

    def _run(self, raw: bytes) -> tuple[float, Iterator[None]]:
        steps = self.run(raw)
        with _no_longer_than(HANGS):
            started = perf_counter()
            next(steps)
            return perf_counter() - started, steps


TARGETS: dict[str, Target] = {}


def target(inputs: SearchStrategy[bytes], max_size: int | None = None) -> Callable[..., Any]:
    """Make a target from a generator function."""

    def register(run: Callable[[bytes], Iterator[None]]) -> Callable[[bytes], Iterator[None]]:
        name = run.__name__.replace("_", "-")
        TARGETS[name] = Target(name=name, run=run, inputs=inputs, max_size=max_size)
        return run

    return register


@contextmanager
def _no_longer_than(seconds: float) -> Iterator[None]:
    # Processor time, so that a busy machine does not matter, and a timer that pytest-timeout does not use.
    def stop(*_: object) -> None:
        raise Hangs(f"it takes more than {seconds} seconds")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@target(inputs.DOCUMENTS, MAX_SIZE)
def parse(raw: bytes) -> Iterator[None]:
    """Reading returns events or raises this library's errors, and all readers agree."""
    for read in (codec.decode, codec.parse):
        with suppress(lifecycle.InvalidEvent, lifecycle.UnknownProtocol):
            read(raw)
    yield
    verdict = agreed_verdict(raw)
    assert verdict == oracle.verdict(raw), f"we say {verdict}, the oracle {oracle.verdict(raw)}"
    with suppress(UnicodeDecodeError):
        assert _outcome(raw.decode()) == _outcome(raw), "the same document is read differently as text"
    if verdict == oracle.VALID:
        _written_again(codec.decode(raw))


def agreed_verdict(data: bytes) -> str:
    """Return the verdict of decode, after checking that validate and parse agree with it."""
    event = None
    try:
        event = codec.decode(data)
        verdict = oracle.VALID
    except lifecycle.InvalidEvent as error:
        verdict = oracle.INVALID
        _is_plain(str(error), error.message, error.path, error.rule, str(error.value))
    except lifecycle.UnknownProtocol as error:
        verdict = oracle.UNKNOWN
        _is_plain(str(error))
    findings = lifecycle.validate(data)
    errors = [finding for finding in findings if finding.severity == "error"]
    if verdict == oracle.UNKNOWN and not errors:
        assert [finding.code for finding in findings] == ["protocol-foreign"], f"decode says {verdict}"
        verdict = oracle.FOREIGN
    assert bool(errors) == (verdict in {oracle.INVALID, oracle.UNKNOWN}), f"decode says {verdict}, validate {findings}"
    try:
        assert lifecycle.parse(data) == event, "parse and decode read different events"
    except lifecycle.InvalidEvent as error:
        assert (error.path, error.rule) == (errors[0].path, errors[0].rule), f"parse says {error}, validate {errors[0]}"
    except lifecycle.UnknownProtocol:
        assert event is None or not isinstance(event, lifecycle.Event), "parse does not know its own event"
    return verdict


def _outcome(data: bytes | str) -> object:
    try:
        return codec.parse(data)
    except lifecycle.LifecycleError as error:
        return type(error), str(error)


def _written_again(event: Any) -> None:
    """Events that were read can be written in both formats, and are equal when read again."""
    for form in lifecycle.Format:
        try:
            written = codec.encode(event, form)
        except lifecycle.InvalidEvent as error:
            assert (form, error.path) == (lifecycle.Format.CLOUDEVENTS, "$.timestamp"), f"it cannot be written: {error}"
            continue
        nameless = form is lifecycle.Format.CLOUDEVENTS and isinstance(event, lifecycle.Event) and not event.id
        if not nameless and len(written) <= MAX_SIZE:  # an envelope needs an id; publish refuses such an event
            assert codec.decode(written) == event, "an event changes when written and read again"


@target(inputs.DOCUMENTS, MAX_SIZE)
def validate(raw: bytes) -> Iterator[None]:
    """Findings are few and short, and contain nothing that a terminal interprets."""
    findings = lifecycle.validate(raw, subject=_text(raw[:4096]))
    quick = [dict(lifecycle.validate_many([raw], warnings=warnings, now=_NOW)) for warnings in (True, False)]
    messages = {text: check_one(raw, warnings=True, now=_NOW, subject=text)[1] for text in _SUBJECTS}
    yield
    for found, warnings in zip(quick, (True, False), strict=True):
        inspection = check_document(raw)
        wanted = inspection.findings + (warnings_for(raw, inspection, None, _NOW) if warnings else [])
        assert found == ({0: wanted} if wanted else {}), "the quick reader and the thorough check disagree"
    for text, told in messages.items():
        inspection = check_document(raw, subject=text)
        wanted = inspection.findings + warnings_for(raw, inspection, text, _NOW)
        assert told == wanted, f"they disagree about a message on {text}"
    assert len(findings) <= FINDINGS, f"there are {len(findings)} findings"
    for finding in findings:
        texts = [str(finding), *(str(getattr(finding, field.name)) for field in dataclasses.fields(finding))]
        _is_plain(*texts)
        assert all(len(text) <= LONGEST for text in texts), f"a finding has {max(map(len, texts))} characters"
    if len(raw) > MAX_SIZE:
        assert [finding.rule for finding in findings] == ["size"], "it is not refused only for its size"


@target(inputs.TEXTS)
def safe_text(raw: bytes) -> Iterator[None]:
    """Foreign text and values are displayed on one line, within the given length."""
    text, value = _text(raw), _value(raw)
    whole, cut = safe(text), safe(text, 40)
    values = [quoted(text, 40), quoted(value, 40), quoted([text, {text: value}], 40)]
    described = [lifecycle.describe(event) for event in _events_of(text)]
    yield
    _is_plain(whole, cut, *values, *described)
    assert len(whole) <= ESCAPE * len(text), "the text is too long"
    assert all(len(shown) <= ESCAPE * 40 + 3 for shown in (cut, *values)), "the truncated text is too long"
    assert not text.isprintable() or whole == text, "plain text was changed"


def _recorded(raw: bytes) -> Iterator[Delivery]:
    with suppress(OSError):  # it looks like a file in a foreign format
        for _, delivery in recording.read_deliveries(io.BytesIO(raw)):
            yield delivery


@target(inputs.DOCUMENTS)
def view(raw: bytes) -> Iterator[None]:
    """A viewer shows one plain line per document, from the network or from files, whatever the document holds."""
    deliveries = [
        ("", _delivered(raw)),
        *(("a:1", delivery) for delivery in _recorded(raw)),
    ]
    views = [View(EventFilter(), Style(output=output, own_time=True, utc=True, terminal=True)) for output in ViewFormat]
    lines = [view.render(delivery, place) for view in views for place, delivery in deliveries]
    yield
    texts = [line.text for line in lines if line]
    assert len(texts) == len(lines), "a line is missing"
    _is_plain(*texts)
    assert all(len(text) <= 2 * ESCAPE * len(raw) + 4096 for text in texts), "a line is too long"


@target(inputs.DOCUMENTS)
def files(raw: bytes) -> Iterator[None]:
    """A file with any content is split and judged alike, whatever the chunk sizes, with and without warnings."""
    said, rejected, valid, why = survey = _surveyed(io.BytesIO(raw))
    yield
    _is_plain(why, *(str(finding) for _, findings in said for finding in findings))
    for documents, wanted in ((rejected, {oracle.INVALID, oracle.UNKNOWN}), (valid, {oracle.VALID})):
        for document in documents:
            record = read_record(document)
            event = document[:-1] if record is None else bytes(record.event)
            assert oracle.verdict(event) in wanted, f"{document!a} has another verdict"
    assert _surveyed(io.BytesIO(raw), warnings=False)[1:] == survey[1:], "warnings change the verdicts"
    if len(raw) < _SHORT:
        in_pieces = _surveyed(_Pieces(raw))
        assert in_pieces[1:] == survey[1:], "it depends on how much is read at once"
        assert _sorted(in_pieces[0]) == _sorted(said), "it depends on how much is read at once"


@target(inputs.DOCUMENTS)
def locations(raw: bytes) -> Iterator[None]:
    """Events are taken out of any document, and the path of each reads it again."""
    taken = events_at(raw, AUTO)
    text = _text(raw[:4096])
    with suppress(ValueError):
        assert Location.parse(str(Location.parse(text))) == Location.parse(text)
    yield
    for event in taken:
        _is_plain(event.path, str(event.finding))
        if len(event.path) <= 200 and (event.finding is None or event.finding.code == "input-size"):
            assert events_at(raw, Location.parse(event.path)) == [event]


_SHORT = 3000
_NOW = 1_795_336_436.0
_SUBJECTS = ("choria.lifecycle.event.startup.server", "choria.machine.transition")


class _Pieces(io.BytesIO):
    """A stream that returns little data per read."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(7)


def _surveyed(stream: io.BytesIO, *, warnings: bool = True) -> tuple[list[Any], list[bytes], list[bytes], str]:
    """Return the findings, the rejected and the accepted documents, and the reason if reading ended early."""
    said: list[Any] = []
    rejected: list[bytes] = []
    valid: list[bytes] = []
    policy = Policy(now=_NOW, warnings=warnings)
    try:
        for batch in DocumentSource(stream):
            part = validate_batch(batch, policy)
            said += part.findings
            rejected += part.rejected
            valid += part.valid
    except OSError as error:
        return said, rejected, valid, str(error)
    return said, rejected, valid, ""


def _sorted(said: list[Any]) -> list[tuple[int, str]]:
    return sorted((number, str(finding)) for number, findings in said for finding in findings)


@target(inputs.TEXTS)
def subject(raw: bytes) -> Iterator[None]:
    """Options become an event that others can read and a subject of valid tokens, or raise a single OptionError."""
    text, value = _text(raw), _value(raw)
    made, refused, found = [], [check_component(text) or ""], []
    for kind, valid in OPTIONS.items():
        attempts = [{name: option} for name in (*valid, "sequence") for option in (text, value)]
        attempts += [{text: value}] if text != "type" else []  # the name of a parameter, which Python itself refuses
        for options in (*attempts, *(valid | attempt for attempt in attempts)):
            try:
                made.append(lifecycle.new(kind, **options))  # type: ignore[arg-type]
            except lifecycle.OptionError as error:
                refused.append(str(error))
    for event in (*made, *_events_of(text)):
        try:
            found.append(subjects.subject(event))
        except lifecycle.OptionError as error:
            refused.append(str(error))
    with suppress(lifecycle.OptionError):
        lifecycle.new(text)  # type: ignore[arg-type]
    yield
    _is_plain(*refused)
    assert len(found) >= len(made), "an event has no subject"
    for name in found:
        *prefix, token = name.split(".")
        assert prefix == ["choria", "lifecycle", "event", prefix[-1]], name
        assert token.isascii(), f"{token!a} is not ASCII"
        assert token.isprintable(), f"{token!a} is not a subject token"
        assert not set(token) & set(" *>"), f"{token!a} is not a subject token"
        assert 0 < len(token) <= 128, f"a token has {len(token)} characters"
    for event in made:
        written = codec.encode(event)
        assert len(written) > MAX_SIZE or codec.decode(written) == event, "an event changes when written and read"


@target(inputs.TEXTS)
def envelope(raw: bytes) -> Iterator[None]:
    """Any input has a format, and the library accepts the same times as an independent implementation."""
    text = _text(raw)
    form = lifecycle.detect_format(raw)
    timely = unix_time(text) is not None
    yield
    assert form is None or form in lifecycle.Format, f"{form!a} is not a format"
    # That implementation's expression ends in $, which accepts a final newline, and knows only upper case.
    others = validate_rfc3339(text.replace("t", "T").replace("z", "Z")) and not text.endswith("\n")
    assert timely == others, f"unix_time says {timely}, rfc3339-validator {others}"
    if oracle.verdict(raw) == oracle.VALID:
        wrapped = not str(json.loads(raw, parse_int=float).get("protocol")).startswith(("io.choria.", "choria:"))
        assert wrapped == (form is lifecycle.Format.CLOUDEVENTS), f"the format of a valid document is {form}"


def _text(raw: bytes) -> str:
    """Decode bytes as text; bytes that are not UTF-8 become lone surrogates, which Python strings may hold too."""
    return raw.decode(errors="surrogateescape")


def _value(raw: bytes) -> object:
    """Return the JSON value of the bytes, or the bytes themselves if they are not JSON."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw


def _delivered(raw: bytes) -> Delivery:
    name = raw.decode(errors="replace")
    try:
        return Delivery(name, raw, 0.0, codec.decode(raw), None)
    except lifecycle.LifecycleError as error:
        return Delivery(name, raw, math.nan, None, error)


def _events_of(text: str) -> list[Any]:
    """Return events that no document could contain: constructors check nothing."""

    return [each.cls(**dict.fromkeys(each.schema()["properties"], text)) for each in LIFECYCLE.values()]


def _is_plain(*texts: str) -> None:
    for text in texts:
        assert text.isprintable(), f"{text!a} is not a plain line"
