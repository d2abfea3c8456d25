from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed.validated import (
    BAD,
    BOUNDED,
    ENDLESS,
    FOREIGN,
    GOOD,
    LINES,
    UNKNOWN,
    WARNED,
    WRAPPED,
    codes_of,
    not_checked,
    totals,
    validated,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize(
    ("quiet", "has_findings", "has_summary"),
    [([], True, True), (["-q"], True, False), (["-q", "--quiet"], False, False)],
)
def test_quiet(quiet: list[str], has_findings: bool, has_summary: bool, run: Run, mixed: str) -> None:
    for arguments in (["validate", *quiet, mixed], [*quiet, "validate", mixed]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert (bool(result.stdout), bool(result.stderr)) == (has_findings, has_summary)


@pytest.mark.parametrize(
    ("limit", "checked", "reported"), [(1, 2, 1), (2, 5, 4), (3, 5, 4)], ids=["first", "last", "more than exist"]
)
def test_max_errors(limit: int, checked: int, reported: int, run: Run, mixed: str) -> None:
    Path("more.ndjson").write_bytes(GOOD + b"\n")
    result = run("validate", "--max-errors", limit, "--rejects", "rejects", "--valid", "valid", mixed, "more.ndjson")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == reported
    assert totals(result)[0] == checked + (limit == 3)
    assert ("may be more" in result.stderr) == (limit < 3)
    written = Path("rejects").read_bytes() + Path("valid").read_bytes()
    assert written.count(b"\n") == checked + (limit == 3)


def test_max_errors_completes_the_document(run: Run) -> None:
    result = run("validate", "--max-errors", 2, stdin=b'{"protocol":"io.choria.lifecycle.v1.startup"}\n' * 3)
    assert len(codes_of(result)) == 5
    assert totals(result) == (1, 0, 1)


@BOUNDED
@given(LINES, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.sampled_from([b"", ENDLESS]), st.booleans())
def test_no_line_is_lost(lines: list[bytes], line_end: bytes, ended: bool, endless: bytes, compressed: bool) -> None:
    lines = [b"first", *lines, *([endless] if endless else [])]
    data = line_end.join(lines) + (line_end if ended else b"")
    result, rejects, valid = validated(gzip.compress(data) if compressed else data)
    expected = [line + b"\n" for line in data.split(b"\n") if line.strip(b" \t\r\n")]
    sorted_out = rejects.splitlines(keepends=True), valid.splitlines(keepends=True)
    rest = [iter(each) for each in sorted_out]
    checked = [line for line in expected if line.strip() != FOREIGN]
    is_good = [line.strip() in (GOOD, WRAPPED, WARNED) for line in checked]
    assert [next(rest[good]) for good in is_good] == checked
    assert not_checked(result) == len(expected) - len(checked)
    assert totals(result) == (len(checked), len(sorted_out[1]), len(sorted_out[0]))
    assert result.exit_code == 1


@BOUNDED
@given(
    st.lists(st.sampled_from([GOOD, WRAPPED, BAD, UNKNOWN, b"5", ENDLESS, b'"\xff"']), max_size=6),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_no_element_is_lost(documents: list[bytes], indent: int | None, compressed: bool) -> None:
    elements = [
        raw if indent is None or raw in (ENDLESS, b'"\xff"') else json.dumps(json.loads(raw), indent=indent).encode()
        for raw in documents
    ]
    data = b"[" + b",\n".join(elements) + b"]"
    result, rejects, valid = validated(gzip.compress(data) if compressed else data)
    is_good = [raw in (GOOD, WRAPPED) for raw in documents]
    lines = [raw.replace(b"\n", b" ") + b"\n" for raw in elements]
    assert valid == b"".join(line for line, good in zip(lines, is_good, strict=True) if good)
    assert rejects == b"".join(line for line, good in zip(lines, is_good, strict=True) if not good)
    assert totals(result) == (len(documents), sum(is_good), len(documents) - sum(is_good))


def test_an_oversized_document_is_written_on_one_line(run: Run) -> None:
    document = b'[{"x":\n"' + b"y" * MAX_SIZE + b'"}\n]'
    run("validate", "--rejects", "rejects", "--valid", "valid", stdin=document)
    assert Path("rejects").read_bytes() == document[1:-2].replace(b"\n", b" ") + b"\n"
    assert Path("valid").read_bytes() == b""


def test_an_ignored_oversized_document_is_not_checked(run: Run) -> None:
    document = b'{"x":"' + b"y" * MAX_SIZE + b'"}'
    result = run("validate", "--rejects", "rejects", "--valid", "valid", "--ignore", "input", stdin=document)
    assert (totals(result), not_checked(result)) == ((0, 0, 0), 1)
    assert Path("rejects").read_bytes() == Path("valid").read_bytes() == b""
