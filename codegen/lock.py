"""schemas/upstream.lock: the origin of the contract, the files taken from it, and the digests of their bytes."""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen import strict_toml
from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from pathlib import Path

NAME = "upstream.lock"

_PATTERN_KEYS = ("path", "reason")
_ENTRY_KEYS = ("path", "blob", "sha256", "canonical")
_PATTERNS = strict_toml.list_of(
    strict_toml.table(dict.fromkeys(_PATTERN_KEYS, strict_toml.STRING), required=_PATTERN_KEYS)
)
_SCHEMA = strict_toml.table(
    {
        "source": strict_toml.table(
            {
                "repository": strict_toml.STRING,
                "commit": strict_toml.STRING,
                "watch": strict_toml.list_of(strict_toml.STRING),
            },
            required=("repository", "commit", "watch"),
        ),
        "use": _PATTERNS,
        "ignore": _PATTERNS,
        "files": strict_toml.list_of(
            strict_toml.table(dict.fromkeys(_ENTRY_KEYS, strict_toml.STRING), required=_ENTRY_KEYS)
        ),
    },
    required=("source",),
)

_HEADER = """\
# Written by `python -m codegen sync`. Edit only repository, watch, [[use]] and [[ignore]], which sync keeps.
# Each of upstream's JSON files in the watched folders must be used or ignored; sync lists those that are neither.
"""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob for upstream's paths, with the reason to use or ignore them; `*` does not match a slash."""

    path: str
    reason: str

    def matches(self, path: str) -> bool:
        """Return True if the pattern matches a path."""
        globs, parts = self.path.split("/"), path.split("/")
        return len(globs) == len(parts) and all(map(fnmatch.fnmatchcase, parts, globs))


@dataclass(frozen=True, slots=True, order=True)
class LockedFile:
    """One file taken from upstream.

    Attributes:
        path: upstream's path, which is also the path below schemas/.
        blob: the git blob id of upstream's bytes.
        sha256: the SHA-256 digest of upstream's bytes.
        canonical: the SHA-256 digest of the canonical form, which detects manual edits.
    """

    path: str
    blob: str
    sha256: str
    canonical: str


@dataclass(frozen=True, slots=True)
class Lock:
    """The content of the lock file; `commit` and `files` are empty before the first sync."""

    repository: str
    watch: tuple[str, ...]
    use: tuple[Pattern, ...]
    ignore: tuple[Pattern, ...]
    commit: str = ""
    files: tuple[LockedFile, ...] = field(default=())

    def watches(self, path: str) -> bool:
        """Return True if one of upstream's paths must be either used or ignored."""
        return path.endswith(".json") and path.startswith(self.watch)

    def uses(self, path: str) -> bool:
        """Return True if one of upstream's paths is part of the contract."""
        return self.watches(path) and not self.ignores(path) and any(pattern.matches(path) for pattern in self.use)

    def ignores(self, path: str) -> bool:
        """Return True if one of upstream's paths is ignored on purpose."""
        return any(pattern.matches(path) for pattern in self.ignore)

    def render(self) -> str:
        """Return the text of the lock file; equal locks give equal text."""
        lines = [
            _HEADER,
            "[source]",
            f"repository = {strict_toml.inline(self.repository)}",
            f"commit = {strict_toml.inline(self.commit)}",
        ]
        lines += [f"watch = [{', '.join(map(strict_toml.inline, self.watch))}]"]
        for table, patterns in (("use", self.use), ("ignore", self.ignore)):
            for pattern in patterns:
                lines += [
                    "",
                    f"[[{table}]]",
                    f"path = {strict_toml.inline(pattern.path)}",
                    f"reason = {strict_toml.inline(pattern.reason)}",
                ]
        for entry in sorted(self.files):
            lines += [
                "",
                "[[files]]",
                f"path = {strict_toml.inline(entry.path)}",
                f"blob = {strict_toml.inline(entry.blob)}",
            ]
            lines += [
                f"sha256 = {strict_toml.inline(entry.sha256)}",
                f"canonical = {strict_toml.inline(entry.canonical)}",
            ]
        return "\n".join(lines) + "\n"


def read(schemas: Path) -> Lock:
    """Read the lock file of a schemas folder.

    Raises:
        ContractError: the file is missing, not TOML or incomplete, or has a key that sync would drop.
    """
    document = strict_toml.read(schemas / NAME, NAME, _SCHEMA)
    source = document["source"]
    lock = Lock(
        repository=source["repository"],
        watch=tuple(source["watch"]),
        use=tuple(Pattern(**table) for table in document.get("use", ())),
        ignore=tuple(Pattern(**table) for table in document.get("ignore", ())),
        commit=source["commit"],
        files=tuple(LockedFile(**table) for table in document.get("files", ())),
    )
    if lock.commit and not is_commit(lock.commit):
        raise ContractError([Problem(NAME, "", f"commit {lock.commit!r} is not the full hash of a commit")])
    return lock


def is_commit(text: str) -> bool:
    """Return True if a text is the full hash of a git commit (SHA-1 or SHA-256)."""
    return len(text) in (40, 64) and all(digit in "0123456789abcdef" for digit in text)


def locked_file(path: str, data: bytes, form: bytes) -> LockedFile:
    """Return the lock's entry for a file, given upstream's bytes and their canonical form."""
    return LockedFile(path, blob_id(data), hashlib.sha256(data).hexdigest(), hashlib.sha256(form).hexdigest())


def blob_id(data: bytes) -> str:
    """Return the git blob id of these bytes, computed without git."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
