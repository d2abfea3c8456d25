"""Compare trees of files, and replace them without leaving a half-written tree behind."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


CRLF = "has Windows line endings (CRLF)"
"""A difference in line endings alone, as from git with core.autocrlf and without .gitattributes."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One file that is not as expected; `kind` is "differs", "missing", "left over" or `CRLF`."""

    path: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path}: {self.kind}"


def compare(root: Path, expected: Mapping[str, bytes]) -> list[Difference]:
    """Return the differences between a folder and its expected content, ignoring `__pycache__`.

    Args:
        root: the folder.
        expected: the bytes of every file that belongs there, by path with forward slashes.
    """
    present = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if _is_compared(path)}
    differences = [Difference(path, "left over") for path in present.keys() - expected.keys()]
    for path, data in expected.items():
        if path not in present:
            differences.append(Difference(path, "missing"))
        elif present[path].is_symlink():
            differences.append(Difference(path, "differs"))
        elif (found := present[path].read_bytes()) != data:
            differences.append(Difference(path, CRLF if unix_lines(found) == data else "differs"))
    return sorted(differences)


def unix_lines(data: bytes) -> bytes:
    """Return a text with LF instead of CRLF."""
    return data.replace(b"\r\n", b"\n")


def replace(root: Path, changes: Mapping[str, bytes | None]) -> None:
    """Write or remove files in the order given; on any failure, restore all of them.

    Args:
        root: the folder that the paths are relative to.
        changes: the new bytes by path; None removes the file, and the folders that it leaves empty.
    """
    before: dict[str, bytes | None] = {}
    try:
        for path, data in changes.items():
            target = root / path
            before[path] = target.read_bytes() if target.is_file() and not target.is_symlink() else None
            _write_or_remove(root, target, data)
    except BaseException:
        for path, data in before.items():
            _write_or_remove(root, root / path, data)
        raise


def _write_or_remove(root: Path, target: Path, data: bytes | None) -> None:
    if data is None:
        target.unlink(missing_ok=True)
        folder = target.parent
        while folder != root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # The rename is atomic: a concurrent reader sees either the old file or the new one.
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _is_compared(path: Path) -> bool:
    return (path.is_symlink() or path.is_file()) and "__pycache__" not in path.parts
