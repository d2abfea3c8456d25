"""Batches and messages give the same results as `validate` on each document."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.validation.batch import Batch
from choria_lifecycle.validation.bulk import UNREADABLE, check_one
from choria_lifecycle.validation.lines import findings_by_line
from choria_lifecycle.validation.policy import BatchResult, Policy, split_batch, validate_batch, validate_message
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire.check import check_document
from choria_lifecycle.wire.codes import CODES
from choria_lifecycle.wire.finding import Finding, Severity
from choria_lifecycle.wire.jsontext import MAX_SIZE
from tests.bed import strategies
from tests.bed.near_misses import BOUNDED, DOCUMENTS, NATIVE, NOON, WRAPPED, findings_in

if TYPE_CHECKING:
    from collections.abc import Sequence


# ---- the expected findings


def applied(findings: list[Finding], policy: Policy) -> list[Finding]:
    """Apply a policy, as the help describes it."""
    kept = [finding for finding in findings if finding.code in policy.codes]
    if policy.require_contract:
        kept = [
            replace(finding, severity=Severity.ERROR) if finding.code == "protocol-foreign" else finding
            for finding in kept
        ]
    if not policy.warnings:
        return [finding for finding in kept if finding.severity is Severity.ERROR]
    if policy.warnings_as_errors:
        return [
            replace(finding, severity=Severity.ERROR) if finding.severity is Severity.WARNING else finding
            for finding in kept
        ]
    return kept


def batch_of(documents: Sequence[bytes], first: int = 1) -> Batch:
    return Batch(range(first, first + len(documents)), [raw + b"\n" for raw in documents])


def is_rejected(findings: list[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)


POLICIES = st.builds(
    Policy,
    now=st.just(float(NOON)),
    warnings=st.booleans(),
    warnings_as_errors=st.booleans(),
    require_contract=st.booleans(),
    codes=st.one_of(st.just(frozenset(CODES)), st.frozensets(st.sampled_from(sorted(CODES)))),
)


@settings(BOUNDED, max_examples=strategies.EXAMPLES // 2)
@given(st.lists(DOCUMENTS, max_size=4), POLICIES, st.integers(1, 1000))
def test_a_batch_has_the_findings_of_validate(documents: list[bytes], policy: Policy, first: int) -> None:
    result = validate_batch(batch_of(documents, first), policy)
    wanted = [applied(findings_in(raw), policy) for raw in documents]
    assert result.findings == [
        each
        for number, (raw, findings) in enumerate(zip(documents, wanted, strict=True), first)
        if findings
        for each in findings_by_line(number, raw, findings)
    ]
    rejected = list(map(is_rejected, wanted))
    # A document that no contract covers is never valid, whatever findings are selected.
    covered = [check_document(raw).contract is not None for raw in documents]
    lines = [raw + b"\n" for raw in documents]
    assert result.rejected == [line for line, bad in zip(lines, rejected, strict=True) if bad]
    assert result.valid == [
        line for line, bad, known in zip(lines, rejected, covered, strict=True) if known and not bad
    ]
    counts = result.counts
    assert (counts.valid, counts.rejected) == (len(result.valid), len(result.rejected))
    assert counts.valid + counts.rejected + counts.not_checked == counts.documents == len(documents)
    assert counts.codes == Counter(finding.code for findings in wanted for finding in findings)
    assert counts.errors == sum(finding.severity is Severity.ERROR for findings in wanted for finding in findings)
    kinds = Counter(check_one(raw, warnings=False, now=NOON)[0] for raw in documents)
    assert {kind: sum(numbers) for kind, numbers in counts.kinds.items()} == kinds


# ---- truncated files


@pytest.mark.parametrize("raw", [NATIVE, WRAPPED, NATIVE.replace(b"n1", "né😀".encode())])
def test_a_document_truncated_anywhere_is_reported_as_such(raw: bytes) -> None:
    for length in range(1, len(raw)):
        batch = Batch([7, 8], [raw + b"\n", raw[:length] + b"\n"], unterminated=True)
        result = validate_batch(batch, Policy(now=NOON))
        [(number, findings)] = result.findings
        assert (number, [finding.code for finding in findings]) == (8, ["input-truncated"]), raw[:length]
        assert (result.valid, result.rejected) == ([raw + b"\n"], [raw[:length] + b"\n"])


def test_only_a_truncated_document_is_reported_as_such() -> None:
    policy = Policy(now=NOON)
    assert validate_batch(Batch([1], [NATIVE + b"\n"], unterminated=True), policy).findings == []
    for raw in (b"nonsense", b'{"a":1}}', NATIVE + b"x"):
        [(_, [finding])] = validate_batch(Batch([1], [raw + b"\n"], unterminated=True), policy).findings
        assert finding.code == "input-json"
    # Only the last document can be truncated by the end of the file.
    found = validate_batch(Batch([1, 2], [b'{"a":\n', NATIVE + b"\n"], unterminated=True), policy).findings
    assert [(number, finding.code) for number, [finding] in found] == [(1, "input-json")]


def test_truncation_is_selected_by_its_own_code() -> None:
    batch = Batch([1], [b'{"a":\n'], unterminated=True)
    ignored = validate_batch(batch, Policy(now=NOON, codes=frozenset(CODES) - {"input-truncated"}))
    assert (ignored.findings, ignored.valid, ignored.counts.errors) == ([], [], 0)
    assert ignored.counts.not_checked == 1
    assert validate_batch(batch, Policy(now=NOON, codes=frozenset(CODES) - {"input-json"})).rejected == batch.documents


# ---- splitting batches

PIECES = st.lists(
    st.sampled_from([NATIVE, WRAPPED, NATIVE.replace(b"n1", b""), b"x", b"{}", b"1 2", b"[]", b"y" * 400, b"}", b"\n"]),
    max_size=8,
)


def added(results: list[BatchResult]) -> BatchResult:
    total = BatchResult()
    for result in results:
        total.counts.add(result.counts)
        total.findings += result.findings
        total.rejected += result.rejected
        total.valid += result.valid
    return total


@BOUNDED
@given(PIECES, st.sampled_from([b"[", b"", b"x\n"]), st.sampled_from([b"\n", b",", b",\n", b" "]), POLICIES)
def test_a_split_batch_has_the_same_result(pieces: list[bytes], before: bytes, between: bytes, policy: Policy) -> None:
    oversized: list[bytes] = []
    for batch in DocumentSource(BytesIO(before + between.join(pieces)), on_oversized=oversized.append, limit=350):
        ones = list(split_batch(batch))
        assert all(len(each.documents) + len(each.findings) == 1 for each in ones)
        assert added([validate_batch(each, policy) for each in ones]) == validate_batch(batch, policy)


def test_an_oversized_document_is_counted() -> None:
    batches = list(DocumentSource(BytesIO(b"x\n" + b"y" * 20 + b"\n"), limit=10))
    result = added([validate_batch(batch, Policy(now=NOON)) for batch in batches])
    assert result.counts.kinds == {UNREADABLE: [0, 2, 0]}
    lenient = Policy(now=NOON, codes=frozenset(CODES) - {"input-size"})
    assert added([validate_batch(batch, lenient) for batch in batches]).counts.kinds == {UNREADABLE: [0, 1, 1]}


def test_errors_of_the_file_reject_no_document() -> None:
    [batch] = DocumentSource(BytesIO(b"[" + NATIVE + b" " + NATIVE + b"]"))
    result = validate_batch(batch, Policy(now=NOON))
    assert (result.counts.valid, result.counts.rejected, result.counts.errors) == (2, 0, 1)
    assert result.counts.codes == {"input-json": 1}


# ---- messages

SUBJECT = "choria.lifecycle.event.startup.server"


@settings(BOUNDED, max_examples=strategies.EXAMPLES // 2)
@given(DOCUMENTS, POLICIES, st.sampled_from([SUBJECT, "choria.lifecycle.event.alive.server", "other", "\x1b[2J\n"]))
def test_a_message_has_the_findings_of_validate(raw: bytes, policy: Policy, subject: str) -> None:
    result = validate_message(raw, subject, 7, policy)
    findings = applied(findings_in(raw, subject), policy)
    assert result.findings == ([(7, findings)] if findings else [])
    rejected, covered = is_rejected(findings), check_document(raw).contract is not None
    assert result.rejected == ([raw + b"\n"] if rejected else [])
    assert result.valid == ([raw + b"\n"] if covered and not rejected else [])
    assert (result.counts.rejected, result.counts.documents) == (rejected, 1)


def test_a_message_on_another_subject_is_a_warning() -> None:
    assert validate_message(NATIVE, SUBJECT, 1, Policy(now=NOON)).findings == []
    result = validate_message(NATIVE, "elsewhere", 1, Policy(now=NOON))
    assert [(finding.code, finding.severity) for finding in result.findings[0][1]] == [
        ("subject-differs", Severity.WARNING)
    ]
    assert result.valid == [NATIVE + b"\n"]
    assert validate_message(NATIVE, "elsewhere", 1, Policy(now=NOON, warnings_as_errors=True)).rejected


def test_an_oversized_message_is_rejected() -> None:
    raw = b"x" * (MAX_SIZE + 1)
    result = validate_message(raw, SUBJECT, 1, Policy(now=NOON))
    assert result.counts.codes == {"input-size": 1}
    assert result.rejected == [raw + b"\n"]


def test_a_document_not_checked_completely_is_rejected() -> None:
    raw = b'{"protocol":"io.choria.machine.watcher.nagios.v1.state","perfdata":[%s],"timestamp":%d}' % (
        b",".join([b"5"] * 200),
        2**63,
    )
    findings = lifecycle.validate(raw)
    assert findings[-1].code == "errors-cut"
    assert len(findings) == 101
    # Findings are in the order of the contract.
    assert ("$.timestamp", "number-range") in [(finding.path, finding.code) for finding in findings]
    policy = Policy(now=NOON, codes=frozenset(CODES) - {"schema-type", "schema-required", "number-range"})
    result = validate_batch(Batch([1], [raw + b"\n"]), policy)
    assert result.counts.rejected == 1


def test_without_a_time_the_clock_is_used() -> None:
    event = lifecycle.encode(lifecycle.shutdown(identity="n1", component="server"))
    assert validate_batch(Batch([1], [event + b"\n"]), Policy(now=None)).findings == []
    late = Policy(now=time.time() - 100_000)
    assert [
        finding.code
        for _, findings in validate_batch(Batch([1], [event + b"\n"]), late).findings
        for finding in findings
    ] == ["timestamp-range"]


def test_errors_between_documents_are_counted_separately() -> None:
    results = [
        validate_batch(batch, Policy(now=NOON))
        for batch in DocumentSource(BytesIO(b"[" + NATIVE + b" " + NATIVE + b"]"))
    ]
    counts = added(results).counts
    assert (counts.valid, counts.rejected, counts.errors, counts.file_errors) == (2, 0, 1, 1)
