"""The subjects that streams store, by their own subjects, filters and transforms."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from choria_lifecycle.nats.contents import Stored, StreamConfig, intersect, relocated, stored_subjects

EVENTS = "choria.lifecycle.event.>"


@pytest.mark.parametrize(
    ("left", "right", "common"),
    [
        ("a.b", "a.b", "a.b"),
        ("a.b", "a.c", None),
        ("a.b", "a.b.c", None),
        ("a.*", "*.b", "a.b"),
        ("a.>", "a.b.*", "a.b.*"),
        ("a.>", "a", None),
        ("a.>", ">", "a.>"),
        ("*.b.>", "a.*.c", "a.b.c"),
        ("a.*", "a.>", "a.*"),
        (">", ">", ">"),
    ],
)
def test_intersections(left: str, right: str, common: str | None) -> None:
    assert intersect(left, right) == intersect(right, left) == common


def contents(config: dict[str, Any], **others: dict[str, Any]) -> list[tuple[str, str]]:
    configs = {name: msgspec.convert({"name": name, **each}, StreamConfig) for name, each in others.items()}
    return [tuple(each) for each in stored_subjects(msgspec.convert({"name": "S", **config}, StreamConfig), configs)]


def transform(source: str, destination: str) -> dict[str, str]:
    return {"src": source, "dest": destination}


@pytest.mark.parametrize(
    ("origin", "stored"),
    [
        ({}, ["choria.>", "other.*"]),
        ({"filter_subject": "choria.lifecycle.>"}, ["choria.lifecycle.>"]),
        ({"filter_subject": "elsewhere.>"}, []),
        ({"subject_transforms": [transform("choria.>", "dc1.choria.>")]}, ["dc1.choria.>"]),
        (
            {"subject_transforms": [transform("choria.lifecycle.>", ""), transform("other.*", "o.$1.x")]},
            ["choria.lifecycle.>", "o.*.x"],
        ),
        ({"subject_transforms": [transform("choria.*.*.>", "s.{{wildcard(2)}}.{{ Wildcard( 1 ) }}.>")]}, ["s.*.*.>"]),
        ({"subject_transforms": [transform("other.*", "o.{{partition(3,1)}}")]}, ["o.*"]),
    ],
)
def test_a_stream_stores_what_it_copies(origin: dict[str, Any], stored: list[str]) -> None:
    known = {"A": {"subjects": ["choria.>", "other.*"]}}
    for config in ({"mirror": {"name": "A", **origin}}, {"sources": [{"name": "A", **origin}]}):
        assert contents(config, **known) == [(subject, "") for subject in stored]


def test_a_stream_transforms_its_own_subjects_and_those_of_its_sources() -> None:
    config = {
        "subjects": ["choria.machine.>", "choria.lifecycle.event.alive.*"],
        "sources": [{"name": "A"}],
        "subject_transform": transform("choria.lifecycle.>", "dc9.lifecycle.>"),
    }
    assert contents(config, A={"subjects": ["choria.>"]}) == [
        ("choria.machine.>", ""),
        ("dc9.lifecycle.event.alive.*", ""),
        ("dc9.lifecycle.>", ""),
        ("choria.>", ""),
    ]


def test_captured_tokens_keep_their_place() -> None:
    config = {"subjects": ["plain.a.*"], "subject_transform": transform("plain.*.*", "dc1.$2.$1")}
    assert contents(config) == [("dc1.*.a", "")]


def test_the_contents_of_unknown_streams_are_possible_only() -> None:
    config = {
        "sources": [
            {"name": "FAR", "filter_subject": "choria.>", "external": {"api": "$JS.hub.API"}},
            {"name": "GONE", "subject_transforms": [transform("choria.lifecycle.>", "dc1.choria.lifecycle.>")]},
        ],
    }
    assert contents(config) == [
        ("choria.>", "the stream FAR behind $JS.hub.API"),
        ("dc1.choria.lifecycle.>", "the stream GONE"),
    ]
    split = {"subjects": ["z.*"], "subject_transform": transform("z.*", "y.{{split(1,-)}}")}
    assert contents(split) == [("y.>", "the transform to y.{{split(1,-)}}")]


def test_streams_that_copy_each_other() -> None:
    first = {"subjects": ["a.>"], "sources": [{"name": "B"}]}
    assert contents({**first, "name": "A"}, A=first, B={"subjects": ["b.>"], "sources": [{"name": "A"}]}) == [
        ("a.>", ""),
        ("b.>", ""),
    ]


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ([EVENTS], []),
        (["dc1.choria.lifecycle.>", "dc2.choria.>"], ["dc1.choria.lifecycle.event.>", "dc2.choria.lifecycle.event.>"]),
        (["site.*.choria.lifecycle.event.alive.*"], ["site.*.choria.lifecycle.event.alive.*"]),
        ([">", "dc1.>", "dc1.choria.machine.>", "dc1.choria"], []),
    ],
)
def test_subjects_under_a_prefix(stored: list[str], found: list[str]) -> None:
    assert relocated(map(Stored, stored), EVENTS) == found
