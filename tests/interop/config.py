"""Choria's configuration as read by Go, compared with this library.

A configuration is a few files, an environment and a working directory. The texts of values are also compared one by
one, and so are the names, kinds and choices of all keys in Go.
"""

from __future__ import annotations

import re
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from choria_lifecycle.config.choria.configuration import read_configuration
from choria_lifecycle.config.choria.keys import KEYS, KnownKey, known_keys
from choria_lifecycle.config.choria.syntax import convert
from choria_lifecycle.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from choria_lifecycle.config.choria.syntax import ValueKind

    from .config_trees import Tree
    from .golang import Ask

Record = dict[str, Any]

VARIABLES = [key.variable for key in KEYS.values() if key.variable]
_TIMEOUT = "plugin.choria.network.connect_timeout"


class Difference(NamedTuple):
    """A reason why the two sides read a configuration differently.

    Attributes:
        reason: in words.
        explains: returns True if the reason applies to a tree, an aspect, Go's value and this library's.
    """

    reason: str
    explains: Callable[[Tree, str, Any, Any], bool]


def _variable(tree: Tree, aspect: str) -> str | None:
    key = KEYS.get(aspect)
    return tree.environ.get(key.variable) if key else None


def _is_variable(tree: Tree, aspect: str, value: object) -> bool:
    text = _variable(tree, aspect)
    return bool(text) and value in (text, list(convert("comma_split", str(text))))


def _is_directory(content: object) -> bool:
    return isinstance(content, dict) and "directory" in content


DIFFERENCES = {
    "environment": Difference(
        "Go reads a variable only if a file or a default sets its key; here a variable that is set always counts.",
        lambda tree, aspect, go, here: not go and _is_variable(tree, aspect, here),
    ),
    "empty-variable": Difference(
        "Go reads an empty variable as an empty value; here it counts as absent, like all variables of this project.",
        lambda tree, aspect, go, here: _variable(tree, aspect) == "" and go in ("", [""]),
    ),
    "identity": Difference(
        "Go looks up the machine's name while reading; here that happens where the name is needed.",
        lambda tree, aspect, go, here: aspect == "identity" and not here,
    ),
    "errors": Difference(
        "Go stops at the first error; here it is one of the reported problems, so that all of them can be shown.",
        lambda tree, aspect, go, here: aspect == "refuses" and here == ["an error"],
    ),
    "time": Difference(
        "Go's numbers overflow at 292 years; here such a duration is invalid and reported.",
        lambda tree, aspect, go, here: aspect == _TIMEOUT and here == 2 and abs(go) > 2**32,
    ),
    "directory": Difference(
        "Go treats a directory as an empty file; here a directory is an error for the initial file.",
        lambda tree, aspect, go, here: aspect == "refuses" and _is_directory(tree.files.get(tree.initial)),
    ),
    "directory-listed": Difference(
        "Go lists a directory among the files read; here it is reported.",
        lambda tree, aspect, go, here: (
            aspect == "files"
            and [file for file in go if not _is_directory(tree.files.get(file.removeprefix("@/")))] == here
        ),
    ),
    "size": Difference(
        "Go reads a file of any size; here one of more than 1 MiB is refused.",
        lambda tree, aspect, go, here: aspect == "refuses" and not go and tree.name == "more than 1 MiB",
    ),
    "twice": Difference(
        "Go reads x.cfg in plugin.d once more for an x.conf beside it, to no effect; here it is read once.",
        lambda tree, aspect, go, here: (
            aspect == "files"
            and list(dict.fromkeys(file for file in go if "/plugin.d/" in file))
            == [file for file in here if "/plugin.d/" in file]
        ),
    ),
    "utf-8": Difference(
        "Go keeps invalid UTF-8 and writes each byte as U+FFFD here; Python may decode several as one U+FFFD.",
        lambda tree, aspect, go, here: aspect == "raw" and _squeezed(go) == _squeezed(here),
    ),
}


def _squeezed(raw: dict[str, str]) -> dict[str, str]:
    return {key: re.sub("\ufffd+", "\ufffd", value) for key, value in raw.items()}


def here(tree: Tree, base: Path) -> Record:
    """Read a configuration built below a directory."""
    try:
        with chdir(base / tree.directory):
            found = read_configuration(environ=tree.variables(base), root=base, file=Path(tree.start(base)))
    except ConfigError:
        return {"refuses": ["the file"]}
    errors = [problem for problem in found.problems if problem.severity == "error"]
    own = {
        "values": {name: value.value for name, value in found.values.items()},
        "raw": {name: value.value for name, value in found.raw.items()},
        "files": [str(file) for file in found.files],
        "errors": ["an error"] if errors else [],
    }
    record: Record = _anywhere(own, base)
    return record


def aspects(go: Record, own: Record) -> dict[str, tuple[Any, Any]]:
    """Return the aspects in which the two sides differ, with both values."""
    if "refuses" in go or "refuses" in own:
        refusal = own.get("refuses") or own["errors"]
        if "refuses" in go and own.get("refuses"):
            return {}
        return {"refuses": (go.get("refuses", ""), refusal)}
    pairs = {"raw": (go["raw"], own["raw"]), "files": (go["files"], own["files"])}
    pairs |= {name: (go["values"][name], value) for name, value in own["values"].items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def explained(tree: Tree, go: Record, own: Record) -> dict[str, str]:
    """Return the reason for each aspect in which the two sides differ, by its name; empty if there is none."""
    return {
        aspect: next((name for name, each in DIFFERENCES.items() if each.explains(tree, aspect, *pair)), "")
        for aspect, pair in aspects(go, own).items()
    }


def load(ask: Ask, wanted: list[Tree]) -> list[Record]:
    """Read each configuration on both sides."""
    records = []
    with TemporaryDirectory(prefix="lifecycle-interop-") as folder:
        bases = [Path(folder).resolve() / str(number) for number in range(len(wanted))]
        for tree, base in zip(wanted, bases, strict=True):
            tree.build(base)
        answers = ask([_loading(tree, base) for tree, base in zip(wanted, bases, strict=True)])
        for tree, base, answer in zip(wanted, bases, answers, strict=True):
            go = _answer(answer, base)
            own = here(tree, base)
            records.append({"tree": tree, "go": go, "reasons": explained(tree, go, own), "here": own})
    return records


def _loading(tree: Tree, base: Path) -> Record:
    values = {
        "file": tree.start(base),
        "directory": str(base / tree.directory),
        "environment": tree.variables(base),
        "variables": VARIABLES,
        "keys": list(KEYS),
    }
    return {"work": "load", "family": "config", "values": values}


def _answer(answer: Record, base: Path) -> Record:
    if "refused" in answer:
        return {"refuses": answer["refused"].replace(str(base), "@")}
    found = answer["fields"]
    found["values"][_TIMEOUT] /= 1e9
    if "identity" not in found["raw"]:
        found["values"]["identity"] = "what the machine says"
    record: Record = _anywhere(found, base)
    return record


def _anywhere(value: Any, base: Path) -> Any:
    """Write a directory as @, shorten long texts, and turn tuples into JSON lists."""
    if isinstance(value, dict):
        return {_anywhere(name, base): _anywhere(each, base) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_anywhere(each, base) for each in value]
    if isinstance(value, str):
        value = value.replace(str(base), "@")
        return value if len(value) < 1000 else f"{value[:10]}... ({len(value)})"
    return value


def own_value(kind: ValueKind, text: str, home: str) -> Record:
    """Parse a text with this library."""
    try:
        value = convert(kind, text, home=home)
    except ValueError as exc:
        return {"refuses": str(exc)}
    return {"is": list(value) if isinstance(value, tuple) else value}


def texts_differ(kind: ValueKind, go: Record, own: Record) -> bool:
    """Return True if the two sides parse a text differently without a reason.

    Go reads an invalid boolean as false, and its durations overflow; this library refuses both.
    """
    if "refuses" not in own:
        return bool(go != own)
    if kind == "bool":
        return go != {"is": False}
    return not (go == {"refuses": True} or (kind == "duration" and "292 years" in own["refuses"]))


def understand(ask: Ask, wanted: Iterable[tuple[ValueKind, str, str]]) -> list[Record]:
    """Parse each text on both sides."""
    cases = list(wanted)
    answers = ask(
        [
            {"work": "convert", "family": "config", "values": {"kind": kind, "text": text, "home": home}}
            for kind, text, home in cases
        ]
    )
    records = []
    for (kind, text, home), answer in zip(cases, answers, strict=True):
        go: Record = {"refuses": True}
        if "refused" not in answer:
            value = answer["fields"]
            go = {"is": value / 1e9 if kind == "duration" else value}
        records.append({"kind": kind, "text": text, "home": home, "go": go})
    return records


def problems(found: list[Record], understood: list[Record]) -> list[str]:
    """Return the unexplained differences."""
    wrong = [
        f"{record['tree'].name}: {aspect} differs without a reason: Go {go!r}, here {own!r}; {record['tree'].files}"
        for record in found
        for aspect, (go, own) in aspects(record["go"], record["here"]).items()
        if not record["reasons"][aspect]
    ]
    for record in understood:
        own = own_value(record["kind"], record["text"], record["home"])
        if texts_differ(record["kind"], record["go"], own):
            wrong.append(f"{record['kind']} {record['text']!r}: Go {record['go']}, here {own}")
    return wrong


def reflected(ask: Ask) -> list[Record]:
    """Return Go's keys, with this library's names for their kinds."""
    [answer] = ask([{"work": "keys", "family": "config"}])
    names = {"integer": "int", "boolean": "bool"}
    return sorted(
        ({**key, "kind": names.get(key["kind"], key["kind"])} for key in answer["fields"]), key=lambda key: key["name"]
    )


def known_text(version: str, found: list[Record]) -> str:
    """Return Go's keys in the format of known.txt."""
    head = (
        f"# The keys of go-choria {version} (config.Config and config.ChoriaPluginConfig), found by reflection with\n"
        "# make interop ARGS=--record: name, kind, and the allowed values if limited.\n"
    )
    return head + "".join(" ".join((key["name"], key["kind"], *key["choices"])) + "\n" for key in found)


def key_problems(found: list[Record]) -> list[str]:
    """Return the differences between this library's keys and Go's."""
    wrong = []
    theirs = {key["name"]: key for key in found}
    if {name: KnownKey(key["kind"], tuple(key["choices"])) for name, key in theirs.items()} != dict(known_keys()):
        wrong.append("known.txt does not have Go's keys: make interop ARGS=--record")
    for key in KEYS.values():
        his = theirs[key.name]
        if (key.kind, list(key.choices), key.variable) != (his["kind"], his["choices"], his["variable"]):
            wrong.append(f"{key.name}: Go has {his}")
    return wrong
