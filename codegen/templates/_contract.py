"""The entries of the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

__all__ = ["Contract", "Violation"]


class Violation(Protocol):
    """A violation of a schema; at run time, fastjsonschema's exception, whose import would cost every program.

    Attributes:
        message: the violation in English.
        name: the place in the document, such as "data.version".
        value: the value at the place.
        definition: the schema of the place.
        rule: the violated keyword, such as "minimum".
        rule_definition: the value of the keyword.
    """

    message: str
    name: str
    value: Any
    definition: Any
    rule: str
    rule_definition: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The contract of one event type."""

    protocol: str
    """The current spelling of the protocol."""
    protocols: tuple[str, ...]
    """Every spelling of the protocol, the current one first."""
    schema_id: str
    """The id of the schema."""
    path: str
    """The path of the schema, such as "choria/lifecycle/v1/startup.json"."""
    source: str
    """The upstream commit of the schema, or "local" if upstream does not publish one."""
    fields: tuple[str, ...]
    """The fields in the order in which Choria sends them."""
    bounds: tuple[tuple[str, str, int | float], ...] | None
    """The bounds that the types of `cls` do not enforce, as (field, keyword, bound); None if only `violations` can."""
    corrections: tuple[tuple[str, str, str], ...]
    """The differences from upstream's schema, as (JSON pointer, reason, upstream's value as JSON, null if none)."""
    class_name: str
    """The name of `cls`."""

    @property
    def family(self) -> str:
        """The first part of the path after "choria", such as "lifecycle"."""
        return self.path.split("/")[1]

    @property
    def type_name(self) -> str:
        """The last part of the protocol, such as "startup"."""
        return self.protocol.rpartition(".")[2]

    @property
    def unversioned(self) -> str:
        """The protocol without its version, such as "io.choria.machine.transition"."""
        start, _, name = self.protocol.rpartition(".")
        return f"{start.rpartition('.')[0]}.{name}"

    @property
    def cls(self) -> type[Any]:
        """The dataclass."""
        cls: type[Any] = getattr(import_module(_module(self.path)), self.class_name)
        return cls

    def schema(self) -> dict[str, Any]:
        """Return a fresh copy of the corrected schema."""
        schema: dict[str, Any] = import_module(_module(self.path, "_schema.")).schema()
        return schema

    def violations(self, document: object) -> tuple[Violation, ...]:
        """Return every violation of the schema by a decoded JSON document; empty if it is valid.

        Validation stops after a few hundred violations.

        Args:
            document: a value as returned by json.loads: dict, list, str, int, float, bool or None.

        Returns:
            The violations, each with `name`, `rule`, `rule_definition` and `value`.
        """
        validate, errors = _validator(self.path)
        try:
            validate(document)
        except errors as found:
            violations: tuple[Violation, ...] = tuple(found.errors)
            return violations
        return ()


@cache
def _validator(path: str) -> tuple[Callable[[object], object], Any]:
    compiled = import_module(_module(path, "_validate."))
    return compiled.validate, compiled.JsonSchemaValuesException


def _module(path: str, tree: str = "") -> str:
    return f"choria_schemas.{tree}{path.removeprefix('choria/').removesuffix('.json').replace('/', '.')}"
