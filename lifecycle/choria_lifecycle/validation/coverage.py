"""The coverage of the contracts by documents: which of them, and what in them, occurred."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.wire.cloudevents import Format, unwrap
from choria_lifecycle.wire.jsontext import read_json
from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from choria_lifecycle.wire.cloudevents import ParsedDocument
    from choria_schemas.registry import Contract

__all__ = ["Coverage", "coverage_record", "measure"]

Coverage: TypeAlias = "Counter[tuple[str, str, str]]"
"""The number of documents by contract, aspect and name; both kinds of names are of the contracts, never of documents.

The aspects are `documents`, `formats`, `spellings`, `optional_fields`, `values` and `other_fields`.
"""

_ATTRIBUTES: Final = ("subject", "time", "datacontenttype", "dataschema", "data", "data_base64")


@dataclass(frozen=True, slots=True, eq=False)
class _Features:
    """What the documents of a contract may or may not have.

    Attributes:
        fields: all fields.
        optional: the fields that may be omitted.
        values: the fields with a list of values, and these.
    """

    fields: frozenset[str]
    optional: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


@cache
def _features(contract: Contract) -> _Features:
    schema = contract.schema()
    properties: dict[str, Any] = schema["properties"]
    return _Features(
        fields=frozenset(properties),
        optional=tuple(name for name in properties if name not in schema["required"]),
        values={
            name: tuple(each["enum"]) for name, each in properties.items() if "enum" in each and name != "protocol"
        },
    )


def measure(documents: Iterable[bytes]) -> Coverage:
    """Return the coverage by documents; those that are unreadable or have no contract add nothing."""
    coverage: Coverage = Counter()
    for raw in documents:
        try:
            document = read_json(raw)
        except (InvalidEvent, RecursionError):
            continue
        if isinstance(document, dict):
            _measure(unwrap(document), coverage)
    return coverage


def _measure(parsed: ParsedDocument, coverage: Coverage) -> None:
    event, contract = parsed.data, CONTRACTS.get(parsed.protocol)
    if contract is None or not isinstance(event, dict):
        return
    features, protocol = _features(contract), contract.protocol
    found = [("documents", ""), ("formats", parsed.format.value), ("spellings", parsed.protocol)]
    found += [("optional_fields", name) for name in features.optional if name in event]
    for name, values in features.values.items():
        if event.get(name) in values:
            found.append(("values", f"{name}={event[name]}"))
    if event.keys() - features.fields:
        found.append(("other_fields", ""))
    if parsed.format is Format.CLOUDEVENTS:
        found += [("attributes", name) for name in _ATTRIBUTES if parsed.document.get(name) is not None]
    coverage.update([(protocol, aspect, name) for aspect, name in found])


def coverage_record(coverage: Coverage) -> dict[str, Any]:
    """Return coverage as JSON: what occurred, with zeros for what did not, and the contracts that did not occur."""
    contracts = {contract.protocol: contract for contract in CONTRACTS.values()}
    seen = [protocol for protocol in contracts if coverage[protocol, "documents", ""]]
    return {
        "share": round(len(seen) / len(contracts), 4),
        "contracts": {protocol: _contract_record(coverage, contracts[protocol]) for protocol in seen},
        "missing": [protocol for protocol in contracts if protocol not in seen],
    }


def _contract_record(coverage: Coverage, contract: Contract) -> dict[str, Any]:
    features = _features(contract)

    def counts(aspect: str, names: Iterable[str]) -> dict[str, int]:
        return {name: coverage[contract.protocol, aspect, name] for name in names}

    return {
        "documents": coverage[contract.protocol, "documents", ""],
        "formats": counts("formats", [each.value for each in Format]),
        "spellings": counts("spellings", contract.protocols),
        "attributes": counts("attributes", _ATTRIBUTES),
        "optional_fields": counts("optional_fields", features.optional),
        "values": counts("values", [f"{name}={value}" for name, values in features.values.items() for value in values]),
        "other_fields": coverage[contract.protocol, "other_fields", ""],
    }
