"""`sync` fetches upstream's files, describes the changes, and applies all of them or none."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

from codegen import lock

TITLE = "io.choria.lifecycle.v1.ping"
PING = "choria/lifecycle/v1/ping.json"
ALL = "(breaks readers, writers and Python: major)"
EVENTS = "(breaks readers and writers: major)"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
USABLE = "it must be one line, not empty, and not begin with a dash"


@pytest.fixture
def synced(project):
    assert project.generate().status == 0
    return project


def test_writes_the_canonical_form_and_the_lock(synced):
    kept = json.loads((synced.schemas / PING).read_text())
    assert kept["title"] == "io.choria.lifecycle.v1.ping"
    assert "description" not in json.dumps(kept)
    assert "default" not in json.dumps(kept)
    (entry,) = tomllib.loads((synced.schemas / "upstream.lock").read_text())["files"]
    data = (synced.upstream / PING).read_bytes()
    assert entry["path"] == PING
    assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    assert entry["blob"] == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    assert lock.read(synced.schemas).commit == COMMIT


def test_a_second_sync_changes_nothing(synced):
    before = synced.bytes()
    result = synced.sync()
    assert (result.status, synced.bytes()) == (0, before)
    assert synced.sync("--check").status == 0


def test_a_commit_that_touches_no_used_file_is_not_a_difference(synced):
    moved = "f" * 40
    arguments = ("sync", "--from", str(synced.upstream), "--commit", moved)
    assert synced.run(*arguments, "--check").status == 0
    assert synced.run(*arguments).status == 0
    assert lock.read(synced.schemas).commit == moved
    assert synced.run("drift").status == 1  # the headers name the commit


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda s: s["properties"].update(size={"type": "integer"}),
            f"{TITLE}: field size added (minor)\n",
        ),
        (
            lambda s: (s["properties"].update(size={"type": "integer"}), s["required"].append("size")),
            f"field size added, required {ALL}\n",
        ),
        (
            lambda s: s["required"].append("extra"),
            f"field extra now required {ALL}\n",
        ),
        (lambda s: s["required"].remove("name"), "field name no longer required (breaks Python: major)\n"),
        (lambda s: s["properties"].pop("extra"), "field extra removed (breaks Python: major)\n"),
        (lambda s: s["properties"]["extra"]["enum"].append("c"), "field extra: value 'c' added (minor)\n"),
        (
            lambda s: s["properties"]["extra"]["enum"].remove("a"),
            f"field extra: value 'a' removed {ALL}\n",
        ),
        (
            lambda s: s["properties"]["protocol"]["enum"].append("newer"),
            "field protocol: value 'newer' added (minor)\n",
        ),
        (
            lambda s: s["properties"].update(name={"type": "integer"}),
            f"field name: type changed from 'string' to 'integer' {ALL}\n",
        ),
        (
            lambda s: s["properties"]["name"].update(minLength=1),
            f"field name: minLength 1 added {EVENTS}\n",
        ),
        (
            lambda s: s.update(additionalProperties=False),
            f"closed: other fields are no longer allowed {EVENTS}\n",
        ),
        (
            lambda s: s["properties"]["list"]["items"]["properties"].update(new={"type": "string"}),
            "field list[].new added (minor)\n",
        ),
        (
            lambda s: s["properties"]["list"]["items"].update(required=["old"]),
            f"field list[].old now required {ALL}\n",
        ),
        (
            lambda s: s.update(description="better wording"),
            f"{TITLE}: new text upstream, same contract (patch)\n",
        ),
        (lambda s: s["required"].reverse(), f"{TITLE}: new text upstream, same contract (patch)\n"),
    ],
)
def test_describes_the_changes(project, make_event, change, line):
    schema = make_event(
        extra={"type": "string", "enum": ["a", "b"]},
        list={"type": "array", "items": {"type": "object", "properties": {"old": {"type": "string"}}}},
    )
    project.publish(schema)
    assert project.sync().status == 0
    before = project.bytes()
    change(schema)
    project.publish(schema)
    checked = project.sync("--check")
    assert (checked.status, line in checked.out) == (1, True), checked.out
    assert project.bytes() == before
    done = project.sync()
    assert (done.status, line in done.out) == (0, True)
    assert project.sync("--check").status == 0


def test_a_new_event_type_is_reported_with_the_next_steps(synced, make_event):
    path = "choria/lifecycle/v1/pong.json"
    synced.publish(make_event(path), path)
    result = synced.sync()
    assert "io.choria.lifecycle.v1.pong: event type added (choria/lifecycle/v1/pong.json) (minor)\n" in result.out
    assert f"to do: {path}: has no sentence in descriptions.toml\n" in result.out
    assert "python -m codegen generate" in result.out
    refused = synced.run("generate")
    assert (refused.status, f"{path}: has no sentence" in refused.err) == (2, True)
    synced.describe(make_event(path), path)
    assert synced.run("generate").status == 0
    assert "class Pong:" in synced.text("lifecycle/v1/pong.py")


def test_a_removed_event_type_loses_its_modules(synced, make_event):
    path = "choria/lifecycle/v1/pong.json"
    synced.publish(make_event(path), path)
    synced.describe(make_event(path), path)
    assert synced.generate().status == 0
    (synced.upstream / path).unlink()
    result = synced.sync()
    assert f"io.choria.lifecycle.v1.pong: event type removed ({path}) {ALL}" in result.out
    assert not (synced.schemas / path).exists()
    synced.describe(make_event())
    assert "lifecycle/v1/pong.py: left over" in synced.run("drift").out
    assert synced.run("generate").status == 0
    assert not (synced.package / "lifecycle/v1/pong.py").exists()


def test_a_file_neither_used_nor_ignored_is_reported(synced, make_event):
    synced.publish(make_event(), "choria/lifecycle/v2/ping.json")
    for result in (synced.sync("--check"), synced.sync()):
        assert "choria/lifecycle/v2/ping.json: new file, neither used nor ignored" in result.out
    assert synced.sync("--check").status == 1
    lock_file = synced.schemas / "upstream.lock"
    lock_file.write_text(lock_file.read_text() + '[[ignore]]\npath = "choria/lifecycle/v2/*.json"\nreason = "later"\n')
    assert synced.sync("--check").status == 0
    synced.sync()
    assert 'reason = "later"' in lock_file.read_text()


def test_an_ignored_file_is_not_parsed(synced):
    synced.publish(b"\xff not json", "choria/lifecycle/v1/manifest.json")
    assert synced.sync("--check").status == 0


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b'{"a": 1} x', "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"\xff{}", "is not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": 1, "a": 2}', "has the key 'a' twice"),
        (b'{"a": NaN}', "not finite"),
        (b'{"a": -Infinity}', "not finite"),
        (b'{"a": 1e999}', "not finite"),
        (b'{"a": "\\ud800"}', "lone surrogate"),
        (b'{"\\udfff": 1}', "lone surrogate"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "is nested more than"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not usable JSON"),
        (b'{"a": "' + b"x" * 1_000_000 + b'"}', "bytes"),
        (b"{}", "#/$schema: is None"),
        (b'{"$schema": "http://json-schema.org/draft-03/schema#"}', "#/$schema: is"),
        (b'{"$schema": 4}', "#/$schema: is 4"),
        (b'{"$schema": "http://json-schema.org/draft-04/schema", "type": "strin"}', "#/type: is not valid against"),
        (b'{"$schema": "http://json-schema.org/draft-04/schema", "required": []}', "#/required: is not valid"),
        (
            b'{"$schema": "http://json-schema.org/draft-04/schema", "properties": {"a/b": {"minimum": "1"}}}',
            "#/properties/a~1b/minimum: is not valid",
        ),
        (
            b'{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": true}}',
            "#/properties/a: is not",
        ),
    ],
)
def test_an_invalid_schema_is_refused_and_nothing_is_written(synced, make_event, data, reason):
    synced.publish(make_event(size={"type": "integer"}))
    synced.publish(data, "choria/lifecycle/v1/bad.json")
    before = synced.bytes()
    result = synced.sync()
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("choria/lifecycle/v1/bad.json")
    assert reason in result.err
    assert synced.bytes() == before


@pytest.mark.parametrize(
    "name", ["Ping.json", "a b.json", "class.json", "9.json", "x;y.json", "é.json", "a\nb.json", "__init__.json"]
)
def test_a_path_that_cannot_become_a_module_is_refused(synced, make_event, name):
    synced.publish(make_event(), f"choria/lifecycle/v1/{name}")
    result = synced.sync()
    assert (result.status, "it cannot become a module" in result.err) == (2, True)
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("family", ["lazy", "schema", "registry"])
def test_a_family_that_shadows_a_name_of_the_package_is_refused(project, make_event, family):
    lock_file = project.schemas / "upstream.lock"
    lock_file.write_text(lock_file.read_text().replace("choria/lifecycle/v1/*.json", "choria/*/v1/*.json"))
    project.publish(make_event(), f"choria/{family}/v1/ping.json")
    result = project.sync()
    assert (result.status, f"would shadow choria_schemas.{family}" in result.err) == (2, True)


def test_a_folder_that_shadows_the_module_of_all_events_is_refused(synced, make_event):
    lock_file = synced.schemas / "upstream.lock"
    lock_file.write_text(lock_file.read_text().replace("choria/lifecycle/v1/*.json", "choria/lifecycle/*/v1/*.json"))
    synced.publish(make_event(), "choria/lifecycle/events/v1/ping.json")
    result = synced.sync()
    assert (result.status, "would shadow choria_schemas.lifecycle.events" in result.err) == (2, True)


def test_two_files_with_the_same_class_name_are_refused(synced, make_event):
    for name in ("a_b.json", "aB.json", "a__b.json"):
        synced.publish(make_event(), f"choria/lifecycle/v1/{name}")
    (synced.upstream / "choria/lifecycle/v1/aB.json").unlink()
    result = synced.sync()
    assert (result.status, "would be a second class AB" in result.err) == (2, True)


def test_a_symlink_in_upstreams_folder_is_refused(synced, tmp_path):
    (synced.upstream / "choria/lifecycle/v1/link.json").symlink_to("/etc/hostname")
    result = synced.sync()
    assert (result.status, "link.json: is not a regular file" in result.err) == (2, True)


def test_an_empty_upstream_does_not_empty_the_contract(synced, tmp_path):
    (tmp_path / "nothing").mkdir()
    before = synced.bytes()
    result = synced.run("sync", "--from", str(tmp_path / "nothing"), "--commit", COMMIT)
    assert (result.status, "none of the schemas" in result.err) == (2, True)
    assert synced.bytes() == before


def test_a_failed_write_is_rolled_back(synced, make_event, monkeypatch):
    synced.publish(make_event(size={"type": "integer"}))
    before = synced.bytes()
    write_bytes, written = Path.write_bytes, []

    def fail_at_the_lock(path, data):
        written.append(path)
        if "upstream.lock" in path.name:
            monkeypatch.undo()
            raise OSError("disk full")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_at_the_lock)
    result = synced.sync()
    assert (result.status, "disk full" in result.err, len(written)) == (2, True, 2)
    assert synced.bytes() == before


def test_a_manual_edit_is_reported_and_undone(synced):
    kept = synced.schemas / PING
    original = kept.read_text()
    kept.write_text(original.replace("old:ping:1", "older"))
    assert f"{PING}: edited since the last sync" in synced.sync("--check").out
    assert synced.sync().status == 0
    assert kept.read_text() == original


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "{upstream}"],
        ["--from", "{upstream}", "--commit", "abc"],
        ["--from", "{upstream}", "--commit", COMMIT.upper()],
        ["--from", "{upstream}", "--commit", COMMIT, "--ref", "main"],
        ["--from", "{root}/absent"],
        ["--from=--upload-pack=touch {root}/owned"],
        ["--from", "ext::sh -c touch% {root}/owned"],
        ["--from", "ext::sh://x@y"],
        ["--from", "a\nb"],
        ["--from", ""],
        ["--from", "https://127.0.0.1:1/x", "--ref=--upload-pack=touch {root}/owned"],
    ],
)
def test_invalid_arguments_are_a_usage_error(synced, arguments, tmp_path):
    before = synced.bytes()
    result = synced.run("sync", *(text.format(upstream=synced.upstream, root=tmp_path) for text in arguments))
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("sync: ")
    assert synced.bytes() == before
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("option", ["--from", "--ref"])
def test_an_empty_argument_is_not_the_default(synced, option, monkeypatch):
    monkeypatch.setattr("codegen.upstream._git", lambda *arguments: pytest.fail("git was run"))
    result = synced.run("sync", f"{option}=")
    assert (result.status, result.err) == (2, f"sync: {option} '' is not usable: {USABLE}\n")


@pytest.mark.parametrize("option", ["--from", "--ref"])
def test_an_argument_that_git_would_read_as_an_option_never_reaches_git(synced, option, monkeypatch):
    monkeypatch.setattr("codegen.upstream._git", lambda *arguments: pytest.fail("git was run"))
    result = synced.run("sync", "--from", "https://127.0.0.1:1/x@y", f"{option}=--upload-pack=x://y@z")
    assert (result.status, f"{option} '--upload-pack=x://y@z' is not usable" in result.err) == (2, True)


@pytest.fixture
def corrected(project, make_event):
    """A project with a correction of a field, and the schema that upstream publishes."""
    schema = make_event(size={"type": "string"})
    project.publish(schema)
    project.describe(schema)
    project.correct(
        f'[[corrections]]\nfile = "{PING}"\npointer = "/properties/size/type"\n'
        'expected = "string"\nvalue = ["integer", "null"]\nreason = "Numbers."\n'
    )
    assert project.generate().status == 0
    assert "size: int | None = None" in project.text("lifecycle/v1/ping.py")
    return project, schema


def test_a_correction_that_no_longer_applies_is_reported_by_sync_and_stops_generate(corrected):
    project, schema = corrected
    schema["properties"]["size"]["type"] = "number"
    project.publish(schema)
    change = f"{TITLE}: field size: type changed from ['integer', 'null'] to 'number' {ALL}\n"
    to_do = (
        f"{PING}#/properties/size/type: is corrected, but has 'number' where the correction expects 'string' "
        "(see corrections.toml)\n"
    )
    for result in (project.sync("--check"), project.sync()):
        assert change in result.out
        assert f"to do: {to_do}" in result.out
    refused = project.run("generate")
    assert (refused.status, refused.err) == (2, to_do)


@pytest.mark.parametrize("types", [["integer", "null"], ["null", "integer"]])
def test_a_correction_that_upstream_adopted_is_not_a_change_but_something_to_delete(corrected, types):
    project, schema = corrected
    schema["properties"]["size"]["type"] = types
    project.publish(schema)
    assert project.sync().out.splitlines()[:3] == [
        f"{TITLE}: new text upstream, same contract (patch)",
        (
            f"to do: {PING}#/properties/size/type: is corrected, but has {types} where the correction expects "
            "'string'; upstream now has the corrected value: delete this correction (see corrections.toml)"
        ),
        "1 change; version step: patch",
    ]
    project.correct("")
    done = project.run("generate")
    assert (done.status, done.out.splitlines()[:2]) == (
        0,
        [
            f"{TITLE}: correction of /properties/size/type removed: Numbers. (patch)",
            "generated/choria_schemas/_schema/lifecycle/v1/ping.py: rewritten",
        ],
    )


def test_a_correction_of_a_schema_that_moved_names_the_new_place(corrected):
    project, schema = corrected
    schema["definitions"] = {"size": schema["properties"]["size"]}
    schema["properties"]["size"] = {"$ref": "#/definitions/size"}
    project.publish(schema)
    assert (
        f"to do: {PING}#/properties/size/type: is corrected, but refers to #/definitions/size: "
        "correct /definitions/size/type (see corrections.toml)\n"
    ) in project.sync("--check").out


def test_a_local_contract_that_upstream_now_publishes_is_refused(synced):
    local = synced.schemas / "local" / PING
    local.parent.mkdir(parents=True)
    local.write_bytes((synced.schemas / PING).read_bytes())
    local.with_suffix(".toml").write_text('[sources]\n"/properties/protocol" = "x"\n"/properties/name" = "x"\n')
    result = synced.run("generate")
    assert (result.status, f"local/{PING}: is published by upstream too" in result.err) == (2, True)
