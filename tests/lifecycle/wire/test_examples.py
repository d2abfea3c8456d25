"""Tests of the documents in tests/examples. Adding a file adds its tests.

`positive` holds documents that are accepted, `negative` those that are rejected. A file holds one document, byte for
byte. `NAME.json` has no findings; `CODE+CODE.NAME.json` has findings with exactly these codes.
"""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from jsonschema import Draft4Validator

import choria_lifecycle as lifecycle
from choria_lifecycle import InvalidEvent, UnknownProtocol
from choria_lifecycle.cli.program import program
from choria_lifecycle.validation.policy import Policy, validate_batch
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.codes import CODES
from choria_schemas.registry import CONTRACTS
from tests.bed.oracle import FOREIGN, INVALID, UNKNOWN, VALID, verdict
from tests.bed.samples import (
    ALL_CONTRACTS,
    NEGATIVE,
    POSITIVE,
    codes,
    compact,
    enveloped,
    every_spelling,
    example,
    example_path,
)

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = POSITIVE + NEGATIVE
ERRORS = {code for code, severity in CODES.items() if severity == "error"}
# Codes that a document alone cannot have.
NEEDS_MORE = {"input-bom", "input-location", "input-truncated", "subject-differs"}


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def reported(raw: bytes) -> list[tuple[int, set[str]]]:
    """Return the lines on which the command reports findings, with their codes."""
    parts = [validate_batch(batch, Policy(now=time.time())) for batch in DocumentSource(io.BytesIO(raw))]
    return [(line, {finding.code for finding in findings}) for part in parts for line, findings in part.findings]


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_findings_are_those_of_the_file_name(path: Path) -> None:
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
    errors = codes(path) & ERRORS
    expected = FOREIGN if "protocol-foreign" in codes(path) else VALID if not errors else INVALID
    if errors == {"protocol-unknown"}:
        expected = UNKNOWN
    assert verdict(raw) == expected
    try:
        codec.decode(raw)
    except InvalidEvent as error:
        assert expected == INVALID
        assert (error.path, error.message) == (lifecycle.validate(raw)[0].path, lifecycle.validate(raw)[0].message)
    except UnknownProtocol as error:
        assert expected in {UNKNOWN, FOREIGN}
        assert str(error) == lifecycle.validate(raw)[0].message
    else:
        assert expected == VALID


@pytest.mark.parametrize("path", POSITIVE, ids=name)
def test_a_file_has_the_same_findings(path: Path) -> None:
    raw = path.read_bytes()
    found = reported(raw)
    assert set().union(*(each for _, each in found)) == codes(path)
    assert all(raw.split(b"\n")[line - 1].strip() for line, _ in found)


def test_the_command_accepts_positive_and_rejects_negative_examples() -> None:
    ran = CliRunner().invoke(program, ["validate", *map(str, POSITIVE)], prog_name="lifecycle")
    assert ran.exit_code == 0
    foreign = sum("protocol-foreign" in codes(path) for path in POSITIVE)
    checked = len(POSITIVE) - foreign
    summary = f"checked {checked} = {checked} valid + 0 rejected, and {foreign} not checked, in "
    assert ran.stderr.splitlines()[-1].startswith(summary)
    accepted = [path for path in NEGATIVE if CliRunner().invoke(program, ["validate", str(path)]).exit_code == 0]
    # As files, these hold one document each: in a frame, after its byte order mark, and in an array.
    kinds = [path.stem.partition(".")[2] for path in accepted]
    assert kinds == ["byte-order-mark", "record-separator", "array-of-events"]


def test_each_line_of_a_stream_has_the_same_findings() -> None:
    lines = [path for path in DOCUMENTS if (raw := path.read_bytes()).strip() and b"\n" not in raw.rstrip(b"\n")]
    assert len(lines) > 200
    stream = b"".join(path.read_bytes().rstrip(b"\n") + b"\n" for path in lines)
    # A byte order mark or UTF-16 at the start would concern the whole file; the first line has neither.
    assert reported(stream) == [(number, codes(path)) for number, path in enumerate(lines, 1) if codes(path)]


def test_every_code_has_an_example() -> None:
    given = set().union(*map(codes, DOCUMENTS))
    assert given == CODES.keys() - NEEDS_MORE
    alone = {code for path in DOCUMENTS for code in codes(path) if len(codes(path)) == 1}
    assert given - alone == {"errors-cut", "warnings-cut"}


def test_every_contract_has_a_positive_and_a_negative_example() -> None:
    missing = [
        f"{each.protocol}: add tests/examples/positive/{example_path(each).name}, an event as Choria sends it"
        for each in ALL_CONTRACTS
        if not example_path(each).exists()
    ]
    rejected = {check_document(path.read_bytes()).contract for path in NEGATIVE}
    missing += [
        f"{each.protocol}: add tests/examples/negative/schema-enum.{example_path(each).stem}.json, or with another code"
        for each in ALL_CONTRACTS
        if each not in rejected
    ]
    assert not missing, "\n".join(missing)


@every_spelling
def test_every_contract_is_read_in_both_formats_and_all_spellings(protocol: str) -> None:
    contract, event = CONTRACTS[protocol], example(protocol)
    expected = set() if protocol == contract.protocol else {"protocol-old"}
    for document in (event, enveloped(event)):
        raw = compact(document)
        assert {finding.code for finding in lifecycle.validate(raw)} == expected
        assert verdict(raw) == VALID
        assert type(codec.decode(raw)) is contract.cls


def test_findings_name_exactly_the_corrections_that_they_turn_on() -> None:
    named: set[str] = set()
    for path in NEGATIVE:
        raw = path.read_bytes()
        contract = check_document(raw).contract
        for finding in lifecycle.validate(raw):
            place = finding.path.rpartition(".")[2], finding.rule
            reasons = [
                reason
                for pointer, reason, upstream in (contract.corrections if contract else ())
                if tuple(pointer.split("/")[-2:]) == place
                and Draft4Validator({finding.rule: json.loads(upstream)}).is_valid(finding.value)
            ]
            assert ("corrected" in finding.message) == bool(reasons), finding
            for reason in reasons:
                assert reason.removesuffix(".") in finding.message
                named.add(reason)
    assert [reason.split()[0] for reason in named] == ["Schedule"]  # the others allow what upstream does not
