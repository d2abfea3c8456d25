"""What an update of upstream's means, in the words of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codegen.jsontext import same
from codegen.problems import printable

BREAKING = " (breaking)"

Schemas = Mapping[str, dict[str, Any]]


def describe(before: Schemas, after: Schemas) -> list[str]:
    """One line for each change between two sets of canonical schemas, by path."""
    lines: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            lines.append(f"new event type {after[path].get('title', path)} ({path})")
        elif path not in after:
            lines.append(f"event type {before[path].get('title', path)} removed ({path}){BREAKING}")
        else:
            title = str(after[path].get("title"))
            lines += [f"{title}: {line}" for line in _schema(before[path], after[path], "")]
    return [printable(line) for line in lines]


def _schema(old: dict[str, Any], new: dict[str, Any], where: str) -> Iterator[str]:
    """Changes of one schema; `where` is the field it belongs to, empty for the event itself."""
    yield from _fields(old, new, where)
    subject = f"field {where}: " if where else ""
    for keyword in dict.fromkeys((*old, *new)):
        one, other = old.get(keyword), new.get(keyword)
        if keyword in ("properties", "required") or ((keyword in old) == (keyword in new) and same(one, other)):
            continue
        if keyword == "enum" and isinstance(one, list) and isinstance(other, list):
            yield from (f"{subject}value {value!r} added" for value in other if value not in one)
            yield from (f"{subject}value {value!r} removed{BREAKING}" for value in one if value not in other)
        elif keyword == "items" and isinstance(one, dict) and isinstance(other, dict):
            yield from _schema(one, other, f"{where}[]")
        elif keyword == "definitions" and isinstance(one, dict) and isinstance(other, dict):
            for name in dict.fromkeys((*one, *other)):
                yield from _schema(one.get(name, {}), other.get(name, {}), f"({name})")
        elif keyword == "additionalProperties" and other is False:
            yield f"{subject}closed, other fields are no longer allowed{BREAKING}"
        elif keyword not in old:
            yield f"{subject}{keyword} {other!r} added"
        elif keyword not in new:
            yield f"{subject}{keyword} {one!r} removed"
        else:
            yield f"{subject}{keyword} was {one!r}, is {other!r}"


def _fields(old: dict[str, Any], new: dict[str, Any], where: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed_before, needed_after = old.get("required", []), new.get("required", [])
    prefix = f"{where}." if where else ""
    for name in dict.fromkeys((*before, *after, *needed_before, *needed_after)):
        field = f"field {prefix}{name}"
        if name in after and name not in before:
            yield f"{field} added, required{BREAKING}" if name in needed_after else f"{field} added"
            continue
        if name in before and name not in after:
            yield f"{field} removed{BREAKING}"
            continue
        if name in needed_after and name not in needed_before:
            yield f"{field} now required{BREAKING}"
        if name in needed_before and name not in needed_after:
            yield f"{field} no longer required{BREAKING}"
        if name in before:
            yield from _schema(before[name], after[name], f"{prefix}{name}")
