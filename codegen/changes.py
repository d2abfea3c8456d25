"""What an update of upstream's means, in the words of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codegen.jsontext import same
from codegen.problems import printable, shorten

BREAKING = " (breaking)"

# Keywords that no event is measured by.
_HARMLESS = frozenset({"$schema", "id", "title", "format", "additionalItems"})
_LOWER_BOUNDS = frozenset({"minimum", "minLength", "minItems"})
_UPPER_BOUNDS = frozenset({"maximum", "maxLength", "maxItems"})

Schemas = Mapping[str, dict[str, Any]]


def describe(before: Schemas, after: Schemas) -> list[str]:
    """One line for each change between two sets of canonical schemas, by path."""
    lines: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            lines.append(f"new event type {_title(after[path], path)} ({path})")
        elif path not in after:
            lines.append(f"event type {_title(before[path], path)} removed ({path}){BREAKING}")
        else:
            title = _title(after[path], path)
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
            yield from (f"{subject}value {_say(value)} added" for value in other if value not in one)
            yield from (f"{subject}value {_say(value)} removed{BREAKING}" for value in one if value not in other)
        elif keyword == "items" and isinstance(one, dict) and isinstance(other, dict):
            yield from _schema(one, other, f"{where}[]")
        elif keyword == "definitions":
            yield from _definitions(one or {}, other or {})
        elif keyword == "additionalProperties" and isinstance(one, dict) and isinstance(other, dict):
            yield from _schema(one, other, f"{where}.*" if where else "*")
        elif keyword == "additionalProperties" and other is False:
            yield f"{subject}closed, other fields are no longer allowed{BREAKING}"
        else:
            mark = BREAKING if _breaks(keyword, old, new) else ""
            if keyword not in old:
                yield f"{subject}{keyword} {_say(other)} added{mark}"
            elif keyword not in new:
                yield f"{subject}{keyword} {_say(one)} removed{mark}"
            else:
                yield f"{subject}{keyword} was {_say(one)}, is {_say(other)}{mark}"


def _breaks(keyword: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether an event that was valid may be no longer, or code that reads it may meet what it does not expect."""
    if keyword == "type":
        return True
    if keyword in _HARMLESS or keyword not in new:
        return False
    if keyword == "additionalProperties":
        return new[keyword] is not True and old.get(keyword) is not False
    if keyword in old and keyword in _LOWER_BOUNDS:
        return bool(new[keyword] > old[keyword])
    if keyword in old and keyword in _UPPER_BOUNDS:
        return bool(new[keyword] < old[keyword])
    return True


def _definitions(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if name not in old:
            yield f"definition {name} added"
        elif name not in new:
            yield f"definition {name} removed"
        else:
            yield from _schema(old[name], new[name], f"({name})")


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


def _title(schema: dict[str, Any], path: str) -> str:
    return shorten(str(schema.get("title", path)))


def _say(value: object) -> str:
    return shorten(repr(value))
