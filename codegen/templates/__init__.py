"""What Choria publishes as JSON Schema, as Python: one module for each schema, at the path of the schema.

Types are plain frozen dataclasses; importing one imports nothing outside the standard library:

    from choria_schemas.lifecycle.v1 import Startup

`choria_schemas.registry` finds the class, the validator and the schema of a protocol.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

__all__ = ["schema"]


def schema(protocol: str) -> "dict[str, Any]":
    """The contract in force for a protocol: upstream's JSON Schema with the corrections applied.

    Args:
        protocol: In either spelling, for example "io.choria.lifecycle.v1.startup".

    Returns:
        A copy that is the caller's own.

    Raises:
        KeyError: There is no contract for this protocol.
    """
    from choria_schemas.registry import CONTRACTS

    contract = CONTRACTS.get(protocol)
    if contract is None:
        known = ", ".join(sorted({each.protocol for each in CONTRACTS.values()}))
        raise KeyError(f"no contract for the protocol {protocol!r}; there is one for each of {known}")
    return contract.schema()
