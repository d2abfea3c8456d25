"""The command: `python -m codegen sync | generate | drift`.

Findings go to stdout, what went wrong to stderr. Exit status: 0 nothing to do or done, 1 there is a difference
(`drift`, `sync --check`), 2 bad arguments or a contract that cannot be read or translated, 70 a bug in codegen itself,
with its traceback.
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
    "exit status: 0 nothing to do, or done; 1 there is a difference (drift, sync --check); 2 bad arguments, or a "
    "contract that cannot be read or translated; 70 a bug in codegen, with its traceback"
)


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program; the default is the process's own.
        root: The folder that holds schemas/ and generated/.

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
    except Exception:  # noqa: BLE001 - Python would end with 1, and that says that there is a difference
        traceback.print_exc()
        return 70


def _generate(generated: Path, rendered: dict[str, bytes]) -> int:
    differences = files.compare(generated, rendered)
    files.replace(generated, {one.path: rendered.get(one.path) for one in differences})
    verbs = {"differs": "rewritten", "missing": "written", "left over": "removed"}
    for one in differences:
        print(f"generated/{package.NAME}/{one.path}: {verbs[one.kind]}")
    print(f"generated/{package.NAME}: {len(rendered)} files, {len(differences)} changed")
    return 0


def _drift(generated: Path, rendered: dict[str, bytes]) -> int:
    differences = files.compare(generated, rendered)
    for one in differences:
        print(f"generated/{package.NAME}/{one}")
    if differences:
        print(f"generated/ is not what schemas/ and codegen/ make: run `{package.COMMAND}`")
        return 1
    return 0


def _sync(schemas: Path, options: argparse.Namespace) -> int:
    update = sync.plan(schemas, options.origin, options.ref, options.commit)
    for line in update.changes:
        print(line)
    for path in update.rewritten:
        print(f"{path}: other text, same contract")
    for path in update.edited:
        print(f"{path}: not what the last sync wrote here; restored")
    for path in update.unknown:
        print(f"{path}: new file, neither used nor ignored: add it to [[use]] or [[ignore]] in schemas/upstream.lock")
    if options.check:
        print(f"{'differs from' if update.different else 'up to date with'} upstream commit {update.commit}")
        if update.different:
            print("next: `python -m codegen sync` with the same arguments, without --check")
        return int(update.different)
    sync.apply(schemas, update)
    print(f"schemas/ {'brought up to' if update.different else 'holds'} upstream commit {update.commit}")
    obstacles = sync.obstacles(schemas)
    for problem in obstacles:
        print(f"to do: {problem}")
    print(
        f"next: {'the above, then ' if obstacles else ''}`{package.COMMAND}`, `make test`, and an entry in CHANGELOG.md"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m codegen", description="From Choria's JSON Schemas to Python.", epilog=_STATUS
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    syncing = commands.add_parser("sync", help="bring schemas/ up to upstream, and say what that means")
    syncing.add_argument(
        "--from", dest="origin", metavar="PATH-OR-GIT-URL", help="default: the repository in upstream.lock"
    )
    syncing.add_argument("--ref", help="branch, tag or commit of a git repository (default: HEAD)")
    syncing.add_argument("--commit", metavar="HASH", help="the commit that a plain folder holds, or that --ref must be")
    syncing.add_argument("--check", action="store_true", help="change nothing; exit 1 if there is a difference")
    commands.add_parser("generate", help="write generated/ from schemas/")
    commands.add_parser("drift", help="exit 1 if generated/ is not what schemas/ make")
    return parser


if __name__ == "__main__":
    sys.exit(main())
