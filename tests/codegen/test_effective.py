"""The effective contract is compared wherever it can change: by an update, and by an edit of any file in schemas/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from codegen import contract, readback
from tests.bed.paths import ROOT

PING = "choria/lifecycle/v1/ping.json"
GOVERNOR = "choria/lifecycle/v1/governor.json"
NAGIOS = "choria/machine/watcher/nagios/v1/state.json"
TITLE = "io.choria.lifecycle.v1.ping"
ALL = "(breaks readers, writers and Python: major)"
EVENTS = "(breaks readers and writers: major)"


@pytest.fixture
def real(project):
    """A project with the repository's own schemas/ and generated/; upstream publishes the canonical forms."""
    for folder in (project.schemas, project.upstream):
        shutil.rmtree(folder)
    shutil.copytree(ROOT / "schemas", project.schemas)
    shutil.copytree(ROOT / "generated", project.root / "generated", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "schemas/choria", project.upstream / "choria")
    assert project.sync().status == 0
    assert project.run("generate").status == 0
    return project


def edit(file, before, after):
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_a_local_contract_that_upstream_publishes_otherwise_is_compared(real):
    schema = json.loads((real.schemas / "local" / GOVERNOR).read_text())
    schema["id"] = "https://choria.io/schemas/choria/lifecycle/v1/governor.json"
    schema["properties"]["protocol"]["enum"] = ["io.choria.lifecycle.v1.governor"]
    schema["properties"]["event_type"]["enum"] = ["enter", "exit", "timeout", "evicted"]
    del schema["properties"]["governor"]["minLength"], schema["properties"]["sequence"]["minimum"]
    real.publish(schema, GOVERNOR)
    title = "io.choria.lifecycle.v1.governor"
    expected = [
        (
            f"{title}: id changed from 'urn:choria-lifecycle:schema:{title}' to "
            "'https://choria.io/schemas/choria/lifecycle/v1/governor.json' (patch)"
        ),
        f"{title}: field protocol: value 'choria:lifecycle:governor:1' removed {ALL}",
        f"{title}: field governor: minLength 1 removed (minor)",
        f"{title}: field sequence: minimum 0 removed (minor)",
        f"{title}: field event_type: value 'timeout' added (minor)",
        f"{title}: field event_type: value 'evicted' added (minor)",
        f"{title}: field event_type: value 'timeouts' removed {ALL}",
        f"{title}: field event_type: value 'eviction' removed {ALL}",
        f"{title}: local schema replaced by upstream's (patch)",
        f"to do: local/{GOVERNOR}: is published by upstream too: remove the local file and the .toml beside it",
        "9 changes: 3 break readers, 3 break writers, 3 break Python; version step: major",
    ]
    checked = real.sync("--check")
    assert (checked.status, checked.out.splitlines()[: len(expected)]) == (1, expected)
    assert real.sync().out.splitlines()[: len(expected)] == expected
    assert real.run("changes").out.splitlines() == expected
    (real.schemas / "local" / GOVERNOR).unlink()
    to_do = f"local/{GOVERNOR.replace('.json', '.toml')}: has the sources of a schema that does not exist: remove it"
    assert real.run("generate").err == f"{to_do}\n"
    (real.schemas / "local" / GOVERNOR).with_suffix(".toml").unlink()
    done = real.run("generate")
    assert (done.status, done.out.splitlines()[:9], done.out.splitlines()[-1]) == (0, expected[:9], expected[-1])
    assert real.run("changes").out == "no changes\n"


def test_an_inline_schema_that_moves_to_definitions_is_not_a_change(real):
    schema = json.loads((real.schemas / NAGIOS).read_text())
    schema["definitions"]["annotations"] = schema["properties"]["annotations"]
    schema["properties"]["annotations"] = {"$ref": "#/definitions/annotations"}
    schema["$schema"] = "http://json-schema.org/draft-07/schema#"
    schema["properties"]["output"]["description"] = "The output."
    corrections = real.schemas / "corrections.toml"
    edit(corrections, '"/properties/annotations/type"', '"/definitions/annotations/type"')
    real.publish(schema, NAGIOS)
    assert real.sync().status == 0
    assert real.run("changes").out.splitlines() == [
        (
            "io.choria.machine.watcher.nagios.v1.state: correction of /properties/annotations/type removed: "
            "Go sends null for a machine without annotations. (patch)"
        ),
        (
            "io.choria.machine.watcher.nagios.v1.state: correction of /definitions/annotations/type added: "
            "Go sends null for a machine without annotations. (patch)"
        ),
        "2 changes; version step: patch",
    ]
    assert real.run("generate").status == 0
    real.publish(json.loads((real.schemas / NAGIOS).read_text()) | {"description": "The state."}, NAGIOS)
    assert real.sync("--check").out.splitlines()[:2] == [
        "io.choria.machine.watcher.nagios.v1.state: new text upstream, same contract (patch)",
        "1 change; version step: patch",
    ]


NO_EFFECT = "has no effect: expected and value are equal, or both are missing"
EDITS = [
    ("corrections.toml", "value = 5", "value = 4", ("machine.watcher.nagios.v1.state: field status_code: maximum "
     f"tightened from 5 to 4 {EVENTS}")),
    ("corrections.toml", '"SKIPPED", ', "", ("machine.watcher.nagios.v1.state: field status: value 'SKIPPED' removed "
     f"{ALL}")),
    ("corrections.toml", 'value = ["object", "null"]', 'value = "object"', None),
    ("corrections.toml", '"4 is SKIPPED, 5 is NOTCHECKED."', '"Two more."',
     "machine.watcher.nagios.v1.state: correction of /properties/status_code/maximum added: Two more. (patch)"),
    (f"local/{GOVERNOR}", '"minimum": 0', '"minimum": 1', ("lifecycle.v1.governor: field sequence: minimum "
     f"tightened from 0 to 1 {EVENTS}")),
    (f"local/{GOVERNOR}", '"eviction"', '"evicted"',
     f"lifecycle.v1.governor: field event_type: value 'eviction' removed {ALL}"),
    ("descriptions.toml", '"The output of the plugin."', '"What the plugin wrote."',
     ("machine.watcher.nagios.v1.state: field output: sentence changed from 'The output of the plugin.' to "
     "'What the plugin wrote.' (patch)")),
    ("descriptions.toml", '"One of the most recent checks."', '"A recent check."',
     ("machine.watcher.nagios.v1.state: field history[]: sentence changed from 'One of the most recent checks.' to "
     "'A recent check.' (patch)")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after", "line"), EDITS)
def test_an_edit_by_hand_is_described_by_changes_and_by_generate(real, name, before, after, line):
    edit(real.schemas / name, before, after)
    result = real.run("changes")
    if line is None:
        assert (
            result.err
            == "corrections.toml#/corrections/3: has no effect: expected and value are equal, or both are missing\n"
        )
        return
    assert (result.status, f"io.choria.{line}\n" in result.out) == (1, True), result.out
    described = real.run("generate").out
    assert described.startswith(result.out.rpartition("\n")[0].rpartition("\n")[0])
    assert described.endswith(result.out.splitlines()[-1] + "\n")
    assert (real.run("changes").status, real.run("changes").out) == (0, "no changes\n")


def test_the_contracts_are_read_back_as_they_were_written(real):
    written, read = contract.load(real.schemas), readback.read(real.package)
    assert (read.repository, read.commit) == (written.repository, written.commit)
    for before, after in zip(written.all, read.all, strict=True):
        assert (after.path, after.schema, after.blob, after.corrections) == (
            before.path, before.schema, before.blob, before.corrections,
        )  # fmt: skip
        # A dict is equal to one in another order: a class has its required fields first.
        assert after.descriptions == before.descriptions


def test_changes_before_the_first_generate_are_all_new(project):
    project.sync()
    assert project.run("changes").out.splitlines() == [
        f"{TITLE}: event type added ({PING}) (minor)",
        "1 change; version step: minor",
    ]


@pytest.mark.parametrize("damage", ["import os\n", "(", "", "_ALL: int = 5\n"])
@pytest.mark.parametrize("module", ["registry.py", "lifecycle/v1/ping.py", "_schema/lifecycle/v1/ping.py"])
def test_a_damaged_package_is_not_compared_but_repaired(project, module, damage):
    project.generate()
    before = project.bytes()
    (project.package / module).write_text(damage)
    refused = project.run("changes")
    assert (refused.status, refused.out) == (2, "")
    assert refused.err.startswith("generated/choria_schemas: cannot be compared, as it is not what this version of")
    assert project.run("generate").status == 0
    assert project.bytes() == before


def test_a_missing_sentence_is_a_thing_to_do_not_an_error(project, make_event):
    assert project.generate().status == 0
    project.publish(make_event(size={"type": "integer"}))
    for result in (project.sync("--check"), project.sync(), project.run("changes")):
        assert result.out.splitlines()[:3] == [
            f"{TITLE}: field size added (minor)",
            f"to do: {PING}#/properties/size: has no sentence in descriptions.toml",
            "1 change; version step: minor",
        ]


@pytest.mark.parametrize("command", ["sync", "check", "changes"])
def test_json_has_one_object_a_line(project, make_event, command):
    assert project.generate().status == 0
    project.publish(make_event(size={"type": "integer"}))
    project.publish(make_event(), "choria/lifecycle/v2/ping.json")
    if command == "changes":
        project.sync()
        result = project.run("changes", "--output", "json")
    else:
        result = project.sync("--output", "json", *(["--check"] if command == "check" else []))
    assert result.status == (command != "sync")
    records = [json.loads(line) for line in result.out.splitlines()]
    change = {
        "record": "change",
        "path": PING,
        "event": TITLE,
        "field": "size",
        "kind": "field-added",
        "text": "field size added",
        "breaks": [],
        "step": "minor",
    }
    file = {"record": "file", "path": "choria/lifecycle/v2/ping.json", "state": "unknown"}
    to_do = {
        "record": "to-do",
        "path": PING,
        "pointer": "/properties/size",
        "text": "has no sentence in descriptions.toml",
    }
    summary = {
        "record": "summary",
        "changes": 1,
        "breaks": {"readers": 0, "writers": 0, "python": 0},
        "step": "minor",
    }
    if command == "changes":
        assert records == [change, to_do, summary]
    else:
        commit = {"commit": "0123456789abcdef0123456789abcdef01234567", "applied": command == "sync"}
        assert records == [change, file, to_do, summary | commit]


@pytest.fixture
def git(project):
    """A function that runs git in the project's root, a folder of a repository with one commit."""
    identity = {f"GIT_{role}_{key}": "x@example.net" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(project.root), **identity}

    def run(*arguments):
        command = ["git", "-C", str(project.root), *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    assert project.generate().status == 0
    run("init", "--quiet", "--initial-branch=main")
    run("add", ".")
    run("commit", "--quiet", "--message=one")
    return run


def test_changes_against_a_revision_reads_it_without_touching_the_work_tree(project, git, make_event):
    schema = make_event(size={"type": "integer"})
    project.publish(schema)
    project.describe(schema)
    assert project.generate().status == 0
    before = project.bytes(), git("status", "--porcelain")
    assert project.run("changes").out == "no changes\n"
    result = project.run("changes", "--against", "HEAD")
    assert (result.status, result.out.splitlines()[0]) == (1, f"{TITLE}: field size added (minor)")
    assert (project.bytes(), git("status", "--porcelain")) == before
    git("commit", "--quiet", "--all", "--message=two")
    assert project.run("changes", "--against", "HEAD").status == 0
    assert project.run("changes", "--against", "HEAD~1").out == result.out


def test_changes_against_a_revision_works_in_a_folder_of_a_repository(project, tmp_path_factory, git, make_event):
    top = tmp_path_factory.mktemp("top")
    shutil.copytree(project.root, top / "inner", ignore=shutil.ignore_patterns(".git"))
    shutil.move(project.root / ".git", top / ".git")
    subprocess.run(["git", "-C", str(top), "add", "."], check=True)
    subprocess.run(
        ["git", "-C", str(top), "-c", "user.name=x", "-c", "user.email=x@example.net", "commit", "-qm", "moved"],
        check=True,
    )
    object.__setattr__(project, "root", top / "inner")
    assert project.run("changes", "--against", "HEAD").out == "no changes\n"


@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("nowhere", "changes: git rev-parse failed: "),
        ("", "changes: --against '' is not usable: it must be one line, not empty, and not begin with a dash\n"),
        ("--output=x", "changes: --against '--output=x' is not usable: "),
        ("empty", "changes: empty has no schemas/\n"),
    ],
)
def test_an_unusable_revision_is_a_usage_error(project, git, revision, message):
    git("checkout", "--quiet", "--orphan", "empty")
    git("rm", "-r", "--quiet", "--cached", ".")
    git("commit", "--quiet", "--allow-empty", "--message=nothing")
    result = project.run("changes", f"--against={revision}")
    assert (result.status, result.out, result.err.startswith(message)) == (2, "", True), result.err


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("$id", "#name"), ("readOnly", True), ("writeOnly", False), ("contentMediaType", "text/html")],
)
def test_a_keyword_that_refuses_nothing_breaks_nobody(project, make_event, keyword, value):
    assert project.generate().status == 0
    schema = make_event()
    schema["properties"]["name"] |= {keyword: value}
    project.publish(schema)
    synced = project.sync("--check").out
    assert f"{TITLE}: field name: {keyword} {value!r} added (patch)\n" in synced
    assert f"{PING}#/properties/name/{keyword}: keyword {keyword!r} is not supported" in synced
    assert "version step: patch" in synced
