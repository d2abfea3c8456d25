"""Describe an update of upstream's schemas field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from codegen.problems import escape_unprintable, shorten
from codegen.strict_json import json_equal

BREAKING = " (breaking)"

# Keywords that do not affect whether an event is valid.
_NOT_VALIDATING = frozenset({"$schema", "id", "title", "format", "additionalItems"})
_LOWER_BOUNDS = frozenset({"minimum", "minLength", "minItems"})
_UPPER_BOUNDS = frozenset({"maximum", "maxLength", "maxItems"})

Schemas = Mapping[str, dict[str, Any]]


def describe(before: Schemas, after: Schemas) -> list[str]:
    """Return one line for each change between two sets of canonical schemas, given by path."""
    lines: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before:
            lines.append(f"new event type {_title(after[path], path)} ({path})")
        elif path not in after:
            lines.append(f"event type {_title(before[path], path)} removed ({path}){BREAKING}")
        else:
            title = _title(after[path], path)
            lines += [f"{title}: {line}" for line in _schema_changes(before[path], after[path], "")]
    return [escape_unprintable(line) for line in lines]


def _schema_changes(old: dict[str, Any], new: dict[str, Any], field: str) -> Iterator[str]:
    """Yield the changes of one schema; `field` is the field it belongs to, empty for the event itself."""
    yield from _field_changes(old, new, field)
    prefix = f"field {field}: " if field else ""
    for keyword in dict.fromkeys((*old, *new)):
        old_value, new_value = old.get(keyword), new.get(keyword)
        if keyword in ("properties", "required"):
            continue
        if (keyword in old) == (keyword in new) and json_equal(old_value, new_value):
            continue
        if keyword == "enum" and isinstance(old_value, list) and isinstance(new_value, list):
            yield from (f"{prefix}value {_short(value)} added" for value in new_value if value not in old_value)
            yield from (
                f"{prefix}value {_short(value)} removed{BREAKING}" for value in old_value if value not in new_value
            )
        elif keyword == "items" and isinstance(old_value, dict) and isinstance(new_value, dict):
            yield from _schema_changes(old_value, new_value, f"{field}[]")
        elif keyword == "definitions":
            yield from _definition_changes(old_value or {}, new_value or {})
        elif keyword == "additionalProperties" and isinstance(old_value, dict) and isinstance(new_value, dict):
            yield from _schema_changes(old_value, new_value, f"{field}.*" if field else "*")
        elif keyword == "additionalProperties" and new_value is False:
            yield f"{prefix}closed: other fields are no longer allowed{BREAKING}"
        else:
            suffix = BREAKING if _breaks(keyword, old, new) else ""
            if keyword not in old:
                yield f"{prefix}{keyword} {_short(new_value)} added{suffix}"
            elif keyword not in new:
                yield f"{prefix}{keyword} {_short(old_value)} removed{suffix}"
            else:
                yield f"{prefix}{keyword} changed from {_short(old_value)} to {_short(new_value)}{suffix}"


def _breaks(keyword: str, old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return True if the change can make a valid event invalid, or give its readers an unexpected value."""
    if keyword == "type":
        return True
    if keyword in _NOT_VALIDATING or keyword not in new:
        return False
    if keyword == "additionalProperties":
        return new[keyword] is not True and old.get(keyword) is not False
    if keyword in old and keyword in _LOWER_BOUNDS:
        return bool(new[keyword] > old[keyword])
    if keyword in old and keyword in _UPPER_BOUNDS:
        return bool(new[keyword] < old[keyword])
    return True


def _definition_changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if name not in old:
            yield f"definition {name} added"
        elif name not in new:
            yield f"definition {name} removed"
        else:
            yield from _schema_changes(old[name], new[name], f"({name})")


def _field_changes(old: dict[str, Any], new: dict[str, Any], parent: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required_before, required_after = old.get("required", []), new.get("required", [])
    prefix = f"{parent}." if parent else ""
    for name in dict.fromkeys((*before, *after, *required_before, *required_after)):
        field = f"field {prefix}{name}"
        if name in after and name not in before:
            yield f"{field} added, required{BREAKING}" if name in required_after else f"{field} added"
            continue
        if name in before and name not in after:
            yield f"{field} removed{BREAKING}"
            continue
        if name in required_after and name not in required_before:
            yield f"{field} now required{BREAKING}"
        if name in required_before and name not in required_after:
            yield f"{field} no longer required{BREAKING}"
        if name in before:
            yield from _schema_changes(before[name], after[name], f"{prefix}{name}")


def _title(schema: dict[str, Any], path: str) -> str:
    return shorten(str(schema.get("title", path)))


def _short(value: object) -> str:
    return shorten(repr(value))
