"""The fast path: the same findings and kinds as the thorough check."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given

import choria_lifecycle as lifecycle
from choria_lifecycle.validation.bulk import (
    UNREADABLE,
    BatchCheck,
    DocumentKind,
    check_batch,
    check_one,
)
from choria_lifecycle.wire import quick
from choria_lifecycle.wire.finding import Finding, Severity
from tests.bed.near_misses import (
    BOUNDED,
    CURRENT,
    DOCUMENTS,
    GOOD,
    MEMBERS,
    NATIVE,
    NOON,
    ODD,
    OLD,
    STARTUP,
    SUBJECTS,
    WRAPPED,
    envelope,
    event,
    findings_in,
    written,
)
from tests.bed.samples import UNKNOWN_PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Callable


def fast(raw: bytes, *, warnings: bool) -> tuple[DocumentKind, list[Finding]]:
    """Return what `check_batch` reports for one document."""
    check = check_batch([raw + b"\n"], warnings=warnings, now=NOON)
    if check.reported:
        [(index, kind, findings)] = check.reported
        assert (index, findings != [], check.clean) == (0, True, Counter())
        return kind, findings
    [(kind, number)] = check.clean.items()
    assert number == 1
    return kind, []


@pytest.mark.parametrize("warnings", [True, False])
def test_the_fast_path_has_the_findings_of_validate(warnings: bool) -> None:
    @BOUNDED
    @given(DOCUMENTS)
    @example(WRAPPED[:-1] + b',"protocol":"io.choria.lifecycle.v1.alive"}')
    @example(WRAPPED[:-1] + f',"protocol":"{UNKNOWN_PROTOCOL}"}}'.encode())
    def agree(raw: bytes) -> None:
        wanted = [each for each in findings_in(raw) if warnings or each.severity is not Severity.WARNING]
        kind, found = fast(raw, warnings=warnings)
        assert found == wanted
        assert kind == check_one(raw, warnings=warnings, now=NOON)[0]

    agree()


@pytest.mark.parametrize("warnings", [True, False])
@pytest.mark.parametrize("at", ["first", "last"])
@pytest.mark.parametrize("base", [NATIVE, WRAPPED], ids=["native", "wrapped"])
def test_an_additional_member(base: bytes, at: str, warnings: bool) -> None:
    inside = base.index(b'"data":{') + len(b'"data":') if b'"data":{' in base else 0
    for member in MEMBERS:
        for begin, end in ((0, len(base)), (inside, base.index(b"}") + 1)):
            raw = (
                base[: begin + 1] + member + b"," + base[begin + 1 :]
                if at == "first"
                else base[: end - 1] + b"," + member + base[end - 1 :]
            )
            wanted = [each for each in findings_in(raw) if warnings or each.severity is not Severity.WARNING]
            assert fast(raw, warnings=warnings)[1] == wanted, raw


@pytest.mark.parametrize("warnings", [True, False])
@pytest.mark.parametrize("make", [event, envelope])
def test_a_different_value(make: Callable[[str], dict[str, Any]], warnings: bool) -> None:
    for protocol in [*CURRENT, OLD]:
        for name in make(protocol):
            for value in ODD:
                raw = written({**make(protocol), name: value})
                wanted = [each for each in findings_in(raw) if warnings or each.severity is not Severity.WARNING]
                assert fast(raw, warnings=warnings)[1] == wanted, raw


def test_spaces_escapes_and_old_protocols() -> None:
    texts = [raw.decode() for raw in (NATIVE, WRAPPED)]
    odd = [text.replace('"identity"', '"\\u0069dentity"') for text in texts]
    odd += [text.replace("n1.example.net", "\\u006e1.example.net") for text in texts]
    odd += [text.replace("n1.example.net", '\\"n1\\"') for text in texts]
    odd += [text.replace("n1.example.net", "é\\u00e9") for text in texts]
    odd += [text.replace("n1.example.net", "") for text in texts]
    odd += [text.replace(",", ", ").replace(":{", ": {") for text in texts]
    odd += [f" {text}" for text in texts] + [f"{text}\t\r" for text in texts] + [f"\ufeff{text}" for text in texts]
    odd += [texts[1].replace(STARTUP, OLD), texts[1].replace(STARTUP, OLD, 1)]
    odd += [OLD.join(texts[1].rsplit(STARTUP, 1)), texts[0].replace(STARTUP, OLD)]
    odd += [text.replace(f"{NOON}", number) for text in texts for number in (f"{NOON}.0", "1e9", "-1", "01")]
    for raw in map(str.encode, odd):
        for warnings in (True, False):
            wanted = [each for each in findings_in(raw) if warnings or each.severity is not Severity.WARNING]
            assert fast(raw, warnings=warnings)[1] == wanted, raw


def test_the_fast_path_and_the_thorough_check_agree_on_kinds() -> None:
    check = check_batch([raw + b"\n" for raw in GOOD], warnings=False, now=NOON)
    assert check.reported == []
    assert check.clean == Counter(check_one(raw, warnings=False, now=NOON)[0] for raw in GOOD)
    assert {kind.type for kind in check.clean} >= {
        *(*lifecycle.EVENT_TYPES, "transition", "exec state", "ccm_manifest state"),
        *(f"{protocol.split('.')[4]} state" for protocol in CURRENT if ".watcher." in protocol),
    }


def test_documents_after_a_non_ascii_one_are_checked_for_utf_8() -> None:
    bad = NATIVE[:-1] + b',"x":"\xff"}'
    documents = [NATIVE, NATIVE.replace(b"n1", "é".encode()), bad, NATIVE]
    check = check_batch([raw + b"\n" for raw in documents], warnings=False, now=NOON)
    assert [(index, findings[0].code) for index, _, findings in check.reported] == [(2, "input-utf-8")]
    assert check.clean.total() == 3


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"x", UNREADABLE),
        (b"[]", UNREADABLE),
        (b"{}", DocumentKind("choria", "no protocol")),
        (written({"protocol": UNKNOWN_PROTOCOL}), DocumentKind("choria", "unknown protocol")),
        (b'{"protocol":"com.example"}', DocumentKind("choria", "foreign protocol")),
        (b'{"protocol":1}', DocumentKind("choria", "no protocol")),
        (NATIVE, DocumentKind("choria", "startup")),
        (WRAPPED, DocumentKind("cloudevents", "startup")),
        (NATIVE[:-1] + b',"x":1}', DocumentKind("choria", "startup")),
        (written(event("io.choria.machine.watcher.nagios.v1.state")), DocumentKind("choria", "nagios state")),
        (written(envelope("io.choria.machine.v1.transition")), DocumentKind("cloudevents", "transition")),
    ],
)
def test_kinds(raw: bytes, kind: DocumentKind) -> None:
    assert fast(raw, warnings=True)[0] == check_one(raw, warnings=True, now=NOON)[0] == kind


def test_documents_are_reported_by_index_and_counted_by_kind() -> None:
    bad = NATIVE.replace(b'"n1.example.net"', b"5")
    check = check_batch([NATIVE, bad, WRAPPED, NATIVE + b"\n", b"nonsense"], warnings=True, now=NOON)
    assert [(index, kind, [finding.code for finding in findings]) for index, kind, findings in check.reported] == [
        (1, DocumentKind("choria", "startup"), ["schema-type"]),
        (4, UNREADABLE, ["input-json"]),
    ]
    assert check.clean == {DocumentKind("choria", "startup"): 2, DocumentKind("cloudevents", "startup"): 1}
    assert check_batch([], warnings=True, now=NOON) == BatchCheck()


def test_warnings_and_the_subject_are_optional() -> None:
    old = NATIVE.replace(STARTUP.encode(), OLD.encode())
    assert [finding.code for finding in fast(old, warnings=True)[1]] == ["protocol-old"]
    assert fast(old, warnings=False)[1] == []
    subject = "choria.lifecycle.event.alive.server"
    assert check_one(NATIVE, warnings=False, now=NOON, subject=subject)[1] == []
    [finding] = check_one(NATIVE, warnings=True, now=NOON, subject=subject)[1]
    assert finding.code == "subject-differs"
    large = NATIVE[:-1] + b',"x":"' + b"x" * 65536 + b'"}'
    assert [finding.code for finding in check_one(large, warnings=True, now=NOON)[1]] == ["input-size"]


def test_messages_have_the_findings_of_the_thorough_check() -> None:
    @BOUNDED
    @given(DOCUMENTS, SUBJECTS)
    def agree(raw: bytes, subject: str | None) -> None:
        kind, found = check_one(raw, warnings=True, now=NOON, subject=subject)
        assert found == findings_in(raw, subject)
        assert kind == check_one(raw, warnings=False, now=NOON)[0]

    agree()


def test_more_times_than_are_remembered_are_checked_too() -> None:
    times = [f"2026-11-22T{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z" for at in range(quick._MAX_TIMES + 10)]
    documents = [WRAPPED.replace(b"2026-11-22T12:00:00Z", time.encode()) for time in [*times, "2026-11-22T08:33:60Z"]]
    check = check_batch(documents, warnings=False, now=NOON)
    assert [(index, [finding.code for finding in findings]) for index, _, findings in check.reported] == [
        (len(times), ["envelope-time"])
    ]
    assert check.clean.total() == len(times)
    assert len(quick._VALID_TIMES) <= quick._MAX_TIMES
