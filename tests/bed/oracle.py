"""An independent verdict on documents, which shares no code with the library.

Strict JSON from the standard library, then jsonschema's Draft4Validator on the corrected schema, the formal schema of
CloudEvents 1.0, and the few rules of this project: integers within 64 bits as in Go, signed unless the schema sets a
bound; limits on size and depth; and an envelope that agrees with its data.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import json
import math
from functools import cache
from typing import Any

import jsonschema

import choria_schemas
from choria_schemas.registry import CONTRACTS
from tests.bed.paths import DATA

VALID, INVALID = "valid", "invalid"
# No contract for what claims to be Choria's, and an event of something else.
UNKNOWN, FOREIGN = "unknown", "foreign"

_CLOUDEVENTS = json.loads(DATA.joinpath("cloudevents.json").read_text("utf-8"))
_ENVELOPE = jsonschema.Draft7Validator(_CLOUDEVENTS, format_checker=jsonschema.FormatChecker(["date-time"]))


class Refused(Exception):
    """The document violates the contract."""


def verdict(raw: bytes, max_size: int = 65536) -> str:
    """Return VALID or INVALID; UNKNOWN or FOREIGN if there is no contract for the document's protocol."""
    try:
        return _judge(_load(raw, max_size))
    except Refused:
        return INVALID


def _load(raw: bytes, max_size: int) -> Any:
    if len(raw) > max_size or raw.startswith(b"\xef\xbb\xbf"):
        raise Refused
    try:
        document = json.loads(raw.decode("utf-8"), parse_constant=_refuse, parse_int=_integer)
        whole = json.loads(raw, parse_int=_integer, object_pairs_hook=_keep_duplicates)
        json.dumps(whole, ensure_ascii=False).encode("utf-8")  # a lone surrogate raises here
    except (ValueError, RecursionError):
        raise Refused from None
    if _depth(whole) > 256:
        raise Refused
    return document


def _keep_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep all values of duplicate keys: the shadowed ones count for size and depth too."""
    return {f"{number} {key}": value for number, (key, value) in enumerate(pairs)}


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _integer(digits: str) -> float | int:
    return int(digits) if len(digits) < 1000 else math.copysign(math.inf, -1 if digits[0] == "-" else 1)


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        deepest += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return deepest


def _judge(document: Any) -> str:
    if not isinstance(document, dict):
        raise Refused
    protocol = document.get("protocol")
    if isinstance(protocol, str) and protocol.startswith(("io.choria.", "choria:")):
        return _event(document)
    if "specversion" in document or ("data" in document and "protocol" not in document):
        return _envelope(document)
    if not isinstance(protocol, str):
        raise Refused
    return _event(document)


def _claims(name: object) -> bool:
    """Return True if a name is meant as Choria's: it is blank, begins like theirs, or is close to one."""
    if not isinstance(name, str):
        return False
    lower = name.lower()
    if not name.strip() or lower.startswith(("io.choria.lifecycle", "io.choria.machine", "choria:lifecycle")):
        return True
    if len(name) > 80:
        return False
    prefix, dot, last = lower.rpartition(".")
    if not dot and ":" not in lower:
        prefix = "io.choria.lifecycle.v1"
    siblings = [known for known in CONTRACTS if dot or ":" not in lower if known.rpartition(".")[0] == prefix]
    if siblings:
        return any(_ratio(last, known.rpartition(".")[2]) >= 0.6 for known in siblings)
    return any(_ratio(lower, known) >= 0.85 for known in CONTRACTS)


def _ratio(name: str, known: str) -> float:
    # Swapping the texts changes the ratio.
    return difflib.SequenceMatcher(None, known, name).ratio() if known != name else 1.0


def _envelope(envelope: dict[str, Any]) -> str:
    kind, inner = envelope.get("type"), _data(envelope)
    own = inner.get("protocol") if isinstance(inner, dict) and not _is_envelope(inner) else None
    known = [name for name in (kind, own) if isinstance(name, str) and name in CONTRACTS]
    if isinstance(kind, str) and kind and not known and not any(map(_claims, (kind, own, envelope.get("source")))):
        return FOREIGN
    return _check_envelope(envelope)


def _data(envelope: dict[str, Any]) -> Any:
    """Return the data, or None if they cannot be read."""
    if (encoded := envelope.get("data_base64")) is None:
        return envelope.get("data")
    try:
        return _load(base64.b64decode(encoded, validate=True), len(encoded)) if "data" not in envelope else None
    except (ValueError, TypeError, Refused):
        return None


def _is_envelope(data: dict[str, Any]) -> bool:
    return "specversion" in data and "protocol" not in data


def _check_envelope(envelope: dict[str, Any]) -> str:
    if not _ENVELOPE.is_valid(envelope) or envelope["specversion"] != "1.0":
        raise Refused
    if str(envelope.get("time")).endswith("\n"):  # the checker's expression ends in $, which accepts a final newline
        raise Refused
    data, encoded = envelope.get("data"), envelope.get("data_base64")
    if (data is None) == (encoded is None):
        raise Refused
    if encoded is not None:
        try:
            data = _load(base64.b64decode(encoded, validate=True), len(encoded))
        except (ValueError, binascii.Error):
            raise Refused from None
    if not isinstance(data, dict) or _is_envelope(data):
        raise Refused
    claimed, own = envelope["type"], data.get("protocol")
    contract = CONTRACTS.get(claimed)
    if contract is None and not (isinstance(own, str) and own in CONTRACTS):
        return UNKNOWN
    if contract is None or own not in contract.protocols:
        raise Refused
    if (
        envelope["source"]
        != ".".join(claimed.replace("choria:lifecycle", "io.choria.lifecycle").split(".")[:3]).split(":")[0]
    ):
        raise Refused
    subject, identity = envelope.get("subject"), data.get("identity")
    if subject is not None and isinstance(identity, str) and subject.strip() != identity.strip():
        raise Refused
    return _event(data)


def _event(event: dict[str, Any]) -> str:
    if event["protocol"] not in CONTRACTS:
        return UNKNOWN if _claims(event["protocol"]) else FOREIGN
    schema = choria_schemas.schema(event["protocol"])
    if not _validator(event["protocol"]).is_valid(event):
        raise Refused
    for name, wanted in schema["properties"].items():
        is_integer = "integer" in wanted.get("type", ())
        _numbers(event.get(name), is_integer=is_integer, low=wanted.get("minimum"), high=wanted.get("maximum"))
    return VALID


def _numbers(value: Any, *, is_integer: bool, low: int | None = None, high: int | None = None) -> None:
    least, most = -(2**63) if low is None else low, 2**63 - 1 if high is None else high
    if is_integer and isinstance(value, int) and not least <= value <= most:
        raise Refused
    if isinstance(value, float) and math.isinf(value):
        raise Refused
    if isinstance(value, int) and not isinstance(value, bool) and not is_integer and not -(10**308) < value < 10**308:
        raise Refused
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _numbers(inner, is_integer=False)


@cache
def _validator(protocol: str) -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(choria_schemas.schema(protocol))
