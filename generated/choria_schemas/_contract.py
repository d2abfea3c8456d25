# Generated from codegen/templates/_contract.py.
# Do not edit: change the source and run `python -m codegen generate`.
"""One entry of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fastjsonschema import JsonSchemaValueException


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What is agreed about one kind of event."""

    protocol: str
    """The protocol as it is written today."""
    protocols: tuple[str, ...]
    """Every spelling of the protocol, today's first."""
    schema_id: str
    """The id of the schema."""
    path: str
    """The path of the schema, such as "choria/lifecycle/v1/startup.json"."""
    source: str
    """The upstream commit the schema was taken at, or "local" where upstream publishes none."""
    bounds: tuple[tuple[str, str, float], ...] | None
    """What the types of `cls` leave open, as (field, keyword, bound); None where only `violations` can tell."""
    corrections: tuple[tuple[str, str], ...]
    """Where the schema differs from upstream's, as JSON pointers, each with the reason."""
    class_name: str
    """The name of `cls`."""

    @property
    def cls(self) -> type[Any]:
        """The dataclass."""
        found: type[Any] = getattr(import_module(_module(self.path)), self.class_name)
        return found

    def schema(self) -> dict[str, Any]:
        """The corrected schema; a copy that is the caller's own."""
        made: dict[str, Any] = import_module(_module(self.path, "_schema.")).schema()
        return made

    def violations(self, document: object) -> tuple[JsonSchemaValueException, ...]:
        """Everything in which a decoded JSON document breaks the schema; nothing if it is valid.

        The search ends early when hundreds were found.

        Args:
            document: What json.loads or its like returned: dict, list, str, int, float, bool or None.

        Returns:
            The findings, each with `name`, `rule`, `rule_definition` and `value`.
        """
        validate, errors = _validator(self.path)
        try:
            validate(document)
        except errors as found:
            violations: tuple[JsonSchemaValueException, ...] = tuple(found.errors)
            return violations
        return ()


@cache
def _validator(path: str) -> tuple[Callable[[object], object], Any]:
    compiled = import_module(_module(path, "_validate."))
    return compiled.validate, compiled.JsonSchemaValuesException


def _module(path: str, tree: str = "") -> str:
    return f"choria_schemas.{tree}{path.removeprefix('choria/').removesuffix('.json').replace('/', '.')}"
