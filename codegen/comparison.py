"""Find the changes between two sets of effective contracts.

References are resolved first, so that only what a contract means counts, not how it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from codegen import names, subset
from codegen.changes import Change
from codegen.problems import ContractError, Problem, shorten
from codegen.strict_json import json_equal

if TYPE_CHECKING:
    from codegen.contract import ContractSet, EffectiveContract

_LOWER_BOUNDS = frozenset({"minimum", "minLength", "minItems"})
_BOUNDS = _LOWER_BOUNDS | {"maximum", "maxLength", "maxItems"}
_COMPARED = frozenset({
    "$schema", "id", "title", "definitions", "type", "enum", "items", "additionalProperties", "required", "properties",
})  # fmt: skip
# Keywords without effect on validity; generate refuses those that only draft-07 has.
_ANNOTATIONS = frozenset({
    "format", "additionalItems", "$id", "readOnly", "writeOnly", "contentMediaType", "contentEncoding",
})  # fmt: skip
_ANY_TYPE = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
# The key for the name of an object's class in a resolved schema; no JSON key is equal to it.
_CLASS: Final = ("class",)
_ABSENT: Any = object()


def compare(before: ContractSet, after: ContractSet) -> list[Change]:
    """Return the changes between two sets of contracts, which need not be translatable.

    Raises:
        ContractError: the references of a schema expand without a reasonable end.
    """
    old_contracts = {contract.path: contract for contract in before.all}
    new_contracts = {contract.path: contract for contract in after.all}
    found: list[Change] = []
    for path in sorted(old_contracts.keys() | new_contracts.keys()):
        old, new = old_contracts.get(path), new_contracts.get(path)
        event = str(next(one.schema for one in (new, old) if one).get("title", path))
        if old and new:
            found += [
                Change(path, event, place.field, kind, text, place.in_python)
                for place, kind, text in _contract_changes(old, new)
            ]
        else:
            verb = "added" if new else "removed"
            found.append(Change(path, event, "", f"event-{verb}", f"event type {verb} ({path})"))
    return found


class _Place(NamedTuple):
    """A place in an event; `optional` tells whether the field may be absent, which adds None, before and after."""

    field: str
    in_python: bool = True
    optional: tuple[bool, bool] = (False, False)

    def with_none(self, types: frozenset[str], side: int) -> frozenset[str]:
        """Return the types with which the field is annotated, before (0) or after the change (1)."""
        return types | {"null"} if self.optional[side] else types

    def text(self, text: str) -> str:
        return f"field {self.field}: {text}" if self.field else text


_Found = Iterator[tuple[_Place, str, str]]


def _contract_changes(old: EffectiveContract, new: EffectiveContract) -> _Found:
    event = _Place("")
    found = [
        *_root_changes(old.schema, new.schema),
        *_schema_changes(_resolve(old), _resolve(new), event),
        *_sentence_changes(old, new),
    ]
    if bool(old.blob) != bool(new.blob):
        text = "local schema replaced by upstream's" if new.blob else "upstream's schema replaced by a local one"
        found.append((event, "source-changed", text))
    for kind, some, others in (
        ("correction-removed", old.corrections, new.corrections),
        ("correction-added", new.corrections, old.corrections),
    ):
        found += [
            (event, kind, f"correction of {shorten(pointer)} {kind.removeprefix('correction-')}: {shorten(reason)}")
            for pointer, reason, *_ in some
            if (pointer, reason) not in {each[:2] for each in others}
        ]
    if not found and old.blob != new.blob:
        found.append((event, "new-text", "new text upstream, same contract"))
    yield from found


def _root_changes(old: dict[str, Any], new: dict[str, Any]) -> _Found:
    for keyword in ("id", "title"):
        if old.get(keyword) != new.get(keyword):
            text = f"{keyword} changed from {_short(old.get(keyword))} to {_short(new.get(keyword))}"
            yield _Place(""), f"{keyword}-changed", text


def _sentence_changes(old: EffectiveContract, new: EffectiveContract) -> _Found:
    for pointer, after in new.descriptions.items():
        before = old.descriptions.get(pointer)
        if before is None:
            continue
        where = pointer.removeprefix("/properties/").replace("/properties/", ".").replace("/items", "[]")
        pairs = [("", before.sentence, after.sentence)]
        pairs += [(name, before.fields[name], after.fields[name]) for name in after.fields if name in before.fields]
        for name, was, now in pairs:
            if was != now:
                place = _Place(".".join(filter(None, (where, name))))
                text = f"sentence changed from {_short(was)} to {_short(now)}"
                yield place, "sentence-changed", place.text(text)
        # Required fields come first in a class; the order counts among those that are required on both sides, and
        # among the optional ones.
        required = [_required_at(contract.schema, pointer) for contract in (old, new)]
        for needed in (True, False):
            common = [name for name in after.fields if name in before.fields]
            group = [name for name in common if all((name in names_) is needed for names_ in required)]
            if [name for name in before.fields if name in group] != group:
                place = _Place(where)
                yield place, "order-changed", place.text(f"fields in another order: {', '.join(group)}")


def _required_at(schema: dict[str, Any], pointer: str) -> list[str]:
    for step in pointer.split("/")[1:]:
        schema = schema.get(step.replace("~1", "/").replace("~0", "~"), {})
    required = schema.get("required", [])
    return required if isinstance(required, list) else []


def _schema_changes(old: dict[Any, Any], new: dict[Any, Any], place: _Place) -> _Found:
    old_types, new_types = _types(old), _types(new)
    yield from _type_changes(old, new, place)
    yield from _value_changes(old, new, place)
    for keyword in dict.fromkeys((*old, *new)):
        if keyword in _COMPARED or keyword == _CLASS:
            continue
        before, after = old.get(keyword, _ABSENT), new.get(keyword, _ABSENT)
        if before is _ABSENT:
            yield place, _keyword_kind(keyword, "added"), place.text(f"{keyword} {_short(after)} added")
        elif after is _ABSENT:
            yield place, _keyword_kind(keyword, "removed"), place.text(f"{keyword} {_short(before)} removed")
        elif not _same(before, after):
            verb = "changed"
            if keyword in _BOUNDS:
                verb = "tightened" if (after > before) is (keyword in _LOWER_BOUNDS) else "loosened"
            text = f"{keyword} {verb} from {_short(before)} to {_short(after)}"
            yield place, _keyword_kind(keyword, verb), place.text(text)
    # A schema without a type says nothing of members; the line about the type says it all.
    if (old_types == _ANY_TYPE) is not (new_types == _ANY_TYPE):
        return
    if "array" in old_types & new_types and ("items" in old or "items" in new):
        yield from _member_changes(old.get("items", {}), new.get("items", {}), "[]", place)
    if "object" in old_types & new_types:
        yield from _object_changes(old, new, place)


def _keyword_kind(keyword: str, verb: str) -> str:
    if keyword in _ANNOTATIONS:
        return "annotation-changed"
    if keyword in _BOUNDS:
        return "bound-loosened" if verb in ("removed", "loosened") else "bound-tightened"
    return "keyword-removed" if verb == "removed" else "keyword-added"


def _type_changes(old: dict[Any, Any], new: dict[Any, Any], place: _Place) -> _Found:
    before, after = _types(old), _types(new)
    if before == after:
        return
    verb = "widened" if before < after else "narrowed" if before > after else "changed"
    kind, text = f"type-{verb}", f"type {verb} from {_short(old.get('type'))} to {_short(new.get('type'))}"
    if before == _ANY_TYPE:
        text = f"type {_short(new['type'])} added"
    elif after == _ANY_TYPE:
        text = f"type {_short(old['type'])} removed"
    elif place.with_none(before, 0) == place.with_none(after, 1):
        kind = "null-allowed" if verb == "widened" else "null-refused"
        text += ", and None was possible" if verb == "widened" else ", and None stays possible"
    yield place, kind, place.text(text)


def _value_changes(old: dict[Any, Any], new: dict[Any, Any], place: _Place) -> _Found:
    if "enum" not in old and "enum" in new:
        yield place, "values-limited", place.text(f"limited to the values {_short(new['enum'])}")
    elif "enum" in old and "enum" not in new:
        yield place, "values-unlimited", place.text(f"no longer limited to the values {_short(old['enum'])}")
    else:
        before, after = old.get("enum", ()), new.get("enum", ())
        for kind, some, others in (("value-added", after, before), ("value-removed", before, after)):
            for value in some:
                if not any(json_equal(value, other) for other in others):
                    verb = kind.removeprefix("value-")
                    yield place, kind, place.text(f"value {_short(value)} {verb}")


def _object_changes(old: dict[Any, Any], new: dict[Any, Any], place: _Place) -> _Found:
    def change(kind: str, text: str) -> tuple[_Place, str, str]:
        return place, kind, place.text(text)

    named = "properties" in old, "properties" in new
    if named == (True, True):
        if old[_CLASS] != new[_CLASS]:
            yield change("class-renamed", f"class {old[_CLASS]} renamed to {new[_CLASS]}")
        yield from _field_changes(old, new, place)
    elif named == (False, True):
        yield change("fields-named", f"fields named for the first time: {shorten(', '.join(new['properties']))}")
    elif named == (True, False):
        yield change("fields-unnamed", f"fields no longer named: {shorten(', '.join(old['properties']))}")
    before, after = old.get("additionalProperties", {}), new.get("additionalProperties", {})
    if after is False and before is not False:
        yield change("closed", "closed: other fields are no longer allowed")
    elif before is False and after is not False:
        yield change("opened", "opened: other fields are allowed")
    if (before or after) and ((before is False) is (after is False) or not any(named)):
        inner = place._replace(in_python=place.in_python and not all(named))
        yield from _member_changes(before or {}, after or {}, ".*" if place.field else "*", inner)


def _member_changes(old: Any, new: Any, suffix: str, place: _Place) -> _Found:
    yield from _schema_changes(old, new, _Place(f"{place.field}{suffix}", place.in_python))


def _field_changes(old: dict[Any, Any], new: dict[Any, Any], parent: _Place) -> _Found:
    before, after = old["properties"], new["properties"]
    was_required, is_required = old.get("required", ()), new.get("required", ())
    others = new.get("additionalProperties", {})
    for name in dict.fromkeys((*before, *after, *was_required, *is_required)):
        needed_before, needed = name in was_required, name in is_required
        optional = not needed_before, not needed
        place = _Place(f"{parent.field}.{name}" if parent.field else name, parent.in_python, optional)
        field = f"field {place.field}"
        if name in after and name not in before:
            kind = "required-field-added" if needed and not needed_before else "field-added"
            yield place, kind, f"{field} added{', required' if needed else ''}"
            continue
        if name in before and name not in after:
            if others == {}:
                yield place, "field-removed", f"{field} removed"
            else:
                limit = "refused" if others is False else "limited"
                yield place, "field-removed-from-closed-object", f"{field} removed, and other fields are {limit}"
            continue
        if needed and not needed_before:
            yield place, "now-required", f"{field} now required"
        if needed_before and not needed:
            if "null" in before.get(name, {}).get("type", ()):
                yield place, "default-added", f"{field} no longer required, and None was possible"
            else:
                yield place, "no-longer-required", f"{field} no longer required"
        if name in before:
            yield from _schema_changes(before[name], after[name], place)


def _types(schema: dict[Any, Any]) -> frozenset[str]:
    declared = schema.get("type")
    if declared is None:
        return _ANY_TYPE
    types = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(types | {"integer"} if "number" in types else types)


def _same(left: object, right: object) -> bool:
    # 1 and 1.0 are one bound, True and 1 are not.
    return json_equal(left, right) or (left == right and bool not in (type(left), type(right)))


def _short(value: object) -> str:
    return shorten(repr(value))


def _resolve(contract: EffectiveContract) -> dict[Any, Any]:
    return _Resolver(contract).schema(contract.schema, names.class_name(contract.path), ())


@dataclass(slots=True)
class _Resolver:
    """Brings a schema into a form that two notations of the same schema share."""

    contract: EffectiveContract
    nodes: int = 0

    def schema(self, schema: dict[str, Any], name: str, seen: tuple[str, ...]) -> dict[Any, Any]:
        """Resolve one schema; `name` is the class name that it has if it is an object with fields."""
        self.nodes += 1
        if self.nodes > subset.MOST_SCHEMAS:
            raise ContractError([Problem(self.contract.path, "", subset.expansion_message())])
        target = str(schema.get("$ref", "")).removeprefix("#/definitions/")
        definitions = self.contract.schema.get("definitions", {})
        if target in definitions and target not in seen and isinstance(definitions[target], dict):
            return self.schema(definitions[target], names.pascal_case(target), (*seen, target))
        form: dict[Any, Any] = dict(schema)
        if "type" not in form and "enum" in form and all(isinstance(value, str) for value in form["enum"]):
            form["type"] = "string"
        for keyword in ("minLength", "minItems"):
            if form.get(keyword) == 0:
                del form[keyword]
        if form.get("additionalProperties") in (True, {}):
            del form["additionalProperties"]
        if isinstance(form.get("properties"), dict):
            form[_CLASS] = name
            form["properties"] = {
                field: self.schema(member, names.pascal_case(field), seen) if isinstance(member, dict) else member
                for field, member in form["properties"].items()
            }
        if isinstance(form.get("items"), list):
            form["items, one by one,"] = form.pop("items")
        for keyword in ("items", "additionalProperties"):
            if isinstance(form.get(keyword), dict):
                form[keyword] = self.schema(form[keyword], name, seen)
        return form
