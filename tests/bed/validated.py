"""Sample documents for `lifecycle validate`, and what it writes about them."""

from __future__ import annotations

import re
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.program import program
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed import strategies
from tests.bed.samples import UNKNOWN_PROTOCOL, compact

if TYPE_CHECKING:
    from click.testing import Result


NOW = int(time.time())
EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="0.6.0", timestamp=NOW)
GOOD = lifecycle.encode(EVENT)
WRAPPED = lifecycle.encode(EVENT, lifecycle.Format.CLOUDEVENTS)
WARNED = re.sub(rb'"id":"[^"]*"', b'"id":"17"', GOOD)
BAD = GOOD.replace(b'"n1.example.net"', b"5")
UNKNOWN = compact({"protocol": UNKNOWN_PROTOCOL})
FOREIGN = compact({"protocol": "com.example.started"})


def codes_of(result: Result) -> list[str]:
    """Return the codes of the findings in text output, in order."""
    found = [re.search(r" \[([a-z]+-[-a-zA-Z0-9]+)\]$", line) for line in result.stdout.splitlines()]
    assert all(found), result.stdout
    return [each[1] for each in found if each]


def table(result: Result) -> dict[str, list[str]]:
    """Return the rows of the summary's tables by their first cells."""
    rows = [re.split(r"  +", line.strip()) for line in result.stderr.splitlines() if line]
    documents = {" ".join(row[:2]): row[2:] for row in rows if len(row) == 5}
    return documents | {row[0]: row[1:] for row in rows if len(row) == 3}


def totals(result: Result) -> tuple[int, int, int]:
    """Return the numbers of checked, valid and rejected documents in the summary."""
    return _sums(result)[0:3]


def not_checked(result: Result) -> int:
    """Return the number of documents that were not checked."""
    return _sums(result)[3]


def _sums(result: Result) -> tuple[int, int, int, int]:
    found = re.search(
        r"^checked ([\d,]+) = ([\d,]+) valid \+ ([\d,]+) rejected(?:, and ([\d,]+) not checked)?, in [\d,.]+ s$",
        result.stderr,
        re.MULTILINE,
    )
    assert found is not None, result.stderr
    checked, valid, rejected, unchecked = (int((each or "0").replace(",", "")) for each in found.groups())
    assert checked == valid + rejected
    return checked, valid, rejected, unchecked


ENDLESS = b'{"x":"' + b"y" * (3 * MAX_SIZE) + b'"}'
LINES = st.lists(
    st.sampled_from(
        [GOOD, WRAPPED, WARNED, BAD, UNKNOWN, FOREIGN, b"nonsense", b"", b" \t", b"\xff", b'{"a":\xc3', b"[]", GOOD]
    ),
    max_size=12,
)


def validated(data: bytes, *arguments: object, name: str = "events") -> tuple[Result, bytes, bytes]:
    """Validate a file; return the result, the rejected and the valid documents."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path(name).write_bytes(data)
        made = [str(each) for each in ["validate", name, "--rejects", "rejects", "--valid", "valid", *arguments]]
        result = CliRunner().invoke(program, made, prog_name="lifecycle")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result, Path("rejects").read_bytes(), Path("valid").read_bytes()


BOUNDED = settings(max_examples=strategies.EXAMPLES // 6, deadline=None, suppress_health_check=list(HealthCheck))
