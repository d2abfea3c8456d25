"""Trees of files: compared, and replaced so that a failure leaves them as they were."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One file that is not as it should be: it "differs", is "missing" or is "left over"."""

    path: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path}: {self.kind}"


def compare(root: Path, expected: Mapping[str, bytes]) -> list[Difference]:
    """What is different under a folder. Python's own caches do not count.

    Args:
        root: The folder.
        expected: Every file that belongs there, by its path with slashes.
    """
    present = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if _counts(path)}
    differences = [Difference(path, "left over") for path in present.keys() - expected.keys()]
    for path, data in expected.items():
        if path not in present:
            differences.append(Difference(path, "missing"))
        elif present[path].is_symlink() or present[path].read_bytes() != data:
            differences.append(Difference(path, "differs"))
    return sorted(differences)


def replace(root: Path, wanted: Mapping[str, bytes | None]) -> None:
    """Write files, in the order given, and remove those that are None; on any failure put everything back.

    Args:
        root: The folder below which the paths are.
        wanted: The new content by path; None removes the file, and folders that become empty with it.
    """
    before: dict[str, bytes | None] = {}
    try:
        for path, data in wanted.items():
            target = root / path
            before[path] = target.read_bytes() if target.is_file() and not target.is_symlink() else None
            _put(root, target, data)
    except BaseException:
        for path, data in before.items():
            _put(root, root / path, data)
        raise


def _put(root: Path, target: Path, data: bytes | None) -> None:
    if data is None:
        target.unlink(missing_ok=True)
        folder = target.parent
        while folder != root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: whoever reads meanwhile sees the old file or the new one.
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _counts(path: Path) -> bool:
    return (path.is_symlink() or path.is_file()) and "__pycache__" not in path.parts
