"""The pre-commit hook, the GitHub action, and the examples of CI systems in docs/validation.md."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from choria_lifecycle.cli.program import program
from choria_lifecycle.cli.validate import command
from choria_lifecycle.validation.coverage import measure
from choria_lifecycle.validation.policy import DocumentCounts, Policy
from choria_lifecycle.validation.reports.protocol import ReportFormat
from choria_lifecycle.validation.reports.summary import summary_line
from tests.bed.paths import DOCS, ROOT
from tests.bed.validated import BAD, GOOD, WARNED

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
ACTION = ROOT / "action.yml"
PAGE = (DOCS / "validation.md").read_text("utf-8")
[HOOK] = yaml.safe_load(MANIFEST.read_text("utf-8"))
DEFINITION: dict[str, Any] = yaml.safe_load(ACTION.read_text("utf-8"))
STEPS = {step["name"]: step for step in DEFINITION["runs"]["steps"]}
OPTIONS = {name for parameter in command.params for name in parameter.opts}


def examples(language: str, containing: str) -> list[str]:
    """Return the page's examples in a language that contain a text."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return [each for each in found if containing in each]


def check(schema: str, path: Path) -> None:
    """Check a file against a schema that check-jsonschema contains."""
    tool = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    done = subprocess.run(tool, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- pre-commit


def test_pre_commit_accepts_the_manifest(tmp_path: Path) -> None:
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path)}
    tool = [sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST)]
    subprocess.run(tool, check=True, env=environment)


def test_the_hook_runs_the_command_with_its_extra() -> None:
    name, subcommand, *arguments = shlex.split(HOOK["entry"])
    assert (name, subcommand) == (program.name, command.name)
    assert {each.partition("=")[0] for each in [*arguments, *HOOK["args"]]} - {"--"} <= OPTIONS
    assert HOOK["additional_dependencies"] == [".[cli]"]


@pytest.mark.parametrize(
    ("file", "is_checked"),
    [
        ("a.ndjson", True),
        ("x/a.jsonl.gz", True),
        ("a.ndjson.zst", True),
        ("package.json", False),
        ("a.ndjson.md", False),
    ],
)
def test_the_hook_checks_only_files_of_lines(file: str, is_checked: bool) -> None:
    assert bool(re.search(HOOK["files"], file)) == is_checked


def test_the_page_shows_the_hook(tmp_path: Path) -> None:
    [text] = examples("yaml", "repos:")
    [repository] = yaml.safe_load(text)["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == [HOOK["id"]]
    config = tmp_path / ".pre-commit-config.yaml"
    config.write_text(text)
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path)}
    tool = [sys.executable, "-m", "pre_commit", "validate-config", str(config)]
    subprocess.run(tool, check=True, env=environment)


# ---- the GitHub action


def test_the_action_is_a_valid_definition() -> None:
    check("vendor.github-actions", ACTION)
    assert list(STEPS) == ["Install", "Validate"]
    assert {step["shell"] for step in STEPS.values()} == {"bash"}


def test_the_action_has_the_formats_of_the_command() -> None:
    description = DEFINITION["inputs"]["output"]["description"]
    assert all(output in description for output in ReportFormat)
    assert "${{" not in "".join(step["run"] for step in STEPS.values())


def run_step(name: str, folder: Path, venv: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step of the action as the runner does, with the package from a virtual environment."""
    values = {each: spec.get("default", "") for each, spec in DEFINITION["inputs"].items()} | inputs
    context = {f"inputs.{each}": value for each, value in values.items()}
    context |= {"runner.temp/choria-lifecycle": str(venv), "github.action_path": str(ROOT)}

    def expanded(text: str) -> str:
        text = text.replace("${{ runner.temp }}/choria-lifecycle", "${{ runner.temp/choria-lifecycle }}")
        return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: context[found[1]], text)

    script = folder / "step.sh"
    script.write_text(STEPS[name]["run"])
    variables = {each: expanded(value) for each, value in STEPS[name]["env"].items()}
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    return subprocess.run(shell, cwd=folder, capture_output=True, text=True, env={**os.environ, **variables})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "good one.ndjson").write_bytes(GOOD + b"\n")
    (tmp_path / "deep" / "down" / "bad.ndjson").write_bytes(BAD + b"\n")
    (tmp_path / "warned.json").write_bytes(WARNED + b"\n")
    return tmp_path


VENV = Path(sys.prefix)


def test_the_action_annotates(folder: Path) -> None:
    done = run_step("Validate", folder, VENV, files="**/*.ndjson\n\nwarned.json\n")
    assert done.returncode == 1
    assert "checked 3 = 2 valid + 1 rejected" in done.stderr
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == [
        "::error file=deep/down/bad.ndjson",
        "::warning file=warned.json",
    ]


def test_the_action_passes_arguments_on(folder: Path) -> None:
    arguments = "--warnings-as-errors\n\n--select\nid-uuid"
    done = run_step("Validate", folder, VENV, files="warned.json", arguments=arguments)
    assert (done.returncode, done.stdout.partition(" ")[0]) == (1, "::error")
    assert run_step("Validate", folder, VENV, files="good one.ndjson").returncode == 0


@pytest.mark.parametrize("files", ["", "\n\n"])
def test_the_action_does_not_read_standard_input(files: str, folder: Path) -> None:
    done = run_step("Validate", folder, VENV, files=files)
    assert (done.returncode, done.stdout) == (2, "::error::the input files names no file\n")


def test_the_action_writes_a_file(folder: Path) -> None:
    done = run_step("Validate", folder, VENV, files="warned.json", **{"output": "sarif", "output-file": "a b.sarif"})
    assert (done.returncode, done.stdout) == (0, "")
    assert len(json.loads((folder / "a b.sarif").read_bytes())["runs"][0]["results"]) == 1


def test_a_file_name_is_not_an_option_of_the_hook(folder: Path) -> None:
    (folder / "--rejects=kept.ndjson").write_bytes(BAD + b"\n")
    (folder / "kept.ndjson").write_bytes(GOOD + b"\n")
    [example] = examples("yaml", "repos:")
    [hook] = yaml.safe_load(example)["repos"][0]["hooks"]
    for arguments in (HOOK["args"], hook["args"]):
        _, *subcommand = shlex.split(HOOK["entry"])
        # As pre-commit runs it: the entry, the arguments, the names of the files.
        line = [sys.executable, "-m", "choria_lifecycle", *subcommand, *arguments, "--rejects=kept.ndjson"]
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True)
        assert (done.returncode, done.stdout.partition(": ")[0]) == (1, "--rejects=kept.ndjson:1")
        assert (folder / "kept.ndjson").read_bytes() == GOOD + b"\n"


@pytest.mark.parametrize("files", ["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "'])
def test_inputs_of_the_action_are_not_run(files: str, folder: Path) -> None:
    done = run_step("Validate", folder, VENV, files=files)
    assert done.returncode == 2
    assert "cannot be read: No such file or directory" in done.stdout
    assert not (folder / "pwned").exists()


def test_the_action_installs_the_command(folder: Path) -> None:
    # Without the network: the build backend and the dependencies are those of this environment.
    site = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PYTHONPATH": str(site)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in offline.items():
            patch.setenv(name, value)
        done = run_step("Install", folder, folder / "venv", python=sys.executable)
        assert done.returncode == 0, done.stderr
        done = run_step("Validate", folder, folder / "venv", files="good one.ndjson")
    assert done.returncode == 0, done.stderr


# ---- the page


def test_the_page_names_every_member_of_the_summary_and_every_report() -> None:
    summary = json.loads(summary_line(DocumentCounts(), Policy(now=None), measure([GOOD]), [], 0))
    [contract] = summary["coverage"]["contracts"].values()
    members = {*summary, *summary["coverage"], *contract} - {"contracts"}
    assert {name for name in members if f"`{name}`" not in PAGE} == set()
    assert {each for each in ReportFormat if f"`{each}`" not in PAGE} <= {"text", "json"}


def test_the_workflow_uses_inputs_of_the_action() -> None:
    [text] = examples("yaml", "uses: choria-lifecycle/")
    steps = yaml.safe_load(text)["steps"]
    [step] = [each for each in steps if each["uses"].startswith("choria-lifecycle/choria-lifecycle@v")]
    assert set(step["with"]) <= set(DEFINITION["inputs"])
    [upload] = [each for each in steps if "upload-sarif" in each["uses"]]
    assert upload["with"]["sarif_file"] == step["with"]["output-file"]


def test_the_pipeline_of_gitlab_is_valid(tmp_path: Path) -> None:
    [text] = examples("yaml", "codequality:")
    (tmp_path / ".gitlab-ci.yml").write_text(text)
    check("vendor.gitlab-ci", tmp_path / ".gitlab-ci.yml")
    [job] = yaml.safe_load(text).values()
    for name, file in job["artifacts"]["reports"].items():
        output = {"codequality": "gitlab"}[name]
        assert f"--output {output} --output-file {file}" in " ".join(job["script"])


def test_jenkins_reads_the_file_that_is_written() -> None:
    [text] = examples("groovy", "junit")
    [file] = re.findall(r"--output junit --output-file (\S+)", text)
    assert f"junit '{file}'" in text


def test_commands_of_the_examples_exist() -> None:
    lines = [line for text in examples(r"\w+", "lifecycle validate") for line in text.splitlines()]
    found = [line.partition("lifecycle validate")[2] for line in lines if "lifecycle validate" in line]
    assert len(found) == 2
    for text in found:
        assert {each for each in shlex.split(text.rstrip("'")) if each.startswith("--")} <= OPTIONS
