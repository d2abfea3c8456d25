"""Records of how go-choria reads configurations, compared with this library without Go."""

from __future__ import annotations

import json

import pytest

from choria_lifecycle.config.choria.keys import known_keys

from . import config, config_record
from .config_record import recorded_texts, recorded_trees
from .config_texts import texts

TREES = recorded_trees()
TEXTS = recorded_texts()
BY_NAME = {record["tree"].name: record for record in TREES}


@pytest.mark.parametrize("record", TREES, ids=BY_NAME)
def test_a_configuration_is_read_as_recorded(record, tmp_path):
    tree = record["tree"]
    tree.build(tmp_path)
    own = config.here(tree, tmp_path)
    assert config.explained(tree, record["go"], own) == record["reasons"]
    assert config.problems([record | {"here": own}], []) == []


def test_texts_are_parsed_as_recorded():
    assert config.problems([], TEXTS) == []


def test_the_records_cover_the_current_cases():
    assert [record["tree"] for record in TREES] == config_record.wanted()
    assert [(case["kind"], case["text"], case["home"]) for case in TEXTS] == list(texts())
    assert len(BY_NAME) == len(TREES)


def test_every_reason_is_used():
    assert {reason for record in TREES for reason in record["reasons"].values()} == set(config.DIFFERENCES)


def test_the_names_of_keys_are_written_as_recorded():
    [version] = {json.loads(path.read_text("utf-8").partition("\n")[0])["choria"] for path in _paths()}
    keys = [{"name": name, "kind": each.kind, "choices": each.choices} for name, each in known_keys().items()]
    assert config_record.KNOWN.read_text("utf-8") == config.known_text(version, keys)


def test_the_records_stay_small():
    assert sum(path.stat().st_size for path in _paths()) < 200_000


@pytest.mark.parametrize(
    ("aspect", "wrong"),
    [
        ("main_collective", "other"),
        ("plugin.choria.use_srv", False),
        ("plugin.choria.network.connect_timeout", 3.0),
        ("plugin.choria.federation.collectives", [""]),
    ],
)
def test_a_changed_value_of_go_is_noticed(aspect, wrong, tmp_path):
    record = json.loads(json.dumps({"go": BY_NAME["only an identity"]["go"]}))
    record["go"]["values"][aspect] = wrong
    tree = BY_NAME["only an identity"]["tree"]
    tree.build(tmp_path)
    own = config.here(tree, tmp_path)
    assert config.explained(tree, record["go"], own) == {aspect: ""}
    [problem] = config.problems([{"tree": tree, "here": own, "reasons": {aspect: ""}, **record}], [])
    assert problem.startswith(f"only an identity: {aspect} differs without a reason: Go {wrong!r}, here ")


@pytest.mark.parametrize(
    ("name", "aspect", "go"),
    [
        ("provider file", "raw", {"raw": {}}),
        ("projects", "files", {"files": ["@/etc/client.conf"]}),
        ("projects", "refuses", {"refuses": "no"}),
        ("no file", "refuses", {"values": {}, "raw": {}, "files": []}),
    ],
)
def test_a_changed_result_of_go_is_noticed(name, aspect, go, tmp_path):
    tree = BY_NAME[name]["tree"]
    tree.build(tmp_path)
    answer = go if "refuses" in go or name == "no file" else BY_NAME[name]["go"] | go
    assert config.explained(tree, answer, config.here(tree, tmp_path)) == {aspect: ""}


@pytest.mark.parametrize(
    ("kind", "text", "go"),
    [
        ("int", "7", {"is": 8}),
        ("int", "x", {"is": 0}),
        ("int", "7", {"refuses": True}),
        ("bool", "maybe", {"is": True}),
        ("duration", "5x", {"is": 5.0}),
    ],
)
def test_a_changed_parse_of_go_is_noticed(kind, text, go):
    [problem] = config.problems([], [{"kind": kind, "text": text, "home": "", "go": go}])
    assert problem.startswith(f"{kind} {text!r}: Go {go}, here ")


def _paths():
    return config_record.TREES, config_record.TEXTS
