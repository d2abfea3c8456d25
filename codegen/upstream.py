"""Upstream's files at one commit: from a git repository, near or far, or from a plain folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.jsontext import MAX_BYTES
from codegen.lock import blob_id, is_commit
from codegen.problems import ContractError, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIT_TIMEOUT = 300
"""Seconds for one git command."""

# git must not ask anybody anything, must not run transport helpers such as ext::, and must not take the caller's
# repository (a hook exports GIT_DIR) for the one that is asked about.
_GIT_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
_REGULAR_FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The chosen files of one commit, with their bytes by path."""

    commit: str
    files: dict[str, bytes]


def read(origin: str, ref: str | None, commit: str | None, wanted: Callable[[str], bool]) -> Snapshot:
    """Read upstream's files.

    A git repository is read from its objects, never from its working tree: what is recorded as a commit is that commit.

    Args:
        origin: A folder or a git URL.
        ref: Branch, tag or commit; the default is HEAD. Only for git.
        commit: The commit that a plain folder holds; for git, the commit that `ref` must turn out to be.
        wanted: Which paths to read.

    Raises:
        UsageError: The arguments do not fit together, or it cannot be read.
        ContractError: A wanted path is no regular file, or too large.
    """
    if commit is not None and not is_commit(commit):
        raise UsageError(f"--commit {commit!r} is not the full hash of a commit")
    name = "HEAD" if ref is None else ref
    for option, text in (("--from", origin), ("--ref", name)):
        # git would read it as an option.
        if text.startswith("-") or not text.isprintable() or not text.strip():
            raise UsageError(f"{option} {text!r} is not usable")
    folder = Path(origin)
    if folder.is_dir() and not _is_repository(folder):
        if commit is None or ref is not None:
            raise UsageError(f"{origin} is a plain folder: give --commit, the commit it holds, and no --ref")
        return Snapshot(commit, dict(_read_folder(folder, wanted)))
    with _repository(origin, name) as (repository, fetched):
        found = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{fetched}^{{commit}}").decode().strip()
        if commit is not None and found != commit:
            raise UsageError(f"{name} of {origin} is the commit {found}, not {commit}")
        return Snapshot(found, dict(_read_commit(repository, found, wanted)))


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())


@contextmanager
def _repository(origin: str, ref: str) -> Iterator[tuple[Path, str]]:
    """A folder that git understands and the name of the wanted commit in it; what is far is fetched first."""
    if Path(origin).is_dir():
        yield Path(origin), ref
        return
    if "://" not in origin and "@" not in origin:
        raise UsageError(f"{origin} is neither a folder nor a git URL")
    with tempfile.TemporaryDirectory(prefix="choria-schemas-") as folder:
        _git(Path(folder), "init", "--quiet", "--bare")
        _git(Path(folder), "fetch", "--quiet", "--depth=1", "--no-tags", "--end-of-options", origin, ref)
        yield Path(folder), "FETCH_HEAD"


def _read_folder(folder: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if not wanted(name):
            continue
        if path.is_symlink() or not path.is_file():
            raise ContractError([Problem(name, "", "is not a regular file")])
        if path.stat().st_size > MAX_BYTES:
            raise ContractError([Problem(name, "", f"is larger than {MAX_BYTES} bytes")])
        yield name, path.read_bytes()


def _read_commit(repository: Path, commit: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    for line in _git(repository, "ls-tree", "-r", "-z", "--long", "--full-tree", commit).split(b"\0")[:-1]:
        facts, _, raw = line.partition(b"\t")
        mode, _kind, blob, size = facts.decode("ascii").split()
        name = raw.decode("utf-8", "backslashreplace")
        if not wanted(name):
            continue
        if mode not in _REGULAR_FILES:
            raise ContractError([Problem(name, "", "is not a regular file")])
        if int(size) > MAX_BYTES:
            raise ContractError([Problem(name, "", f"is larger than {MAX_BYTES} bytes")])
        data = _git(repository, "cat-file", "blob", blob)
        if len(blob) == 40 and blob_id(data) != blob:
            raise ContractError([Problem(name, "", f"does not have the content that its git id {blob} stands for")])
        yield name, data


def _git(repository: Path, *arguments: str) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _GIT_ENVIRONMENT
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, a list of arguments, options guarded above
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=GIT_TIMEOUT, check=False
        )
    except FileNotFoundError:
        raise UsageError("git is not installed, and only a plain folder can be read without it") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git {arguments[0]} took more than {GIT_TIMEOUT} s") from None
    if done.returncode:
        cause = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
        raise UsageError(f"git {arguments[0]} failed: {cause}")
    return done.stdout
