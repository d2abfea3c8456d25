"""The public functions and the command agree on what is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import given

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.program import program
from choria_lifecycle.testing import assert_valid
from choria_lifecycle.wire.codec import decode
from choria_schemas.registry import CONTRACTS
from tests.bed import oracle
from tests.bed.near_misses import BOUNDED, DOCUMENTS
from tests.bed.samples import NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from collections.abc import Callable


def raises(call: Callable[[bytes], object], raw: bytes) -> bool:
    try:
        call(raw)
    except (lifecycle.InvalidEvent, lifecycle.UnknownProtocol, AssertionError):
        return True
    return False


def check(raw: bytes) -> None:
    """Check that everything agrees with the oracle's verdict on a document."""
    verdict = oracle.verdict(raw)
    findings = lifecycle.validate(raw)
    assert any(each.severity == "error" for each in findings) == (verdict in {oracle.INVALID, oracle.UNKNOWN})
    assert [each.code for each in findings if each.code == "protocol-foreign"] == (
        ["protocol-foreign"] if verdict == oracle.FOREIGN else []
    )
    assert [each for _, each in lifecycle.validate_many([raw])] == ([findings] if findings else [])
    assert raises(decode, raw) == raises(assert_valid, raw) == (verdict != oracle.VALID)
    if verdict == oracle.VALID:
        contract = CONTRACTS[decode(raw).protocol]
        assert raises(lifecycle.parse, raw) == (contract.family != "lifecycle")
    else:
        assert raises(lifecycle.parse, raw)


@pytest.mark.parametrize("path", POSITIVE + NEGATIVE, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_all_functions_agree_on_the_examples(path: Path) -> None:
    check(path.read_bytes())


def test_all_functions_agree_on_near_misses() -> None:
    BOUNDED(given(DOCUMENTS)(check))()


def test_the_command_agrees_with_the_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    @BOUNDED
    @given(DOCUMENTS)
    def agree(raw: bytes) -> None:
        line = raw.replace(b"\n", b" ")
        if not line.strip() or line.lstrip().startswith((b"[", b"\xef\xbb\xbf")):
            return  # no document, an array of documents, or a file with a byte order mark
        Path("events").write_bytes(b"x\n" + line + b"\n")
        arguments = ["validate", "--ignore", "input-truncated", "-q", "--output", "json", "events"]
        lines = CliRunner().invoke(program, arguments, prog_name="lifecycle").stdout.splitlines()
        errors = [each for each in lines if '"line":2,' in each and '"severity":"error"' in each]
        assert bool(errors) == any(each.severity == "error" for each in lifecycle.validate(line))

    agree()
