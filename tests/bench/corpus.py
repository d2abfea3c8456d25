"""The events that every peer reads and makes: a small fleet in all six types, serialised as by Choria's servers.

The corpus depends only on the seed, so that two runs measure the same work.
"""

import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TYPES = ("alive", "governor", "provisioned", "shutdown", "startup", "upgraded")
PROTOCOL = "io.choria.lifecycle.v1."
SOURCE = "io.choria.lifecycle"

# Shares in the mixed corpus, as on a network that still has old servers.
CLOUDEVENTS_SHARE = 0.3
OLD_SPELLING_SHARE = 0.1

_EXAMPLES = Path(__file__).parent.parent / "examples" / "positive"
_EPOCH = 1_795_336_436
_VERSIONS = ("0.28.0", "0.29.4", "0.30.0", "0.30.1", "0.30.2")
_COMPONENTS = ("server", "server", "server", "provision_mode_server", "service_host")

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document, and the result that a reader must return.

    Attributes:
        data: the message's bytes.
        fields: the event in it, with the protocol as spelled in the data.
        envelope: the CloudEvents attributes around the event, without its data; None for a native event.
    """

    data: bytes
    fields: Fields
    envelope: Fields | None = None


def fleet(size: int, seed: int = 1) -> list[Fields]:
    """Return the fields of `size` distinct events, the six types in turn, keys in Go's order."""
    rng = random.Random(seed)
    return [_fields(TYPES[number % len(TYPES)], number, rng) for number in range(size)]


def native(size: int) -> list[Document]:
    """Return events as sent by the governor and by servers with the old format setting."""
    return [Document(data=dumps(fields), fields=fields) for fields in fleet(size)]


def cloudevents(size: int) -> list[Document]:
    """Return events as sent by Choria's servers."""
    return [_wrapped(fields) for fields in fleet(size)]


def mixed(size: int) -> list[Document]:
    """Return events in both formats and both spellings of the protocol, in random order."""
    rng = random.Random(2)
    kinds = ["cloudevents"] * round(size * CLOUDEVENTS_SHARE) + ["old"] * round(size * OLD_SPELLING_SHARE)
    kinds += ["native"] * (size - len(kinds))
    rng.shuffle(kinds)
    return list(_mixed(kinds))


def old(size: int) -> list[Document]:
    """Return native events in the old spelling of the protocol."""
    return list(_mixed(["old"] * size))


def machine(name: str, size: int) -> list[Document]:
    """Return distinct machine events as Choria's servers send them, in envelopes.

    Args:
        name: the name of an example, such as `exec-state`.
        size: the number of events.
    """
    rng = random.Random(3)
    example = loads((_EXAMPLES / f"{name}.json").read_bytes())
    return [
        _wrapped(example | {"identity": f"web{number:05}.example.net", "timestamp": _EPOCH + rng.randrange(86_400)})
        for number in range(size)
    ]


def _mixed(kinds: list[str]) -> Iterator[Document]:
    for kind, fields in zip(kinds, fleet(len(kinds)), strict=True):
        if kind == "cloudevents":
            yield _wrapped(fields)
        elif kind == "old":
            old = fields | {"protocol": f"choria:lifecycle:{event_type(fields)}:1"}
            yield Document(data=dumps(old), fields=old)
        else:
            yield Document(data=dumps(fields), fields=fields)


def event_type(fields: Fields) -> str:
    """Return the type's name from a protocol in either spelling."""
    protocol: str = fields["protocol"]
    return protocol.split(":")[2] if ":" in protocol else protocol.rpartition(".")[2]


def dumps(fields: Fields) -> bytes:
    """Return compact JSON with raw UTF-8, as Go's encoder writes values without <, > and &."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def loads(data: bytes | str) -> Fields:
    """Parse a peer's output with a third implementation."""
    fields: Fields = json.loads(data)
    return fields


def envelope(fields: Fields) -> Fields:
    """Return the CloudEvents attributes that Go puts around an event."""
    return {
        "specversion": "1.0",
        "id": fields["id"],
        "source": SOURCE if fields["protocol"].startswith(PROTOCOL) else "io.choria.machine",
        "type": fields["protocol"],
        "subject": fields["identity"],
        "datacontenttype": "application/json",
        "time": datetime.fromtimestamp(fields["timestamp"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _wrapped(fields: Fields) -> Document:
    attributes = envelope(fields)
    return Document(data=dumps(attributes | {"data": fields}), fields=fields, envelope=attributes)


def _fields(name: str, number: int, rng: random.Random) -> Fields:
    fields: Fields = {
        "protocol": PROTOCOL + name,
        "id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "identity": f"web{number:05}.dc{rng.randrange(1, 9)}.example.net",
        "component": rng.choice(_COMPONENTS),
        "timestamp": _EPOCH + rng.randrange(86_400),
    }
    match name:
        case "startup" | "alive":
            fields["version"] = rng.choice(_VERSIONS)
        case "upgraded":
            fields |= {"version": rng.choice(_VERSIONS[:-1]), "new_version": _VERSIONS[-1]}
        case "governor":
            fields["governor"] = rng.choice(("PUPPET", "PATCHING", "REBOOT"))
            fields["sequence"] = rng.randrange(1, 20)
            fields["event_type"] = rng.choice(("enter", "exit", "timeouts", "eviction"))
    return fields
