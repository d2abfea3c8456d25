"""The command line: `python -m codegen sync | generate | drift`.

Findings go to stdout, errors to stderr. Exit status: 0 done or nothing to do, 1 differences found (`drift`,
`sync --check`), 2 invalid arguments or a contract that cannot be read or translated, 70 a bug in codegen, with a
traceback.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from codegen import contract, files, package, sync
from codegen.problems import ContractError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent

_STATUS = (
    "exit status: 0 done, or nothing to do; 1 differences found (drift, sync --check); 2 invalid arguments, or a "
    "contract that cannot be read or translated; 70 a bug in codegen, with a traceback"
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
    schemas, generated = root / "schemas", root / "generated" / package.NAME
    try:
        if options.command == "sync":
            return _sync(schemas, options)
        rendered = package.render(contract.load(schemas))
        if options.command == "generate":
            return _generate(generated, rendered)
        return _drift(generated, rendered)
    except ContractError as error:
        print(error, file=sys.stderr)
        return 2
    except (UsageError, OSError) as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 2
    except Exception:  # noqa: BLE001 - Python would exit with 1, which means that there are differences
        traceback.print_exc()
        return 70


def _generate(generated: Path, rendered: dict[str, bytes]) -> int:
    differences = files.compare(generated, rendered)
    files.replace(generated, {difference.path: rendered.get(difference.path) for difference in differences})
    verbs = {"differs": "rewritten", files.CRLF: "rewritten", "missing": "written", "left over": "removed"}
    for difference in differences:
        print(f"generated/{package.NAME}/{difference.path}: {verbs[difference.kind]}")
    print(f"generated/{package.NAME}: {len(rendered)} files, {len(differences)} changed")
    return 0


def _drift(generated: Path, rendered: dict[str, bytes]) -> int:
    differences = files.compare(generated, rendered)
    for difference in differences:
        print(f"generated/{package.NAME}/{difference}")
    if any(difference.kind == files.CRLF for difference in differences):
        print("git converted line endings: keep .gitattributes, and check the files out again with core.autocrlf=false")
    if differences:
        print(f"generated/ is out of date with schemas/ and codegen/: run `{package.COMMAND}`")
        return 1
    return 0


def _sync(schemas: Path, options: argparse.Namespace) -> int:
    planned = sync.plan(schemas, options.origin, options.ref, options.commit)
    for line in planned.changes:
        print(line)
    for path in planned.rewritten:
        print(f"{path}: new text, same contract")
    for path in planned.edited:
        print(f"{path}: edited since the last sync; sync restores it")
    for path in planned.unknown:
        print(f"{path}: new file, neither used nor ignored; add it to [[use]] or [[ignore]] in schemas/upstream.lock")
    if options.check:
        print(f"{'differs from' if planned.has_differences else 'up to date with'} upstream commit {planned.commit}")
        if planned.has_differences:
            print("next: run `python -m codegen sync` with the same arguments, without --check")
        return int(planned.has_differences)
    sync.apply(schemas, planned)
    print(
        f"schemas/ {'updated to' if planned.has_differences else 'is up to date with'} upstream commit {planned.commit}"
    )
    problems = sync.remaining_problems(schemas)
    for problem in problems:
        print(f"to do: {problem}")
    print(
        f"next: {'fix the above, then ' if problems else ''}run `{package.COMMAND}` and `make test`, "
        "and add an entry to CHANGELOG.md"
    )
    return 0


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
    commands.add_parser("generate", help="write generated/ from schemas/")
    commands.add_parser("drift", help="exit with 1 if generated/ is out of date")
    return parser


if __name__ == "__main__":
    sys.exit(main())
