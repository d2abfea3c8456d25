"""A copy of the repository's sources, in which upstream publishes something new."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from codegen import descriptions
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Scratch:
    """A copy of the repository's sources, and an upstream folder with a further schema."""

    def __init__(self, root: Path, path: str, schema: dict[str, Any], sentences: dict[str, str]) -> None:
        self.root = root
        for folder in ("schemas", "codegen", "generated", "lifecycle"):
            shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)
        self.upstream = root / "upstream"
        shutil.copytree(ROOT / "schemas" / "choria", self.upstream / "choria")
        self.hand_written = self._hashes()
        # Upstream's files here lack the texts that the real ones have.
        self.sync()
        self.run("-m", "codegen", "generate")
        self.synced = self.publish(path, schema, sentences)
        self.generated = self.run("-m", "codegen", "generate")

    def publish(self, path: str, schema: dict[str, Any], sentences: dict[str, str]) -> str:
        """Publish a schema upstream, sync, and describe it; return what the commands print."""
        (self.upstream / path).parent.mkdir(parents=True, exist_ok=True)
        (self.upstream / path).write_text(json.dumps(schema), encoding="utf-8")
        synced = self.sync()
        if "neither used nor ignored" in synced:
            lock = self.root / "schemas" / "upstream.lock"
            use = f'[[use]]\npath = "{path}"\nreason = "lifecycle events"\n\n[[files]]'
            lock.write_text(lock.read_text("utf-8").replace("[[files]]", use, 1), encoding="utf-8")
            synced += self.sync()
        with (self.root / "schemas" / "descriptions.toml").open("a", encoding="utf-8") as file:
            for pointer, object_ in descriptions.walk_objects(schema):
                table = f'["{path}".objects."{pointer}"]' if pointer else f'["{path}"]'
                file.write(f'\n{table}\nsentence = "Something happened."\n')
                names = object_["properties"] if pointer else sentences
                file.writelines(f'fields.{name} = "{sentences.get(name, "A field.")}"\n' for name in names)
        return synced

    def sync(self) -> str:
        return self.run("-m", "codegen", "sync", "--from", str(self.upstream), "--commit", COMMIT)

    def run(self, *arguments: str, status: int = 0, stdin: str = "") -> str:
        """Run Python in the scratch copy, and return what it prints."""
        path = os.pathsep.join(str(self.root / folder) for folder in ("generated", "lifecycle", "."))
        # NATS_URL is a port where nothing listens: nothing here connects.
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": path,
            "HOME": str(self.root),
            "NATS_URL": "127.0.0.1:1",
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def _hashes(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.root).as_posix(): path.read_bytes()
            for folder in ("codegen", "lifecycle")
            for path in (self.root / folder).rglob("*.py")
        }

    def check_hand_written(self) -> None:
        assert self._hashes() == self.hand_written


def schema_of(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / f"schemas/choria/lifecycle/v1/{name}.json").read_text("utf-8"))
    return loaded
