"""Inputs: documents generated from the schemas, and known hostile ones, with mutations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from choria_lifecycle import Format
from choria_lifecycle.wire import codec
from choria_schemas.registry import CONTRACTS
from tests.bed import strategies
from tests.bed.paths import DATA
from tests.bed.samples import ENVELOPE, POSITIVE, STARTUP
from tests.fuzz.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from random import Random

__all__ = ["CORPUS", "DOCUMENTS", "TEXTS", "corpus", "damaged"]

CORPUS = DATA / "fuzz"
"""The folder of inputs that were found, or made, to be difficult."""


def corpus() -> list[Path]:
    """Return the files of the corpus, sorted by name."""
    return sorted(path for path in CORPUS.iterdir() if not path.name.startswith("."))


def _written(raw: bytes) -> list[bytes]:
    """Return a lifecycle event as the library writes it, in both formats."""
    try:
        event = codec.parse(raw)
        return [codec.encode(event, form) for form in Format]
    except Exception:  # noqa: BLE001 - most are not events; the targets check how they are refused
        return []


_PROTOCOLS = sorted({contract.protocol for contract in CONTRACTS.values()})
_SEEDS = [path.read_bytes() for path in (*corpus(), *POSITIVE)] + [family.of(600) for family in FAMILIES.values()]
# Go's layout, for which the library has quick paths.
_WRITTEN = list(dict.fromkeys(raw for known in _SEEDS for raw in _written(known)))
_NAMES = ["protocol", *ENVELOPE, "data_base64", "dataschema", "identity", "timestamp", "version", ""]
_VALUES: list[object] = [None, True, 0, -1.5, 2**63, "", "é\x1b", [], {}, STARTUP, ENVELOPE]
_VALUES += ["io.choria.x", "1.0", *_PROTOCOLS]
_CHARACTERS = "\x00\n \x1b\x7f.*>-:Z1a\u0661\u202e"
# Classic stumbling blocks for parsers, validators and terminals.
_PIECES = [
    *(bytes([byte]) for byte in b'{}[]",:\\/+-.eE09tn \t\r\n\x00\x08\x1b\x7f\x80\xc0\xed\xf0\xff'),
    *(b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"0.0", b"1.0", b"9223372036854775808", b"9" * 401),
    *(b'\\"', b"\\\\", b"\\u0000", b"\\u001b", b"\\u202e", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"\\x"),
    *(
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xc2\x85",
        b"\xc2\x9b",
        b"\xe2\x80\xa8",
        b"\xe2\x80\xae",
    ),
    *(b'"":', b'"protocol":', b'"data":', b'"data_base64":', b'"specversion":"1.0",', b'"timestamp":1,', b'"time":""'),
    *(b"{}", b"[]", b'""', b"{data}", b"%s", b"$.", b"e30=", b"io.choria.", b"choria:lifecycle:startup:1"),
    *(protocol.encode() for protocol in _PROTOCOLS),
]


def damaged(random: Random, made: Sequence[bytes]) -> bytes:
    """Return a known or generated input with mutated fields or bytes."""
    raw = random.choice(random.choice((_SEEDS, _WRITTEN, made)))
    if random.random() < 0.5:
        raw = _rearranged(random, raw)
        if random.random() < 0.5:
            return raw
    for _ in range(random.choice((1, 1, 2, 5))):
        start = random.choice((0, random.randint(0, len(raw)), random.randint(0, len(raw)), len(raw)))
        end = start + random.choice((0, 0, 1, 2, 8, 40, 200))
        match random.randrange(8):
            case 0:
                new = b""
            case 1:
                new = random.choice((random.randbytes(2), random.choice(_CHARACTERS).encode()))
            case 2:
                new = raw[start:end] * random.choice((2, 3, 50))
            case 3:
                other = random.choice(_SEEDS)
                new = other[random.randint(0, len(other)) :]
            case 4:
                new = random.choice(_PIECES) * random.choice((2, 10, 10, 300, 3000))
            case _:
                new = random.choice(_PIECES)
        raw = raw[:start] + new + raw[end:]
    return raw


def _rearranged(random: Random, raw: bytes) -> bytes:
    """Return a document in Go's layout, with one or two of its fields set, changed, removed or moved to the end."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(document, dict):
        return raw
    for _ in range(random.randint(1, 2)):
        name = random.choice((*_NAMES, *document))
        value = document.pop(name, None)
        match random.randrange(5):
            case 0:
                document[name] = value
            case 3 if isinstance(value, str):
                at = random.choice((0, random.randint(0, len(value)), len(value)))
                document[name] = value[:at] + random.choice(_CHARACTERS) + value[at:]
            case 1:
                document[name] = random.choice((*_VALUES, *document.values()))
            case 2:
                document[name] = random.choice(_VALUES)
    return json.dumps(document, ensure_ascii=random.random() < 0.5, separators=(",", ":")).encode(errors="replace")


DOCUMENTS = st.one_of(
    st.sampled_from(_PROTOCOLS).flatmap(strategies.documents),
    st.builds(json.dumps, strategies.ANYTHING).map(str.encode),
    st.binary(max_size=200),
)
"""Inputs for readers of events."""

TEXTS = st.one_of(
    st.text().map(str.encode),
    strategies.TEXTS.map(str.encode),
    strategies.times().map(str.encode),
    st.datetimes().map(lambda time: f"{time:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0").encode()),
    st.binary(max_size=200),
)
"""Inputs for readers of text."""
