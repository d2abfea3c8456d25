"""Load and check a schemas folder: one EffectiveContract for each file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen import canonical, corrections, descriptions, files, lock, names, shape, strict_json, strict_toml, subset
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
        path: upstream's path of the schema, or the equivalent path of a local one.
        schema: the corrected schema in canonical form.
        blob: the git blob id of upstream's file, or "" for a local contract.
        corrections: the applied corrections as (pointer, reason, upstream's value as JSON); null if there is none.
        descriptions: the sentences, by the pointer of the object that they describe.
    """

    path: str
    schema: dict[str, Any]
    blob: str
    corrections: tuple[tuple[str, str, str], ...]
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
    contracts, problems = read(schemas)
    if problems:
        raise ContractError(problems)
    return contracts


def read(schemas: Path) -> tuple[ContractSet, tuple[Problem, ...]]:
    """Read as much of a schemas folder as possible.

    Returns:
        The contracts, which cannot be translated if there are problems, and what must be fixed. A correction that no
        longer applies is left out, and an upstream schema replaces a local one of the same path.

    Raises:
        ContractError: the lock, the corrections or a schema cannot be read, so that there is nothing to compare.
    """
    locked = lock.read(schemas)
    problems: list[Problem] = []
    if not locked.commit:
        problems.append(Problem(lock.NAME, "", "has no commit yet: run `python -m codegen sync`"))
    upstream = _load_upstream(schemas, locked, problems)
    local = _load_local(schemas, problems)
    problems += [
        Problem(f"{LOCAL}/{path}", "", "is published by upstream too: remove the local file and the .toml beside it")
        for path in upstream.keys() & local.keys()
    ]
    correction_list = corrections.read(schemas)
    corrected, not_applicable = corrections.apply(local | upstream, correction_list)
    problems += not_applicable
    try:
        described = descriptions.read(schemas)
    except ContractError as error:
        problems += error.problems
        described = {}
    problems += [
        Problem(descriptions.NAME, f"/{path}", "describes a schema that does not exist: remove it")
        for path in described.keys() - corrected.keys()
    ]
    blobs = {entry.path: entry.blob for entry in locked.files}
    contracts: list[EffectiveContract] = []
    for path, schema in sorted(corrected.items()):
        applied = tuple(
            (each.pointer, each.reason, json.dumps(None if each.expected is corrections.ABSENT else each.expected))
            for each in correction_list
            if each.file == path
        )
        contract = EffectiveContract(path, schema, blobs.get(path, ""), applied, described.get(path, {}))
        contracts.append(contract)
        problems += _check(contract)
    if not problems:
        problems += names.check(list(corrected))
    return ContractSet(locked.repository, locked.commit, tuple(contracts)), tuple(sorted(problems))


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
            if hashlib.sha256(files.unix_lines(data)).hexdigest() != expected[path].canonical:
                edited = (
                    f"is not what sync wrote: undo the edit, and put differences from upstream into {corrections.NAME}"
                )
                problems.append(Problem(path, "", edited))
                continue
            problems.append(Problem(path, "", _CRLF))
        loaded[path] = strict_json.parse(data, path)
    return loaded


def _load_local(schemas: Path, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = {}
    problems += [
        Problem(path.relative_to(schemas).as_posix(), "", "has the sources of a schema that does not exist: remove it")
        for path in (schemas / LOCAL).rglob("*.toml")
        if not path.with_suffix(".json").exists()
    ]
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


def _check(contract: EffectiveContract) -> list[Problem]:
    """Return what prevents the translation of one contract, as far as one problem does not hide the next."""
    canonical.check(contract.schema, contract.path)
    problems = subset.check(contract.schema, contract.path)
    problems = problems or descriptions.check(contract.schema, contract.path, contract.descriptions)
    if not problems:
        try:
            shape.build(contract)
        except ContractError as error:
            problems += error.problems
    return problems


def _json_files(folder: Path, root: Path, skip: str = "") -> set[str]:
    paths = (path.relative_to(root).as_posix() for path in folder.rglob("*.json"))
    return {path for path in paths if not skip or not path.startswith(f"{skip}/")}
