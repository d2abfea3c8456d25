"""Where an event lies within another document: as an object, as JSON text, as base64 of it, or as its byte values.

Log shippers, queues and databases put an event below a member of their own record. A location is the path to it, such
as `$.message` or `$.streams[*].values[*][1]`. A path continues through text, base64 and byte values as if their content
stood in their place.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import msgspec

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.support.text import quoted, safe, visible_json
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.jsontext import MAX_DEPTH, MAX_SIZE, is_shallow, read_json, too_large_message

if TYPE_CHECKING:
    from choria_lifecycle.wire.finding import Finding

__all__ = [
    "AUTO",
    "MAX_HOLDER",
    "EventAt",
    "FoundEvent",
    "Location",
    "Step",
    "below",
    "events_at",
    "find_event",
    "path_text",
]

MAX_HOLDER: Final = 1024 * 1024
"""The maximum size in bytes of a document that holds events; one event has at most 64 kB, and an escape is up to six
times as long."""

Step: TypeAlias = str | int | None
"""A step of a path: the name of a member, the index of an element, or None for every element."""


@dataclass(frozen=True, slots=True)
class Location:
    """The place of the events within each document.

    Attributes:
        steps: the path; None to take the place that `find_event` finds in each document.
    """

    steps: tuple[Step, ...] | None

    @classmethod
    def parse(cls, text: str) -> Location:
        """Return the location that a path describes, such as `$.a.b[0]['c.d']`, or `auto`.

        Raises:
            ValueError: the text is not a path.
        """
        if text == "auto":
            return AUTO
        if not text.startswith("$"):
            hint = f", as in $.{text}" if re.fullmatch(r"[\w@][\w@.-]*", text) else ", as in $.message"
            raise ValueError(f"a path begins with ${hint}")
        steps: list[Step] = []
        at = 1
        while at < len(text):
            found = _match_step(text, at)
            name = _step_name(found) if found is not None else None
            if found is None or (name is None and found["key"]):
                wanted = "expected .name, [0], [*] or ['name']"
                raise ValueError(f"{wanted} after {quoted(text[:at], 200)}, not {quoted(text[at:])}")
            steps.append(name if name is not None else int(found["index"]) if found["index"] else None)
            at = found.end()
        return cls(tuple(steps))

    def __str__(self) -> str:
        return "auto" if self.steps is None else path_text(self.steps)


AUTO: Final = Location(None)
"""The place that each document shows; a document that does not hold an event is taken itself."""

_match_step = re.compile(
    r"""\.(?P<name>[^.\[\]'"\s*$]+)|\[(?:(?P<index>\d{1,9})|\*|(?P<key>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))\]"""
).match
_is_name = re.compile(r"[A-Za-z0-9_@-]+").fullmatch


def _step_name(found: re.Match[str]) -> str | None:
    """Return the name in a step; None if it has none, or its escapes are not those of JSON."""
    key = found["key"]
    if key is None:
        return found["name"]
    if key[0] == "'":
        inner = re.sub(r'\\.|"', lambda each: {"\\'": "'", '"': '\\"'}.get(each[0], each[0]), key[1:-1])
        key = f'"{inner}"'
    try:
        return str(json.loads(key))
    except ValueError:
        return None


def path_text(steps: tuple[Step, ...]) -> str:
    """Return a path that `Location.parse` reads, safe to show."""
    return "$" + "".join(map(_step_text, steps))


def _step_text(step: Step) -> str:
    if step is None:
        return "[*]"
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _is_name(step) else f"[{visible_json(json.dumps(step, ensure_ascii=False))}]"


# ---- search


class FoundEvent(NamedTuple):
    """An event within a document.

    Attributes:
        steps: the path to it, and to others beside it if it lies in an array.
        form: `object`, `text`, `base64` or `byte values`.
    """

    steps: tuple[Step, ...]
    form: str

    def __str__(self) -> str:
        return f"an event is in {path_text(self.steps)}, as {'an object' if self.form == 'object' else self.form}"


_MAX_LEVELS: Final = 8
_MAX_VALUES: Final = 1000
_MAX_SHOWN: Final = 200

_PREFERRED: Final = (
    "event",  # this project's own records; Splunk
    "payload",  # Kafka Connect
    "full_message",  # GELF, whose short_message may be cut
    "message",  # Vector, Filebeat and most others; before json, which they parsed themselves
    "MESSAGE",  # journald
    "log",  # Docker, Fluentd
    "json",
    "short_message",
    "_source",  # Elasticsearch
    "data",  # JetStream, Choria's adapters
    "line",
    "values",  # Loki
)
"""The members that usually hold events, preferred in this order if several do. Any other member is read too."""


def find_event(document: object) -> FoundEvent | None:
    """Find an event within a document; None if there is none, or the document is an event itself.

    Takes the one nearest to the top, at most eight levels down, and looks at a limited number of values.
    """
    level: list[tuple[Any, tuple[Step, ...], str]] = [(document, (), "object")]
    left = _MAX_VALUES
    for _ in range(_MAX_LEVELS):
        found: list[FoundEvent] = []
        below: list[tuple[Any, tuple[Step, ...], str]] = []
        for item, steps, form in level[:left]:
            value = item
            if isinstance(item, str):
                content, form = _open_text(item)  # noqa: PLW2901
                value = _parse(content)
            elif content := _open_bytes(item):
                value, form = _parse(content), "byte values"  # noqa: PLW2901
            if isinstance(value, dict) and _is_event(value):
                if value is document:
                    return None
                found.append(FoundEvent(_generalise(steps), form))
            elif isinstance(value, dict | list):
                members: Any = value.items() if isinstance(value, dict) else enumerate(value)
                below += [(each, (*steps, step), "object") for step, each in islice(members, left - len(below))]
        left -= len(level)
        if found:
            best = min(found, key=_rank)
            return best if len(path_text(best.steps)) <= _MAX_SHOWN else None
        if left <= 0:
            return None
        level = below
    return None


def _is_event(value: dict[str, Any]) -> bool:
    """Return True if an object claims to be an event of Choria, or an envelope of one."""
    protocol = value.get("protocol")
    if isinstance(protocol, str):
        return protocol.lower().startswith(("io.choria.", "choria:lifecycle", "choria:machine"))
    if "data" not in value and "data_base64" not in value:
        return False
    claims = (value.get("type"), value.get("source"))
    return any(isinstance(claim, str) and claim.lower().startswith("io.choria.") for claim in claims)


def _generalise(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return a path to every element of the arrays on it; an index right after another is a column, and stays."""
    return tuple(
        None if isinstance(step, int) and not (at and isinstance(steps[at - 1], int)) else step
        for at, step in enumerate(steps)
    )


def _rank(found: FoundEvent) -> int:
    names = [step for step in found.steps if isinstance(step, str)]
    return _PREFERRED.index(names[-1]) if names and names[-1] in _PREFERRED else len(_PREFERRED)


def _open_text(text: str) -> tuple[bytes, str]:
    """Return the JSON in a text, and its form: `text` or `base64`; empty if it holds none."""
    text = text.strip(_BLANK)
    if text[:1] in ("{", "["):
        return text.encode("utf-8", "surrogatepass"), "text"
    if text[:1] == '"':  # encoded twice; each time, at least the number of backslashes doubles
        try:
            return _open_text(_text(text))
        except msgspec.MsgspecError:
            return b"", "text"
    if text[:1] in _BASE64_START:
        encoded = "".join(text.split()).translate(_STANDARD_ALPHABET).rstrip("=")
        try:
            content = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).strip()
        except ValueError:
            return b"", "text"
        if content[:1] in (b"{", b"["):
            return content, "base64"
    return b"", "text"


def _open_bytes(value: object) -> bytes:
    """Return the JSON in an array of byte values, as journald writes text with control characters; else nothing."""
    if not isinstance(value, list) or value[:1] not in _BYTES_START:
        return b""
    try:
        content = bytes(value).strip()
    except (TypeError, ValueError):
        return b""
    return content if content[:1] in (b"{", b"[") else b""


_BLANK: Final = " \t\r\n"
_BYTES_START: Final = [[byte] for byte in b"{[ \t\r\n"]
_BASE64_START: Final = ("e", "W", "I", "D", "C")  # {, [, and blanks before them
_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


def _parse(content: bytes) -> Any:
    try:
        return read_json(content, MAX_HOLDER) if content else None
    except InvalidEvent:
        return None


# ---- extraction


class EventAt(NamedTuple):
    """An event taken out of a document.

    Attributes:
        path: its place in the document; `$` for the document itself.
        data: its bytes; empty if there is no event.
        finding: why there is no event.
    """

    path: str
    data: bytes
    finding: Finding | None = None


_MAX_FAILURES: Final = 100

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


def events_at(raw: bytes, location: Location) -> list[EventAt]:
    """Return the events in a document, unchanged but for their encoding.

    A document that cannot be read is returned itself, as its own check finds the reason. So is one that holds no event,
    if the location is `AUTO`. An event of more than `MAX_SIZE` bytes has `input-size`, and a place without an event
    `input-location`; of these, at most 100 are listed.

    Args:
        raw: the document.
        location: the place of the events.
    """
    try:
        document = read_json(raw, MAX_HOLDER)
    except InvalidEvent:
        return [_sized("$", raw)]
    steps = location.steps
    if steps is None:
        found = find_event(document)
        steps = found.steps if found is not None else ()
    if not steps:
        content = _opened(raw.strip())
        return [_sized("$", content if content.startswith(b"{") else raw)]
    taken: list[EventAt] = []
    failures = 0
    pending: list[tuple[bytes, tuple[Step, ...]]] = [(raw.strip(), ())]
    while pending:
        value, done = pending.pop()
        path = safe(path_text(done), _MAX_SHOWN)
        try:
            if len(done) == len(steps):
                taken.append(_sized(path, _event_bytes(value)))
                continue
            inner = _descend(value, steps[len(done)])
        except (InvalidEvent, msgspec.MsgspecError) as cause:
            failures += 1
            if failures <= _MAX_FAILURES:
                message = f"no event here: {getattr(cause, 'message', cause)}"
                found_there = getattr(cause, "value", None)
                taken.append(EventAt(path, b"", codes.INPUT_LOCATION.at(path, message, found_there)))
            elif failures == _MAX_FAILURES + 1:
                message = f"more than {_MAX_FAILURES} places hold no event; only the first {_MAX_FAILURES} are listed"
                taken.append(EventAt("$", b"", codes.ERRORS_CUT.at("$", message)))
            continue
        pending += [(each, (*done, step)) for step, each in reversed(inner)]
    return taken


def _sized(path: str, data: bytes) -> EventAt:
    if len(data) <= MAX_SIZE:
        return EventAt(path, data)
    return EventAt(path, b"", codes.INPUT_SIZE.at(path, too_large_message(len(data), MAX_SIZE)))


def _descend(value: bytes, step: Step) -> list[tuple[Step, bytes]]:
    """Return the member, the element or all elements of a value, with their steps."""
    value = _shallow(_opened(value))
    if isinstance(step, str):
        if not value.startswith(b"{"):
            raise _unexpected(f"an object with the member {quoted(step)}", value)
        members = _members(value)
        if step not in members:
            names = ", ".join(quoted(name, 40) for name in islice(members, 5)) or "none"
            raise InvalidEvent(f"the member {quoted(step)} is missing; the first members are {names}")
        return [(step, bytes(members[step]))]
    if not value.startswith(b"["):
        raise _unexpected("an array", value)
    elements = _elements(value)
    if step is None:
        if not elements:
            raise InvalidEvent("the array is empty")
        return [(index, bytes(each)) for index, each in enumerate(elements)]
    if step >= len(elements):
        raise InvalidEvent(f"element {step} is missing; the array has {len(elements)}")
    return [(step, bytes(elements[step]))]


def _event_bytes(value: bytes) -> bytes:
    value = _opened(value)
    if value.startswith(b"{"):
        return value
    raise _unexpected("an object, or JSON text, base64 or byte values of one", value)


def _shallow(value: bytes) -> bytes:
    # A document is, but what its texts hold was not checked.
    if not is_shallow(value):
        raise InvalidEvent(f"arrays and objects are nested deeper than {MAX_DEPTH} levels")
    return value


def _opened(value: bytes) -> bytes:
    """Return the JSON in a text or in byte values; any other value as it is."""
    if value.startswith(b'"'):
        return _open_text(_text(value))[0] or value
    return (value.startswith(b"[") and _open_bytes(read_json(value, MAX_HOLDER))) or value


def _unexpected(wanted: str, value: bytes) -> InvalidEvent:
    found = read_json(value, MAX_HOLDER)
    return InvalidEvent(f"expected {wanted}, not {quoted(found)}", value=found)


def below(path: str, findings: list[Finding]) -> list[Finding]:
    """Return the findings about an event with the paths that they have in the document around it.

    >>> [each.path for each in below("$.log", [codes.INPUT_JSON.at("$.id", "")])]
    ['$.log.id']
    """
    return findings if path == "$" else [_below(path, finding) for finding in findings]


def _below(path: str, finding: Finding) -> Finding:
    before, event_in, after = finding.message.rpartition(_EVENT_IN)
    message = before + event_in[:-1] + path + after if event_in else finding.message
    return replace(finding, path=path + finding.path.removeprefix("$"), message=message)


_EVENT_IN: Final = "an event is in $"
