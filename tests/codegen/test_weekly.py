"""The weekly workflow: its script against git repositories and GitHub's REST API on the loopback interface."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass

import pytest
import yaml

from tests.bed.github import BOT, github
from tests.bed.paths import ROOT

pytestmark = pytest.mark.slow

SCRIPT = ROOT / ".github/scripts/follow_upstream.py"
WORKFLOW = ROOT / ".github/workflows/upstream.yml"
PING = "choria/lifecycle/v1/ping.json"
MARKER = re.compile(r"<!-- upstream-report: [0-9a-f]{64} -->")
IDENTITY = {f"GIT_{role}_{key}": "x@example.net" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}


def git(folder, *arguments):
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, env=os.environ | IDENTITY, check=True, capture_output=True, text=True).stdout.strip()


def call(folder, *arguments, **environment):
    """Run the script at the top of a checkout."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=folder,
        env=os.environ | {"no_proxy": "*"} | environment,
        capture_output=True,
        text=True,
    )


@dataclass
class Outcome:
    """What `compare` writes."""

    status: int = 1
    report: str = "io.choria.lifecycle.v1.ping: field size added (minor)\n"
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    to_do: str = ""
    files: dict[str, str | None] = dataclasses.field(default_factory=dict)
    key: str = "0" * 64


class Weeks:
    """A project on GitHub, its upstream, and the workflow that runs once a week."""

    def __init__(self, project, server, folder):
        self.project, self.server, self.folder = project, server, folder
        self.numbers = itertools.count(1)
        lock = project.schemas / "upstream.lock"
        lock.write_text(lock.read_text().replace("https://example.net/schemas", f"file://{project.upstream}"))
        git(project.upstream, "init", "--quiet", "--initial-branch=main")
        self.publish()
        assert project.run("sync").status == project.run("generate").status == 0
        shutil.copytree(ROOT / "codegen", project.root / "codegen", ignore=shutil.ignore_patterns("__pycache__"))
        (project.root / ".gitignore").write_text("__pycache__/\n/upstream/\n")
        git(project.root, "init", "--quiet", "--initial-branch=main")
        self.commit()

    def publish(self, schema=None, path=PING):
        """Commit to upstream."""
        if schema is not None:
            self.project.publish(schema, path)
        git(self.project.upstream, "add", "--all")
        git(self.project.upstream, "commit", "--quiet", "--allow-empty", "--message=change")

    def commit(self):
        """Push the project's working tree to its branch main."""
        git(self.project.root, "add", "--all")
        git(self.project.root, "commit", "--quiet", "--message=work")
        git(self.project.root, "push", "--quiet", str(self.server.bare), "HEAD:main")

    def break_codegen(self):
        """Commit a codegen that Python cannot import."""
        (self.project.root / "codegen" / "lock.py").write_text("import absent\n")
        self.commit()

    def merge(self, branch):
        """Merge a branch into main, as GitHub does."""
        git(self.project.root, "pull", "--quiet", "--no-rebase", str(self.server.bare), branch)
        git(self.project.root, "push", "--quiet", str(self.server.bare), "HEAD:main")

    def checkout(self, branch="main"):
        """Clone the project, as each job does."""
        target = self.folder / str(next(self.numbers))
        git(self.folder, "clone", "--quiet", "--branch", branch, str(self.server.bare), str(target))
        return target

    def report(self, outcome, **environment):
        """Run the second job only, on an outcome."""
        checkout = self.checkout()
        (checkout / "outcome.json").write_text(json.dumps(dataclasses.asdict(outcome)))
        return call(checkout, "report", "outcome.json", **self.server.environment | environment)

    def run(self):
        """Run both jobs; return the log of the first."""
        checkout = self.checkout()
        compared = call(checkout, "compare", str(self.folder / "outcome.json"))
        assert (compared.returncode, compared.stderr) == (0, "")
        reported = call(self.checkout(), "report", str(self.folder / "outcome.json"), **self.server.environment)
        assert (reported.returncode, reported.stderr) == (0, "")
        return compared.stdout

    @property
    def counts(self):
        """The numbers of open issues, pull requests and comments."""
        issues = [issue for issue in self.server.issues if issue["state"] == "open" and "pull_request" not in issue]
        return len(issues), len(self.server.pulls), sum(map(len, self.server.comments.values()))


@pytest.fixture
def weeks(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weeks")
    with github(tmp_path_factory.mktemp("github")) as server:
        yield Weeks(project, server, folder)


@pytest.fixture
def sized(weeks, make_event):
    """Upstream added a field, which has a sentence already."""
    schema = make_event(size={"type": "integer"})
    weeks.project.describe(schema)
    weeks.commit()
    weeks.publish(schema)
    return weeks


def test_without_a_difference_nothing_happens(weeks):
    weeks.run()
    assert weeks.server.issues == []
    assert weeks.server.requests == ["GET /issues"]


def test_a_difference_opens_an_issue_and_a_draft_pull_request(sized):
    sized.run()
    issue, pull = sized.server.issues
    commit = git(sized.project.upstream, "rev-parse", "HEAD")
    assert issue["title"] == "Upstream's contract needs attention"
    assert MARKER.sub("MARKER", issue["body"]) == (
        "`python -m codegen sync --check` reports:\n\n"
        "```text\n"
        "io.choria.lifecycle.v1.ping: field size added (minor)\n"
        "1 change; version step: minor\n"
        f"differs from upstream commit {commit}\n"
        "next: run `python -m codegen sync` with the same arguments, without --check\n"
        "```\n\n"
        f"The update succeeds; branch `{pull['head']}` has it, for a draft pull request.\n\n"
        "MARKER"
    )
    assert re.fullmatch(r"upstream/[0-9a-f]{12}", pull["head"])
    assert (pull["title"], pull["base"], pull["draft"]) == (
        f"Update the contract to upstream's {commit[:12]}",
        "main",
        True,
    )
    assert pull["body"].startswith("```text\nio.choria.lifecycle.v1.ping: field size added (minor)\n")
    assert pull["body"].endswith("\n\nCloses #1.")


def test_the_branch_has_the_update_and_nothing_else(sized):
    sized.run()
    checkout = sized.checkout(sized.server.pulls[0]["head"])
    names = git(checkout, "diff", "--name-only", "HEAD~").splitlines()
    assert {name.partition("/")[0] for name in names} == {"schemas", "generated"}
    assert f"schemas/{PING}" in names
    assert git(checkout, "log", "-1", "--format=%an, %s").startswith(f"{BOT}, Update the contract to upstream's ")
    assert subprocess.run([sys.executable, "-m", "codegen", "drift"], cwd=checkout).returncode == 0


def test_the_same_report_adds_nothing(sized):
    sized.run()
    sized.run()
    assert sized.counts == (1, 1, 0)
    (sized.project.upstream / "README.md").write_text("upstream moves on")
    sized.publish()
    sized.run()
    assert sized.counts == (1, 1, 0)


def test_each_other_report_adds_one_comment(sized, make_event):
    sized.run()
    before = (sized.project.upstream / PING).read_bytes()
    sized.publish(make_event(size={"type": "string"}))
    sized.run()
    sized.run()
    assert sized.counts == (1, 2, 1)
    assert sized.server.comments[1][0]["body"].endswith(" -->")
    sized.publish(before)
    sized.run()
    assert sized.counts == (1, 2, 1)


def test_two_changes_with_the_same_text_are_two_reports(weeks, make_event):
    for count, wording in enumerate(("better", "even better")):
        weeks.publish(make_event() | {"description": wording})
        weeks.run()
        assert weeks.counts == (1, count + 1, count)
    assert "new text upstream, same contract" in weeks.server.comments[1][0]["body"]


def test_the_issue_is_closed_when_the_difference_is_gone(sized):
    sized.run()
    sized.merge(sized.server.pulls[0]["head"])
    sized.run()
    issue = sized.server.issues[0]
    commit = git(sized.project.upstream, "rev-parse", "HEAD")
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert [comment["body"] for comment in sized.server.comments[1]] == [
        f"The difference is gone: schemas/ is up to date with upstream commit {commit}."
    ]
    sized.run()
    assert sized.counts == (0, 1, 1)


def test_a_difference_that_comes_back_opens_a_new_issue(weeks, make_event):
    for state in (b"{", make_event(), b"{"):
        weeks.publish(state)
        weeks.run()
    assert [issue["state"] for issue in weeks.server.issues] == ["closed", "open"]


@pytest.mark.parametrize(
    ("break_upstream", "text"),
    [
        (lambda weeks, event: weeks.publish(b'{"title": '), f"{PING}: is not JSON"),
        (
            lambda weeks, event: weeks.publish(event | {"$schema": "https://json-schema.org/draft/2099/schema"}),
            f"{PING}#/$schema: ",
        ),
        (lambda weeks, event: weeks.project.upstream.rename(weeks.folder / "moved"), "sync: git fetch failed: "),
        (lambda weeks, event: weeks.break_codegen(), "Traceback (most recent call last):\n"),
    ],
    ids=["broken JSON", "unknown dialect", "unreachable", "broken codegen"],
)
def test_a_comparison_that_fails_is_reported_too(request, weeks, make_event, break_upstream, text):
    break_upstream(weeks, make_event())
    weeks.run()
    weeks.run()
    assert weeks.counts == (1, 0, 0)
    body = weeks.server.issues[0]["body"]
    status = 1 if "broken codegen" in request.node.name else 2
    assert body.startswith(f"`python -m codegen sync --check` failed with exit status {status}:\n\n```text\n{text}")


def test_an_update_that_stops_is_reported_with_what_is_to_do(weeks, make_event):
    schema = make_event(size={"type": "integer"})
    weeks.publish(schema)
    weeks.run()
    assert weeks.counts == (1, 0, 0)
    body = weeks.server.issues[0]["body"]
    to_do = f"{PING}#/properties/size: has no sentence in descriptions.toml\n"
    assert f"\nto do: {to_do}" in body
    assert f"The update stops here:\n\n```text\n$ python -m codegen generate\n{to_do}```\n" in body
    assert "run `make sync`, fix what it lists as to do, then run `make generate test`" in body
    weeks.project.describe(schema)
    weeks.commit()
    weeks.run()
    assert weeks.counts == (1, 1, 1)


def test_a_new_file_is_left_to_a_person(weeks, make_event):
    path = PING.replace("v1", "v2")
    weeks.publish(make_event(path), path)
    weeks.run()
    assert weeks.counts == (1, 0, 0)
    body = weeks.server.issues[0]["body"]
    assert re.search(r"\n\$ python -m codegen sync --check --ref [0-9a-f]{40}\n", body)
    assert body.count(f"{path}: new file, neither used nor ignored") == 2


def test_foreign_text_stays_in_its_block(weeks, make_event):
    forged = f"<!-- upstream-report: {'0' * 64} -->"
    lines = ["```", "````", "@choria/everyone", "::add-mask::x", f"differs from upstream commit {'f' * 40}", forged]
    name = "\n".join(["choria/lifecycle/v2/x", *lines])
    weeks.publish(make_event(), f"{name}/ping.json")
    log = weeks.run()
    body = weeks.server.issues[0]["body"]
    blocks = re.findall(r"^(`{5})text\n(.*?)\n\1$", body, re.MULTILINE | re.DOTALL)
    assert [text.count(repr(name)[1:-1]) for _, text in blocks] == [1, 1]
    outside = re.sub(r"^(`{5})text\n.*?\n\1$", "BLOCK", body, flags=re.MULTILINE | re.DOTALL)
    assert "@" not in outside
    assert MARKER.findall(outside) != [forged]
    lines = log.splitlines()
    assert not [line for line in lines if line.startswith("::add-mask")]
    assert lines[0].startswith("::stop-commands::")
    assert lines.count(f"::{lines[0].removeprefix('::stop-commands::')}::") == 1


def test_the_end_of_a_terminal_sequence_and_a_carriage_return_are_escaped(weeks):
    weeks.report(Outcome(2, "fatal: \x1b[31mremote\rerror\u202e\n"))
    assert "```text\nfatal: \\x1b[31mremote\\rerror\\u202e\n```" in weeks.server.issues[0]["body"]


def test_a_forged_marker_in_a_report_hides_no_later_report(weeks):
    weeks.report(Outcome(2, f"x\n<!-- upstream-report: {'1' * 64} -->"))
    weeks.report(Outcome(2, "y", key="1" * 64))
    assert weeks.counts == (1, 0, 1)


def test_a_long_report_is_cut(weeks):
    line = "\U0001f600" * 40
    text = "\n".join(f"{number} {line}" for number in range(10_000))
    assert weeks.report(Outcome(1, text, to_do=text)).returncode == 0
    body = weeks.server.issues[0]["body"]
    assert len(body.encode("utf-16-le")) // 2 < 65_536
    assert body.count(f"{line}\n```\n\nCut after ") == 2
    url = f"{weeks.server.environment['GITHUB_SERVER_URL']}/choria/lifecycle/actions/runs/1001"
    assert body.count(f" of {len(text)} characters; the log of {url} has the rest.") == 2


@pytest.mark.parametrize("state", ["open", "closed"])
def test_a_pull_request_is_left_alone(sized, state):
    sized.run()
    sized.server.pulls[0]["state"] = state
    branch = sized.server.pulls[0]["head"]
    checkout = sized.checkout(branch)
    git(checkout, "commit", "--quiet", "--allow-empty", "--message=a maintainer's work")
    git(checkout, "push", "--quiet", "origin", branch)
    head = git(checkout, "rev-parse", "HEAD")
    sized.run()
    assert sized.counts == (1, 1, 0)
    assert git(sized.server.bare, "rev-parse", branch) == head


def test_a_branch_without_a_pull_request_gets_one(weeks):
    outcome = Outcome(files={"schemas/new.json": "{}\n"})
    weeks.server.refuse["POST /pulls"] = (403, "GitHub Actions is not permitted to create or approve pull requests.")
    refused = weeks.report(outcome)
    assert refused.returncode == 1
    assert refused.stderr == (
        "report: POST /pulls: 403 GitHub Actions is not permitted to create or approve pull requests.\n"
        "The update is on branch upstream/000000000000. If workflows may not open pull requests, allow it in Settings, "
        "Actions, General, Workflow permissions; or open it by hand.\n"
    )
    assert weeks.counts == (1, 0, 0)
    head = git(weeks.server.bare, "rev-parse", "upstream/000000000000")
    weeks.server.refuse.clear()
    assert weeks.report(outcome).returncode == 0
    assert weeks.counts == (1, 1, 0)
    assert git(weeks.server.bare, "rev-parse", "upstream/000000000000") == head


def test_a_file_that_upstream_removed_is_removed(weeks):
    assert weeks.report(Outcome(files={f"schemas/{PING}": None})).returncode == 0
    checkout = weeks.checkout("upstream/000000000000")
    assert git(checkout, "diff", "--name-status", "HEAD~") == f"D\tschemas/{PING}"


@pytest.mark.parametrize("path", [".github/workflows/x.yml", "schemas/../Makefile", "/tmp/x", "schemas/../../x"])
def test_an_update_cannot_leave_its_folders(weeks, path):
    refused = weeks.report(Outcome(files={path: "x"}))
    assert (refused.returncode, refused.stderr) == (1, f"report: {path!r} is not below schemas or generated\n")
    assert git(weeks.server.bare, "branch", "--list", "upstream/*") == ""


@pytest.mark.parametrize(
    ("request_", "status"),
    [("GET /issues", 0), ("GET /issues", 1), ("POST /issues", 1), ("GET /pulls", 1), ("POST /issues/.*/comments", 0)],
)
def test_an_error_of_the_api_ends_the_run(weeks, request_, status):
    if request_.endswith("comments"):
        weeks.report(Outcome())
    weeks.server.refuse[request_] = (503, "No server is currently available")
    refused = weeks.report(Outcome(status, files={"schemas/x": ""} if status else {}))
    assert refused.returncode == 1
    shown = request_.replace(".*", "1")
    page, head = "?state=open&per_page=100&page=1", "?state=all&head=choria%3Aupstream%2F000000000000"
    query = {"GET /issues": page, "GET /pulls": head}.get(shown, "")
    assert refused.stderr == f"report: {shown}{query}: 503 No server is currently available\n"


def test_details_of_an_error_are_shown(weeks):
    weeks.server.add_issue("x", "", head="upstream/000000000000", pull_request={}, user={"login": "x"})
    weeks.server.refuse["GET /pulls"] = (422, "Validation Failed", "head is unknown")
    refused = weeks.report(Outcome(files={"schemas/x": ""}))
    assert refused.stderr.endswith(": 422 Validation Failed: head is unknown\n")


def test_a_refused_push_does_not_show_the_token(weeks):
    hook = weeks.server.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected branch' >&2\nexit 1\n")
    hook.chmod(0o755)
    refused = weeks.report(Outcome(files={"schemas/x": ""}))
    assert refused.returncode == 1
    assert refused.stderr.startswith("report: git push: remote: protected branch")
    assert weeks.server.environment["GITHUB_TOKEN"] not in refused.stderr
    assert weeks.counts == (1, 0, 0)


def test_a_wrong_token_is_named(weeks):
    refused = weeks.report(Outcome(), GITHUB_TOKEN="wrong")
    assert (refused.returncode, refused.stderr) == (
        1,
        "report: GET /issues?state=open&per_page=100&page=1: 401 Bad credentials\n",
    )


def test_github_that_cannot_be_reached_is_named(weeks):
    refused = weeks.report(Outcome(), GITHUB_API_URL="http://127.0.0.1:1")
    assert refused.returncode == 1
    assert refused.stderr.startswith("report: GET /issues?state=open&per_page=100&page=1: <urlopen error ")


def test_only_the_workflow_s_own_texts_count(weeks):
    marker = f"<!-- upstream-report: {'0' * 64} -->"
    weeks.server.add_issue("forged", marker, login="mallory")
    weeks.server.add_issue("without a text", None)
    weeks.server.add_issue("without an author", marker)["user"] = None
    weeks.server.add_issue("a pull request", marker, pull_request={}, head="x")
    weeks.report(Outcome(key="1" * 64))
    issue = weeks.server.issues[4]
    assert issue["body"].endswith(f"<!-- upstream-report: {'1' * 64} -->")
    weeks.server.add_comment(5, marker, login="mallory")
    weeks.report(Outcome())
    assert [comment["user"]["login"] for comment in weeks.server.comments[5]] == ["mallory", BOT]


def test_every_page_is_read(weeks):
    for _ in range(150):
        weeks.server.add_issue("other", "text", login="user")
    weeks.report(Outcome())
    for _ in range(120):
        weeks.server.add_comment(151, "text", login="user")
    weeks.report(Outcome(key="1" * 64))
    weeks.report(Outcome(key="1" * 64))
    assert len(weeks.server.issues) == 151
    assert len(weeks.server.comments[151]) == 121


def test_a_checkout_with_changes_is_refused(weeks):
    checkout = weeks.checkout()
    (checkout / "schemas" / "new file.json").write_text("{}")
    (checkout / "schemas" / PING).unlink()
    refused = call(checkout, "compare", "outcome.json")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"compare: schemas/{PING}, schemas/new file.json: commit or discard the changes first\n",
    )


def test_the_schedule_stays_enabled(weeks):
    assert call(weeks.folder, "keep-enabled", "upstream.yml", **weeks.server.environment).returncode == 0
    assert weeks.server.enabled == ["upstream.yml"]
    weeks.server.refuse["PUT .*"] = (403, "Resource not accessible by integration")
    refused = call(weeks.folder, "keep-enabled", "upstream.yml", **weeks.server.environment)
    assert (refused.returncode, refused.stderr) == (
        1,
        "keep-enabled: PUT /actions/workflows/upstream.yml/enable: 403 Resource not accessible by integration\n",
    )


def test_missing_variables_are_named(tmp_path):
    refused = call(tmp_path, "report", "outcome.json", GITHUB_TOKEN="", GITHUB_API_URL="", GITHUB_REPOSITORY="a/b")
    assert refused.returncode == 2
    assert re.search(r"error: not set: GITHUB_API_URL, (\w+, )*GITHUB_TOKEN\n", refused.stderr)


def test_the_workflow_calls_the_script_with_the_least_permissions():
    workflow = yaml.load(WORKFLOW.read_text("utf-8"), yaml.BaseLoader)
    assert set(workflow["on"]) == {"schedule", "workflow_dispatch"}
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "compare": {"contents": "read"},
        "report": {"contents": "write", "issues": "write", "pull-requests": "write"},
        "keep-enabled": {"actions": "write", "contents": "read"},
    }
    assert jobs["report"]["needs"] == "compare"
    assert "github.event_name == 'schedule'" in jobs["report"]["if"]
    for name, job in jobs.items():
        used = {step["uses"].partition("@")[0]: step.get("with", {}) for step in job["steps"] if "uses" in step}
        assert used["actions/checkout"] == {"persist-credentials": "false"}
        *_, command = [step for step in job["steps"] if "run" in step]
        python, script, *arguments = shlex.split(command["run"])
        assert (python.endswith("python"), ROOT / script) == (True, SCRIPT)
        argument = WORKFLOW.name if name == "keep-enabled" else "outcome.json"
        assert arguments == [name, argument]
        token = {} if name == "compare" else {"GITHUB_TOKEN": "${{ github.token }}"}
        assert command.get("env", {}) == token
