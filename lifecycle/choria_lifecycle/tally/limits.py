"""How much a tally keeps, whoever publishes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from choria_lifecycle.errors import ConfigError

__all__ = ["LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What beyond these is counted as `other`, or not kept, and counted in `Recorder.limits_hit`.

    Attributes:
        components: components that have series of their own; they are never given up.
        versions: versions of one component that have nodes now.
        governors: governors, each within its component; they are never given up.
        transitions: transitions of machines: machine, version, transition and both states; never given up.
        watchers: exec watchers: machine, version and watcher; never given up.
        nodes: nodes of all components together. One more is not kept, and so is in no gauge.
        label_bytes: bytes in UTF-8 of a label's value. What is longer is cut.

    Raises:
        ConfigError: a limit is below 1.
    """

    components: int = 64
    versions: int = 256
    governors: int = 256
    transitions: int = 1000
    watchers: int = 1000
    nodes: int = 2_000_000
    label_bytes: int = 128

    def __post_init__(self) -> None:
        for name in LIMITS:
            value: int = getattr(self, name)
            if value < 1:
                raise ConfigError(f"the limit of {name} is {value}; give at least 1")


LIMITS: Final = tuple(field.name for field in fields(Limits))
"""The names of the limits."""
