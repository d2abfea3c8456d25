from __future__ import annotations

from array import array
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.wire import check, verdict
from choria_lifecycle.wire.quick import recognise
from choria_lifecycle.wire.shapes import SHAPES
from tests.bed import oracle
from tests.bed.near_misses import (
    BOUNDED,
    DOCUMENTS,
    GOOD,
    NATIVE,
    NOON,
    OLD,
    SUBJECTS,
    WRAPPED,
    findings_in,
    written,
)
from tests.bed.near_misses import STARTUP as PROTOCOL
from tests.bed.samples import ENVELOPE, STARTUP, TRANSITION, UNKNOWN_PROTOCOL, compact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.wire.check import Inspection

pytestmark = pytest.mark.usefixtures("day_of_the_events")


def found(document: Any, subject: str | None = None) -> list[tuple[str, str]]:
    return [(finding.path, finding.code) for finding in lifecycle.validate(compact(document), subject)]


@pytest.mark.parametrize(
    ("document", "subject", "expected"),
    [
        (STARTUP, None, []),
        (STARTUP, "choria.lifecycle.event.startup.server", []),
        (STARTUP, "choria.lifecycle.event.alive.server", [("$", "subject-differs")]),
        (ENVELOPE, "choria.lifecycle.event.startup.other", [("$", "subject-differs")]),
        (STARTUP | {"component": "a.b"}, "x", [("$.component", "component-token")]),
        (TRANSITION, "choria.machine.transition", []),
        (TRANSITION, "choria.machine.watcher.exec.state", [("$", "subject-differs")]),
    ],
)
def test_a_subject_that_does_not_match_is_a_warning(document: Any, subject: str | None, expected: list[Any]) -> None:
    assert found(document, subject) == expected
    for finding in lifecycle.validate(compact(document), subject):
        assert finding.severity != "error"


def test_text_with_a_lone_surrogate_is_an_error() -> None:
    assert lifecycle.validate("\ud800")[0].rule == "utf-8"


@pytest.mark.parametrize("subject", ["choria.lifecycle.event.startup.server", "choria.machine.transition"])
def test_a_foreign_document_is_an_error_on_a_subject_of_events(subject: str) -> None:
    foreign = {"protocol": "com.example"}
    envelope = ENVELOPE | {"type": "com.example", "source": "/billing", "data": foreign}
    for document, path in ((foreign, "$.protocol"), (envelope, "$.type")):
        assert found(document) == found(document, "choria.node.x") == [(path, "protocol-foreign")]
        assert found(document, subject) == [(path, "protocol-unknown")]
    assert found({"protocol": UNKNOWN_PROTOCOL}, "x") == [("$.protocol", "protocol-unknown")]


def test_validate_has_the_same_size_limit_as_parse() -> None:
    large = compact(STARTUP | {"x": "x" * 100_000})
    assert [finding.rule for finding in lifecycle.validate(large)] == ["size"]
    assert lifecycle.validate(large, max_size=200_000) == []


@pytest.mark.parametrize("subject", [5, b"choria.lifecycle.event.startup.server", ["x"]])
def test_a_subject_other_than_text_raises_a_type_error(subject: Any) -> None:
    with pytest.raises(TypeError, match=f"subject must be str, not {type(subject).__name__}"):
        lifecycle.validate(compact(STARTUP), subject)


def test_errors_come_before_warnings_and_each_are_limited() -> None:
    members = "".join(f',"verison":{number}' for number in range(300))
    state = f'{{"protocol":"io.choria.machine.watcher.nagios.v1.state","perfdata":{[1] * 300}{members}}}'
    findings = lifecycle.validate(state)
    assert [finding.severity for finding in findings] == ["error"] * 101 + ["warning"] * (len(findings) - 101)
    assert findings[100].code == "errors-cut"
    assert 0 < len(findings) - 101 <= 101


def test_the_current_time_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    document = STARTUP | {"timestamp": 1700000000}
    assert found(document) == []
    monkeypatch.setattr(verdict, "time", SimpleNamespace(time=lambda: 1600000000.0))
    assert found(document) == [("$.timestamp", "timestamp-range")]


@pytest.mark.parametrize("warnings", [True, False])
def test_many_documents_have_the_findings_of_each(warnings: bool) -> None:
    @BOUNDED
    @given(st.lists(DOCUMENTS, max_size=5))
    def agree(documents: list[bytes]) -> None:
        wanted = [findings_in(raw, warnings=warnings) for raw in documents]
        found = list(lifecycle.validate_many(documents, warnings=warnings, now=NOON))
        assert found == [(index, findings) for index, findings in enumerate(wanted) if findings]
        for raw, findings in zip(documents, wanted, strict=True):
            is_invalid = any(finding.severity == "error" for finding in findings)
            assert is_invalid == (oracle.verdict(raw) in {oracle.INVALID, oracle.UNKNOWN})

    agree()


def test_one_document_has_the_findings_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict, "time", SimpleNamespace(time=lambda: float(NOON)))

    @BOUNDED
    @given(DOCUMENTS, SUBJECTS)
    def agree(raw: bytes, subject: str | None) -> None:
        assert lifecycle.validate(raw, subject) == findings_in(raw, subject)

    agree()


@pytest.mark.parametrize("name", [None, "own", "other"])
def test_only_a_message_on_another_subject_is_checked_thoroughly(
    monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    checked: list[bytes] = []

    def check_document(raw: bytes, max_size: int, subject: str | None) -> Inspection:
        checked.append(raw)
        return check.check_document(raw, max_size, subject)

    monkeypatch.setattr(verdict, "check_document", check_document)
    for raw in GOOD:
        contract = check.check_document(raw).contract
        assert contract is not None
        own = contract.unversioned.removeprefix("io.")
        if contract.family == "lifecycle":
            own = own.replace("lifecycle.", "lifecycle.event.") + ".server"
        findings = lifecycle.validate(raw, {None: None, "own": own, "other": f"{own}.x"}[name])
        codes = {finding.code for finding in findings} - {"protocol-old"}
        assert codes == ({"subject-differs"} if name == "other" else set())
    # In others, the number of quotes does not tell whether a key is repeated.
    plain = {
        raw for raw, struct in zip(GOOD, recognise(GOOD), strict=True) if struct and SHAPES.by_struct[struct].quotes
    }
    assert checked == [raw for raw in GOOD if name == "other" or raw not in plain]
    assert len(plain) > len(GOOD) / 2


@pytest.mark.parametrize("name", ["choria", "cloudevents"])
def test_every_buffer_and_text_is_validated(name: str) -> None:
    raw = NATIVE if name == "choria" else WRAPPED
    bad = raw.replace(b'"server"', b"5")
    views = [bad, bad.decode(), bytearray(bad), memoryview(bad), memoryview(bad + bad)[: len(bad)], array("b", bad)]
    [(_, findings)] = lifecycle.validate_many([bad], now=NOON)
    assert list(lifecycle.validate_many(views, now=NOON)) == [(index, findings) for index in range(len(views))]
    good = [raw, raw.decode(), bytearray(raw), memoryview(raw), array("b", raw)]
    assert list(lifecycle.validate_many(good, now=NOON)) == []
    assert [found for _, [found] in lifecycle.validate_many(["\ud800"])] == lifecycle.validate("\ud800")
    with pytest.raises(TypeError, match="data must be bytes or str, not int"):
        list(lifecycle.validate_many([5]))  # type: ignore[list-item]


def test_documents_are_taken_one_by_one() -> None:
    taken: list[int] = []

    def documents() -> Iterator[bytes]:
        for number in range(10):
            taken.append(number)
            yield NATIVE if number % 2 else b"x"

    found = lifecycle.validate_many(documents(), now=NOON)
    assert taken == []
    assert next(found)[0] == 0
    assert taken == [0]
    assert next(found)[0] == 2
    assert taken == [0, 1, 2]
    assert [index for index, _ in found] == [4, 6, 8]


def test_warnings_about_many_documents_are_optional() -> None:
    old = written({**STARTUP, "protocol": OLD})
    early = written({**STARTUP, "timestamp": 0})
    large = written({**STARTUP, "x": "x" * 100_000})
    documents = [old, early, large, WRAPPED.replace(PROTOCOL.encode(), OLD.encode())]
    with_warnings = [(at, [each.code for each in found]) for at, found in lifecycle.validate_many(documents, now=NOON)]
    assert with_warnings == [
        (0, ["protocol-old"]),
        (1, ["timestamp-range"]),
        (2, ["input-size"]),
        (3, ["protocol-old", "protocol-old"]),
    ]
    assert [at for at, _ in lifecycle.validate_many(documents, warnings=False)] == [2]
    assert [at for at, _ in lifecycle.validate_many([NATIVE], now=NOON - 100_000)] == [0]


def test_the_current_time_is_used_for_many_documents() -> None:
    now = written({**STARTUP, "timestamp": 1_795_336_436})
    assert list(lifecycle.validate_many([now])) == []
