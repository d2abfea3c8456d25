"""Bounds on what a tally keeps, whatever is published."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from choria_lifecycle.errors import ConfigError

__all__ = ["LIMITS", "Limits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits beyond which names count as `other`; each hit is counted in `Recorder.limits_hit`.

    Attributes:
        components: components with their own series, kept until the tally ends.
        versions: versions with nodes, per component.
        governors: governors, across all components, kept until the tally ends.
        transitions: machine transitions: machine, version, transition and both states; kept until the tally ends.
        watchers: exec watchers: machine, version and watcher; kept until the tally ends.
        nodes: nodes, across all components; those beyond it are not kept, and are missing from every gauge.
        label_bytes: bytes of a label's value in UTF-8; longer values are truncated.

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
                raise ConfigError(f"the limit {name}={value} is too low; the minimum is 1")


LIMITS: Final = tuple(field.name for field in fields(Limits))
"""The names of the limits."""
