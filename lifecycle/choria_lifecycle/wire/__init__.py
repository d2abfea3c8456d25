"""Parsing and encoding of events, and validation of one document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choria_schemas.machine.events import MachineEvent as MachineEvent
else:

    def __getattr__(name: str) -> object:
        # For annotations, which may be resolved at run time. A program that reads no machine event needs none of these
        # classes, which take as long to import as the codec.
        if name != "MachineEvent":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from choria_schemas.machine.events import MachineEvent

        return MachineEvent
