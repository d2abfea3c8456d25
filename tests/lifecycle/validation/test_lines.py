"""The lines of findings in documents over several lines."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.support.text import safe
from choria_lifecycle.validation.lines import find_lines, findings_by_line
from choria_lifecycle.validation.policy import Policy, validate_batch
from choria_lifecycle.validation.source import DocumentSource

DOCUMENT = b"""
{
  "id": 5,
  "data": {"first": 1},
  "note": "a \\"key\\": [ {\\n",
  "data":
  {
    "list": [1,
      [],
      {"a": 1,
       "b": 2}, "x",

      true
    ],
    "a.b": {
      "c": 1
    }
  },
  "\\u00e9\\n": 1,
  "id": 6
}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("$", 1),
        ("$.id", 19),
        ("$.missing", 1),
        ("$.id.deeper[5]", 19),
        ("$.note", 4),
        ("$.note.key[0]", 4),
        ("$.data", 5),
        ("$.data.first", 5),
        ("$.data.list", 7),
        ("$.data.list[0]", 7),
        ("$.data.list[1]", 8),
        ("$.data.list[2]", 9),
        ("$.data.list[2].a", 9),
        ("$.data.list[2].b", 10),
        ("$.data.list[2].c", 9),
        ("$.data.list[3]", 10),
        ("$.data.list[4]", 12),
        ("$.data.list[5]", 7),
        ("$.data.list[99999999999999999999]", 7),
        ("$.data.a.b", 14),
        ("$.data.a.b.c", 15),
        ("$.data.a.b.d", 14),
        ("$.data.lis…", 5),
        ("$.\u00e9\\n", 18),
    ],
)
def test_the_line_of_a_path(path: str, line: int) -> None:
    assert find_lines(DOCUMENT, [path]) == {path: line}
    assert find_lines(DOCUMENT.replace(b"\n", b"\r\n"), [path, "$.other"]) == {path: line, "$.other": 1}


def test_long_keys_are_truncated_in_paths() -> None:
    key = "k" * 100
    raw = json.dumps({"x": 1, key: {"y": 2}}, indent=1).encode()
    for name in (key, "k" * 60 + "…"):
        assert find_lines(raw, [f"$.{name}", f"$.{name}.y"]) == {f"$.{name}": 2, f"$.{name}.y": 3}


def written(value: Any, path: str, text: list[str], lines: dict[str, int]) -> None:
    """Write a document with a line end before each key and element, and note the line of each path."""
    lines[path] = text.count("\n")
    if not isinstance(value, dict | list):
        text.append(json.dumps(value))
        return
    text.append("{" if isinstance(value, dict) else "[")
    for number, (key, inner) in enumerate(value.items() if isinstance(value, dict) else enumerate(value)):
        text += [",", "\n"] if number else ["\n"]
        if isinstance(value, dict):
            text.append(json.dumps(key) + ":")
        written(inner, f"{path}.{key}" if isinstance(value, dict) else f"{path}[{key}]", text, lines)
    text.append("}" if isinstance(value, dict) else "]")


VALUES = st.recursive(
    st.none() | st.integers() | st.text('"\\[]{},:a\n', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\]{},:aé\n', max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text("ab", max_size=3), VALUES, max_size=5))
def test_each_value_of_a_document_is_found(document: dict[str, Any]) -> None:
    text: list[str] = []
    lines: dict[str, int] = {}
    written(document, "$", text, lines)
    shown = {path: safe(path) for path in lines}
    assert find_lines("".join(text).encode(), shown.values()) == {shown[path]: line for path, line in lines.items()}


@pytest.mark.parametrize(
    "raw",
    [
        b"{" + b'"a":{},\n' * 7000 + b'"b":5}',
        b'{"a":[' + b"[],\n" * 15_000 + b'1],"b":5}',
        b'{"a":' * 250 + b"\n1" + b"}" * 250,
        b'{"a":"' + b'\\"' * 30_000 + b'",\n"b":5}',
        b'{"' + b"a" * 60_000 + b'":\n{"b":1}}',
        b'{"' + b"a." * 30_000 + b'":\n{"b":1}}',
    ],
)
def test_hostile_documents_take_linear_time(raw: bytes) -> None:
    paths = [f"$.a{'.a' * depth}[{depth}].b" for depth in range(100)]
    # No clock is needed: quadratic time would exceed the test's timeout.
    for _ in range(5):
        assert set(find_lines(raw, paths).values()) <= set(range(raw.count(b"\n") + 1))


def test_text_that_is_not_json_has_one_line() -> None:
    for raw in (b'\n"x"\n', b"\n]]]\n", b"\n,\n", b'\n"'):
        assert find_lines(raw, ["$"]) == {"$": 1}
    assert find_lines(b'\n"x,"\n', ["$.a"]) == {"$.a": 1}


EVENT = {
    "protocol": "io.choria.lifecycle.v1.startup",
    "id": "1",
    "identity": 5,
    "component": "server",
    "timestamp": 1700000000,
}
ENVELOPE = {
    "specversion": "1.0",
    "id": "1",
    "source": "io.choria.lifecycle",
    "type": "io.choria.lifecycle.v1.startup",
    "data": EVENT,
}


def lines_of(raw: bytes) -> list[tuple[int, str, str]]:
    parts = [validate_batch(batch, Policy(now=1700000000)) for batch in DocumentSource(io.BytesIO(raw))]
    return [
        (line, finding.code, finding.path) for part in parts for line, findings in part.findings for finding in findings
    ]


def test_findings_have_the_lines_of_their_fields() -> None:
    pretty = json.dumps(EVENT, indent=2)
    doubled = pretty.replace("5", '5, "identity"\n: 6')
    assert lines_of(f"[\n{pretty},\n{doubled}\n]\n".encode()) == [
        (2, "schema-required", "$.version"),
        (4, "id-uuid", "$.id"),
        (5, "schema-type", "$.identity"),
        (9, "schema-required", "$.version"),
        (11, "id-uuid", "$.id"),
        (12, "schema-type", "$.identity"),
        (12, "duplicate-key", "$.identity"),
    ]
    assert lines_of(json.dumps(ENVELOPE, indent=2).encode()) == [
        (6, "schema-required", "$.data.version"),
        (8, "id-uuid", "$.data.id"),
        (9, "schema-type", "$.data.identity"),
    ]


def test_errors_in_the_text_have_their_own_line() -> None:
    pretty = json.dumps(EVENT, indent=2).encode()
    assert lines_of(b"\n" + pretty.replace(b"5,", b"x,") + b"\n") == [(5, "input-json", "$")]
    assert lines_of(pretty.replace(b"server", b"caf\xe9")) == [(5, "input-utf-8", "$")]
    assert lines_of(pretty[:-1]) == [(1, "input-truncated", "$")]
    assert lines_of(b"[\n[\n1]]") == [(2, "input-type", "$")]


def test_a_document_on_one_line_is_not_read_again() -> None:
    findings = lifecycle.validate(json.dumps(EVENT))
    assert findings_by_line(7, json.dumps(EVENT).encode() + b"\n", findings) == [(7, findings)]
    assert findings_by_line(7, b"", findings) == [(7, findings)]
