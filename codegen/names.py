"""Derive the names of a module and a class from the path of a schema."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from codegen import templates
from codegen.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

_PART = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_VERSION = re.compile(r"v[0-9]+", re.ASCII)
# Names of the generated package itself, which a family of the same name would shadow.
_RESERVED = frozenset(
    {"registry", *templates.__all__, *(path.stem for path in Path(__file__).with_name("templates").glob("*.py"))}
)

LIFECYCLE = "lifecycle"
"""The family of the events that have a type of one word, which is part of their subject."""

EVENTS = "events"
"""The module of a family with the union of its classes."""


def check(paths: Sequence[str]) -> list[Problem]:
    """Return the paths that cannot become modules: not choria/FAMILY/.../vN/NAME.json in lower-case identifiers."""
    problems: list[Problem] = []
    for path in paths:
        parts = PurePosixPath(path).with_suffix("").parts
        if len(parts) < 4 or parts[0] != "choria" or not _VERSION.fullmatch(parts[-2]):
            problems.append(
                Problem(
                    path,
                    "",
                    "is not at choria/FAMILY/.../vN/NAME.json, so it cannot become a module: ignore it",
                )
            )
        elif parts[1] in _RESERVED:
            message = f"would shadow choria_schemas.{parts[1]}, so it cannot become a module: ignore it"
            problems.append(Problem(path, "", message))
        elif parts[2] == EVENTS:
            message = f"would shadow choria_schemas.{parts[1]}.{EVENTS}, so it cannot become a module: ignore it"
            problems.append(Problem(path, "", message))
        elif not all(_PART.fullmatch(part) for part in parts) or any(map(keyword.iskeyword, parts)):
            message = "has a part that is not a lower-case identifier, so it cannot become a module: ignore it"
            problems.append(Problem(path, "", message))
    if not problems:
        uses = Counter((package_of(path), class_name(path)) for path in paths)
        problems += [
            Problem(path, "", f"would be a second class {class_name(path)} in {package_of(path)}")
            for path in paths
            if uses[package_of(path), class_name(path)] > 1
        ]
    return problems


def module_path(path: str) -> str:
    """Return the module of a schema as a path in the generated package, without suffix: `lifecycle/v1/startup`."""
    return str(PurePosixPath(path).with_suffix("").relative_to("choria"))


def family(path: str) -> str:
    """Return the first folder of a schema's module: `lifecycle`."""
    return PurePosixPath(path).parts[1]


def type_name(protocol: str) -> str:
    """Return the name of an event type: the last part of its protocol, such as `startup`."""
    return protocol.rpartition(".")[2]


def package_of(path: str) -> str:
    """Return the folder of a schema's module: `lifecycle/v1`."""
    return str(PurePosixPath(module_path(path)).parent)


def class_name(path: str) -> str:
    """Return the class name of a schema: the words of its path without family, version and `watcher`.

    >>> class_name("choria/lifecycle/v1/startup.json")
    'Startup'
    >>> class_name("choria/machine/watcher/exec/v1/state.json")
    'ExecState'
    """
    _, _family, *words = PurePosixPath(path).with_suffix("").parts
    return "".join(pascal_case(word) for word in words if word != "watcher" and not _VERSION.fullmatch(word))


def class_at(path: str, pointer: str) -> str:
    """Return the class name of the object at a pointer: the words of the nearest field or definition.

    >>> class_at("choria/lifecycle/v1/startup.json", "/properties/check_times/items")
    'CheckTimes'
    """
    name, steps = "", iter(pointer.split("/")[1:])
    for step in steps:
        if step in ("properties", "definitions"):
            name = next(steps)
    return pascal_case(name.replace("~1", "/").replace("~0", "~")) if name else class_name(path)


def pascal_case(word: str) -> str:
    """Convert a snake_case name to PascalCase: `check_time` becomes `CheckTime`."""
    return "".join(part[:1].upper() + part[1:] for part in word.split("_"))
