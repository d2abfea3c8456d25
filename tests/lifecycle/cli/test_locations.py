"""`--at`, of `validate` and `view`, and the findings that say what to give it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.cli.locations import advise, with_option
from choria_lifecycle.validation.parallel import SEGMENT_SIZE
from choria_lifecycle.wire import codes
from tests.bed.samples import compact
from tests.bed.validated import BAD, GOOD, codes_of, totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("empty_folder")

HELD, HELD_BAD, TEXT = (compact({"log": each.decode()}) for each in (GOOD, BAD, b"up"))
FOREIGN = compact({"protocol": "choria:adapters:jetstream:output:1", "data": GOOD.decode()})


@pytest.mark.parametrize("output", ["text", "github"])
@pytest.mark.parametrize(("document", "path"), [(HELD, "'$.log'"), (FOREIGN, "'$.data'")])
def test_the_finding_says_what_to_type(document: bytes, path: str, output: str, run: Run) -> None:
    result = run("validate", "--output", output, stdin=document)
    assert f"as text: --at {path}" in result.stdout
    assert (run("validate", "--at", path.strip("'"), stdin=document).exit_code, result.stdout.count("--at")) == (0, 1)


def test_a_program_gets_the_place_only(run: Run) -> None:
    [line] = run("validate", "--output", "json", stdin=HELD).stdout.splitlines()
    assert json.loads(line)["message"].endswith("; an event is in $.log, as text")


def test_the_path_is_quoted_for_a_shell() -> None:
    assert with_option("x; an event is in $['a b'], as an object") == (
        """x; an event is in $['a b'], as an object: --at '$['"'"'a b'"'"']'"""
    )
    for message in ("x", "x; an event is in $.log, as text, perhaps", "an event is in $.log, as text"):
        assert with_option(message) == message
    finding = codes.INPUT_JSON.at("$", "x")
    assert advise(finding) is finding


def test_events_are_validated_where_they_lie(run: Run) -> None:
    result = run("validate", "--at", "$.log", stdin=b"\n".join([HELD, HELD_BAD, TEXT, HELD]))
    assert result.exit_code == 1
    assert [line.split(": ")[:2] for line in result.stdout.splitlines()] == [
        ["standard input:2", "$.log.identity"],
        ["standard input:3", "$.log"],
    ]
    assert codes_of(result) == ["schema-type", "input-location"]
    assert totals(result) == (4, 2, 2)


def test_the_original_documents_are_sorted(run: Run) -> None:
    run("validate", "--at", "auto", "--rejects", "bad", "--valid", "good", stdin=b"\n".join([HELD, HELD_BAD, GOOD]))
    assert (Path("bad").read_bytes(), Path("good").read_bytes()) == (HELD_BAD + b"\n", HELD + b"\n" + GOOD + b"\n")


def test_the_number_of_processes_does_not_matter(run: Run) -> None:
    lines = [HELD, HELD_BAD, TEXT, GOOD] * (SEGMENT_SIZE // 500)
    Path("archive").write_bytes(b"\n".join(lines))
    assert Path("archive").stat().st_size > SEGMENT_SIZE
    alone, shared = (run("validate", "--at", "$.log", "--jobs", jobs, "archive") for jobs in (1, 2))
    assert shared.stdout == alone.stdout
    assert totals(shared) == totals(alone)
    assert totals(alone)[1] == len(lines) // 4


def test_errors_are_counted_by_event(run: Run) -> None:
    result = run("validate", "--at", "$.log", "--max-errors", 2, stdin=b"\n".join([HELD, HELD_BAD, TEXT, HELD_BAD]))
    assert codes_of(result) == ["schema-type", "input-location"]
    assert "stopped after 2 errors" in result.stderr


@pytest.mark.parametrize("path", ["log", "$.", "$.a[", "$.a['b]", "", "AUTO"])
@pytest.mark.parametrize("command", ["validate", "view --input -"])
def test_a_malformed_path_is_wrong_usage(path: str, command: str, run: Run) -> None:
    result = run(*command.split(), "--at", path, stdin=HELD)
    assert result.exit_code == 2
    assert "Invalid value for '--at': " in result.stderr
    assert "$" in result.stderr


def test_view_shows_events_where_they_lie(run: Run) -> None:
    stdin = b"\n".join([HELD, HELD_BAD, TEXT, GOOD])
    result = run("view", "--utc", "--input", "-", "--at", "$.log", stdin=stdin)
    assert result.stdout.count("[startup]") == 1
    assert [line.split(": ")[:2] for line in result.stderr.splitlines()[:-1]] == [
        ["standard input:2", "[rejected] $.log.identity"],
        ["standard input:3", "[rejected] $.log"],
        ["standard input:4", "[rejected] $"],
    ]
    assert run("view", "--input", "-", "--at", "auto", stdin=stdin).stdout.count("[startup]") == 2


def test_view_says_what_to_type(run: Run) -> None:
    assert "an event is in $.log, as text: --at '$.log'" in run("view", "--input", "-", stdin=HELD).stderr


def test_view_reads_places_only_from_a_file(run: Run) -> None:
    result = run("view", "--at", "$.log")
    assert result.exit_code == 2
    assert "--at needs --input" in result.stderr


def test_what_view_writes_is_validated_directly(run: Run) -> None:
    records = run("view", "--input", "-", "--output", "json", stdin=b"\n".join([GOOD, GOOD])).stdout_bytes
    result = run("validate", stdin=records)
    assert (result.exit_code, result.stdout, totals(result)) == (0, "", (2, 2, 0))
