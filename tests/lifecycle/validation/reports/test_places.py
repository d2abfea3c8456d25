from __future__ import annotations

import os
from itertools import product
from operator import itemgetter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.validation.reports import places
from choria_lifecycle.validation.reports.places import Fingerprints, path_below, place_of
from choria_lifecycle.validation.reports.protocol import Origin, OriginKind, as_text
from tests.bed.reported import NAMES, RANDOM_FINDINGS, found

FOLDER = str(Path.cwd())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.ndjson", "a.ndjson"),
        ("./x/../a.ndjson", "a.ndjson"),
        (f"{FOLDER}/x/a.ndjson", "x/a.ndjson"),
        ("../a.ndjson", None),
        ("/elsewhere/a.ndjson", None),
    ],
)
def test_path_below(name: str, path: str | None) -> None:
    assert path_below(name, FOLDER) == path


def test_the_place_of_a_file_does_not_depend_on_the_folder() -> None:
    assert {place_of(Origin(name), FOLDER) for name in ("a", "./a", f"{FOLDER}/a")} == {"a"}
    assert place_of(Origin("/elsewhere/a"), FOLDER) == "/elsewhere/a"
    assert place_of(Origin("./a", OriginKind.SUBJECT), FOLDER) == "./a"


def test_bytes_that_are_not_utf_8_are_escaped() -> None:
    assert as_text(os.fsdecode(b"\xff")) == "\\udcff"


@given(st.lists(st.tuples(NAMES.map(as_text), RANDOM_FINDINGS), max_size=6, unique_by=itemgetter(0)), st.integers(0, 3))
def test_fingerprints_are_unique(inputs: list, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places, "_MAX_COUNTED", limit)
        fingerprints = Fingerprints()
        made = [
            fingerprints.add(place, line, index, finding)
            for place, documents in inputs
            for line, findings in enumerate(documents)
            for index, finding in enumerate(findings)
        ]
    assert len(set(made)) == len(made)


def test_fingerprints_stay_when_lines_move_and_messages_change() -> None:
    [one] = found("schema-type")
    [other] = found("schema-type", message="in other words")
    before, after = Fingerprints(), Fingerprints()
    assert [before.add("f", line, 0, one) for line in (1, 2, 3)] == [
        after.add("f", line, 0, other) for line in (4, 5, 6)
    ]


def test_a_fingerprint_depends_on_place_code_path_and_value() -> None:
    made = {
        Fingerprints().add(place, 1, 0, finding)
        for place, findings in product("fg", [found("schema-type"), found("id-uuid"), found("schema-type", value=6)])
        for finding in findings
    }
    assert len(made) == 6
    assert all(len(each) == 32 and int(each, 16) for each in made)
