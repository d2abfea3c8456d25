# Generated from codegen/templates/__init__.py.
# Do not edit: change the source and run `python -m codegen generate`.
"""Choria's JSON Schemas as Python: one module for each schema, at the path of the schema.

Types are plain frozen dataclasses. Importing one imports nothing outside the standard library:

    from choria_schemas.lifecycle.v1 import Startup

`choria_schemas.registry` maps a protocol to its class, validator and schema.
"""

from typing import Any

__all__ = ["schema"]


def __dir__() -> list[str]:
    return __all__


def schema(protocol: str) -> dict[str, Any]:
    """Return the JSON Schema in force for a protocol: upstream's with the corrections applied, or a local one.

    Args:
        protocol: any spelling of the protocol, such as "io.choria.lifecycle.v1.startup".

    Returns:
        A fresh copy.

    Raises:
        KeyError: the protocol has no contract.
    """
    from choria_schemas.registry import CONTRACTS

    contract = CONTRACTS.get(protocol)
    if contract is None:
        known = ", ".join(sorted({contract.protocol for contract in CONTRACTS.values()}))
        raise KeyError(f"no contract for the protocol {protocol!r}; known protocols are {known}")
    return contract.schema()
