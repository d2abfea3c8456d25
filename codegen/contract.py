"""Load and check a schemas folder: one EffectiveContract for each file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen import canonical, corrections, descriptions, files, lock, names, strict_json, strict_toml, subset
from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from codegen.descriptions import Description

LOCAL = "local"
"""The folder of contracts that upstream does not publish."""

_CRLF = f"{files.CRLF}: keep .gitattributes, and check it out again with core.autocrlf=false"

_SOURCES = strict_toml.table(
    {
        "repository": strict_toml.STRING,
        "commit": strict_toml.STRING,
        "sources": strict_toml.table_of(strict_toml.STRING),
    }
)


@dataclass(frozen=True, slots=True)
class EffectiveContract:
    """The contract in force for one event type: a local schema, or upstream's with the corrections applied.

    Attributes:
        path: Upstream's path of the schema, or the equivalent path of a local one.
        schema: The corrected schema in canonical form.
        blob: The git blob id of upstream's file, or "" for a local contract.
        corrections: The applied corrections as (pointer, reason).
        descriptions: The sentences, by the pointer of the object that they describe.
    """

    path: str
    schema: dict[str, Any]
    blob: str
    corrections: tuple[tuple[str, str], ...]
    descriptions: dict[str, Description]

    @property
    def protocol(self) -> str:
        """The current spelling of the protocol."""
        return str(self.schema["title"])

    @property
    def protocols(self) -> tuple[str, ...]:
        """Every spelling, the current one first."""
        spellings = self.schema["properties"]["protocol"]["enum"]
        return (self.protocol, *(spelling for spelling in spellings if spelling != self.protocol))

    @property
    def file(self) -> str:
        """The path of the schema in the repository, for display."""
        return f"schemas/{self.path}" if self.blob else f"schemas/{LOCAL}/{self.path}"


@dataclass(frozen=True, slots=True)
class ContractSet:
    """All contracts, sorted by path, and the origin of upstream's."""

    repository: str
    commit: str
    all: tuple[EffectiveContract, ...]


def load(schemas: Path) -> ContractSet:
    """Load and check a schemas folder.

    Raises:
        ContractError: the folder cannot be translated; every problem is listed.
    """
    locked = lock.read(schemas)
    if not locked.commit:
        raise ContractError([Problem(lock.NAME, "", "has no commit yet: run `python -m codegen sync`")])
    problems: list[Problem] = []
    upstream = _load_upstream(schemas, locked, problems)
    local = _load_local(schemas, problems)
    problems += [
        Problem(f"{LOCAL}/{path}", "", "is published by upstream too: remove the local file")
        for path in upstream.keys() & local.keys()
    ]
    correction_list = corrections.read(schemas)
    corrected, not_applicable = corrections.apply(upstream | local, correction_list)
    described = descriptions.read(schemas)
    problems += not_applicable
    problems += [
        Problem(descriptions.NAME, f"/{path}", "describes a schema that does not exist: remove it")
        for path in described.keys() - corrected.keys()
    ]
    for path, schema in corrected.items():
        untranslatable = _check_corrected(schema, path)
        problems += untranslatable
        if not untranslatable:
            problems += descriptions.check(schema, path, described.get(path, {}))
    if not problems:
        problems += names.check(list(corrected))
    if problems:
        raise ContractError(problems)
    blobs = {entry.path: entry.blob for entry in locked.files}
    return ContractSet(
        locked.repository,
        locked.commit,
        tuple(
            EffectiveContract(
                path,
                schema,
                blobs.get(path, ""),
                tuple(
                    (correction.pointer, correction.reason) for correction in correction_list if correction.file == path
                ),
                described[path],
            )
            for path, schema in sorted(corrected.items())
        ),
    )


def _load_upstream(schemas: Path, locked: lock.Lock, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    """Load the files that the lock lists; report those that are missing, unlisted or edited by hand."""
    loaded: dict[str, dict[str, Any]] = {}
    present = _json_files(schemas, schemas, skip=LOCAL)
    expected = {entry.path: entry for entry in locked.files}
    unlisted = f"is not in {lock.NAME}: move a contract that upstream does not publish to {LOCAL}/"
    missing = f"is in {lock.NAME}, but missing: run `python -m codegen sync`"
    problems += [Problem(path, "", unlisted) for path in present - expected.keys()]
    problems += [Problem(path, "", missing) for path in expected.keys() - present]
    for path in sorted(expected.keys() & present):
        data = (schemas / path).read_bytes()
        if hashlib.sha256(data).hexdigest() != expected[path].canonical:
            if hashlib.sha256(files.unix_lines(data)).hexdigest() == expected[path].canonical:
                problems.append(Problem(path, "", _CRLF))
                continue
            edited = f"is not what sync wrote: undo the edit, and put differences from upstream into {corrections.NAME}"
            problems.append(Problem(path, "", edited))
            continue
        loaded[path] = strict_json.parse(data, path)
    return loaded


def _load_local(schemas: Path, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = {}
    for path in sorted(_json_files(schemas / LOCAL, schemas / LOCAL)):
        name = f"{LOCAL}/{path}"
        try:
            data = (schemas / LOCAL / path).read_bytes()
            loaded[path] = canonical.canonicalise(strict_json.parse(data, name), name)
        except ContractError as error:
            problems += error.problems
            continue
        if canonical.render(loaded[path]) == files.unix_lines(data) != data:
            problems.append(Problem(name, "", _CRLF))
        elif canonical.render(loaded[path]) != data:
            problems.append(Problem(name, "", "is not in canonical form (codegen/canonical.py)"))
        problems += _check_sources(schemas / LOCAL / path, name, loaded[path])
    return loaded


def _check_sources(file: Path, name: str, schema: dict[str, Any]) -> list[Problem]:
    """Check that the TOML file beside a local contract names a source for each field, in place of upstream."""
    sources_name = str(Path(name).with_suffix(".toml"))
    try:
        sources = strict_toml.read(file.with_suffix(".toml"), sources_name, _SOURCES).get("sources", {})
    except ContractError as error:
        return list(error.problems)
    fields = {f"/properties/{field}" for field in schema.get("properties", {})}
    keywords = {f"/{keyword}" for keyword in schema}
    return [Problem(sources_name, pointer, "is a field without a source") for pointer in fields - sources.keys()] + [
        Problem(sources_name, pointer, "has a source, but the schema has nothing there")
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
