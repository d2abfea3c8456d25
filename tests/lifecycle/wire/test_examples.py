"""The documents in tests/examples: each file is a test, and the next one needs nothing but to be put there.

`positive` holds what is accepted, `negative` what is rejected. A file holds one document, byte for byte. About
`NAME.json` there is nothing to say; about `CODE+CODE.NAME.json` there are findings with exactly these codes.
"""

from __future__ import annotations

import io
import json
import time
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import choria_lifecycle as lifecycle
from choria_lifecycle import InvalidEvent, UnknownProtocol
from choria_lifecycle.cli.program import program
from choria_lifecycle.validation.policy import Policy, validate_batch
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.finding import CODES
from choria_schemas.registry import CONTRACTS
from tests.bed.oracle import INVALID, UNKNOWN, VALID, verdict
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

POSITIVE = sorted((ROOT / "tests" / "examples" / "positive").iterdir())
NEGATIVE = sorted((ROOT / "tests" / "examples" / "negative").iterdir())
DOCUMENTS = POSITIVE + NEGATIVE
ERRORS = {code for code, severity in CODES.items() if severity == "error"}
# What nobody can see in a document alone.
NEEDS_MORE = {"input-truncated", "subject-differs"}


def codes(path: Path) -> set[str]:
    """Return the codes in the name of a file."""
    before, dot, _ = path.stem.partition(".")
    return set(before.split("+")) if dot else set()


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def judged(raw: bytes) -> list[tuple[int, set[str]]]:
    """Return the lines about which the command says something, with the codes of what it says."""
    parts = [validate_batch(batch, Policy(now=time.time())) for batch in DocumentSource(io.BytesIO(raw))]
    return [(line, {finding.code for finding in findings}) for part in parts for line, findings in part.said]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_the_findings_are_those_of_its_name(path: Path) -> None:
    expected = codes(path)
    assert expected <= CODES.keys()
    assert bool(expected & ERRORS) == (path.parent.name == "negative")
    raw = path.read_bytes()
    findings = lifecycle.validate(raw)
    assert {finding.code for finding in findings} == expected
    for finding in findings:
        assert finding.severity == CODES[finding.code]
        assert finding.path.startswith("$")
        assert str(finding).isprintable()
        assert len(str(finding)) < 600


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_the_oracle_and_the_codec_agree(path: Path) -> None:
    raw = path.read_bytes()
    expected = INVALID if codes(path) & ERRORS else UNKNOWN if "protocol-unknown" in codes(path) else VALID
    assert verdict(raw) == expected
    try:
        codec.decode(raw)
    except InvalidEvent as error:
        assert expected == INVALID
        assert (error.path, error.message) == (lifecycle.validate(raw)[0].path, lifecycle.validate(raw)[0].message)
    except UnknownProtocol:
        assert expected == UNKNOWN
    else:
        assert expected == VALID


@pytest.mark.parametrize("path", POSITIVE, ids=name)
def test_a_file_says_the_same(path: Path) -> None:
    raw = path.read_bytes()
    first = len(raw) - len(raw.lstrip())
    assert judged(raw) == ([(raw.count(b"\n", 0, first) + 1, codes(path))] if codes(path) else [])


def test_the_command_accepts_what_is_positive_and_rejects_what_is_negative() -> None:
    ran = CliRunner().invoke(program, ["validate", *map(str, POSITIVE)], prog_name="lifecycle")
    assert ran.exit_code == 0
    assert ran.stderr.splitlines()[-1].startswith(f"checked {len(POSITIVE)} = {len(POSITIVE)} valid + 0 rejected")
    accepted = [path for path in NEGATIVE if CliRunner().invoke(program, ["validate", str(path)]).exit_code == 0]
    # As files, these are no documents, and a document.
    assert [path.stem.partition(".")[2] for path in accepted] == ["blanks", "empty", "array-of-events"]


def test_among_others_each_line_says_the_same() -> None:
    lines = [path for path in DOCUMENTS if (raw := path.read_bytes()).strip() and b"\n" not in raw.rstrip(b"\n")]
    assert len(lines) > 200
    stream = b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in lines)
    # A mark at the beginning of a file is the file's, as is what makes it UTF-16; the first line has neither.
    assert judged(stream) == [(number, codes(path)) for number, path in enumerate(lines, 1) if codes(path)]


def test_there_is_an_example_of_everything() -> None:
    given = set().union(*map(codes, DOCUMENTS))
    assert given == CODES.keys() - NEEDS_MORE
    alone = {code for path in DOCUMENTS for code in codes(path) if len(codes(path)) == 1}
    assert given - alone == {"errors-cut", "warnings-cut"}
    protocols: dict[bool, set[str]] = {False: set(), True: set()}
    for path in POSITIVE:
        document = json.loads(path.read_bytes(), parse_int=str)
        wrapped = isinstance(document.get("data"), dict)
        protocols[wrapped].add((document["data"] if wrapped else document).get("protocol", ""))
    for found in protocols.values():
        assert found >= CONTRACTS.keys()


def test_findings_name_the_corrections_that_decided_and_no_others() -> None:
    named: set[str] = set()
    for path in NEGATIVE:
        raw = path.read_bytes()
        contract = check_document(raw).contract
        corrections = (
            {tuple(pointer.split("/")[-2:]): reason for pointer, reason in contract.corrections} if contract else {}
        )
        for finding in lifecycle.validate(raw):
            reason = corrections.get((finding.path.rpartition(".")[2], finding.rule))
            assert ("corrected" in finding.message) == (reason is not None)
            if reason is not None:
                assert reason.removesuffix(".") in finding.message
                named.add(reason)
    # A keyword that was taken away cannot decide against a document.
    assert named == {
        reason
        for contract in CONTRACTS.values()
        for pointer, reason in contract.corrections
        if reduce(lambda place, step: place.get(step, {}), pointer.split("/")[1:], contract.schema())
    }
