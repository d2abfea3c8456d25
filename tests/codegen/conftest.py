"""A small project for each test: an upstream folder, schemas/ and generated/, driven through the command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from codegen import descriptions
from codegen.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PING = "choria/lifecycle/v1/ping.json"

_LOCK = """\
[source]
repository = "https://example.net/schemas"
commit = ""
watch = ["choria/"]

[[use]]
path = "choria/lifecycle/v1/*.json"
reason = "events"

[[ignore]]
path = "choria/lifecycle/v1/manifest.json"
reason = "not an event"
"""


def event(path: str = PING, **fields: Any) -> dict[str, Any]:
    """Return a schema with the fields `protocol` and `name`, and further ones as given."""
    title = "io." + path.removesuffix(".json").replace("/", ".")
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": f"https://example.net/{path}",
        "title": title,
        "description": "upstream's wording",
        "type": "object",
        "required": ["protocol", "name"],
        "properties": {
            "protocol": {"type": "string", "enum": ["old:ping:1", title]},
            "name": {"type": "string", "description": "upstream's wording", "default": "x"},
            **fields,
        },
    }


def quoted(text: str) -> str:
    """Quote a text for TOML, which differs from JSON in one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True)
class Result:
    """The outcome of a command."""

    status: int
    out: str
    err: str


class Project:
    """A root folder with everything that the command needs."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.upstream = root / "upstream"
        self.schemas = root / "schemas"
        self.package = root / "generated" / "choria_schemas"
        self._capsys = capsys
        self.schemas.mkdir()
        (self.schemas / "upstream.lock").write_text(_LOCK)
        self.publish(event())
        self.describe(event())

    def publish(self, schema: dict[str, Any] | bytes, path: str = PING) -> None:
        """Write one of upstream's files."""
        target = self.upstream / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(schema if isinstance(schema, bytes) else json.dumps(schema).encode())

    def describe(self, schema: dict[str, Any], path: str = PING, **sentences: str) -> None:
        """Write a sentence for each object and field of a schema."""
        lines = []
        for pointer, object_ in descriptions.walk_objects(schema):
            table = json.dumps(path) + (f".objects.{json.dumps(pointer)}" if pointer else "")
            lines += [f"[{table}]", 'sentence = "Something."', f"[{table}.fields]"]
            for name in object_["properties"]:
                sentence = sentences.get(name, "A field.")
                lines.append(f"{quoted(name)} = {quoted(sentence)}")
        target = self.schemas / "descriptions.toml"
        before = target.read_text(encoding="utf-8") if target.exists() and path != PING else ""
        target.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")

    def correct(self, text: str) -> None:
        """Write corrections.toml."""
        (self.schemas / "corrections.toml").write_text(text)

    def run(self, *arguments: str) -> Result:
        """Run one of codegen's commands."""
        self._capsys.readouterr()
        try:
            status = main(arguments, self.root)
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else 1
        captured = self._capsys.readouterr()
        return Result(status, captured.out, captured.err)

    def sync(self, *arguments: str) -> Result:
        """Sync from upstream's folder."""
        return self.run("sync", "--from", str(self.upstream), "--commit", COMMIT, *arguments)

    def generate(self) -> Result:
        """Sync, then generate; return the result of the first command that fails, or of the last."""
        synced = self.sync()
        return synced if synced.status else self.run("generate")

    def text(self, module: str) -> str:
        """Return the text of a generated file."""
        return (self.package / module).read_text(encoding="utf-8")

    def load(self, module: str) -> dict[str, Any]:
        """Execute a generated module, isolated from the installed package, and return its globals."""
        namespace: dict[str, Any] = {"__name__": f"isolated.{module}"}
        exec(compile(self.text(module), module, "exec", dont_inherit=True), namespace)
        return namespace

    def bytes(self) -> dict[str, bytes]:
        """Return the bytes of every file under schemas/ and generated/."""
        folders = (self.schemas, self.package)
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Project:
    """A project whose upstream publishes one event, before the first sync."""
    return Project(tmp_path, capsys)


@pytest.fixture
def make_event() -> Callable[..., dict[str, Any]]:
    """The function `event`, for tests that change a schema."""
    return event
