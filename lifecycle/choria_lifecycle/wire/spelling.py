"""Names that are close to known ones: misspelt protocols, fields and values.

Comparing names is slow, so the publisher of a document must control neither their length nor their number.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from choria_schemas.registry import CONTRACTS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MAX_NAME", "claims_choria", "closest_field", "closest_protocol", "closest_value"]

MAX_NAME: Final = 40
"""The maximum length of a name that is compared with the names of fields."""

_MIN_NAME: Final = 5
_MAX_PROTOCOL: Final = 80
_NAMESPACES: Final = ("io.choria.lifecycle", "io.choria.machine", "choria:lifecycle")
_remove_separators = re.compile(r"[^A-Za-z0-9]").sub


def claims_choria(name: str) -> bool:
    """Return True if a protocol, or the type or source of an envelope, is meant as one of Choria's events.

    It begins like one of theirs, in any case, or is close to one.

    >>> claims_choria("IO.Choria.Lifecycle.v9.started"), claims_choria("io.choria.lifecyle.v1.startup")
    (True, True)
    >>> claims_choria("choria:transport:1")
    False
    """
    return not name.strip() or name.lower().startswith(_NAMESPACES) or closest_protocol(name) is not None


def closest_protocol(name: str) -> str | None:
    """Return the protocol that a name probably stands for, in its current spelling, or None.

    >>> closest_protocol("io.choria.lifecycle.v2.Startpu")
    'io.choria.lifecycle.v1.startup'
    """
    return _closest_protocol(name.lower()) if len(name) <= _MAX_PROTOCOL else None


# Only short names are kept.
@lru_cache(maxsize=1024)
def _closest_protocol(lower: str) -> str | None:
    prefix, _, last = lower.rpartition(".")
    if not prefix and ":" not in last:  # a bare type
        prefix = "io.choria.lifecycle.v1"
    if siblings := [known[len(prefix) + 1 :] for known in CONTRACTS if known.rpartition(".")[0] == prefix != ""]:
        near = get_close_matches(last, siblings, n=1)
        return f"{prefix}.{near[0]}" if near else None
    near = get_close_matches(lower, CONTRACTS, n=1, cutoff=0.85)
    return CONTRACTS[near[0]].protocol if near else None


@lru_cache(maxsize=1024)
def closest_field(name: str, known: frozenset[str]) -> str | None:
    """Return the known field that a name of at most `MAX_NAME` characters probably stands for, or None."""
    plain = _normalised(name)
    for field in sorted(known):
        if _normalised(field) == plain:
            return field
    # Short names are close to too many others: pid is not a misspelt id.
    fields = [field for field in sorted(known) if len(field) >= _MIN_NAME]
    near = get_close_matches(plain, fields, n=1, cutoff=0.85) if len(plain) >= _MIN_NAME else []
    return near[0] if near else None


def _normalised(name: str) -> str:
    return _remove_separators("", name).lower()


def closest_value(value: str, allowed: Sequence[str]) -> str | None:
    """Return the allowed value that another one probably stands for, or None.

    >>> closest_value("Evict", ("enter", "exit", "timeouts", "eviction"))
    'eviction'
    """
    return _closest_value(value, tuple(allowed)) if len(value) <= MAX_NAME else None


@lru_cache(maxsize=1024)
def _closest_value(value: str, allowed: tuple[str, ...]) -> str | None:
    near = get_close_matches(value.lower(), [each.lower() for each in allowed], n=1)
    return next((each for each in allowed if each.lower() == near[0]), None) if near else None
