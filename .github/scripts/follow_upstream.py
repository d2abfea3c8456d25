"""The weekly comparison with upstream: report it in an issue, and propose the update as a draft pull request.

Exit status: 0 done, 1 GitHub or git refused a request, 2 invalid arguments or environment.
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import hashlib
import itertools
import json
import os
import re
import secrets
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FOLDERS: Final = ("schemas", "generated")
"""The folders that an update may change."""
BOT: Final = "github-actions[bot]"
"""The author of what a workflow writes."""
TITLE: Final = "Upstream's contract needs attention"
# Two blocks fit into GitHub's limit of 65,536 characters even if it counts UTF-16 code units.
MAX_BLOCK: Final = 15_000
VARIABLES: Final = (
    "GITHUB_API_URL",
    "GITHUB_REF_NAME",
    "GITHUB_REPOSITORY",
    "GITHUB_RUN_ID",
    "GITHUB_SERVER_URL",
    "GITHUB_TOKEN",
)
"""The variables that `report` and `keep-enabled` need; the runner sets all but the token."""
TIMEOUT: Final = 60
"""Timeout of one request to GitHub, in seconds."""

_UPSTREAM: Final = re.compile(r"^(?:differs from|up to date with) upstream commit ([0-9a-f]{40})$", re.MULTILINE)
_TRANSIENT: Final = re.compile(r"\b\d+ ms\b|choria-schemas-\w+")
_MARKER: Final = re.compile(r"<!-- upstream-report: ([0-9a-f]{64}) -->")


class RefusedError(Exception):
    """GitHub or git refused a request."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a comparison.

    Attributes:
        status: the exit status of `sync --check`; 0 is up to date.
        report: its output.
        commit: upstream's commit; empty if the comparison failed.
        to_do: the output of the command that stopped the update; empty if there is no update, or it succeeded.
        files: the new text of each file by path, None for a removed one; empty unless the update succeeded.
        key: a digest of the report and of upstream's files.
    """

    status: int
    report: str
    commit: str = ""
    to_do: str = ""
    files: Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    key: str = ""

    @property
    def differs(self) -> bool:
        """True if upstream differs; Python itself also exits with 1, but without a commit."""
        return self.status == 1 and bool(self.commit)

    @property
    def branch(self) -> str:
        """The branch that proposes the update."""
        return f"upstream/{self.key[:12]}"


def compare(root: Path) -> Outcome:
    """Compare schemas/ with upstream and, if they differ, try the update in the working tree.

    Args:
        root: the top of a checkout without uncommitted changes.

    Raises:
        RefusedError: there are uncommitted changes.
    """
    if changed := _changed(root):
        raise RefusedError(f"{', '.join(changed)}: commit or discard the changes first")
    status, report = _codegen(root, "sync", "--check")
    *_, commit = ["", *_UPSTREAM.findall(report)]
    outcome = Outcome(status, report, commit)
    parts = [str(status), report]
    if outcome.differs:
        to_do = _update(root, commit)
        files = {} if to_do else {path: _read(root / path) for path in _changed(root)}
        outcome = dataclasses.replace(outcome, to_do=to_do, files=files)
        # The blobs of upstream's files: two changes may read the same.
        parts.append((root / "schemas" / "upstream.lock").read_text("utf-8"))
    # A commit that leaves upstream's files alone makes no new report, nor does a duration.
    stable = _TRANSIENT.sub("", "\0".join(parts))
    key = hashlib.sha256((stable.replace(commit, "") if commit else stable).encode()).hexdigest()
    return dataclasses.replace(outcome, key=key)


class GitHub:
    """A client of GitHub's REST API, and of git over HTTP, for one repository.

    Args:
        environment: `VARIABLES` and their values.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.repository = environment["GITHUB_REPOSITORY"]
        self.base = environment["GITHUB_REF_NAME"]
        self.run = f"{environment['GITHUB_SERVER_URL']}/{self.repository}/actions/runs/{environment['GITHUB_RUN_ID']}"
        self._api = f"{environment['GITHUB_API_URL']}/repos/{self.repository}"
        self._git_url = f"{environment['GITHUB_SERVER_URL']}/{self.repository}.git"
        self._token = environment["GITHUB_TOKEN"]

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request and return the decoded answer, None if it is empty.

        Raises:
            RefusedError: GitHub answered with an error, or not at all.
        """
        request = urllib.request.Request(  # noqa: S310 - the URL is GitHub's own
            self._api + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310 - as above
                data = response.read()
            return json.loads(data) if data else None
        except urllib.error.HTTPError as error:
            with error:
                raise RefusedError(f"{method} {path}: {error.code} {_message(error.read())}") from None
        except (OSError, ValueError) as error:
            raise RefusedError(f"{method} {path}: {error}") from None

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of all pages of a list."""
        separator = "&" if "?" in path else "?"
        for page in itertools.count(1):
            items = self.call("GET", f"{path}{separator}per_page=100&page={page}")
            yield from items
            if len(items) < 100:
                return

    def has_branch(self, root: Path, branch: str) -> bool:
        """Return True if the branch exists."""
        return bool(self._git(root, "ls-remote", self._git_url, f"refs/heads/{branch}"))

    def push(self, root: Path, branch: str) -> None:
        """Push the current commit as a new branch."""
        self._git(root, "push", "--quiet", self._git_url, f"HEAD:refs/heads/{branch}")

    def _git(self, root: Path, *arguments: str) -> str:
        # In the environment, because other processes can read arguments and git repeats URLs in its messages.
        credentials = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
        return _git(
            root,
            *arguments,
            GIT_CONFIG_COUNT="1",
            GIT_CONFIG_KEY_0=f"http.{self._git_url}.extraHeader",
            GIT_CONFIG_VALUE_0=f"Authorization: Basic {credentials}",
        )


def report(outcome: Outcome, github: GitHub, root: Path) -> None:
    """Bring the issue and the draft pull request in line with an outcome; doing it again changes nothing.

    Args:
        outcome: the result of `compare`.
        github: the repository.
        root: the top of a checkout of the commit that was compared.

    Raises:
        RefusedError: GitHub or git refused a request; what was done before stays.
    """
    issue = next(filter(_is_report, github.pages("/issues?state=open")), None)
    if outcome.status == 0:
        if issue:
            _close(github, issue["number"], outcome.commit)
        return
    if issue is None:
        issue = github.call("POST", "/issues", {"title": TITLE, "body": _issue_text(outcome, github.run)})
        print(f"opened issue {issue['number']}")
    elif outcome.key not in _keys(github, issue):
        github.call("POST", f"/issues/{issue['number']}/comments", {"body": _issue_text(outcome, github.run)})
        print(f"added a comment to issue {issue['number']}")
    else:
        print(f"issue {issue['number']} has this report already")
    if outcome.files:
        _propose(outcome, github, root, issue["number"])


def keep_enabled(github: GitHub, workflow: str) -> None:
    """Enable a workflow again, which starts anew the 60 days after which GitHub disables its schedule."""
    github.call("PUT", f"/actions/workflows/{urllib.parse.quote(workflow, safe='')}/enable")
    print(f"{workflow} stays enabled")


def fenced(text: str, run: str) -> str:
    """Return foreign text as a Markdown block that it cannot leave, shortened to `MAX_BLOCK` characters.

    Args:
        text: the text. In a block, GitHub neither notifies mentioned users nor interprets HTML.
        run: the URL of the run, whose log has the whole text.
    """
    safe = "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text.strip())
    cut = safe if len(safe) <= MAX_BLOCK else safe[:MAX_BLOCK].rpartition("\n")[0] or safe[:MAX_BLOCK]
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", cut))])
    rest = f"\n\nCut after {len(cut)} of {len(safe)} characters; the log of {run} has the rest." if cut != safe else ""
    return f"{fence}text\n{cut}\n{fence}{rest}"


def _update(root: Path, commit: str) -> str:
    """Update the working tree to upstream's commit; return the output of the command that failed, if any."""
    # The last command finds what only a person can decide, such as whether to use a new file.
    for arguments in (("sync", "--ref", commit), ("generate",), ("sync", "--check", "--ref", commit)):
        status, output = _codegen(root, *arguments)
        if status:
            return f"$ python -m codegen {' '.join(arguments)}\n{output}"
    return ""


def _codegen(root: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "codegen", *arguments]
    done = subprocess.run(  # noqa: S603 - no shell
        command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = done.stdout.decode("utf-8", "replace").replace(f"{root}/", "")
    # The runner must not obey commands such as ::add-mask:: in foreign text.
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}", output.rstrip("\n"), f"::{token}::", sep="\n", flush=True)
    return done.returncode, output


def _changed(root: Path) -> list[str]:
    status = _git(root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *FOLDERS)
    return [entry[3:] for entry in status.split("\0") if entry]


def _read(file: Path) -> str | None:
    return file.read_bytes().decode() if file.is_file() else None


def _git(root: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(  # noqa: S603 - no shell
        ["git", "-C", str(root), *arguments],  # noqa: S607 - git is where PATH says
        env=os.environ | {"GIT_TERMINAL_PROMPT": "0"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RefusedError(f"git {arguments[0]}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout


def _message(data: bytes) -> str:
    """Return the message of an error, with the details that GitHub gives."""
    try:
        answer = json.loads(data)
        details = [detail.get("message") or json.dumps(detail) for detail in answer.get("errors", ())]
        return ": ".join([answer["message"], *details])
    except (ValueError, LookupError, TypeError, AttributeError):
        return data[:200].decode("utf-8", "replace")


def _key(item: Mapping[str, Any]) -> str:
    """Return the key of a report that this script wrote; empty for anything else."""
    # The last line is ours; foreign text ends before the closing fence.
    found = _MARKER.fullmatch((item["body"] or "").rstrip().rpartition("\n")[2])
    author = (item["user"] or {}).get("login")  # null if the account is gone
    return found[1] if found and author == BOT else ""


def _is_report(issue: Mapping[str, Any]) -> bool:
    return bool(_key(issue)) and "pull_request" not in issue


def _keys(github: GitHub, issue: Mapping[str, Any]) -> set[str]:
    return {_key(issue), *map(_key, github.pages(f"/issues/{issue['number']}/comments"))}


def _close(github: GitHub, number: int, commit: str) -> None:
    gone = f"The difference is gone: schemas/ is up to date with upstream commit {commit}."
    github.call("POST", f"/issues/{number}/comments", {"body": gone})
    github.call("PATCH", f"/issues/{number}", {"state": "closed", "state_reason": "completed"})
    print(f"closed issue {number}")


def _issue_text(outcome: Outcome, run: str) -> str:
    verb = "reports" if outcome.differs else f"failed with exit status {outcome.status}"
    text = f"`python -m codegen sync --check` {verb}:\n\n{fenced(outcome.report, run)}\n\n"
    if outcome.files:
        text += f"The update succeeds; branch `{outcome.branch}` has it, for a draft pull request.\n\n"
    elif outcome.to_do:
        text += (
            f"The update stops here:\n\n{fenced(outcome.to_do, run)}\n\n"
            "To do it by hand, run `make sync`, fix what it lists as to do, then run `make generate test`.\n\n"
        )
    return f"{text}<!-- upstream-report: {outcome.key} -->"


def _propose(outcome: Outcome, github: GitHub, root: Path, issue: int) -> None:
    """Open a draft pull request unless the branch has or had one."""
    owner = github.repository.partition("/")[0]
    head = urllib.parse.quote(f"{owner}:{outcome.branch}", safe="")
    if pulls := github.call("GET", f"/pulls?state=all&head={head}"):
        # Open: it may have commits of a maintainer. Closed: it was declined.
        print(f"pull request {pulls[0]['number']} has this update already")
        return
    subject = f"Update the contract to upstream's {outcome.commit[:12]}"
    if not github.has_branch(root, outcome.branch):
        _commit(root, outcome, subject)
        github.push(root, outcome.branch)
    body = (
        f"{fenced(outcome.report, github.run)}\n\n"
        "Made by `make sync generate`. Before merging, add an entry to CHANGELOG.md. GitHub does not run the checks of "
        "a pull request that a workflow opened until a maintainer approves them, or closes and reopens it.\n\n"
        f"Closes #{issue}."
    )
    try:
        pull = github.call(
            "POST",
            "/pulls",
            {"title": subject, "head": outcome.branch, "base": github.base, "body": body, "draft": True},
        )
    except RefusedError as error:
        raise RefusedError(
            f"{error}\nThe update is on branch {outcome.branch}. If workflows may not open pull requests, allow it in "
            "Settings, Actions, General, Workflow permissions; or open it by hand."
        ) from None
    print(f"opened pull request {pull['number']}")


def _commit(root: Path, outcome: Outcome, subject: str) -> None:
    """Write the files of an update and commit them."""
    for path, text in outcome.files.items():
        parts = PurePosixPath(path).parts
        if parts[0] not in FOLDERS or ".." in parts:
            raise RefusedError(f"{path!r} is not below {' or '.join(FOLDERS)}")
        target = root / path
        if text is None:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
    _git(root, "add", "--all", "--", *FOLDERS)
    identity = {"NAME": BOT, "EMAIL": f"41898282+{BOT}@users.noreply.github.com"}
    author = {f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in identity.items()}
    _git(root, "commit", "--quiet", f"--message={subject}", **author)


def _load(file: Path) -> Outcome:
    return Outcome(**json.loads(file.read_text("utf-8")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Follow upstream's contract; run it at the top of a clean checkout.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    comparing = commands.add_parser("compare", help="compare with upstream, try the update, write the outcome")
    reporting = commands.add_parser("report", help="report the outcome in an issue and a draft pull request")
    for command in (comparing, reporting):
        command.add_argument("file", metavar="FILE", type=Path)
    keeping = commands.add_parser("keep-enabled", help="keep GitHub from disabling the schedule of WORKFLOW")
    keeping.add_argument("workflow", metavar="WORKFLOW")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command != "compare" and (missing := [name for name in VARIABLES if not os.environ.get(name)]):
        parser.error(f"not set: {', '.join(missing)}")
    root = Path.cwd()
    try:
        match options.command:
            case "compare":
                outcome = dataclasses.asdict(compare(root))
                options.file.write_text(json.dumps(outcome), "utf-8")
            case "report":
                report(_load(options.file), GitHub(os.environ), root)
            case _:
                keep_enabled(GitHub(os.environ), options.workflow)
    except RefusedError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
