"""Events within the documents of a batch: findings, counts and documents are those of the original documents."""

from __future__ import annotations

import io
import json

import choria_lifecycle as lifecycle
from choria_lifecycle.validation.batch import Batch
from choria_lifecycle.validation.extraction import extract
from choria_lifecycle.validation.policy import BatchResult, Policy, split_batch, validate_batch, validate_message
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire.codes import CODES
from choria_lifecycle.wire.jsontext import MAX_SIZE
from choria_lifecycle.wire.locations import AUTO, Location
from tests.bed.samples import compact
from tests.bed.validated import BAD, GOOD, NOW, WARNED

LOG = Location.parse("$.log")


def held(event: bytes, **others: object) -> bytes:
    return compact({"log": event.decode(), **others})


def batch_of(*documents: bytes) -> Batch:
    return Batch([3 * number for number in range(1, len(documents) + 1)], [each + b"\n" for each in documents])


def validated(*documents: bytes, at: Location = LOG, **options: object) -> BatchResult:
    return validate_batch(batch_of(*documents), Policy(now=NOW, at=at, **options))  # type: ignore[arg-type]


def findings(result: BatchResult) -> list[tuple[int, str, str]]:
    return [(number, each.code, each.path) for number, found in result.findings for each in found]


def in_a_file(data: bytes) -> list[tuple[int, str, str]]:
    policy = Policy(now=NOW, at=LOG)
    return [each for batch in DocumentSource(io.BytesIO(data)) for each in findings(validate_batch(batch, policy))]


def test_documents_are_sorted_unchanged_and_findings_have_their_lines() -> None:
    documents = [held(GOOD, stream="stdout"), held(BAD), held(WARNED), b'{"log":"up"}', b"nonsense", GOOD]
    result = validated(*documents)
    assert findings(result) == [
        (6, "schema-type", "$.log.identity"),
        (9, "id-uuid", "$.log.id"),
        (12, "input-location", "$.log"),
        (15, "input-json", "$"),
        (18, "input-location", "$"),
    ]
    good, bad, warned, text, nonsense, plain = (each + b"\n" for each in documents)
    assert result.valid == [good, warned]
    assert result.rejected == [bad, text, nonsense, plain]
    assert (result.counts.valid, result.counts.rejected, result.counts.errors) == (2, 4, 4)


def test_auto_takes_what_each_document_shows() -> None:
    documents = [held(GOOD), GOOD, compact({"message": BAD.decode()}), BAD, compact({"data": json.loads(GOOD)}), b"{}"]
    result = validated(*documents, at=AUTO)
    assert findings(result) == [
        (9, "schema-type", "$.message.identity"),
        (12, "schema-type", "$.identity"),
        (18, "schema-required", "$.protocol"),
    ]
    assert len(result.valid) == 3


def test_a_document_with_several_events_is_written_once() -> None:
    texts = {"good": GOOD.decode(), "bad": BAD.decode()}

    def push(*names: str) -> bytes:
        return compact({"streams": [{"values": [["17", texts[name]] for name in names]}]})

    documents = [push("good", "bad", "good", "bad"), push("good", "good")]
    result = validated(*documents, at=AUTO)
    assert findings(result) == [
        (3, "schema-type", "$.streams[0].values[1][1].identity"),
        (3, "schema-type", "$.streams[0].values[3][1].identity"),
    ]
    assert (result.rejected, result.valid) == ([documents[0] + b"\n"], [documents[1] + b"\n"])
    assert (result.counts.valid, result.counts.rejected) == (4, 2)


def test_an_event_further_down_is_named_from_the_top() -> None:
    result = validated(held(held(GOOD)), b'{"log":{"a":5}}')
    [_, [first]], [_, [second]] = result.findings
    assert first.message == "protocol is missing; an event is in $.log.log, as text"
    assert "an event is in" not in second.message


def test_the_policy_applies() -> None:
    result = validated(held(WARNED), b"{}", warnings_as_errors=True)
    assert (len(result.rejected), result.counts.errors) == (2, 2)
    result = validated(held(WARNED), b"{}", codes=frozenset(CODES) - {"input-location"})
    assert (findings(result), len(result.valid)) == ([(3, "id-uuid", "$.log.id")], 1)
    assert result.counts.not_checked == 1
    assert findings(validated(held(WARNED), warnings=False)) == []


def test_findings_about_the_file_stay() -> None:
    found = in_a_file(b"[" + held(GOOD) + b" " + held(BAD) + b"\n,,5")
    assert [(number, code) for number, code, _ in found] == [
        (1, "schema-type"),
        (1, "input-json"),
        (2, "input-json"),
        (2, "input-location"),
        (2, "input-truncated"),
    ]


def test_a_cut_document_is_truncated() -> None:
    for cut in (held(GOOD)[:-20], held(GOOD)[:5]):
        assert in_a_file(held(GOOD) + b"\n" + cut) == [(2, "input-truncated", "$")]
    # The document is complete; only the text in it was cut.
    assert in_a_file(held(GOOD[:-5])) == [(1, "input-json", "$.log")]


def test_a_document_that_holds_events_may_be_larger_than_an_event() -> None:
    policy = Policy(now=NOW, at=LOG)
    large = held(GOOD, context="x" * MAX_SIZE)
    [batch] = list(DocumentSource(io.BytesIO(large + b"\n"), **policy.limits))
    assert validate_batch(batch, policy).valid == [large + b"\n"]
    assert Policy(now=NOW).limits == {}
    result = validated(held(GOOD[:-1] + b',"x":"%b"}' % (b"y" * MAX_SIZE)))
    assert findings(result) == [(3, "input-size", "$.log")]
    assert len(result.rejected) == 1
    result = validated(GOOD[:-1] + b',"x":"%b"}' % (b"y" * MAX_SIZE), at=AUTO)
    assert findings(result) == [(3, "input-size", "$")]


def test_a_split_batch_has_the_same_findings() -> None:
    batch = batch_of(held(GOOD), held(BAD), b"{}", GOOD)
    policy = Policy(now=NOW, at=LOG)
    parts = [validate_batch(each, policy) for each in split_batch(batch)]
    assert [each for part in parts for each in findings(part)] == findings(validate_batch(batch, policy))


def test_a_message_holds_an_event_too() -> None:
    policy = Policy(now=NOW, at=LOG)
    result = validate_message(held(BAD), "logs.billing", 17, policy)
    assert (findings(result), result.rejected) == ([(17, "schema-type", "$.log.identity")], [held(BAD) + b"\n"])
    # Records are files; a message that is one breaks its contract.
    record = compact({"received": None, "subject": None, "format": None, "event": json.loads(GOOD)})
    assert validate_message(record, "x", 1, Policy(now=NOW)).counts.rejected == 1


def test_events_know_their_documents() -> None:
    found = extract(batch_of(held(GOOD), b"{}", held(BAD)), LOG)
    assert (found.events, found.paths, found.owners) == ([GOOD + b"\n", BAD + b"\n"], ["$.log", "$.log"], [0, 2])
    assert [owner for owner, _ in found.failures] == [1]
    assert found.owners_of(found.events[1:]) == {2}
    assert lifecycle.parse(found.batch.documents[0]).component == "server"


def test_findings_in_documents_over_several_lines_have_the_lines_of_their_fields() -> None:
    bad, held_bad = json.dumps(json.loads(BAD), indent=1).encode(), json.dumps({"a": 1, "log": BAD.decode()}, indent=1)
    several = json.dumps({"log": [json.loads(BAD), json.loads(GOOD), json.loads(BAD), {}]}, indent=1)
    line = bad.split(b"\n").index(b' "identity": 5,')
    lines_of_array = [at for at, each in enumerate(several.split("\n")) if '"identity": 5' in each]
    located = Policy(now=NOW, at=AUTO)
    for name, document, expected in (
        ("itself", bad, [(7 + line, "schema-type", "$.identity")]),
        ("text", held_bad.encode(), [(7 + 2, "schema-type", "$.log.identity")]),
        (
            "array",
            several.encode(),
            [
                (7 + lines_of_array[0], "schema-type", "$.log[0].identity"),
                (7 + lines_of_array[1], "schema-type", "$.log[2].identity"),
                (7 + several.count("\n") - 2, "schema-required", "$.log[3].protocol"),
            ],
        ),
        ("broken", b'{\n "log": {\n"protocol" 5}}', [(7 + 2, "input-json", "$")]),
    ):
        result = validate_batch(Batch([7], [document + b"\n"]), located)
        assert findings(result) == expected, name


def test_a_broken_text_in_a_document_over_several_lines_has_its_line() -> None:
    document = json.dumps({"a": 1, "log": '{"protocol"\n\n5}'}, indent=1).encode()
    assert findings(validated(document)) == [(5, "input-json", "$.log")]


def test_a_place_without_an_event_has_its_line() -> None:
    document = b'{\n "a": {},\n "log": "up"}'
    assert findings(validated(document)) == [(5, "input-location", "$.log")]


def test_text_that_ends_early_is_not_a_truncated_file() -> None:
    for document, code in ((b'"{\\"protocol\\":"', "input-json"), (b'{"protocol":', "input-truncated")):
        result = validate_batch(Batch([1], [document + b"\n"], unterminated=True), Policy(now=NOW, at=AUTO))
        assert findings(result) == [(1, code, "$")]
