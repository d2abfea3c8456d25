"""Reports on standard output and in files, and the summary for programs."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli import inputs
from choria_lifecycle.cli.command import Failure
from choria_lifecycle.cli.reporting import create_file
from choria_lifecycle.validation.reports.protocol import ReportFormat
from tests.bed.validated import BAD, GOOD, WRAPPED, not_checked, totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("empty_folder")

DOCUMENTS = [ReportFormat.SARIF, ReportFormat.JUNIT, ReportFormat.GITLAB]
OUT = Path("out")


def number_of_findings(output: ReportFormat, text: str) -> int:
    """Return the number of findings in a report, which must be complete."""
    if output is ReportFormat.SARIF:
        [run] = json.loads(text)["runs"]
        return len(run["results"])
    if output is ReportFormat.GITLAB:
        return len(json.loads(text))
    if output is ReportFormat.JUNIT:
        texts = [
            element.text or "" for element in ET.fromstring(text).iter() if element.tag in ("failure", "system-out")
        ]
        return sum(len(each.splitlines()) for each in texts)
    return len(text.splitlines())


# ---- where a report goes


@pytest.mark.parametrize("output", ReportFormat)
@pytest.mark.parametrize("quiet", [[], ["-q", "-q"]])
def test_a_file_receives_what_standard_output_would(
    output: ReportFormat, quiet: list[str], run: Run, mixed: str
) -> None:
    shown = run("validate", "--output", output, mixed)
    result = run("validate", "--output", output, "--output-file", OUT, *quiet, mixed)
    assert (result.exit_code, result.stdout) == (shown.exit_code, "")
    assert OUT.read_text("utf-8") == shown.stdout
    assert number_of_findings(output, shown.stdout) == 4
    assert bool(result.stderr) != bool(quiet)


@pytest.mark.parametrize("output", ReportFormat)
def test_quiet_writes_no_report(output: ReportFormat, run: Run, mixed: str) -> None:
    assert run("validate", "-qq", "--output", output, mixed).stdout == ""


def test_a_file_has_no_colours_unless_asked_for(run: Run, mixed: str) -> None:
    run("validate", "--output-file", OUT, mixed)
    assert "\x1b" not in OUT.read_text("utf-8")
    run("validate", "--output-file", OUT, "--color", "always", mixed)
    assert "\x1b" in OUT.read_text("utf-8")


@pytest.mark.parametrize("output", ReportFormat)
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_report_covers_all_files(output: ReportFormat, jobs: int, run: Run, mixed: str) -> None:
    Path("other.ndjson").write_bytes(BAD + b"\n")
    result = run("validate", "--output", output, "--jobs", jobs, mixed, "missing", "other.ndjson")
    assert result.exit_code == 2
    unreadable = output in (ReportFormat.GITHUB, ReportFormat.GITLAB)
    assert number_of_findings(output, result.stdout) == 5 + unreadable
    assert ("missing" in result.stdout) == (unreadable or output in DOCUMENTS)


@pytest.mark.parametrize("output", DOCUMENTS)
def test_an_empty_file_has_a_complete_report(output: ReportFormat, run: Run) -> None:
    Path("empty").touch()
    text = run("validate", "--output", output, "empty", "--allow-empty").stdout
    assert number_of_findings(output, text) == 0
    if output is ReportFormat.JUNIT:
        assert [each.get("name") for each in ET.fromstring(text).iter("testsuite")] == ["empty"]


@pytest.mark.parametrize("output", [*DOCUMENTS, ReportFormat.GITHUB])
def test_a_report_says_why_the_command_fails_without_findings(output: ReportFormat, run: Run) -> None:
    Path("empty").touch()
    for arguments, is_shown in ([], True), (["--allow-empty"], False):
        result = run("validate", "--output", output, "empty", *arguments)
        assert (result.exit_code, "has no documents" in result.stdout) == (int(is_shown), is_shown)
        if output is ReportFormat.JUNIT:
            assert [each.get("errors") for each in ET.fromstring(result.stdout).iter("testsuite")] == [
                str(int(is_shown))
            ]


# ---- complete in any case


@pytest.mark.parametrize("output", DOCUMENTS)
def test_a_report_is_complete_after_the_maximum_of_errors(output: ReportFormat, run: Run, mixed: str) -> None:
    result = run("validate", "--output", output, "--max-errors", 1, mixed)
    assert (result.exit_code, number_of_findings(output, result.stdout)) == (1, 1)


def interrupt(*arguments: object) -> None:
    signal.raise_signal(signal.SIGINT)


def fail(*arguments: object) -> None:
    raise Failure("it broke", 7)


def break_down(*arguments: object) -> None:
    raise lifecycle.ConnectionFailed("it broke")


@pytest.mark.parametrize("output", DOCUMENTS)
@pytest.mark.parametrize(
    ("action", "code", "reported"),
    [(interrupt, 130, 130), (fail, 7, 7), (break_down, 3, None)],
    ids=["interrupted", "failed", "not connected"],
)
@pytest.mark.parametrize("in_file", [True, False])
def test_a_report_is_complete_after_an_interruption_or_an_error(
    output: ReportFormat,
    action: Callable[..., None],
    code: int,
    reported: int | None,
    in_file: bool,
    run: Run,
    mixed: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = inputs._read_parts

    def and_then(*arguments: Any) -> int:
        result = read(*arguments)
        action()
        return result

    monkeypatch.setattr(inputs, "_read_parts", and_then)
    file = ["--output-file", OUT] if in_file else []
    result = run("validate", "--output", output, *file, "--summary", "summary.json", mixed)
    assert result.exit_code == code
    text = OUT.read_text("utf-8") if in_file else result.stdout
    assert number_of_findings(output, text) == 4
    assert json.loads(Path("summary.json").read_bytes())["exit_code"] == reported
    if output is ReportFormat.SARIF:
        [invocation] = json.loads(text)["runs"][0]["invocations"]
        assert (invocation["executionSuccessful"], invocation.get("exitCode")) == (False, reported)


# ---- usage errors


FILES = ["--rejects", "--valid", "--output-file", "--summary"]


@pytest.mark.parametrize("option", FILES)
def test_an_input_is_not_overwritten(option: str, run: Run, mixed: str) -> None:
    before = Path(mixed).read_bytes()
    os.link(mixed, "hard")
    for other in (mixed, f"./{mixed}", "hard"):
        result = run("validate", option, other, mixed)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "is also an input; choose another output file" in result.stderr
    assert Path(mixed).read_bytes() == before


@pytest.mark.parametrize("option", FILES)
@pytest.mark.parametrize("other", FILES)
def test_every_output_needs_a_file_of_its_own(option: str, other: str, run: Run, mixed: str) -> None:
    if option != other:
        result = run("validate", option, "out", other, "./out", mixed)
        assert (result.exit_code, result.stdout, OUT.exists()) == (2, "", False)
        assert "need different files" in result.stderr


@pytest.mark.parametrize("option", ["--rejects", "--valid", "--output-file"])
def test_an_output_other_than_the_summary_needs_a_file(option: str, run: Run, mixed: str) -> None:
    result = run("validate", option, "-", mixed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{option} needs a file" in result.stderr


@pytest.mark.parametrize("option", FILES)
def test_a_file_that_cannot_be_created_ends_the_command(option: str, run: Run, mixed: str) -> None:
    result = run("validate", option, "missing/out", mixed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot create missing/out: No such file or directory" in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("option", ["--output-file", "--summary"])
def test_a_file_that_is_not_written_completely_ends_the_command(option: str, run: Run, mixed: str) -> None:
    result = run("validate", option, "/dev/full", mixed)
    assert result.exit_code == 1
    assert "cannot write /dev/full: No space left on device" in result.stderr


# ---- the summary


def summary_of(run: Run, *arguments: object) -> dict[str, Any]:
    result = run("validate", "--summary", "summary.json", *arguments)
    record: dict[str, Any] = json.loads(Path("summary.json").read_bytes())
    assert record["exit_code"] == result.exit_code
    return record


def test_the_summary_agrees_with_the_tables(run: Run, mixed: str) -> None:
    record = summary_of(run, mixed)
    shown = run("validate", mixed)
    checked, valid, rejected = totals(shown)
    assert record["documents"] == {"valid": valid, "rejected": rejected, "not_checked": not_checked(shown)}
    assert checked == valid + rejected
    assert list(record["codes"]) == ["id-uuid", "input-json", "protocol-foreign", "schema-type"]
    assert record["unreadable"] == []
    [startup] = record["coverage"]["contracts"].values()
    assert startup["documents"] == 4
    assert startup["formats"] == {"choria": 3, "cloudevents": 1}


@pytest.mark.parametrize("output", ["text", "json", "github"])
def test_the_summary_may_end_standard_output(output: str, run: Run, mixed: str) -> None:
    *findings, last = run("validate", "--output", output, "--summary", "-", mixed).stdout.splitlines()
    assert json.loads(last) == summary_of(run, "--output", output, mixed)
    assert "\n".join(findings) + "\n" == run("validate", "--output", output, mixed).stdout


@pytest.mark.parametrize("output", DOCUMENTS)
def test_the_summary_may_not_spoil_a_document(output: ReportFormat, run: Run, mixed: str) -> None:
    result = run("validate", "--output", output, "--summary", "-", mixed)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--summary - would end up within the {output} report" in result.stderr
    [line] = run("validate", "--output", output, "--output-file", OUT, "--summary", "-", mixed).stdout.splitlines()
    assert json.loads(line)["documents"]["rejected"] == 2


def test_an_unreadable_file_is_in_the_summary(run: Run, mixed: str) -> None:
    record = summary_of(run, "missing", mixed)
    assert (record["exit_code"], record["unreadable"]) == (2, ["missing"])


def test_the_summary_does_not_depend_on_the_number_of_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "SEGMENT_SIZE", 4096)
    lines = [GOOD, WRAPPED, BAD, b"nonsense"] * 100
    Path("a").write_bytes(b"\n".join(lines))
    Path("b").write_bytes(b"\n".join(reversed(lines)))
    one, two = (summary_of(run, "--jobs", jobs, "a", "b") for jobs in (1, 2))
    assert one == two
    [startup] = one["coverage"]["contracts"].values()
    assert startup["documents"] == 600


def test_events_within_documents_are_covered(run: Run) -> None:
    Path("log").write_text(json.dumps({"message": WRAPPED.decode()}) + "\n")
    record = summary_of(run, "--at", "$.message", "log")
    [startup] = record["coverage"]["contracts"].values()
    assert (record["documents"]["valid"], startup["formats"]) == (1, {"choria": 0, "cloudevents": 1})


@pytest.mark.parametrize("output", ReportFormat)
def test_only_json_does_not_say_what_to_type(output: ReportFormat, run: Run) -> None:
    Path("log").write_text(json.dumps({"message": GOOD.decode()}) + "\n")
    assert ("--at" in run("validate", "--output", output, "log").stdout) == (output is not ReportFormat.JSON)


def test_the_summary_of_nothing_but_errors_of_usage_is_not_written(run: Run, mixed: str) -> None:
    assert run("validate", "--summary", "summary.json", "--jobs", "0", mixed).exit_code == 2
    assert not Path("summary.json").exists()


# ---- files


def test_no_file_is_created_without_a_name() -> None:
    with create_file(None) as file:
        assert file is None


def test_a_file_that_cannot_be_created_is_a_failure() -> None:
    with pytest.raises(Failure, match="cannot create missing/x: No such file or directory") as caught:
        create_file(Path("missing/x")).__enter__()
    assert caught.value.exit_code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_file_that_cannot_be_written_is_a_failure() -> None:
    context = create_file(Path("/dev/full"))
    file = context.__enter__()
    assert file is not None
    file.write(b"x")
    with pytest.raises(Failure, match="cannot write /dev/full: No space left on device") as caught:
        context.__exit__(None, None, None)
    assert caught.value.exit_code == 1
