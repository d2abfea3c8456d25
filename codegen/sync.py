"""Bring schemas/ up to upstream: all of it, or nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from codegen import canonical, changes, contract, files, jsontext, lock, names, upstream
from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Update:
    """What a sync found, before anything is written.

    Attributes:
        commit: Upstream's commit.
        changes: What changes in the contract, a line each.
        rewritten: Files whose bytes differ while the contract does not: other wording, other layout.
        unknown: Upstream's files that are neither used nor ignored.
        edited: Files here that are not what the last sync wrote.
        writes: What to write below schemas/; None removes.
    """

    commit: str
    changes: tuple[str, ...]
    rewritten: tuple[str, ...]
    unknown: tuple[str, ...]
    edited: tuple[str, ...]
    writes: dict[str, bytes | None]

    @property
    def different(self) -> bool:
        """Whether anybody needs to act; a commit that touched none of our files is no reason."""
        return bool(self.changes or self.rewritten or self.unknown or self.edited)


def plan(schemas: Path, origin: str | None, ref: str | None, commit: str | None) -> Update:
    """Read upstream and work out what to do.

    Args:
        schemas: The schemas folder.
        origin: A folder or git URL; the default is the repository in the lock.
        ref: See `upstream.read`.
        commit: See `upstream.read`.

    Raises:
        UsageError: Upstream cannot be read.
        ContractError: A file of upstream's is not usable; all of those are named.
    """
    held = lock.read(schemas)
    # An empty text is no default: it is a mistake, such as a variable that is not set.
    origin = held.repository if origin is None else origin
    snapshot = upstream.read(origin, ref, commit, held.watches)
    taken: dict[str, dict[str, Any]] = {}
    problems: list[Problem] = []
    for path in filter(held.uses, sorted(snapshot.files)):
        try:
            taken[path] = canonical.canonical(jsontext.parse(snapshot.files[path], path), path)
        except ContractError as error:
            problems += error.problems
    problems += names.check(list(taken))
    if not taken and not problems:
        problems.append(Problem(origin, "", "has none of the schemas that the lock uses"))
    if problems:
        raise ContractError(problems)
    return _compare(schemas, held, snapshot, taken)


def apply(schemas: Path, update: Update) -> None:
    """Write an update; if that fails, schemas/ is as it was."""
    files.replace(schemas, update.writes)


def obstacles(schemas: Path) -> tuple[Problem, ...]:
    """What a person must do before `generate` accepts the folder: sentences to write, corrections to revise ..."""
    try:
        contract.load(schemas)
    except ContractError as error:
        return error.problems
    return ()


def _compare(schemas: Path, held: lock.Lock, snapshot: upstream.Snapshot, taken: dict[str, dict[str, Any]]) -> Update:
    forms = {path: canonical.render(form) for path, form in taken.items()}
    entries = {path: lock.entry(path, snapshot.files[path], form) for path, form in forms.items()}
    before: dict[str, dict[str, Any]] = {}
    edited: list[str] = []
    known = {entry.path: entry for entry in held.files}
    for path, entry in known.items():
        data = (schemas / path).read_bytes() if (schemas / path).is_file() else b""
        if hashlib.sha256(data).hexdigest() == entry.canonical:
            before[path] = jsontext.parse(data, path)
        else:
            edited.append(path)
            before[path] = taken.get(path, {})
    found = changes.describe(before, taken)
    rewritten = [
        path
        for path in taken
        if path in known
        and path not in edited
        and known[path].sha256 != entries[path].sha256
        and before[path] == taken[path]
    ]
    unknown = [path for path in snapshot.files if not held.uses(path) and not held.ignores(path)]
    gone: dict[str, bytes | None] = dict.fromkeys(known.keys() - taken.keys())
    text = replace(held, commit=snapshot.commit, files=tuple(entries.values())).render()
    # The lock comes last: with an old lock beside new files, the next command says so.
    writes = gone | forms | {lock.NAME: text.encode()}
    return Update(
        snapshot.commit, tuple(found), tuple(rewritten), tuple(sorted(unknown)), tuple(sorted(edited)), writes
    )
