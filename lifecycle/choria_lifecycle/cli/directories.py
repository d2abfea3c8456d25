"""Directories among the files of a command: the files in them, by suffix."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NO_FILES", "expand_directories", "has_known_suffix"]

_SUFFIXES: Final = (".json", ".jsonl", ".ndjson")
_COMPRESSED: Final = (".gz", ".zst", ".xz", ".bz2")
NO_FILES: Final = (
    f"it is a directory without files whose names end in {', '.join(_SUFFIXES)}, or in one of these and "
    f"{', '.join(_COMPRESSED)}"
)
"""The reason why a directory that `expand_directories` leaves cannot be read."""


def expand_directories(names: Iterable[str]) -> list[str]:
    """Return the names with the files in place of each directory, sorted; subdirectories and hidden files are skipped.

    A directory without such files, or one that cannot be read, is left for the reader to report.
    """
    return [file for name in names for file in _files(name) or [name]]


def _files(name: str) -> list[str]:
    with suppress(OSError):
        if Path(name).is_dir():
            return sorted(str(path) for path in Path(name).iterdir() if has_known_suffix(path) and not path.is_dir())
    return []


def has_known_suffix(path: Path) -> bool:
    """Return True if a file with this name is read as part of its directory."""
    name = path.name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return name.endswith(_SUFFIXES) and not name.startswith(".")
