"""`drift` reports files that differ, are missing or are left over, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from tests.bed.paths import ROOT

MODULE = "lifecycle/v1/ping.py"


@pytest.fixture
def generated(project):
    assert project.generate().status == 0
    return project


def test_reports_nothing_if_nothing_differs(generated):
    result = generated.run("drift")
    assert (result.status, result.out, result.err) == (0, "", "")


def test_the_repository_itself_has_no_drift():
    completed = subprocess.run([sys.executable, "-m", "codegen", "drift"], cwd=ROOT, capture_output=True, text=True)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [MODULE, "registry.py", "py.typed", f"_validate/{MODULE}", "lifecycle/__init__.py"])
def test_reports_a_file_that_differs(generated, name):
    target = generated.package / name
    target.write_bytes(target.read_bytes() + b" ")
    result = generated.run("drift")
    assert result.status == 1
    assert f"generated/choria_schemas/{name}: differs" in result.out
    assert "run `python -m codegen generate`" in result.out
    assert result.out.count("differs") == 1


def test_windows_line_endings_are_named(generated):
    target = generated.package / MODULE
    target.write_bytes(target.read_bytes().replace(b"\n", b"\r\n"))
    result = generated.run("drift")
    assert result.status == 1
    assert f"{MODULE}: has Windows line endings (CRLF)" in result.out
    assert "core.autocrlf=false" in result.out
    assert generated.run("generate").status == generated.run("drift").status == 0


def test_windows_line_endings_in_a_schema_are_named(generated):
    target = generated.schemas / "choria" / MODULE.replace(".py", ".json")
    target.write_bytes(target.read_bytes().replace(b"\n", b"\r\n"))
    result = generated.run("drift")
    assert (result.status, result.out) == (2, "")
    assert "ping.json: has Windows line endings (CRLF): keep .gitattributes" in result.err


def test_a_commit_that_touches_no_schema_changes_only_the_lock_and_the_registry(generated):
    before = generated.bytes()
    other = "f" * 40
    assert generated.run("sync", "--from", str(generated.upstream), "--commit", other).status == 0
    assert generated.run("generate").status == 0
    after = generated.bytes()
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed == {"schemas/upstream.lock", "generated/choria_schemas/registry.py"}


def test_lines_are_short(generated):
    """Except what fastjsonschema compiles, which nobody reads."""
    texts = {path: text for path, text in generated.bytes().items() if path.endswith(".py") and "_validate" not in path}
    assert not {path for path, text in texts.items() if max(map(len, text.decode().splitlines() or [""])) > 120}


def test_reports_a_missing_file(generated):
    (generated.package / MODULE).unlink()
    result = generated.run("drift")
    assert (result.status, f"{MODULE}: missing" in result.out) == (1, True)


@pytest.mark.parametrize("name", ["lifecycle/v1/stale.py", "other/stale.py", "data.json", ".hidden"])
def test_reports_a_left_over_file(generated, name):
    target = generated.package / name
    target.parent.mkdir(exist_ok=True)
    target.write_text("")
    result = generated.run("drift")
    assert (result.status, f"choria_schemas/{name}: left over" in result.out) == (1, True)


def test_a_symlink_differs_from_the_file(generated, tmp_path):
    target, elsewhere = generated.package / MODULE, tmp_path / "elsewhere.py"
    elsewhere.write_bytes(target.read_bytes())
    target.unlink()
    target.symlink_to(elsewhere)
    assert generated.run("drift").status == 1


def test_ignores_python_caches(generated):
    cache = generated.package / "lifecycle" / "__pycache__"
    cache.mkdir()
    (cache / "ping.cpython-311.pyc").write_bytes(b"")
    assert generated.run("drift").status == 0


def test_writes_nothing(generated):
    (generated.package / MODULE).write_text("")
    before = generated.bytes()
    generated.run("drift")
    assert generated.bytes() == before


def test_every_file_is_missing_before_the_first_generate(project):
    project.sync()
    result = project.run("drift")
    assert (result.status, f"{MODULE}: missing" in result.out) == (1, True)


@pytest.mark.parametrize("damage", ["change", "remove", "leave over"])
def test_generate_repairs_what_drift_reports(generated, damage):
    before = generated.bytes()
    target = generated.package / MODULE
    match damage:
        case "change":
            target.write_text("import os\n")
        case "remove":
            target.unlink()
        case _:
            (generated.package / "gone" / "v1").mkdir(parents=True)
            (generated.package / "gone" / "v1" / "stale.py").write_text("")
    assert generated.run("drift").status == 1
    assert generated.run("generate").status == 0
    assert generated.run("drift").status == 0
    assert generated.bytes() == before
    assert not (generated.package / "gone").exists()


def test_a_changed_contract_is_drift(generated, make_event):
    changed = make_event(size={"type": "integer"})
    generated.publish(changed)
    generated.describe(changed)
    assert generated.sync().status == 0
    result = generated.run("drift")
    assert (result.status, f"{MODULE}: differs" in result.out) == (1, True)


def test_a_hand_edited_upstream_file_is_refused(generated):
    target = generated.schemas / "choria/lifecycle/v1/ping.json"
    target.write_text(target.read_text().replace("old:ping:1", "older:ping:1"))
    result = generated.run("drift")
    assert result.status == 2
    assert "choria/lifecycle/v1/ping.json: is not what sync wrote" in result.err


def test_a_failed_write_is_rolled_back(generated, monkeypatch):
    for name in ("lifecycle/v1/ping.py", "registry.py"):
        (generated.package / name).write_text("# damaged\n")
    before = generated.bytes()
    write_bytes, written = Path.write_bytes, []

    def fail_once(path, data):
        written.append(path)
        if len(written) == 2:
            raise OSError("disk full")
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_once)
    result = generated.run("generate")
    assert (result.status, "disk full" in result.err) == (2, True)
    assert generated.bytes() == before


@pytest.mark.parametrize(("seed", "locale"), [("0", "C"), ("4711", "C.UTF-8")])
def test_output_is_independent_of_hash_seed_and_locale(project, make_event, seed, locale, tmp_path):
    schema = make_event(
        unit={"enum": ["é", "\u2028", "b", "a"]},
        list={"type": "array"},
    )
    del schema["properties"]["list"]
    schema["required"] += ["unit"]
    project.publish(schema)
    project.describe(schema, name="Ein Wort mit Umlaut: größer.")
    assert project.generate().status == 0
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONHASHSEED": seed,
        "LC_ALL": locale,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }
    program = "import sys, pathlib, codegen.__main__ as c; sys.exit(c.main(['drift'], pathlib.Path(sys.argv[1])))"
    completed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "", "")


def test_a_usage_error_exits_with_2(project):
    assert project.run("wobble").status == 2
    assert project.run().status == 2


def test_a_bug_exits_with_70_and_a_traceback(generated, monkeypatch):
    monkeypatch.setattr("codegen.contract.load", lambda schemas: 1 / 0)
    result = generated.run("drift")
    assert (result.status, result.out) == (70, "")
    assert result.err.startswith("Traceback")
    assert result.err.endswith("ZeroDivisionError: division by zero\n")


def test_help_explains_each_exit_status(project):
    result = project.run("--help")
    assert result.status == 0
    assert all(f" {status} " in " ".join(result.out.split()).partition("exit status:")[2] for status in (0, 1, 2, 70))


def test_generate_before_the_first_sync_says_what_to_run(project):
    result = project.run("generate")
    assert (result.status, "run `python -m codegen sync`" in result.err) == (2, True)


def test_long_lists_of_values_are_wrapped_between_values(project, make_event):
    values = [f'{letter}, it\'s "quoted" {letter * 20}' for letter in "abcdef"]
    schema = make_event(kind={"type": "string", "enum": values})
    project.publish(schema)
    project.describe(schema)
    assert project.generate().status == 0
    assert max(map(len, project.text(MODULE).splitlines())) <= 120
    annotation = project.load(MODULE)["Ping"].__annotations__["kind"]
    assert typing.get_args(typing.get_args(annotation)[0]) == tuple(values)
