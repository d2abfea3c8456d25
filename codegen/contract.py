"""A schemas folder, loaded and checked: one Contract for each file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codegen import canonical, corrections, descriptions, jsontext, lock, names, subset, tomltext
from codegen.problems import ContractError, Problem

LOCAL = "local"
"""The folder of contracts that upstream does not publish."""

_SOURCES = tomltext.table(
    repository=tomltext.STRING, commit=tomltext.STRING, sources=tomltext.table_of(tomltext.STRING)
)


@dataclass(frozen=True, slots=True)
class Contract:
    """One kind of event, ready to be translated.

    Attributes:
        path: The schema's path at upstream's, or where it would be.
        schema: The corrected schema in canonical form.
        source: Upstream's commit, or "local".
        corrections: What was corrected, as pointer and reason.
        described: The sentences, by the pointer of the object.
    """

    path: str
    schema: dict[str, Any]
    source: str
    corrections: tuple[tuple[str, str], ...]
    described: dict[str, descriptions.Description]

    @property
    def protocol(self) -> str:
        """The current spelling of the protocol."""
        return str(self.schema["title"])

    @property
    def protocols(self) -> tuple[str, ...]:
        """Every spelling, the current one first."""
        return (
            self.protocol,
            *(text for text in self.schema["properties"]["protocol"]["enum"] if text != self.protocol),
        )

    @property
    def file(self) -> str:
        """The file in the repository, for people."""
        return f"schemas/{LOCAL}/{self.path}" if self.source == LOCAL else f"schemas/{self.path}"


@dataclass(frozen=True, slots=True)
class Contracts:
    """Everything that is generated: the contracts by path, and where they come from."""

    repository: str
    commit: str
    all: tuple[Contract, ...]


def load(schemas: Path) -> Contracts:
    """Load and check a schemas folder.

    Raises:
        ContractError: With everything that stands in the way of a translation.
    """
    held = lock.read(schemas)
    if not held.commit:
        raise ContractError([Problem(lock.NAME, "", "has no commit yet: run `python -m codegen sync`")])
    problems: list[Problem] = []
    upstream = _upstream(schemas, held, problems)
    local = _local(schemas, problems)
    problems += [
        Problem(f"{LOCAL}/{path}", "", "is published by upstream too: remove the local file")
        for path in upstream.keys() & local.keys()
    ]
    made = corrections.read(schemas)
    corrected, found = corrections.apply(upstream | local, made)
    described = descriptions.read(schemas)
    problems += found
    problems += [Problem(descriptions.NAME, f"/{path}", "is no schema") for path in described.keys() - corrected.keys()]
    for path, schema in corrected.items():
        untranslatable = _check_corrected(schema, path)
        problems += untranslatable
        if not untranslatable:
            problems += descriptions.check(schema, path, described.get(path, {}))
    if not problems:
        problems += names.check(list(corrected))
    if problems:
        raise ContractError(problems)
    return Contracts(
        held.repository,
        held.commit,
        tuple(
            Contract(
                path,
                schema,
                LOCAL if path in local else held.commit,
                tuple((one.pointer, one.reason) for one in made if one.file == path),
                described[path],
            )
            for path, schema in sorted(corrected.items())
        ),
    )


def _upstream(schemas: Path, held: lock.Lock, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    """The files of the lock; one that is missing, strange or edited by hand is a problem."""
    found: dict[str, dict[str, Any]] = {}
    present = _json_files(schemas, schemas, skip=LOCAL)
    expected = {entry.path: entry for entry in held.files}
    alien = f"is not in {lock.NAME}: what upstream does not have belongs under {LOCAL}/"
    gone = f"is in {lock.NAME}, but missing: run `python -m codegen sync`"
    problems += [Problem(path, "", alien) for path in present - expected.keys()]
    problems += [Problem(path, "", gone) for path in expected.keys() - present]
    for path in sorted(expected.keys() & present):
        data = (schemas / path).read_bytes()
        if hashlib.sha256(data).hexdigest() != expected[path].canonical:
            text = f"is not what sync wrote: undo the edit, and put what must differ into {corrections.NAME}"
            problems.append(Problem(path, "", text))
            continue
        found[path] = jsontext.parse(data, path)
    return found


def _local(schemas: Path, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(_json_files(schemas / LOCAL, schemas / LOCAL)):
        shown = f"{LOCAL}/{path}"
        try:
            data = (schemas / LOCAL / path).read_bytes()
            found[path] = canonical.canonical(jsontext.parse(data, shown), shown)
        except ContractError as error:
            problems += error.problems
            continue
        if canonical.render(found[path]) != data:
            problems.append(Problem(shown, "", "is not in canonical form (codegen/canonical.py)"))
        problems += _check_sources(schemas / LOCAL / path, shown, found[path])
    return found


def _check_sources(file: Path, shown: str, schema: dict[str, Any]) -> list[Problem]:
    """Nobody answers for a local contract: the file beside it says for each field where the fact comes from."""
    beside = str(Path(shown).with_suffix(".toml"))
    try:
        sources = tomltext.read(file.with_suffix(".toml"), beside, _SOURCES).get("sources", {})
    except ContractError as error:
        return list(error.problems)
    fields = {f"/properties/{name}" for name in schema.get("properties", {})}
    keywords = {f"/{keyword}" for keyword in schema}
    return [Problem(beside, pointer, "is a field without a source") for pointer in fields - sources.keys()] + [
        Problem(beside, pointer, "has a source, but the schema has nothing there")
        for pointer in sources.keys() - fields - keywords
    ]


def _check_corrected(schema: dict[str, Any], path: str) -> list[Problem]:
    try:
        canonical.check(schema, path)
    except ContractError as error:
        return list(error.problems)
    return subset.check(schema, path)


def _json_files(folder: Path, root: Path, skip: str = "") -> set[str]:
    paths = (path.relative_to(root).as_posix() for path in folder.rglob("*.json"))
    return {path for path in paths if not skip or not path.startswith(f"{skip}/")}
