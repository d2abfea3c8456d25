"""schemas/descriptions.toml: one sentence for each event and each field, in the order of the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codegen import tomltext
from codegen.problems import ContractError, Problem, escape_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "descriptions.toml"

_OBJECT = {"sentence": tomltext.STRING, "fields": tomltext.table_of(tomltext.STRING)}
_FORM = tomltext.table_of(tomltext.table(**_OBJECT, objects=tomltext.table_of(tomltext.table(**_OBJECT))))
_MISSING = f"has no sentence in {NAME}"
_ALIEN = f"is described in {NAME}, but the schema does not have it"


@dataclass(frozen=True, slots=True)
class Description:
    """The sentences for one object: what it is, and its fields in the order in which Choria sends them."""

    sentence: str
    fields: dict[str, str]


def read(schemas: Path) -> dict[str, dict[str, Description]]:
    """Read the descriptions of a schemas folder.

    Returns:
        By file, then by the pointer of the object in it; the event itself has the pointer "".

    Raises:
        ContractError: Not TOML, or not in the form that the top of the file shows.
    """
    document = tomltext.read(schemas / NAME, NAME, _FORM)
    problems: list[Problem] = []
    described: dict[str, dict[str, Description]] = {}
    for file, table in document.items():
        objects = {"": table, **table.get("objects", {})}
        described[file] = {
            pointer: Description(entry.get("sentence", ""), entry.get("fields", {}))
            for pointer, entry in objects.items()
        }
        for pointer, entry in described[file].items():
            for name, sentence in (("", entry.sentence), *entry.fields.items()):
                reason = _sentence_problem(sentence)
                if reason:
                    problems.append(
                        Problem(NAME, "/" + escape_pointer(file) + pointer + f"/{escape_pointer(name)}", reason)
                    )
    if problems:
        raise ContractError(problems)
    return described


def check(schema: dict[str, Any], file: str, described: dict[str, Description]) -> list[Problem]:
    """What is missing for a schema, and what is described that it does not have."""
    objects = dict(objects_of(schema))
    problems = [Problem(file, pointer, _MISSING) for pointer in objects.keys() - described.keys()]
    problems += [Problem(file, pointer, _ALIEN) for pointer in described.keys() - objects.keys()]
    for pointer in objects.keys() & described.keys():
        fields, sentences = objects[pointer]["properties"].keys(), described[pointer].fields.keys()
        for names, text in ((fields - sentences, _MISSING), (sentences - fields, _ALIEN)):
            problems += [Problem(file, f"{pointer}/properties/{escape_pointer(name)}", text) for name in names]
    return problems


def objects_of(schema: dict[str, Any], pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object in a schema that has fields of its own and so becomes a class, with its pointer; the event first."""
    if "properties" in schema:
        yield pointer, schema
    for keyword in ("properties", "definitions"):
        for name, member in schema.get(keyword, {}).items():
            yield from objects_of(member, f"{pointer}/{keyword}/{escape_pointer(name)}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from objects_of(schema[keyword], f"{pointer}/{keyword}")


def _sentence_problem(sentence: str) -> str | None:
    if not sentence.strip():
        return "has no sentence"
    # They become docstrings, and a docstring should read as it was written.
    if not sentence.isprintable() or "\\" in sentence or '"' in sentence:
        return "must be one line without backslashes and double quotes"
    if not sentence[0].isupper() or not sentence.endswith("."):
        return "must begin with a capital and end with a full stop"
    return None
