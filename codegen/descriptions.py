"""schemas/descriptions.toml: one sentence for each event and each field, in wire order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from codegen import strict_toml
from codegen.problems import ContractError, Problem, escape_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "descriptions.toml"

_OBJECT = {"sentence": strict_toml.STRING, "fields": strict_toml.table_of(strict_toml.STRING)}
_SCHEMA = strict_toml.table_of(
    strict_toml.table(_OBJECT | {"objects": strict_toml.table_of(strict_toml.table(_OBJECT))})
)
_LONGEST = 109
_MISSING = f"has no sentence in {NAME}"
_UNKNOWN = f"is described in {NAME}, but the schema does not have it"


@dataclass(frozen=True, slots=True)
class Description:
    """The sentences for one object: its own, and those of its fields in the order in which Choria sends them."""

    sentence: str
    fields: dict[str, str]


def read(schemas: Path) -> dict[str, dict[str, Description]]:
    """Read the descriptions of a schemas folder.

    Returns:
        The descriptions by file, then by the pointer of the object in it; the event itself has the pointer "".

    Raises:
        ContractError: the file is not TOML, or not in the form that the comment at its top explains.
    """
    document = strict_toml.read(schemas / NAME, NAME, _SCHEMA)
    problems: list[Problem] = []
    described: dict[str, dict[str, Description]] = {}
    for file, table in document.items():
        objects = {"": table, **table.get("objects", {})}
        described[file] = {
            pointer: Description(entry.get("sentence", ""), entry.get("fields", {}))
            for pointer, entry in objects.items()
        }
        for pointer, description in described[file].items():
            for name, sentence in (("", description.sentence), *description.fields.items()):
                message = _check_sentence(sentence)
                if message:
                    location = f"/{escape_pointer(file)}{pointer}/{escape_pointer(name)}"
                    problems.append(Problem(NAME, location, message))
    if problems:
        raise ContractError(problems)
    return described


def check(schema: dict[str, Any], file: str, described: dict[str, Description]) -> list[Problem]:
    """Return a problem for each event or field without a sentence, and for each sentence without a place."""
    objects = dict(walk_objects(schema))
    problems = [Problem(file, pointer, _MISSING) for pointer in objects.keys() - described.keys()]
    problems += [Problem(file, pointer, _UNKNOWN) for pointer in described.keys() - objects.keys()]
    for pointer in objects.keys() & described.keys():
        fields, sentences = objects[pointer]["properties"].keys(), described[pointer].fields.keys()
        for names, message in ((fields - sentences, _MISSING), (sentences - fields, _UNKNOWN)):
            problems += [Problem(file, f"{pointer}/properties/{escape_pointer(name)}", message) for name in names]
    return problems


def walk_objects(schema: dict[str, Any], pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object with fields, which becomes a class, as (pointer, schema); the event comes first."""
    if "properties" in schema:
        yield pointer, schema
    for keyword in ("properties", "definitions"):
        for name, member in schema.get(keyword, {}).items():
            yield from walk_objects(member, f"{pointer}/{keyword}/{escape_pointer(name)}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from walk_objects(schema[keyword], f"{pointer}/{keyword}")


def _check_sentence(sentence: str) -> str | None:
    if not sentence.strip():
        return "has no sentence"
    if len(sentence) > _LONGEST:
        return f"has {len(sentence)} characters; at most {_LONGEST} fit into a line of the generated module"
    # Sentences become docstrings, which must read exactly as written.
    if not sentence.isprintable() or "\\" in sentence or '"' in sentence:
        return "must be one line without backslashes and double quotes"
    if not sentence[0].isupper() or not sentence.endswith("."):
        return "must begin with a capital letter and end with a full stop"
    return None
