"""schemas/upstream.lock: where the contract comes from, which files are used, and what upstream's bytes were."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from codegen import tomltext
from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from pathlib import Path

NAME = "upstream.lock"

_PATTERNS = tomltext.list_of(tomltext.table(("path", "reason"), path=tomltext.STRING, reason=tomltext.STRING))
_ENTRY = ("path", "blob", "sha256", "canonical")
_FORM = tomltext.table(
    ("source",),
    source=tomltext.table(
        ("repository", "commit", "watch"),
        repository=tomltext.STRING,
        commit=tomltext.STRING,
        watch=tomltext.list_of(tomltext.STRING),
    ),
    use=_PATTERNS,
    ignore=_PATTERNS,
    files=tomltext.list_of(tomltext.table(_ENTRY, **dict.fromkeys(_ENTRY, tomltext.STRING))),
)

_HEAD = """\
# Written by `python -m codegen sync`. By hand only: repository, watch, [[use]] and [[ignore]], which sync keeps.
# Upstream's JSON files in the watched folders are either used or ignored; sync names those that are neither.
"""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Files of upstream's, and why they are used or ignored. `*` does not cross a slash."""

    path: str
    reason: str

    def matches(self, path: str) -> bool:
        """Whether a path is meant."""
        mine, theirs = self.path.split("/"), path.split("/")
        return len(mine) == len(theirs) and all(map(fnmatch.fnmatchcase, theirs, mine))


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One file that was taken.

    Attributes:
        path: Upstream's path, which is also the path below schemas/.
        blob: git's id of upstream's bytes.
        sha256: The digest of upstream's bytes.
        canonical: The digest of the canonical form, so that an edit by hand is noticed.
    """

    path: str
    blob: str
    sha256: str
    canonical: str


@dataclass(frozen=True, slots=True)
class Lock:
    """The lock file as values. `commit` is empty and `files` has nothing before the first sync."""

    repository: str
    watch: tuple[str, ...]
    use: tuple[Pattern, ...]
    ignore: tuple[Pattern, ...]
    commit: str = ""
    files: tuple[Entry, ...] = field(default=())

    def watches(self, path: str) -> bool:
        """Whether a path of upstream's must be either used or ignored."""
        return path.endswith(".json") and path.startswith(self.watch)

    def uses(self, path: str) -> bool:
        """Whether a path of upstream's is part of the contract."""
        return self.watches(path) and not self.ignores(path) and any(pattern.matches(path) for pattern in self.use)

    def ignores(self, path: str) -> bool:
        """Whether a path of upstream's is left out on purpose."""
        return any(pattern.matches(path) for pattern in self.ignore)

    def render(self) -> str:
        """The text of the lock file; the same values give the same text."""
        lines = [_HEAD, "[source]", f"repository = {_text(self.repository)}", f"commit = {_text(self.commit)}"]
        lines += [f"watch = [{', '.join(map(_text, self.watch))}]"]
        for table, patterns in (("use", self.use), ("ignore", self.ignore)):
            for pattern in patterns:
                lines += ["", f"[[{table}]]", f"path = {_text(pattern.path)}", f"reason = {_text(pattern.reason)}"]
        for entry in sorted(self.files):
            lines += ["", "[[files]]", f"path = {_text(entry.path)}", f"blob = {_text(entry.blob)}"]
            lines += [f"sha256 = {_text(entry.sha256)}", f"canonical = {_text(entry.canonical)}"]
        return "\n".join(lines) + "\n"


def read(schemas: Path) -> Lock:
    """Read the lock file of a schemas folder.

    Raises:
        ContractError: It is missing, not TOML, lacks something, or has a key that sync would not keep.
    """
    document = tomltext.read(schemas / NAME, NAME, _FORM)
    source = document["source"]
    lock = Lock(
        repository=source["repository"],
        watch=tuple(source["watch"]),
        use=tuple(Pattern(**table) for table in document.get("use", ())),
        ignore=tuple(Pattern(**table) for table in document.get("ignore", ())),
        commit=source["commit"],
        files=tuple(Entry(**table) for table in document.get("files", ())),
    )
    if lock.commit and not is_commit(lock.commit):
        raise ContractError([Problem(NAME, "", f"commit {lock.commit!r} is not the full hash of a commit")])
    return lock


def is_commit(text: str) -> bool:
    """Whether a text is the full hash of a git commit (SHA-1 or SHA-256)."""
    return len(text) in (40, 64) and all(digit in "0123456789abcdef" for digit in text)


def entry(path: str, data: bytes, form: bytes) -> Entry:
    """The lock's entry for a file: upstream's bytes and the canonical form that is kept of it."""
    return Entry(path, blob_id(data), hashlib.sha256(data).hexdigest(), hashlib.sha256(form).hexdigest())


def blob_id(data: bytes) -> str:
    """The id git gives to these bytes, computed without git."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _text(value: str) -> str:
    # TOML's basic string is JSON's, but for U+007F, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
