"""Many documents judged: which of the findings count, what they make of a document, and how many there are of each."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from choria_lifecycle.validation.batch import Batch
from choria_lifecycle.validation.bulk import UNREADABLE, DocumentKind, check_batch, check_one
from choria_lifecycle.wire.finding import CODES, Finding, Severity
from choria_lifecycle.wire.jsontext import is_truncated

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "BatchResult",
    "DocumentCounts",
    "DocumentFindings",
    "Policy",
    "split_batch",
    "validate_batch",
    "validate_message",
]

DocumentFindings: TypeAlias = "tuple[int, list[Finding]]"
"""The number of a document, and what there is to say about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What to look for, and which findings count.

    Attributes:
        now: the time, in seconds since 1970, that timestamps are compared with; None for the clock.
        warnings: look for warnings and information too; errors alone are found faster.
        warnings_as_errors: what has a warning is rejected.
        codes: the codes of the findings that count; others are as if they had not been found.
    """

    now: float | None
    warnings: bool = True
    warnings_as_errors: bool = False
    codes: frozenset[str] = frozenset(CODES)

    @property
    def time(self) -> float:
        """The time to compare with now."""
        return time.time() if self.now is None else self.now

    def severity(self, code: str) -> Severity:
        """How much a finding matters here."""
        severity = CODES[code]
        return Severity.ERROR if self.warnings_as_errors and severity is Severity.WARNING else severity

    def apply(self, findings: list[Finding]) -> list[Finding]:
        """Return those that count, as severe as they are here."""
        if self.warnings and not self.warnings_as_errors and len(self.codes) == len(CODES):
            return findings
        return [
            _as_error(finding) if self.severity(finding.code) is Severity.ERROR else finding
            for finding in findings
            if finding.code in self.codes and (self.warnings or finding.severity is Severity.ERROR)
        ]


def _as_error(finding: Finding) -> Finding:
    return finding if finding.severity is Severity.ERROR else replace(finding, severity=Severity.ERROR)


@dataclass(slots=True)
class DocumentCounts:
    """How many there are of what.

    Attributes:
        kinds: the documents that were valid and those that were rejected, by what they are.
        codes: the findings, by code.
        errors: the findings that are errors.
        file_errors: those of them that are about a file itself, and reject no document.
    """

    kinds: dict[DocumentKind, list[int]] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    file_errors: int = 0

    @property
    def valid(self) -> int:
        """How many documents were valid."""
        return sum(valid for valid, _ in self.kinds.values())

    @property
    def rejected(self) -> int:
        """How many documents were rejected."""
        return sum(rejected for _, rejected in self.kinds.values())

    def count(self, kind: DocumentKind, *, valid: int = 0, rejected: int = 0) -> None:
        """Count documents."""
        numbers = self.kinds.setdefault(kind, [0, 0])
        numbers[0] += valid
        numbers[1] += rejected

    def add(self, other: DocumentCounts) -> None:
        """Add what was counted elsewhere."""
        for kind, (valid, rejected) in other.kinds.items():
            self.count(kind, valid=valid, rejected=rejected)
        self.codes.update(other.codes)
        self.errors += other.errors
        self.file_errors += other.file_errors


@dataclass(slots=True)
class BatchResult:
    """What became of some documents.

    Attributes:
        findings: the documents about which there is something to say, in order.
        counts: how many there were of what.
        rejected: the documents that have errors, each with a line feed after it; one that is too long is only counted.
        valid: all others, likewise.
    """

    findings: list[DocumentFindings] = field(default_factory=list)
    counts: DocumentCounts = field(default_factory=DocumentCounts)
    rejected: list[bytes] = field(default_factory=list)
    valid: list[bytes] = field(default_factory=list)

    def add_findings(self, number: int, findings: list[Finding]) -> bool:
        """Add what there is to say about a document, and tell whether that rejects it."""
        if not findings:
            return False
        self.findings.append((number, findings))
        self.counts.codes.update([finding.code for finding in findings])
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        self.counts.errors += errors
        return errors > 0

    def add_document(self, document: bytes, kind: DocumentKind, *, rejected: bool) -> None:
        """Add a document."""
        self.counts.count(kind, valid=not rejected, rejected=rejected)
        (self.rejected if rejected else self.valid).append(document)


def validate_batch(batch: Batch, policy: Policy) -> BatchResult:
    """Validate the documents of a batch."""
    part, at = BatchResult(), 0
    numbers, documents = batch.line_numbers, batch.documents
    checked = check_batch(documents, warnings=policy.warnings, now=policy.time, is_ascii=batch.is_ascii)
    for kind, number in checked.clean.items():
        part.counts.count(kind, valid=number)
    for index, kind, findings in checked.reported:
        last = batch.unterminated and index == len(documents) - 1
        counting = policy.apply(_as_truncated(documents[index], findings) if last else findings)
        part.valid += documents[at:index]
        part.add_document(documents[index], kind, rejected=part.add_findings(numbers[index], counting))
        at = index + 1
    part.valid += documents[at:]
    if batch.findings:
        _add_file_findings(part, batch, policy)
    return part


def _as_truncated(document: bytes, findings: list[Finding]) -> list[Finding]:
    """Return the findings about the last document of a file that does not end with a line end."""
    code = findings[0].code if len(findings) == 1 else ""
    if not is_truncated(document) or not (
        code == "input-json" or (code == "input-utf-8" and _ends_within_character(document))
    ):
        return findings
    message = "the file ends within this document: it was cut off, or is still being written"
    return [Finding(code="input-truncated", path="$", rule="truncated", message=message)]


def _ends_within_character(document: bytes) -> bool:
    """Tell whether all that a document lacks of UTF-8 are bytes at its end."""
    try:
        document.removesuffix(b"\n").decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def _add_file_findings(part: BatchResult, batch: Batch, policy: Policy) -> None:
    for number, finding in batch.findings:
        rejected = part.add_findings(number, policy.apply([finding]))
        if finding.code == "input-size":  # its bytes have gone where they belong already
            part.counts.count(_UNREADABLE, valid=not rejected, rejected=rejected)
        elif rejected:
            part.counts.file_errors += 1
    part.findings.sort(key=_by_number)


def validate_message(data: bytes, subject: str, number: int, policy: Policy) -> BatchResult:
    """Validate a message that was received on a subject."""
    part = BatchResult()
    kind, findings = check_one(data, warnings=policy.warnings, now=policy.time, subject=subject)
    part.add_document(data + b"\n", kind, rejected=part.add_findings(number, policy.apply(findings)))
    return part


def split_batch(batch: Batch) -> Iterator[Batch]:
    """Return the documents of a batch, and what is wrong with the file, one at a time and in order."""
    last = len(batch.documents) - 1
    batches = [
        Batch([number], [document], unterminated=batch.unterminated and index == last)
        for index, (number, document) in enumerate(zip(batch.line_numbers, batch.documents, strict=True))
    ]
    batches += [Batch([], [], findings=[each]) for each in batch.findings]
    return iter(sorted(batches, key=_first_line))


def _first_line(batch: Batch) -> int:
    return batch.line_numbers[0] if batch.line_numbers else batch.findings[0][0]


def _by_number(said: DocumentFindings) -> int:
    return said[0]


_UNREADABLE: Final = DocumentKind("-", UNREADABLE)
