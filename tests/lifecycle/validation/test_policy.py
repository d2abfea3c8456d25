"""Batches and messages give the same results as `validate` on each document."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.validation.batch import Batch
from choria_lifecycle.validation.bulk import NO_PROTOCOL, UNKNOWN, UNREADABLE, DocumentKind, check_batch, check_one
from choria_lifecycle.validation.policy import BatchResult, Policy, split_batch, validate_batch, validate_message
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire import verdict as validating
from choria_lifecycle.wire.cloudevents import source_of
from choria_lifecycle.wire.finding import CODES, Finding, Severity
from choria_lifecycle.wire.jsontext import MAX_SIZE
from choria_schemas.registry import CONTRACTS
from tests.bed import strategies
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NOON = 1795348800  # 2026-11-22T12:00:00Z
UUID = "3b0e2a4e-6a5c-4d58-9d3f-0f8ee1a3a111"
BOUNDED = settings(
    max_examples=strategies.EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

# ---- documents: as Go writes them, and near misses

_VALUES = {"string": "x", "integer": 1, "number": 1.5, "object": {}}
_OTHERS: dict[str, Any] = {
    "protocol": None,
    "id": UUID,
    "identity": "n1.example.net",
    "component": "server",
    "timestamp": NOON,
}


def event(protocol: str) -> dict[str, Any]:
    """Return an event without findings, with its protocol first."""
    properties = CONTRACTS[protocol].schema()["properties"]
    made = {name: _OTHERS.get(name, _value(properties[name])) for name in CONTRACTS[protocol].schema()["required"]}
    return {**made, "protocol": protocol}


def _value(schema: dict[str, Any]) -> object:
    kind = schema.get("type")
    return schema["enum"][0] if "enum" in schema else _VALUES[kind] if isinstance(kind, str) else None


def envelope(protocol: str, **attributes: object) -> dict[str, Any]:
    """Return an event in an envelope as Go writes it."""
    return {
        "specversion": "1.0",
        "id": UUID,
        "source": source_of(CONTRACTS[protocol].protocol),
        "type": protocol,
        "subject": "n1.example.net",
        "datacontenttype": "application/json",
        "time": "2026-11-22T08:33:56Z",
        "data": event(protocol),
        **attributes,
    }


def written(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


CURRENT = sorted({contract.protocol for contract in CONTRACTS.values()})
STARTUP = "io.choria.lifecycle.v1.startup"
OLD = "choria:lifecycle:startup:1"
GOOD = [written(make(protocol)) for protocol in CONTRACTS for make in (event, envelope)]
NATIVE, WRAPPED = written(event(STARTUP)), written(envelope(STARTUP))

# Members that a decoder may miss if it does not look at the whole document.
MEMBERS = [
    b'"protocol":"io.choria.lifecycle.v1.alive"',
    b'"protocol":"io.choria.lifecycle.v1.startup"',
    b'"protocol":"choria:lifecycle:startup:1"',
    b'"protocol":"io.choria.unknown"',
    b'"protocol":"other"',
    b'"protocol":null',
    b'"specversion":"1.0"',
    b'"specversion":"0.3"',
    b'"specversion":null',
    b'"source":"io.choria.lifecycle"',
    b'"source":"io.choria.machine"',
    b'"type":"io.choria.lifecycle.v1.alive"',
    b'"data":{}',
    b'"data":null',
    b'"data_base64":null',
    b'"data_base64":"e30="',
    b'"dataschema":null',
    b'"dataschema":"x"',
    b'"dataschema":""',
    b'"subject":null',
    b'"time":null',
    b'"identity":"n1.example.net"',
    b'"identity":"n2.example.net"',
    b'"\\u0069dentity":"n3.example.net"',
    b'"id":""',
    b'"id":"\\u0022"',
    b'"timestamp":1',
    b'"timestamp":1.0',
    b'"timestamp":1795348800.0',
    b'"timestamp":1.7953488e9',
    b'"timestamp":true',
    b'"timestamp":9223372036854775807',
    b'"timestamp":9223372036854775808',
    b'"sequence":-1',
    b'"component":"a.b"',
    b'"Version":"1"',
    b'"trace-id":"x"',
    b'"x":"\xff"',
    b'"x":"\\ud800"',
    b'"x":"\\x"',
    b'"x":"\x00"',
    b'"x":"a\\"b"',
    b'"x":01',
    b'"x":-0',
    b'"x":1e999',
    b'"x":NaN',
    b'"x":' + b"9" * 500,
    b'"x":' + b"[" * 254 + b"]" * 254,
    b'"x":' + b"[" * 257 + b"]" * 257,
    b'"":1',
]
BYTES = [b'"', b"\\", b"{", b"}", b",", b":", b" ", b"\n", b"\t", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b"1", b"e"]
BYTES += ["é".encode(), b'\\"', b"\\u0022", b"-", b".", b"null", b"T", b"Z", b"+01:00", b"24", b"60", b"x"]
ODD: list[Any] = [
    None,
    "",
    "é",
    1,
    1.0,
    -1,
    True,
    [],
    {},
    2**63,
    -(2**63),
    2**64,
    UUID.upper(),
    "x" * 36,
    "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "a.b",
    "server\n",
    " n1.example.net",
    946_684_799,
    946_684_800,
    NOON + 86_400,
    NOON + 86_401,
    NOON * 1000,
    OLD,
    STARTUP,
    "io.choria.lifecycle.v1.alive",
    "2026-11-22T08:33:56+01:00",
    "2026-11-22t08:33:56z",
    "2026-11-22T08:33:56.5Z",
    "2026-11-22T08:33:56Z0",
    "2026-11-22T08:33:56Z ",
    "2026-11-22T24:00:00Z",
    "2026-11-22T08:33:60Z",
    "2026-02-30T08:33:56Z",
    "0000-01-01T00:00:00Z",
    "20 6-11-22T08:33:56Z",
]


@st.composite
def near_misses(draw: st.DrawFn) -> bytes:
    """Return a document as Go writes it, with up to three small changes."""
    raw = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        match draw(st.sampled_from(["member", "member", "byte", "drop", "value", "value", "order"])):
            case "member":
                places = [at + 1 for at, byte in enumerate(raw) if byte in b"{,"]
                at = draw(st.sampled_from(places or [0]))
                raw = raw[:at] + draw(st.sampled_from(MEMBERS)) + b"," + raw[at:]
            case "byte":
                at, more = draw(st.integers(0, len(raw))), draw(st.integers(0, 1))
                raw = raw[:at] + draw(st.sampled_from(BYTES)) + raw[at + more :]
            case "drop":
                at = draw(st.integers(0, len(raw)))
                raw = raw[:at] + raw[at + 1 :]
            case change:
                raw = _changed(draw, raw, change)
    return raw


def _changed(draw: st.DrawFn, raw: bytes, change: str) -> bytes:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(document, dict) or not document:
        return raw
    inner = document.get("data")
    target = inner if isinstance(inner, dict) and inner and draw(st.booleans()) else document
    if change == "order":
        members = draw(st.permutations(list(target.items())))
        target.clear()
        target.update(members)
    else:
        target[draw(st.sampled_from(list(target)))] = draw(st.sampled_from(ODD))
    return json.dumps(document, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))).encode()


DOCUMENTS = st.one_of(
    near_misses(),
    near_misses(),
    st.sampled_from(GOOD),
    st.sampled_from(CURRENT).flatmap(strategies.documents),
    st.binary(min_size=1, max_size=20),
).filter(bytes.strip)


# ---- the expected findings


def findings_in(raw: bytes, subject: str | None = None) -> list[Finding]:
    """Return the findings of `validate` at noon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validating, "time", SimpleNamespace(time=lambda: float(NOON)))
        return lifecycle.validate(raw, subject)


def applied(findings: list[Finding], policy: Policy) -> list[Finding]:
    """Apply a policy, as the help describes it."""
    kept = [finding for finding in findings if finding.code in policy.codes]
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
    codes=st.one_of(st.just(frozenset(CODES)), st.frozensets(st.sampled_from(sorted(CODES)))),
)


@settings(BOUNDED, max_examples=strategies.EXAMPLES // 2)
@given(st.lists(DOCUMENTS, max_size=4), POLICIES, st.integers(1, 1000))
def test_a_batch_has_the_findings_of_validate(documents: list[bytes], policy: Policy, first: int) -> None:
    result = validate_batch(batch_of(documents, first), policy)
    wanted = [applied(findings_in(raw), policy) for raw in documents]
    assert result.findings == [(number, findings) for number, findings in enumerate(wanted, first) if findings]
    sorted_out = zip(documents, map(is_rejected, wanted), strict=True)
    assert [(raw, True) for raw in result.rejected] + [(raw, False) for raw in result.valid] == sorted(
        ((raw + b"\n", rejected) for raw, rejected in sorted_out), key=lambda each: not each[1]
    )
    counts = result.counts
    assert counts.valid + counts.rejected == len(documents)
    assert counts.rejected == len(result.rejected)
    assert counts.codes == Counter(finding.code for findings in wanted for finding in findings)
    assert counts.errors == sum(finding.severity is Severity.ERROR for findings in wanted for finding in findings)
    kinds = Counter(check_one(raw, warnings=False, now=NOON)[0] for raw in documents)
    assert {kind: sum(numbers) for kind, numbers in counts.kinds.items()} == kinds


# ---- the fast path


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
    @example(WRAPPED[:-1] + b',"protocol":"io.choria.unknown"}')
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
    assert {kind.type for kind in check.clean} >= {*lifecycle.EVENT_TYPES, "transition", "exec state"}


def test_documents_after_a_non_ascii_one_are_checked_for_utf_8() -> None:
    bad = NATIVE[:-1] + b',"x":"\xff"}'
    documents = [NATIVE, NATIVE.replace(b"n1", "é".encode()), bad, NATIVE]
    check = check_batch([raw + b"\n" for raw in documents], warnings=False, now=NOON)
    assert [(index, findings[0].code) for index, _, findings in check.reported] == [(2, "input-utf-8")]
    assert check.clean.total() == 3


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"x", DocumentKind("-", UNREADABLE)),
        (b"[]", DocumentKind("-", UNREADABLE)),
        (b"{}", DocumentKind("choria", NO_PROTOCOL)),
        (b'{"protocol":"io.choria.other"}', DocumentKind("choria", UNKNOWN)),
        (b'{"protocol":1}', DocumentKind("choria", NO_PROTOCOL)),
        (NATIVE, DocumentKind("choria", "startup")),
        (WRAPPED, DocumentKind("cloudevents", "startup")),
        (NATIVE[:-1] + b',"x":1}', DocumentKind("choria", "startup")),
        (written(event("io.choria.machine.watcher.nagios.v1.state")), DocumentKind("choria", "nagios state")),
        (written(envelope("io.choria.machine.v1.transition")), DocumentKind("cloudevents", "transition")),
    ],
)
def test_kinds(raw: bytes, kind: DocumentKind) -> None:
    assert set(validate_batch(batch_of([raw]), Policy(now=NOON)).counts.kinds) == {kind}


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
    assert (ignored.findings, ignored.valid, ignored.counts.errors) == ([], batch.documents, 0)
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
    assert result.counts.kinds == {DocumentKind("-", UNREADABLE): [0, 2]}
    lenient = Policy(now=NOON, codes=frozenset(CODES) - {"input-size"})
    assert added([validate_batch(batch, lenient) for batch in batches]).counts.kinds == {
        DocumentKind("-", UNREADABLE): [1, 1]
    }


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
    assert result.rejected + result.valid == [raw + b"\n"]
    assert bool(result.rejected) == is_rejected(findings) == bool(result.counts.rejected)


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


def test_a_correction_is_named_only_if_it_caused_the_finding() -> None:
    state = json.loads((ROOT / "tests" / "examples" / "positive" / "nagios-state.json").read_bytes())
    for key in ("", "a.b", "a[0]"):
        [finding] = lifecycle.validate(json.dumps(state | {"annotations": {key: 5}}))
        assert "corrected" not in finding.message
    [finding] = lifecycle.validate(json.dumps(state | {"annotations": 5}))
    assert "corrected" in finding.message
