"""The lines of JSON paths in a document over several lines."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from choria_lifecycle.support.text import safe
from choria_lifecycle.wire import codes
from choria_lifecycle.wire.jsontext import MAX_STEP_LENGTH, error_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from choria_lifecycle.wire.finding import Finding

__all__ = ["find_lines", "findings_by_line"]

_tokens = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{},]', re.DOTALL).finditer
_blank = re.compile(rb"[ \t\r\n]*+").match
_step_ends = re.compile(r"[.\[…]").finditer
_QUOTE, _COMMA, _LIST, _OBJECT = b'",[{'
_TEXT_ERRORS: Final = {codes.INPUT_JSON.name, codes.INPUT_UTF_8.name}


def findings_by_line(line: int, document: bytes, findings: list[Finding]) -> list[tuple[int, list[Finding]]]:
    """Return the findings of a document by the lines of their fields, in order; a missing field has that of its object.

    Args:
        line: the line on which the document begins.
        document: the document.
        findings: its findings, at least one.
    """
    if document.find(b"\n", 0, -1) < 0:
        return [(line, findings)]
    if findings[0].code in _TEXT_ERRORS and findings[0].path == "$":
        return [(line + error_line(document), findings)]
    lines = find_lines(document, {finding.path for finding in findings})
    found: dict[int, list[Finding]] = {}
    for finding in findings:
        found.setdefault(line + lines[finding.path], []).append(finding)
    return sorted(found.items())


def find_lines(raw: bytes, paths: Iterable[str]) -> dict[str, int]:
    """Return the line of the value at each path, counted from 0, in time proportional to the size of the document.

    If there is no such value, the line is that of the innermost array or object on the way to it. Of repeated keys the
    last one counts, as for readers.

    Args:
        raw: a document that `read_json` accepts, or any other if the only path is `$`.
        paths: JSON paths as findings have them, which may be escaped or truncated.
    """
    prefixes = {path: _prefixes(path) for path in paths}
    document = _Value(raw.count(b"\n", 0, _end_of_blank(raw, 0)))
    if prefixes.keys() - {"$"}:
        _read_values(raw, document, set().union(*prefixes.values()))
    return {path: _innermost(document, found).line for path, found in prefixes.items()}


def _prefixes(path: str) -> list[str]:
    """Return the paths of the values on the way to a path, and itself; some may end within a key."""
    return [*(path[: end.start()] for end in _step_ends(path, 1)), path]


@dataclass(slots=True)
class _Value:
    """A value on the way to a path: its line, and the values in it by their paths."""

    line: int
    inner: dict[str, _Value] = field(default_factory=dict)


def _innermost(value: _Value, prefixes: list[str]) -> _Value:
    for prefix in prefixes:
        value = value.inner.get(prefix, value)
    return value


@dataclass(slots=True)
class _Open:
    """An array or object that is being read.

    Attributes:
        path: its path.
        value: the value itself; None if it is not on the way to a path.
        index: the number of elements before the current one; -1 for an object.
        expects_key: the next string is a key.
    """

    path: str
    value: _Value | None
    index: int
    expects_key: bool


def _read_values(raw: bytes, document: _Value, wanted: set[str]) -> None:
    """Read the values with the wanted paths into the document."""
    line = counted = 0
    path: str = "$"
    value: _Value | None = document  # the one that comes next, at this path
    parents: list[_Open] = []
    for token in _tokens(raw):
        byte, position = raw[token.start()], token.start()
        if byte in (_LIST, _OBJECT):
            parents.append(_Open(path, value, index=-(byte == _OBJECT), expects_key=byte == _OBJECT))
        elif byte not in (_QUOTE, _COMMA):
            parents.pop()
            continue
        parent = parents[-1] if parents else _NOTHING
        if byte == _COMMA:
            parent.expects_key = parent.index < 0
            parent.index += parent.index >= 0
        if parent.index < 0:
            if byte != _QUOTE or not parent.expects_key:
                continue
            parent.expects_key = False
        elif byte == _QUOTE:
            continue
        else:
            position = _end_of_blank(raw, token.end())
        value = None
        if parent.value is not None:
            path = _key_path(parent.path, token[0], wanted) if byte == _QUOTE else f"{parent.path}[{parent.index}]"
            if path in wanted:
                line, counted = line + raw.count(b"\n", counted, position), position
                parent.value.inner[path] = value = _Value(line)


def _key_path(path: str, key: bytes, wanted: set[str]) -> str:
    """Return the path of a member, truncated if only that is wanted."""
    name: str = json.loads(key) if b"\\" in key else key[1:-1].decode()
    whole = f"{path}.{safe(name)}"
    return whole if whole in wanted else f"{path}.{safe(name, MAX_STEP_LENGTH)}"


def _end_of_blank(raw: bytes, at: int) -> int:
    return _blank(raw, at).end()  # type: ignore[union-attr]


# A document that is a string.
_NOTHING: Final = _Open("", None, -1, expects_key=False)
