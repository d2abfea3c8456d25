"""The files of a schemas folder besides the schemas: the lock, the sentences, and the sources of local contracts."""

from __future__ import annotations

import json

import pytest

from codegen import lock

PING = "choria/lifecycle/v1/ping.json"
ESCAPED = PING.replace("/", "~1")
LOCAL = "choria/lifecycle/v1/pong.json"


@pytest.fixture
def local(project, make_event):
    """A project with a local contract, and its folder."""
    project.sync()
    folder = project.schemas / "local" / "choria/lifecycle/v1"
    folder.mkdir(parents=True)
    schema = make_event(LOCAL)
    del schema["description"], schema["properties"]["name"]["description"], schema["properties"]["name"]["default"]
    ordered = {key: schema[key] for key in ("$schema", "id", "title", "type", "required", "properties")}
    (folder / "pong.json").write_text(json.dumps(ordered, indent=2) + "\n")
    (folder / "pong.toml").write_text('[sources]\n"/properties/protocol" = "there"\n"/properties/name" = "there"\n')
    project.describe(schema, LOCAL)
    assert project.run("generate").status == 0
    return folder


def test_generated_files_name_a_local_contract_as_local(project, local):
    assert "schemas/local/choria/lifecycle/v1/pong.json" in project.text("lifecycle/v1/pong.py")
    assert "source='local'" in project.text("registry.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[sources]\n"/properties/protocol" = "x"\n', "pong.toml#/properties/name: is a field without a source"),
        (
            '[sources]\n"/properties/protocol" = "x"\n"/properties/name" = "x"\n"/gone" = "x"\n',
            "pong.toml#/gone: has a source, but the schema has nothing there",
        ),
        ("[", "pong.toml: cannot be read"),
        ("sources = 5", "pong.toml#/sources: 5 is not of type 'object'"),
        ("sources = [1]", "pong.toml#/sources: [1] is not of type 'object'"),
        ('[sources]\n"/properties/name" = 1', "pong.toml#/sources/~1properties~1name: 1 is not of type 'string'"),
        ("[source]", "pong.toml#/source: is an unknown key; known keys are repository, commit, sources"),
    ],
)
def test_a_local_contract_needs_a_source_for_each_field(project, local, text, message):
    (local / "pong.toml").write_text(text)
    result = project.run("generate")
    assert (result.status, message in result.err) == (2, True)


def test_a_local_contract_must_be_in_canonical_form(project, local):
    file = local / "pong.json"
    file.write_text(file.read_text().replace("  ", "    "))
    result = project.run("generate")
    assert (result.status, "pong.json: is not in canonical form" in result.err) == (2, True)
    file.write_text('{"type": 1}')
    assert "local/choria/lifecycle/v1/pong.json#/$schema" in project.run("generate").err


def test_a_file_missing_from_the_lock_is_refused(project):
    project.sync()
    (project.schemas / "choria/lifecycle/v1/extra.json").write_text("{}")
    result = project.run("generate")
    assert (result.status, "extra.json: is not in upstream.lock" in result.err) == (2, True)


def test_a_missing_file_is_reported(project):
    project.sync()
    (project.schemas / PING).unlink()
    assert f"{PING}: is in upstream.lock, but missing" in project.run("generate").err


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"name" = "A field."', "", f"{PING}#/properties/name: has no sentence in descriptions.toml"),
        ('"name" = ', '"gone" = "A field."\n"name" = ', f"{PING}#/properties/gone: is described"),
        ('sentence = "Something."', "", "descriptions.toml#/choria~1lifecycle~1v1~1ping.json/: has no sentence"),
        ("v1/ping.json", "v1/pang.json", f"{PING}: has no sentence in descriptions.toml"),
        (
            "v1/ping.json",
            "v1/pang.json",
            "descriptions.toml#/choria/lifecycle/v1/pang.json: describes a schema that does not exist",
        ),
        ('"A field."', "1", f"descriptions.toml#/{ESCAPED}/fields/name: 1 is not of type 'string'"),
        ('sentence = "Something."', "sentence = [1]", f"descriptions.toml#/{ESCAPED}/sentence: [1] is not of type"),
        ('sentence = "Something."', "objects = 5", f"descriptions.toml#/{ESCAPED}/objects: 5 is not of type 'object'"),
        ('sentence = "Something."', "objects.a = 5", f"descriptions.toml#/{ESCAPED}/objects/a: 5 is not of type"),
        ("[", "x = 5\n[", "descriptions.toml#/x: 5 is not of type 'object'"),
        (
            ".fields]",
            ".feilds]",
            f"descriptions.toml#/{ESCAPED}/feilds: is an unknown key; known keys are sentence, fields",
        ),
        ("[", "[[[", "descriptions.toml: cannot be read"),
    ],
)
def test_every_event_and_field_needs_a_sentence(project, before, after, message):
    project.sync()
    file = project.schemas / "descriptions.toml"
    file.write_text(file.read_text().replace(before, after, 1 if before == "[" else -1))
    result = project.run("generate")
    assert (result.status, message in result.err) == (2, True), result.err


def test_nested_objects_need_sentences_too(project, make_event):
    schema = make_event(part={"type": "object", "properties": {"a": {"type": "string"}}})
    project.publish(schema)
    project.describe(schema)
    file = project.schemas / "descriptions.toml"
    file.write_text(file.read_text().replace("/properties/part", "/properties/past"))
    result = project.generate()
    assert (result.status, f"{PING}#/properties/part: has no sentence" in result.err) == (2, True)
    assert f"{PING}#/properties/past: is described" in result.err


def test_fields_follow_the_order_of_the_sentences(project, make_event):
    schema = make_event(a={"type": "string"}, b={"type": "string"})
    schema["required"] += ["b"]
    project.publish(schema)
    project.describe(schema | {"properties": dict(reversed(schema["properties"].items()))})
    assert project.generate().status == 0
    text = project.text("lifecycle/v1/ping.py")
    positions = [text.index(f"    {name}: ") for name in ("b", "name", "protocol", "a")]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[source]", "[sauce]", "upstream.lock: 'source' is a required property"),
        ("[source]", "[sauce]", "upstream.lock#/sauce: is an unknown key; known keys are source, use, ignore, files"),
        ("[source]", "source = 5 #", "upstream.lock#/source: 5 is not of type 'object'"),
        ("[source]", "files = 5 #", "upstream.lock#/files: 5 is not of type 'array'"),
        ("[source]", "use = [5] #", "upstream.lock#/use/0: 5 is not of type 'object'"),
        ("[source]", "ignore = {a = 1} #", "upstream.lock#/ignore: {'a': 1} is not of type 'array'"),
        ("watch = ", "watch = 5 #", "upstream.lock#/source/watch: 5 is not of type 'array'"),
        ("watch = ", 'watch = "choria/" #', "upstream.lock#/source/watch: 'choria/' is not of type 'array'"),
        ("reason = ", "raisin = ", "upstream.lock#/use/0/raisin: is an unknown key; known keys are path, reason"),
        ("sha256 = ", "sha = ", "upstream.lock#/files/0: 'sha256' is a required property"),
        ('commit = "', 'commit = "x', "is not the full hash"),
        ("repository = ", "repository = 1 #", "upstream.lock#/source/repository: 1 is not of type 'string'"),
        ("[source]", "[source", "upstream.lock: cannot be read"),
    ],
)
def test_an_invalid_lock_is_reported(project, before, after, message):
    project.sync()
    file = project.schemas / "upstream.lock"
    text = file.read_text().replace(before, after)
    # The value replaces all tables; the rest of the file would belong to it.
    file.write_text(after if after.endswith("#") and before == "[source]" else text)
    for command in ("generate", "drift", "sync"):
        result = project.run(command)
        assert (result.status, message in result.err) == (2, True), result.err


def test_a_missing_lock_is_reported(project):
    (project.schemas / "upstream.lock").unlink()
    assert project.run("drift").err == "upstream.lock: is missing\n"


@pytest.mark.parametrize("text", ["plain", "\x7f", '"', "\\", "\n", "\x00", "é\u2028", "'''", "# [source]"])
def test_a_lock_survives_a_round_trip(tmp_path, text):
    pattern = lock.Pattern(f"choria/{text}", text)
    written = lock.Lock(text, (text,), (pattern,), (pattern,), "a" * 40, (lock.locked_file(text, b"{}", b"{}"),))
    (tmp_path / lock.NAME).write_text(written.render(), encoding="utf-8")
    assert lock.read(tmp_path) == written
    assert lock.read(tmp_path).render() == written.render()
