"""Reading upstream from git: the content of a commit, at a ref, from a folder or a URL."""

from __future__ import annotations

import os
import subprocess

import pytest

from codegen import lock, upstream

PING = "choria/lifecycle/v1/ping.json"


@pytest.fixture
def git(project, make_event):
    """A function that runs git in upstream's folder, a repository with one commit tagged v1."""
    identity = {f"GIT_{role}_{key}": "x@example.net" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(project.root), **identity}

    def run(*arguments):
        command = ["git", "-C", str(project.upstream), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "--quiet", "--initial-branch=main")
    run("add", ".")
    run("commit", "--quiet", "--message=one")
    run("tag", "v1")
    return run


def test_reads_a_checkout_at_head_and_records_the_commit(project, git):
    assert project.run("sync", "--from", str(project.upstream)).status == 0
    locked = lock.read(project.schemas)
    assert locked.commit == git("rev-parse", "HEAD")
    assert locked.files[0].blob == git("rev-parse", f"HEAD:{PING}")
    assert locked.repository == "https://example.net/schemas"


def test_reads_the_commit_rather_than_the_working_tree(project, git, make_event):
    project.publish(make_event(unfinished={"type": "string"}))
    assert project.run("sync", "--from", str(project.upstream)).status == 0
    assert "unfinished" not in (project.schemas / PING).read_text()


@pytest.mark.parametrize("form", ["{0}", "file://{0}"])
def test_reads_any_ref_of_a_folder_or_url(project, git, make_event, form):
    first = git("rev-parse", "HEAD")
    project.publish(make_event(size={"type": "integer"}))
    git("commit", "--all", "--quiet", "--message=two")
    origin = form.format(project.upstream)
    assert project.run("sync", "--from", origin, "--ref", "v1").status == 0
    assert lock.read(project.schemas).commit == first
    result = project.run("sync", "--from", origin, "--ref", "main", "--check")
    assert (result.status, "field size added" in result.out) == (1, True)
    assert project.run("sync", "--from", origin, "--ref", "main").status == 0
    assert lock.read(project.schemas).commit == git("rev-parse", "HEAD")


def test_a_bare_repository_is_a_repository(project, git):
    bare = project.root / "bare.git"
    git("clone", "--quiet", "--bare", str(project.upstream), str(bare))
    assert project.run("sync", "--from", str(bare)).status == 0


def test_commit_option_requires_that_commit(project, git):
    head = git("rev-parse", "HEAD")
    assert project.run("sync", "--from", str(project.upstream), "--commit", head).status == 0
    result = project.run("sync", "--from", str(project.upstream), "--commit", "0" * 40)
    assert (result.status, f"is commit {head}, not {'0' * 40}" in result.err) == (2, True)


@pytest.mark.parametrize("form", ["{0}", "file://{0}"])
def test_an_unknown_ref_is_a_usage_error(project, git, form):
    result = project.run("sync", "--from", form.format(project.upstream), "--ref", "nowhere")
    assert (result.status, result.err.startswith("sync: git ")) == (2, True)


def test_a_missing_repository_is_a_usage_error(project):
    result = project.run("sync", "--from", f"file://{project.root}/absent")
    assert (result.status, "git fetch failed" in result.err) == (2, True)


def test_a_symlink_in_the_commit_is_refused(project, git):
    (project.upstream / "choria/lifecycle/v1/link.json").symlink_to("/etc/hostname")
    git("add", ".")
    git("commit", "--quiet", "--message=link")
    result = project.run("sync", "--from", str(project.upstream))
    assert (result.status, "link.json: is not a regular file" in result.err) == (2, True)


def test_git_dir_in_the_environment_is_ignored(project, git, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(project.root / "somewhere.git"))
    assert project.run("sync", "--from", str(project.upstream)).status == 0


def test_without_git_a_plain_folder_still_works(project, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert project.sync().status == 0
    result = project.run("sync", "--from", "https://example.net/schemas")
    assert (result.status, "git is not installed" in result.err) == (2, True)


def test_git_that_hangs_times_out(project, monkeypatch):
    def hang(*arguments, timeout, **options):
        raise subprocess.TimeoutExpired("git", timeout)

    monkeypatch.setattr(upstream.subprocess, "run", hang)
    result = project.run("sync", "--from", "https://example.net/schemas")
    assert (result.status, "timed out after" in result.err) == (2, True)


def test_the_default_origin_is_the_repository_of_the_lock(project, monkeypatch):
    seen = []
    monkeypatch.setattr(upstream, "_git", lambda repository, *arguments: seen.append(arguments) or b"")
    project.run("sync")
    assert (seen[1][0], *seen[1][-2:]) == ("fetch", "https://example.net/schemas", "HEAD")
