"""Policies for findings, and the results and counts of validating many documents."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import IntEnum
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from choria_lifecycle.validation.batch import Batch
from choria_lifecycle.validation.bulk import UNREADABLE, DocumentKind, check_batch, check_one
from choria_lifecycle.validation.coverage import measure
from choria_lifecycle.validation.extraction import extract
from choria_lifecycle.validation.lines import findings_by_line
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.codes import CODES
from choria_lifecycle.wire.finding import Finding, Severity
from choria_lifecycle.wire.jsontext import is_truncated
from choria_lifecycle.wire.locations import MAX_HOLDER, below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.validation.coverage import Coverage
    from choria_lifecycle.wire.locations import Location

__all__ = [
    "BatchResult",
    "DocumentCounts",
    "DocumentFindings",
    "Policy",
    "Verdict",
    "split_batch",
    "validate_batch",
    "validate_message",
]

DocumentFindings: TypeAlias = "tuple[int, list[Finding]]"
"""The line or number of a document, and its findings; or a line of a document over several, and the findings there."""


class Verdict(IntEnum):
    """The verdict on a document; the value is its index in `DocumentCounts.kinds`."""

    VALID = 0
    """It keeps its contract."""

    REJECTED = 1
    """It has an error."""

    NOT_CHECKED = 2
    """No contract covers it, and the policy does not make that an error."""


# Accessing a member of an enumeration takes as long as the rest of a verdict.
_VALID, _REJECTED, _NOT_CHECKED = Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The findings to look for, and the severities to report them with.

    Attributes:
        now: the time to compare timestamps with, in seconds since 1970; None for the current time.
        warnings: look for warnings and information too, which is slower.
        warnings_as_errors: report warnings as errors.
        require_contract: report foreign documents as errors.
        codes: the codes to report; findings with other codes are discarded.
        at: where the events lie within the documents; None if the documents are the events.
        coverage: measure the coverage of the contracts, which is slower.
    """

    now: float | None
    warnings: bool = True
    warnings_as_errors: bool = False
    require_contract: bool = False
    codes: frozenset[str] = frozenset(CODES)
    at: Location | None = None
    coverage: bool = False

    @property
    def limits(self) -> dict[str, int]:
        """The arguments of `DocumentSource` that differ from its defaults: documents that hold events are larger."""
        return {} if self.at is None else {"limit": MAX_HOLDER}

    @property
    def time(self) -> float:
        """The time to compare timestamps with, in seconds since 1970."""
        return time.time() if self.now is None else self.now

    def severity(self, code: str) -> Severity:
        """Return the severity of a code under this policy."""
        severity = CODES[code]
        if self.require_contract and code == codes.PROTOCOL_FOREIGN.name:
            return Severity.ERROR
        return Severity.ERROR if self.warnings_as_errors and severity is Severity.WARNING else severity

    def apply(self, findings: list[Finding]) -> list[Finding]:
        """Return the findings to report, with their severities under this policy."""
        is_plain = self.warnings and not self.warnings_as_errors and not self.require_contract
        if is_plain and len(self.codes) == len(CODES):
            return findings
        selected = [(finding, self.severity(finding.code)) for finding in findings if finding.code in self.codes]
        return [
            finding if finding.severity is severity else replace(finding, severity=severity)
            for finding, severity in selected
            if self.warnings or severity is Severity.ERROR
        ]


@dataclass(slots=True)
class DocumentCounts:
    """The numbers of documents and findings.

    Attributes:
        kinds: the numbers of documents by kind, one for each `Verdict`.
        codes: the number of findings by code.
        errors: the number of findings that are errors.
        file_errors: the errors that concern the file itself and reject no document.
    """

    kinds: dict[DocumentKind, list[int]] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    file_errors: int = 0

    @property
    def documents(self) -> int:
        """The number of documents, with any verdict."""
        return sum(map(sum, self.kinds.values()))

    @property
    def valid(self) -> int:
        """The number of valid documents."""
        return self._number(Verdict.VALID)

    @property
    def rejected(self) -> int:
        """The number of rejected documents."""
        return self._number(Verdict.REJECTED)

    @property
    def not_checked(self) -> int:
        """The number of documents that were not checked."""
        return self._number(Verdict.NOT_CHECKED)

    def _number(self, verdict: Verdict) -> int:
        return sum(numbers[verdict] for numbers in self.kinds.values())

    def count(self, kind: DocumentKind, verdict: Verdict, number: int = 1) -> None:
        """Count documents."""
        self.kinds.setdefault(kind, [0, 0, 0])[verdict] += number

    def add(self, other: DocumentCounts) -> None:
        """Add other counts to these."""
        for kind, numbers in other.kinds.items():
            total = self.kinds.setdefault(kind, [0, 0, 0])
            for verdict, number in enumerate(numbers):
                total[verdict] += number
        self.codes.update(other.codes)
        self.errors += other.errors
        self.file_errors += other.file_errors


@dataclass(slots=True)
class BatchResult:
    """The outcome of validating a batch or a message.

    Attributes:
        findings: the findings in the order of the documents, by line.
        counts: the numbers of documents and findings.
        rejected: the documents with errors, each ending with a line feed; documents that are too large are only
            counted.
        valid: the valid documents, in the same form.
        coverage: the coverage of the contracts, if the policy asks for it.
    """

    findings: list[DocumentFindings] = field(default_factory=list)
    counts: DocumentCounts = field(default_factory=DocumentCounts)
    rejected: list[bytes] = field(default_factory=list)
    valid: list[bytes] = field(default_factory=list)
    coverage: Coverage = field(default_factory=Counter)

    def add_findings(self, number: int, findings: list[Finding], document: bytes = b"") -> bool:
        """Add the findings of a document, by line if it is given, and return True if they reject it."""
        if not findings:
            return False
        self.findings += findings_by_line(number, document, findings)
        errors, codes = 0, self.counts.codes
        for finding in findings:  # a few findings are counted faster than by Counter.update
            codes[finding.code] += 1
            errors += finding.severity is Severity.ERROR
        self.counts.errors += errors
        return errors > 0

    def add_document(self, document: bytes, kind: DocumentKind, *, rejected: bool) -> None:
        """Add a document."""
        verdict = _verdict(kind, rejected=rejected)
        self.counts.count(kind, verdict)
        if rejected:
            self.rejected.append(document)
        elif verdict is _VALID:
            self.valid.append(document)


def _verdict(kind: DocumentKind, *, rejected: bool) -> Verdict:
    return _REJECTED if rejected else _VALID if kind.has_contract else _NOT_CHECKED


def validate_batch(batch: Batch, policy: Policy) -> BatchResult:
    """Validate the documents of a batch, or the events within them if the policy has a location."""
    if policy.at is not None:
        return _validate_events(batch, policy, policy.at)
    return _validate_documents(batch, policy)


def _validate_documents(batch: Batch, policy: Policy, *, by_line: bool = True) -> BatchResult:
    """Validate the documents of a batch, and list the findings of each by line or all with its number."""
    result, at = BatchResult(), 0
    numbers, documents = batch.line_numbers, batch.documents
    check = check_batch(documents, warnings=policy.warnings, now=policy.time, is_ascii=batch.is_ascii)
    for kind, number in check.clean.items():
        result.counts.count(kind, Verdict.VALID, number)
    for index, kind, found in check.reported:
        is_unterminated = batch.unterminated and index == len(documents) - 1
        findings = policy.apply(_as_truncated(documents[index], found) if is_unterminated else found)
        result.valid += documents[at:index]
        rejected = result.add_findings(numbers[index], findings, documents[index] if by_line else b"")
        result.add_document(documents[index], kind, rejected=rejected)
        at = index + 1
    result.valid += documents[at:]
    if batch.findings:
        _add_file_findings(result, batch, policy)
    if policy.coverage:
        result.coverage = measure(documents)
    return result


def _validate_events(batch: Batch, policy: Policy, location: Location) -> BatchResult:
    """Validate the events within the documents of a batch.

    A document is rejected if one of its events is, or if it has none at the location, and valid if all of its events
    are. The counts are those of events.
    """
    found = extract(batch, location)
    result = _validate_documents(found.batch, policy, by_line=False)
    result.findings = [
        (found.owners[index], below(found.paths[index], findings)) for index, findings in result.findings
    ]
    rejected, valid = found.owners_of(result.rejected), found.complete_in(result.valid)
    for owner, finding in found.failures:
        is_rejected = result.add_findings(owner, policy.apply([finding]))
        result.counts.count(UNREADABLE, _verdict(UNREADABLE, rejected=is_rejected))
        valid.discard(owner)
        if is_rejected:
            rejected.add(owner)
    by_owner: dict[int, list[Finding]] = {}
    for owner, findings in result.findings:
        by_owner.setdefault(owner, []).extend(findings)
    result.findings = [
        each
        for owner, findings in by_owner.items()
        for each in findings_by_line(batch.line_numbers[owner], batch.documents[owner], findings)
    ]
    result.rejected = [batch.documents[owner] for owner in sorted(rejected)]
    result.valid = [batch.documents[owner] for owner in sorted(valid)]
    _add_file_findings(result, batch, policy)
    return result


def _as_truncated(document: bytes, findings: list[Finding]) -> list[Finding]:
    """Return the findings of an unterminated document, replaced by `input-truncated` if its end is missing."""
    code = findings[0].code if len(findings) == 1 else ""
    if not is_truncated(document) or not (
        code == codes.INPUT_JSON.name or (code == codes.INPUT_UTF_8.name and _ends_within_character(document))
    ):
        return findings
    message = "the file ends within this document: it was truncated, or is still being written"
    return [codes.INPUT_TRUNCATED.at("$", message)]


def _ends_within_character(document: bytes) -> bool:
    """Return True if the only UTF-8 error of a document is an incomplete character at its end."""
    try:
        document.removesuffix(b"\n").decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def _add_file_findings(result: BatchResult, batch: Batch, policy: Policy) -> None:
    for number, finding in batch.findings:
        rejected = result.add_findings(number, policy.apply([finding]))
        if finding.code == codes.INPUT_SIZE.name:  # the bytes were passed on while reading
            result.counts.count(UNREADABLE, _verdict(UNREADABLE, rejected=rejected))
        elif rejected:
            result.counts.file_errors += 1
    result.findings.sort(key=itemgetter(0))


def validate_message(data: bytes, subject: str, number: int, policy: Policy) -> BatchResult:
    """Validate a message received on a subject."""
    if policy.at is not None:
        return validate_batch(Batch([number], [data + b"\n"]), policy)
    result = BatchResult()
    kind, findings = check_one(data, warnings=policy.warnings, now=policy.time, subject=subject)
    result.add_document(data + b"\n", kind, rejected=result.add_findings(number, policy.apply(findings)))
    if policy.coverage:
        result.coverage = measure([data])
    return result


def split_batch(batch: Batch) -> Iterator[Batch]:
    """Split a batch into batches of one document, or one finding about the file, in order."""
    last = len(batch.documents) - 1
    batches = [
        Batch([number], [document], unterminated=batch.unterminated and index == last)
        for index, (number, document) in enumerate(zip(batch.line_numbers, batch.documents, strict=True))
    ]
    batches += [Batch([], [], findings=[each]) for each in batch.findings]
    return iter(sorted(batches, key=_first_line))


def _first_line(batch: Batch) -> int:
    return batch.line_numbers[0] if batch.line_numbers else batch.findings[0][0]
