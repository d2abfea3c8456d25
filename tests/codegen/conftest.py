"""A small project of its own for each test: an upstream folder, schemas/ and generated/, driven through the command."""

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
    """A schema with a protocol and a name, and further properties as given."""
    title = "io." + path.removesuffix(".json").replace("/", ".")
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": f"https://example.net/{path}",
        "title": title,
        "description": "upstream's words",
        "type": "object",
        "required": ["protocol", "name"],
        "properties": {
            "protocol": {"type": "string", "enum": ["old:ping:1", title]},
            "name": {"type": "string", "description": "upstream's words", "default": "x"},
            **fields,
        },
    }


def quoted(text: str) -> str:
    """A text as TOML writes it: as JSON does, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@dataclass(frozen=True)
class Result:
    """What a command did."""

    status: int
    out: str
    err: str


class Project:
    """A root folder with everything the command needs."""

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
        """Make a file of upstream's say this."""
        target = self.upstream / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(schema if isinstance(schema, bytes) else json.dumps(schema).encode())

    def describe(self, schema: dict[str, Any], path: str = PING, **sentences: str) -> None:
        """Write a sentence for all that the schemas described so far have."""
        lines = []
        for pointer, found in descriptions.objects_of(schema):
            table = json.dumps(path) + (f".objects.{json.dumps(pointer)}" if pointer else "")
            lines += [f"[{table}]", 'sentence = "Something."', f"[{table}.fields]"]
            for name in found["properties"]:
                sentence = sentences.get(name, "A field.")
                lines.append(f"{quoted(name)} = {quoted(sentence)}")
        target = self.schemas / "descriptions.toml"
        before = target.read_text(encoding="utf-8") if target.exists() and path != PING else ""
        target.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")

    def correct(self, text: str) -> None:
        """Write corrections.toml."""
        (self.schemas / "corrections.toml").write_text(text)

    def run(self, *arguments: str) -> Result:
        """Run a command of codegen's."""
        self._capsys.readouterr()
        try:
            status = main(arguments, self.root)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        captured = self._capsys.readouterr()
        return Result(status, captured.out, captured.err)

    def sync(self, *arguments: str) -> Result:
        """Take what upstream's folder has."""
        return self.run("sync", "--from", str(self.upstream), "--commit", COMMIT, *arguments)

    def generate(self) -> Result:
        """Sync, then generate; the result of the first that failed."""
        synced = self.sync()
        return synced if synced.status else self.run("generate")

    def text(self, module: str) -> str:
        """A generated file."""
        return (self.package / module).read_text(encoding="utf-8")

    def load(self, module: str) -> dict[str, Any]:
        """Execute a generated module, apart from the installed package."""
        namespace: dict[str, Any] = {"__name__": f"isolated.{module}"}
        exec(compile(self.text(module), module, "exec", dont_inherit=True), namespace)
        return namespace

    def bytes(self) -> dict[str, bytes]:
        """Everything under schemas/ and generated/."""
        folders = (self.schemas, self.package)
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Project:
    """A project whose upstream publishes one event; nothing is synced yet."""
    return Project(tmp_path, capsys)


@pytest.fixture
def make_event() -> Callable[..., dict[str, Any]]:
    """`event()`, for tests that need a schema to change."""
    return event
