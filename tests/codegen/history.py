"""Upstream's history as far as it concerns events, and the report of each commit.

`python -m tests.codegen.history` writes the reports again. With the path of a clone of upstream as the argument, it
records the history first.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from codegen import __main__ as command
from codegen import descriptions, lock
from tests.bed.paths import ROOT

HISTORY = ROOT / "tests/data/upstream-history.jsonl"
REPORTS = ROOT / "tests/data/upstream-history.txt"
MANIFEST = "choria/machine/v1/manifest.json"


def record(repository: Path) -> str:
    """Return one line for each commit that touches a watched folder: its date and changed files, null if removed.

    Of a file only what validates is recorded, in the layout of json.dumps.
    """

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(repository), *arguments], check=True, capture_output=True)
        return done.stdout.decode()

    watched = lock.read(ROOT / "schemas").watch
    lines = []
    for commit in git("log", "--reverse", "--format=%H", "--", *watched).split():
        changed = git(
            "diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "--name-status", commit, "--", *watched
        )
        files = {}
        for line in changed.splitlines():
            status, path = line.split("\t")
            if path != MANIFEST:  # large, and ignored
                files[path] = None if status == "D" else without_annotations(git("show", f"{commit}:{path}"))
        date = git("log", "-1", "--format=%as", commit).strip()
        lines.append(json.dumps({"commit": commit, "date": date, "files": files}, ensure_ascii=False))
    return "\n".join(lines) + "\n"


def without_annotations(text: str) -> str:
    """Return a schema without the wording of its authors; text that is not JSON is returned as it is."""
    try:
        schema = json.loads(text)
    except ValueError:
        return text

    def strip(value: Any, *, names: bool = False) -> Any:
        if isinstance(value, list):
            return [strip(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: strip(inner, names=not names and key in ("properties", "definitions"))
            for key, inner in value.items()
            if names or key not in ("description", "default", "examples")
        }

    return json.dumps(strip(schema), ensure_ascii=False)


def replay(folder: Path) -> str:
    """Sync from each commit in turn and return the reports; `folder` then holds schemas/ as of the last one.

    What is used and ignored is as today; there are no corrections, sentences and local contracts, so that an edit of
    them does not change the reports.
    """
    schemas, upstream = folder / "schemas", folder / "upstream"
    schemas.mkdir()
    (schemas / descriptions.NAME).touch()
    locked = lock.read(ROOT / "schemas")
    (schemas / lock.NAME).write_text(replace(locked, commit="", files=()).render(), encoding="utf-8")
    reports, known = [], set()
    for line in HISTORY.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        for path, text in entry["files"].items():
            (upstream / path).parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                (upstream / path).unlink()
            else:
                (upstream / path).write_bytes(text.encode())
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = command.main(["sync", "--from", str(upstream), "--commit", entry["commit"]], folder)
        lines = output.getvalue().splitlines()
        # What stays to be done is recorded with the first report only, missing sentences not at all.
        still = {text for text in lines if text.startswith("to do: ") or ": new file, " in text}
        shown = [
            text for text in lines if text not in known and "sentence" not in text and not text.startswith("next:")
        ]
        known = still
        reports.append("\n".join([f"# {entry['date']} {entry['commit'][:7]}", *shown, f"exit status {status}", ""]))
    return "\n".join(reports)


def main(arguments: list[str]) -> None:
    """Write the reports, and before them the history if its repository is given."""
    if arguments:
        HISTORY.write_text(record(Path(arguments[0])), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        REPORTS.write_text(replay(Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
