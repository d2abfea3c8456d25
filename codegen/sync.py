"""Bring schemas/ up to date with upstream, completely or not at all."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen import canonical, comparison, contract, files, lock, names, strict_json, upstream
from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from codegen.changes import Change


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The result of comparing schemas/ with upstream; nothing is written yet.

    Attributes:
        commit: upstream's commit.
        contracts: the contracts after the update, as far as they can be read.
        changes: the changes of the contract.
        unknown: upstream's files that are neither used nor ignored.
        edited: files in schemas/ that differ from what the last sync wrote.
        problems: what must be fixed after the update, such as missing sentences, before `generate` accepts the folder.
        writes: the bytes to write by path below schemas/; None removes the file.
    """

    commit: str
    contracts: contract.ContractSet
    changes: tuple[Change, ...]
    unknown: tuple[str, ...]
    edited: tuple[str, ...]
    problems: tuple[Problem, ...]
    writes: dict[str, bytes | None]

    @property
    def has_differences(self) -> bool:
        """True if schemas/ is out of date; a new commit that touches none of the files in use does not count."""
        return bool(self.changes or self.unknown or self.edited)


def plan(schemas: Path, origin: str | None, ref: str | None, commit: str | None) -> SyncPlan:
    """Read upstream and plan an update.

    Args:
        schemas: the schemas folder.
        origin: a folder or git URL; the default is the repository in the lock file.
        ref: see `upstream.read`.
        commit: see `upstream.read`.

    Raises:
        UsageError: upstream cannot be read.
        ContractError: some of upstream's files are not usable; all of them are listed.
    """
    locked = lock.read(schemas)
    # Only None selects the default: an empty string is a mistake, such as an unset shell variable.
    origin = locked.repository if origin is None else origin
    snapshot = upstream.read(origin, ref, commit, locked.watches)
    fetched: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for path in filter(locked.uses, sorted(snapshot.files)):
        try:
            fetched[path] = canonical.canonicalise(strict_json.parse(snapshot.files[path], path), path)
        except ContractError as error:
            problems += error.problems
    problems += names.check(list(fetched))
    if not fetched and not problems:
        problems.append(Problem(origin, "", f"has none of the schemas that {lock.NAME} uses"))
    if problems:
        raise ContractError(problems)
    return _compare(schemas, locked, snapshot, fetched)


def apply(schemas: Path, planned: SyncPlan) -> None:
    """Carry out a plan; on failure, restore schemas/."""
    files.replace(schemas, planned.writes)


def _compare(
    schemas: Path, locked: lock.Lock, snapshot: upstream.Snapshot, fetched: dict[str, dict[str, Any]]
) -> SyncPlan:
    rendered = {path: canonical.render(form) for path, form in fetched.items()}
    entries = {path: lock.locked_file(path, snapshot.files[path], form) for path, form in rendered.items()}
    known = {entry.path: entry for entry in locked.files}
    edited = [path for path, entry in known.items() if _digest(schemas / path) != entry.canonical]
    unknown = [path for path in snapshot.files if not locked.uses(path) and not locked.ignores(path)]
    removed: dict[str, bytes | None] = dict.fromkeys(known.keys() - fetched.keys())
    new_lock = replace(locked, commit=snapshot.commit, files=tuple(entries.values())).render()
    # The lock comes last: after an interruption, an old lock beside new files is detected by the next command.
    writes = removed | rendered | {lock.NAME: new_lock.encode()}
    before, _ = contract.read(schemas)
    with tempfile.TemporaryDirectory(prefix="choria-schemas-") as folder:
        updated = shutil.copytree(schemas, Path(folder) / "schemas")
        files.replace(updated, writes)
        after, problems = contract.read(updated)
    # An edited file says nothing about the contract that it held before.
    compared = (
        replace(contracts, all=tuple(one for one in contracts.all if one.path not in edited))
        for contracts in (before, after)
    )
    return SyncPlan(
        commit=snapshot.commit,
        contracts=after,
        changes=tuple(comparison.compare(*compared)),
        unknown=tuple(sorted(unknown)),
        edited=tuple(sorted(edited)),
        problems=problems,
        writes=writes,
    )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes() if file.is_file() else b"").hexdigest()
