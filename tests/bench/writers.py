"""The Python peers that make events: each loops over orders with its keywords spelled out, as in a caller's code."""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from . import corpus
from .corpus import Fields

OURS = "choria_lifecycle"
ORJSON = "orjson"

_BASE = ("protocol", "id", "identity", "component", "timestamp")

Sent = tuple[str, bytes]


class Order(NamedTuple):
    """The values that a caller has before an event exists."""

    name: str
    protocol: str
    identity: str
    component: str
    extra: Fields

    @classmethod
    def of(cls, fields: Fields) -> "Order":
        extra = {name: value for name, value in fields.items() if name not in _BASE}
        return cls(corpus.event_type(fields), fields["protocol"], fields["identity"], fields["component"], extra)


Groups = Mapping[str, Sequence[Order]]


@dataclass(frozen=True, slots=True)
class Writer:
    """A Python peer: a loop over orders, grouped by type, that returns the last event's subject and bytes.

    Each peer has its own loop with the keywords spelled out, as in a caller's code: calling a function for each event
    would slow the quick peers more than the slow ones.
    """

    name: str
    loop: Callable[[Groups], Sent]
    note: str = ""


def writers(kind: str) -> list[Writer]:
    """Return the peers for one format, native or cloudevents; this library is the first."""
    return list(_native() if kind == "native" else _cloudevents())


def grouped(orders: Sequence[Order]) -> Groups:
    """Group the orders by type, as the loops take them."""
    return {name: [order for order in orders if order.name == name] for name in corpus.TYPES}


def _native() -> Iterator[Writer]:
    import orjson

    from choria_lifecycle import Format

    from . import models

    yield Writer(OURS, _ours(Format.CHORIA), "checks the options, a frozen dataclass")
    yield Writer(ORJSON, _dictionaries(orjson.dumps), "a dictionary, uuid4, time and an f-string")
    yield Writer("pydantic", _pydantic(models.CLASSES), "a model, the rest as with orjson")
    yield Writer("json", _dictionaries(_json), "as with orjson")


def _cloudevents() -> Iterator[Writer]:
    import orjson

    from choria_lifecycle import Format

    from . import models

    yield Writer(OURS, _ours(Format.CLOUDEVENTS), "checks the options, a frozen dataclass")
    yield Writer(ORJSON, _wrapped_dictionaries(_orjson(orjson)), "dictionaries, uuid4, time and an f-string")
    yield Writer("pydantic", _wrapped_pydantic(models), "models, the rest as with orjson")
    yield Writer("json", _wrapped_dictionaries(_json), "as with orjson")
    yield Writer("cloudevents SDK", _cloudevents_sdk(), "a dictionary in its CloudEvent")


def _ours(form: Any) -> Callable[[Groups], Sent]:
    import choria_lifecycle as lifecycle

    encode, subject = lifecycle.encode, lifecycle.subject

    def loop(groups: Groups) -> Sent:
        event: lifecycle.Event
        for make, group in (lifecycle.shutdown, groups["shutdown"]), (lifecycle.provisioned, groups["provisioned"]):
            for _, _, identity, component, _ in group:
                event = make(identity=identity, component=component)
                sent = subject(event), encode(event, form)
        for make_versioned, group in (lifecycle.startup, groups["startup"]), (lifecycle.alive, groups["alive"]):
            for _, _, identity, component, extra in group:
                event = make_versioned(identity=identity, component=component, version=extra["version"])
                sent = subject(event), encode(event, form)
        for _, _, identity, component, extra in groups["upgraded"]:
            event = lifecycle.upgraded(
                identity=identity, component=component, version=extra["version"], new_version=extra["new_version"]
            )
            sent = subject(event), encode(event, form)
        for _, _, identity, component, extra in groups["governor"]:
            event = lifecycle.governor(
                identity=identity,
                component=component,
                governor=extra["governor"],
                sequence=extra["sequence"],
                event_type=extra["event_type"],
            )
            sent = subject(event), encode(event, form)
        return sent

    return loop


def _dictionaries(dumps: Callable[[Fields], bytes]) -> Callable[[Groups], Sent]:
    def loop(groups: Groups) -> Sent:
        for group in groups.values():
            for name, protocol, identity, component, extra in group:
                event = {
                    "protocol": protocol,
                    "id": str(uuid.uuid4()),
                    "identity": identity,
                    "component": component,
                    "timestamp": int(time.time()),
                    **extra,
                }
                sent = f"choria.lifecycle.event.{name}.{component}", dumps(event)
        return sent

    return loop


def _wrapped_dictionaries(dumps: Callable[[Fields], bytes]) -> Callable[[Groups], Sent]:
    def loop(groups: Groups) -> Sent:
        for group in groups.values():
            for name, protocol, identity, component, extra in group:
                identifier, now = str(uuid.uuid4()), int(time.time())
                event = {
                    "specversion": "1.0",
                    "id": identifier,
                    "source": corpus.SOURCE,
                    "type": protocol,
                    "subject": identity,
                    "datacontenttype": "application/json",
                    "time": datetime.fromtimestamp(now, UTC),
                    "data": {
                        "protocol": protocol,
                        "id": identifier,
                        "identity": identity,
                        "component": component,
                        "timestamp": now,
                        **extra,
                    },
                }
                sent = f"choria.lifecycle.event.{name}.{component}", dumps(event)
        return sent

    return loop


def _pydantic(classes: Mapping[str, Any]) -> Callable[[Groups], Sent]:
    def loop(groups: Groups) -> Sent:
        for group in groups.values():
            for name, protocol, identity, component, extra in group:
                event = classes[protocol](
                    protocol=protocol,
                    id=str(uuid.uuid4()),
                    identity=identity,
                    component=component,
                    timestamp=int(time.time()),
                    **extra,
                )
                sent = f"choria.lifecycle.event.{name}.{component}", event.model_dump_json().encode()
        return sent

    return loop


def _wrapped_pydantic(models: Any) -> Callable[[Groups], Sent]:
    def loop(groups: Groups) -> Sent:
        for group in groups.values():
            for name, protocol, identity, component, extra in group:
                identifier, now = str(uuid.uuid4()), int(time.time())
                event = models.Envelope(
                    specversion="1.0",
                    id=identifier,
                    source=corpus.SOURCE,
                    type=protocol,
                    subject=identity,
                    datacontenttype="application/json",
                    time=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                    data=models.CLASSES[protocol](
                        protocol=protocol,
                        id=identifier,
                        identity=identity,
                        component=component,
                        timestamp=now,
                        **extra,
                    ),
                )
                sent = f"choria.lifecycle.event.{name}.{component}", event.model_dump_json().encode()
        return sent

    return loop


def _cloudevents_sdk() -> Callable[[Groups], Sent]:
    from cloudevents.core.formats.json import JSONFormat
    from cloudevents.core.v1.event import CloudEvent

    form = JSONFormat()

    def loop(groups: Groups) -> Sent:
        for group in groups.values():
            for name, protocol, identity, component, extra in group:
                identifier, now = str(uuid.uuid4()), int(time.time())
                event = CloudEvent(
                    {
                        "specversion": "1.0",
                        "id": identifier,
                        "source": corpus.SOURCE,
                        "type": protocol,
                        "subject": identity,
                        "datacontenttype": "application/json",
                        "time": datetime.fromtimestamp(now, UTC),
                    },
                    {
                        "protocol": protocol,
                        "id": identifier,
                        "identity": identity,
                        "component": component,
                        "timestamp": now,
                        **extra,
                    },
                )
                sent = f"choria.lifecycle.event.{name}.{component}", form.write(event)
        return sent

    return loop


def _json(event: Fields) -> bytes:
    return json.dumps(event, default=_timestamp).encode()


def _timestamp(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _orjson(orjson: Any) -> Callable[[Fields], bytes]:
    def dumps(event: Fields) -> bytes:
        encoded: bytes = orjson.dumps(event, option=orjson.OPT_UTC_Z)
        return encoded

    return dumps
