"""A failing input and its file."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Failure"]


class Failure(Exception):
    """An input for which a property does not hold.

    Attributes:
        raw: the input.
        error: the exception raised.
    """

    def __init__(self, raw: bytes, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.raw = raw
        self.error = error

    def write(self, name: str, folder: Path) -> Path:
        """Write the input to the folder of the corpus, where it becomes a test; return its file."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}-{hashlib.sha256(self.raw).hexdigest()[:12]}.{_kind(self.raw)}"
        path.write_bytes(self.raw)
        return path


def _kind(raw: bytes) -> str:
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return "bin"
    return "json"
