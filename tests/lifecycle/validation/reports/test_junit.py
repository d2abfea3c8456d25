from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from junitparser import Error, Failure, JUnitXml

from choria_lifecycle.validation.reports.junit import MAX_LISTED, READABLE, JUnitReport
from choria_lifecycle.validation.reports.protocol import Origin, OriginKind, StoredMessage
from tests.bed.reported import found

FILE = Origin("events.ndjson")


def written(*inputs: tuple[Origin, list, str]) -> str:
    """Return a report on inputs, each with its documents and the reason why it cannot be read."""
    report = JUnitReport()
    lines = report.begin()
    for origin, documents, unreadable in inputs:
        lines += report.begin_origin(origin)
        lines += report.add(origin, documents, 0) if documents else []
        lines += report.add_problem(origin, unreadable) if unreadable else []
    return "\n".join(lines + report.end(1)) + "\n"


def test_a_file_is_a_suite_and_a_code_is_a_test() -> None:
    documents = [(1, found("schema-type", "id-uuid")), (2, found("schema-type"))]
    text = written((FILE, documents, ""), (Origin("good.ndjson"), [], ""), (Origin("missing"), [], "no such file"))
    suites = list(JUnitXml.fromstring(text.encode()))
    assert [(suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) for suite in suites] == [
        ("events.ndjson", 3, 1, 0, 0),
        ("good.ndjson", 1, 0, 0, 0),
        ("missing", 1, 0, 1, 0),
    ]
    for suite in suites:
        assert len(list(suite)) == suite.tests
        assert all(test.classname == suite.name for test in suite)
        failures, errors = (
            [test for test in suite if isinstance(next(iter(test.result), None), cls)] for cls in (Failure, Error)
        )
        assert (len(failures), len(errors)) == (suite.failures, suite.errors)


def test_a_suite_has_one_error_with_all_problems() -> None:
    report = JUnitReport()
    lines = report.begin() + report.begin_origin(FILE)
    for problem in ("has a <fault>", "has another"):
        lines += report.add_problem(FILE, problem)
    lines += report.begin_origin(Origin("next"))
    suites = list(ET.fromstring("\n".join(lines + report.end(2))).iter("testsuite"))
    assert [suite.get("errors") for suite in suites] == ["1", "0"]
    assert suites[0].findtext(".//error") == "has a <fault>\nhas another"


def test_errors_fail_and_warnings_are_shown() -> None:
    root = ET.fromstring(written((FILE, [(7, found("schema-type", "id-uuid", "protocol-foreign"))], "")))
    tests = {test.get("name"): test for test in root.iter("testcase")}
    assert sorted(tests) == sorted([READABLE, "schema-type", "id-uuid", "protocol-foreign"])
    failure = tests["schema-type"].find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.get("type")) == ("1 finding", "error")
    assert failure.text == "events.ndjson:7: $.identity: message of schema-type [schema-type]"
    for name in ("id-uuid", "protocol-foreign"):
        assert tests[name].find("failure") is None
        assert f"[{name}]" in str(tests[name].findtext("system-out"))


def test_names_are_unique_within_a_suite() -> None:
    documents = [(number, found("schema-type", "id-uuid")) for number in range(1, 9)]
    names = [test.get("name") for test in ET.fromstring(written((FILE, documents, ""))).iter("testcase")]
    assert len(names) == len(set(names)) == 3


@pytest.mark.parametrize(("number", "last"), [(MAX_LISTED, f"{MAX_LISTED}"), (MAX_LISTED + 1500, "and 1,500 more")])
def test_only_the_first_findings_of_a_test_are_listed(number: int, last: str) -> None:
    documents = [(line, found("schema-type")) for line in range(1, number + 1)]
    failure = ET.fromstring(written((FILE, documents, ""))).find(".//failure")
    assert failure is not None
    assert failure.get("message") == f"{number:,} findings"
    *_, end = str(failure.text).splitlines()
    assert last in end


def test_a_stored_message_has_its_sequence() -> None:
    report = JUnitReport()
    origin = Origin("choria.a", OriginKind.SUBJECT, StoredMessage("EVENTS", 1234))
    lines = report.begin() + report.add(origin, [(5, found("schema-type"))], 0)
    failure = ET.fromstring("\n".join(lines + report.end(1))).findtext(".//failure")
    assert failure == "choria.a#1234: $.identity: message of schema-type [schema-type]"


def test_all_messages_are_one_suite() -> None:
    report = JUnitReport()
    lines = report.begin() + report.begin_origin(Origin("choria.>", OriginKind.SUBJECT))
    for subject in ("choria.a", "choria.b"):
        lines += report.add(Origin(subject, OriginKind.SUBJECT), [(5, found("schema-type"))], 0)
    [suite] = ET.fromstring("\n".join(lines + report.end(1))).iter("testsuite")
    assert suite.get("name") == "choria.>"
    assert str(suite.findtext(".//failure")).splitlines() == [
        f"{subject}:5: $.identity: message of schema-type [schema-type]" for subject in ("choria.a", "choria.b")
    ]


@pytest.mark.parametrize("text", ["\x00\x1b]\ud800\ufffe", "<&>\"'", "]]>", "a\nb"])
def test_any_text_is_valid_xml(text: str) -> None:
    name = ET.fromstring(written((Origin(text), [(1, found("schema-type"))], ""))).find("testsuite")
    assert name is not None
    assert str(name.get("name")).isprintable()
