"""The JSON documents of events with optional fields, which `dataclasses.asdict` would fill with null."""

from __future__ import annotations

import dataclasses
from math import isfinite
from typing import Any

__all__ = ["plain", "without_unset"]


def without_unset(event: Any) -> dict[str, Any]:
    """Return the event as a dictionary without optional fields that are None; required fields may be null."""
    return {
        field.name: plain(value)
        for field in dataclasses.fields(event)
        if (value := getattr(event, field.name)) is not None or field.default is dataclasses.MISSING
    }


def plain(value: Any) -> Any:
    """Return a value with a dictionary in place of each object of a generated class.

    Raises:
        ValueError: a number is infinite or not a number, which JSON cannot express.
    """
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is not a JSON number")  # msgspec would write null
    return without_unset(value) if dataclasses.is_dataclass(value) else value
