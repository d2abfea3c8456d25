"""Read upstream's files at one commit, from a local or remote git repository or from a plain folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from codegen.lock import blob_id, is_commit
from codegen.problems import ContractError, Problem, UsageError
from codegen.strict_json import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GIT_TIMEOUT = 300
"""Timeout of one git command, in seconds."""

# git must not prompt, must not run transport helpers such as ext::, and must not operate on the caller's repository (a
# hook exports GIT_DIR).
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
    """The selected files of one commit, as bytes by path."""

    commit: str
    files: dict[str, bytes]


def read(origin: str, ref: str | None, commit: str | None, select: Callable[[str], bool]) -> Snapshot:
    """Read upstream's files.

    A git repository is read from its objects, never from its working tree, so the result is exactly the commit.

    Args:
        origin: a folder or a git URL.
        ref: a branch, tag or commit of a git repository; the default is HEAD.
        commit: the commit that a plain folder holds; for git, the commit that `ref` must resolve to.
        select: returns True for each path to read.

    Raises:
        UsageError: the arguments contradict each other, or upstream cannot be read.
        ContractError: a selected file is not a regular file, or too large.
    """
    if commit is not None and not is_commit(commit):
        raise UsageError(f"--commit {commit!r} is not the full hash of a commit")
    name = "HEAD" if ref is None else ref
    for option, text in (("--from", origin), ("--ref", name)):
        _check_argument(option, text)
    folder = Path(origin)
    if folder.is_dir() and not _is_repository(folder):
        if commit is None or ref is not None:
            raise UsageError(f"{origin} is a plain folder: pass the commit that it holds as --commit, and no --ref")
        return Snapshot(commit, dict(_read_folder(folder, select)))
    with _repository(origin, name) as (repository, fetched):
        found = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{fetched}^{{commit}}").decode().strip()
        if commit is not None and found != commit:
            raise UsageError(f"{name} of {origin} is commit {found}, not {commit}")
        return Snapshot(found, dict(_read_commit(repository, found, select)))


def extract(repository: Path, revision: str, folder: str, target: Path) -> None:
    """Write a folder as it was at a revision to `target`, without touching the working tree.

    Raises:
        UsageError: the repository does not have the revision, or the revision does not have the folder.
        ContractError: a file is not a regular file, or too large.
    """
    _check_argument("--against", revision)
    commit = _git(repository, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").decode().strip()
    found = list(_read_commit(repository, commit, lambda _path: True, f"{folder}/"))
    if not found:
        raise UsageError(f"{revision} has no {folder}/")
    for path, data in found:
        file = target / Path(path).relative_to(folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _check_argument(option: str, text: str) -> None:
    # git would read a leading dash as an option.
    if text.startswith("-") or not text.isprintable() or not text.strip():
        raise UsageError(f"{option} {text!r} is not usable: it must be one line, not empty, and not begin with a dash")


def _is_repository(folder: Path) -> bool:
    return (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())


@contextmanager
def _repository(origin: str, ref: str) -> Iterator[tuple[Path, str]]:
    """Yield a local repository and the name of the commit in it, fetching a remote one first."""
    if Path(origin).is_dir():
        yield Path(origin), ref
        return
    if "://" not in origin and "@" not in origin:
        raise UsageError(f"{origin} is neither a folder nor a git URL")
    with tempfile.TemporaryDirectory(prefix="choria-schemas-") as folder:
        _git(Path(folder), "init", "--quiet", "--bare")
        _git(Path(folder), "fetch", "--quiet", "--depth=1", "--no-tags", "--end-of-options", origin, ref)
        yield Path(folder), "FETCH_HEAD"


def _read_folder(folder: Path, select: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if not select(name):
            continue
        if path.is_symlink() or not path.is_file():
            raise ContractError([Problem(name, "", "is not a regular file")])
        if path.stat().st_size > MAX_BYTES:
            raise ContractError([Problem(name, "", f"is larger than {MAX_BYTES} bytes")])
        yield name, path.read_bytes()


def _read_commit(
    repository: Path, commit: str, select: Callable[[str], bool], folder: str = ""
) -> Iterator[tuple[str, bytes]]:
    # A folder is relative to the current one, which need not be the top of the repository.
    where = [commit, "--", folder] if folder else ["--full-tree", commit]
    for line in _git(repository, "ls-tree", "-r", "-z", "--long", *where).split(b"\0")[:-1]:
        metadata, _, raw = line.partition(b"\t")
        mode, _kind, blob, size = metadata.decode("ascii").split()
        name = raw.decode("utf-8", "backslashreplace")
        if not select(name):
            continue
        if mode not in _REGULAR_FILES:
            raise ContractError([Problem(name, "", "is not a regular file")])
        if int(size) > MAX_BYTES:
            raise ContractError([Problem(name, "", f"is larger than {MAX_BYTES} bytes")])
        data = _git(repository, "cat-file", "blob", blob)
        if len(blob) == 40 and blob_id(data) != blob:
            raise ContractError([Problem(name, "", f"does not match its git blob id {blob}")])
        yield name, data


def _git(repository: Path, *arguments: str) -> bytes:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _GIT_ENVIRONMENT
    command = ["git", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell, options rejected above
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=GIT_TIMEOUT, check=False
        )
    except FileNotFoundError:
        raise UsageError("git is not installed; without it, only a plain folder can be read") from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git {arguments[0]} timed out after {GIT_TIMEOUT} s") from None
    if done.returncode:
        cause = done.stderr.decode("utf-8", "replace").strip() or f"exit status {done.returncode}"
        raise UsageError(f"git {arguments[0]} failed: {cause}")
    return done.stdout
