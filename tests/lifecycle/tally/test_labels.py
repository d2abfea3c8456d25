"""Foreign text as label values, and names beyond a limit."""

from __future__ import annotations

import pytest

from choria_lifecycle.tally.labels import OTHER, Labels
from choria_lifecycle.tally.limits import LIMITS, Limits


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.30.2", "0.30.2"),
        ("", ""),
        ("größe 😀 \u202e", "größe 😀 \u202e"),
        ('quote " and \\', 'quote " and \\'),
        ("a\nb\tc\x00d\x7fe\x9b", "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd"),
        ("\ud800x\udfff", "\ufffdx\ufffd"),
    ],
)
def test_label_values_can_be_written(text: str, value: str) -> None:
    labels = Labels(Limits())
    assert labels.value(text) == value
    value.encode()
    assert not any(labels.hits.values())


@pytest.mark.parametrize(
    ("text", "limit", "value"),
    [
        ("x" * 128, 128, "x" * 128),
        ("x" * 129, 128, "x" * 128),
        ("x" * 100_000, 128, "x" * 128),
        ("é" * 64, 128, "é" * 64),
        ("é" * 65, 128, "é" * 64),
        ("x" + "é" * 64, 128, "x" + "é" * 63),
        ("😀" * 33, 128, "😀" * 32),
        ("x😀", 4, "x"),
        ("é", 1, ""),
        ("\x00" * 43, 128, "\ufffd" * 42),
    ],
)
def test_long_labels_are_truncated_between_characters_and_counted(text: str, limit: int, value: str) -> None:
    labels = Labels(Limits(label_bytes=limit))
    assert labels.value(text) == value
    assert labels.hits["label_bytes"] == (value != text)


def test_names_beyond_a_limit_are_counted() -> None:
    labels = Labels(Limits(governors=2))
    table = {"a": 1}
    assert labels.admit(table, "b", "governors", OTHER) == "b"
    table["b"] = 1
    assert [labels.admit(table, name, "governors", OTHER) for name in "abcc"] == ["a", "b", OTHER, OTHER]
    assert labels.hits == dict.fromkeys(LIMITS, 0) | {"governors": 2}
