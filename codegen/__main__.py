"""The command line: `python -m codegen sync | changes | generate | drift`.

Findings go to stdout, errors to stderr. Exit status: 0 done or nothing to do, 1 differences found (`drift`,
`changes`, `sync --check`), 2 invalid arguments or a contract that cannot be read or translated, 70 a bug in codegen,
with a traceback.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codegen import changes, comparison, contract, factories, files, package, readback, sync, upstream
from codegen.changes import Change
from codegen.problems import ContractError, Problem, UsageError, escape_unprintable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codegen.contract import ContractSet

ROOT = Path(__file__).resolve().parent.parent

_STATUS = (
    "exit status: 0 done, or nothing to do; 1 differences found (drift, changes, sync --check); 2 invalid arguments, "
    "or a contract that cannot be read or translated; 70 a bug in codegen, with a traceback"
)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run one command.

    Args:
        arguments: the command line without the program name; the default is sys.argv[1:].
        root: the folder that contains schemas/ and generated/.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    schemas = root / "schemas"
    try:
        match options.command:
            case "sync":
                return _sync(root, options)
            case "changes":
                return _changes(root, options)
        contracts = contract.load(schemas)
        rendered = package.render(contracts)
        if options.command == "generate":
            return _generate(root, contracts, rendered)
        return _drift(root, contracts, rendered)
    except ContractError as error:
        print(error, file=sys.stderr)
        return 2
    except (UsageError, OSError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means that there are differences
        traceback.print_exc()
        return 70


def _generate(root: Path, contracts: ContractSet, rendered: dict[str, bytes]) -> int:
    generated = root / "generated" / package.NAME
    try:
        found = comparison.compare(readback.read(generated), contracts) if generated.exists() else []
    except ContractError as error:  # generate repairs what cannot be compared
        print(error)
        found = []
    differences = files.compare(generated, rendered)
    files.replace(generated, {difference.path: rendered.get(difference.path) for difference in differences})
    verbs = {"differs": "rewritten", files.CRLF: "rewritten", "missing": "written", "left over": "removed"}
    for change in found:
        print(change)
    for difference in differences:
        print(f"generated/{package.NAME}/{difference.path}: {verbs[difference.kind]}")
    print(f"generated/{package.NAME}: {len(rendered)} files, {len(differences)} changed")
    for problem in factories.check(root, contracts):
        print(f"to do: {problem}")
    if found:
        print(changes.summary(found))
    return 0


def _drift(root: Path, contracts: ContractSet, rendered: dict[str, bytes]) -> int:
    generated = root / "generated" / package.NAME
    differences = files.compare(generated, rendered)
    for difference in differences:
        print(f"generated/{package.NAME}/{difference}")
    if any(difference.kind == files.CRLF for difference in differences):
        print("git converted line endings: keep .gitattributes, and check the files out again with core.autocrlf=false")
    if differences:
        print(f"generated/ is out of date with schemas/ and codegen/: run `{package.COMMAND}`")
    problems = factories.check(root, contracts)
    for problem in problems:
        print(problem)
    return int(bool(differences or problems))


def _changes(root: Path, options: argparse.Namespace) -> int:
    after, unusable = contract.read(root / "schemas")
    problems = (*unusable, *factories.check(root, after))
    if options.against is None:
        before = readback.read(root / "generated" / package.NAME)
    else:
        with tempfile.TemporaryDirectory(prefix="choria-schemas-") as folder:
            upstream.extract(root, options.against, "schemas", Path(folder))
            before, _ = contract.read(Path(folder))
    found = comparison.compare(before, after)
    if options.output == "json":
        _print_records([*map(Change.record, found), *map(Problem.record, problems), changes.summary_record(found)])
    else:
        _print_changes(found, problems)
    return int(bool(found))


def _sync(root: Path, options: argparse.Namespace) -> int:
    schemas = root / "schemas"
    planned = sync.plan(schemas, options.origin, options.ref, options.commit)
    if not options.check:
        sync.apply(schemas, planned)
    problems = (*planned.problems, *factories.check(root, planned.contracts))
    if options.output == "json":
        files_ = [("edited", path) for path in planned.edited] + [("unknown", path) for path in planned.unknown]
        _print_records([
            *map(Change.record, planned.changes),
            *({"record": "file", "path": path, "state": state} for state, path in files_),
            *map(Problem.record, problems),
            changes.summary_record(planned.changes) | {"commit": planned.commit, "applied": not options.check},
        ])  # fmt: skip
        return int(options.check and planned.has_differences)
    for path in planned.edited:
        print(f"{escape_unprintable(path)}: edited since the last sync; sync restores it")
    for path in planned.unknown:
        print(
            f"{escape_unprintable(path)}: new file, neither used nor ignored; "
            "add it to [[use]] or [[ignore]] in schemas/upstream.lock"
        )
    _print_changes(planned.changes, problems)
    if options.check:
        print(f"{'differs from' if planned.has_differences else 'up to date with'} upstream commit {planned.commit}")
        if planned.has_differences:
            print("next: run `python -m codegen sync` with the same arguments, without --check")
        return int(planned.has_differences)
    print(
        f"schemas/ {'updated to' if planned.has_differences else 'is up to date with'} upstream commit {planned.commit}"
    )
    print(
        f"next: {'fix the above, then ' if problems else ''}run `{package.COMMAND}` and `make test`, "
        "and add an entry to CHANGELOG.md"
    )
    return 0


def _print_changes(found: Sequence[Change], problems: Sequence[Problem]) -> None:
    for change in found:
        print(change)
    for problem in problems:
        print(f"to do: {problem}")
    print(changes.summary(found))


def _print_records(records: Sequence[dict[str, Any]]) -> None:
    for record in records:
        print(json.dumps(record))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m codegen", description="Generate Python from Choria's JSON Schemas.", epilog=_STATUS
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    syncing = commands.add_parser("sync", help="update schemas/ from upstream and describe the changes")
    syncing.add_argument(
        "--from",
        dest="origin",
        metavar="PATH-OR-GIT-URL",
        help="source to read from (default: the repository in upstream.lock)",
    )
    syncing.add_argument("--ref", help="branch, tag or commit of a git repository (default: HEAD)")
    syncing.add_argument(
        "--commit", metavar="HASH", help="commit that a plain folder holds, or that --ref must resolve to"
    )
    syncing.add_argument("--check", action="store_true", help="write nothing; exit with 1 if there are differences")
    comparing = commands.add_parser("changes", help="describe the changes of schemas/ since generated/ was written")
    comparing.add_argument("--against", metavar="GIT-REV", help="compare with schemas/ at this git revision instead")
    for command in (syncing, comparing):
        command.add_argument(
            "--output", choices=("text", "json"), default="text", help="json: one object a line (default: text)"
        )
    commands.add_parser("generate", help="write generated/ from schemas/ and describe the changes")
    commands.add_parser("drift", help="exit with 1 if generated/ or a factory is out of date")
    return parser


if __name__ == "__main__":
    sys.exit(main())
