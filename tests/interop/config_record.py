"""Records of how Go reads configurations: a header, then one case per line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from choria_lifecycle.config.choria import keys
from tests.bed.paths import DATA

from . import config
from .config_texts import random_texts, texts
from .config_trees import Tree, random_trees, trees

if TYPE_CHECKING:
    from .config import Record
    from .golang import Ask

FOLDER = DATA / "interop"
TREES = FOLDER / "config-trees.jsonl"
TEXTS = FOLDER / "config-texts.jsonl"
KNOWN = Path(keys.__file__).with_name("known.txt")

NOTE = (
    "One case per line: a configuration, Go's result and, where this library's differs, the reasons, by the names in "
    "tests/interop/config.py. @ stands for the directory of the files. Values that equal the first case's are left out."
)

# Cases from the other seed are only compared live.
_SEED, _RECORDED = 4, 100
_LIVE_SEED, _LIVE, _LIVE_TEXTS = 5, 700, 1000


class Live(NamedTuple):
    """The current results of both sides.

    Attributes:
        keys: Go's.
        trees: the recorded configurations.
        texts: the recorded texts.
        other_trees: further configurations.
        other_texts: further texts.
    """

    keys: list[Record]
    trees: list[Record]
    texts: list[Record]
    other_trees: list[Record]
    other_texts: list[Record]

    def problems(self) -> list[str]:
        """Return differences without a reason, and unused reasons."""
        found = config.problems(self.trees + self.other_trees, self.texts + self.other_texts)
        given = {reason for record in self.trees for reason in record["reasons"].values()}
        found += [f"nothing differs any more for the reason {name}" for name in config.DIFFERENCES.keys() - given]
        return found + config.key_problems(self.keys)

    def changes(self) -> list[str]:
        """Return the changes of Go, or of the list of cases, since the records were written."""
        problems = []
        for path, lines in ((TREES, _tree_lines(self.trees)), (TEXTS, _text_lines(self.texts))):
            recorded = [_lasting(json.loads(line)) for line in path.read_text("utf-8").splitlines()[1:]]
            now = [_lasting(line) for line in lines]
            problems += [f"{path.name}: was {line}" for line in recorded if line not in now]
            problems += [f"{path.name}: is {line}" for line in now if line not in recorded]
        return problems

    def write(self, about: Record) -> None:
        """Write the records, and the names of Go's keys."""
        for path, lines in ((TREES, _tree_lines(self.trees)), (TEXTS, _text_lines(self.texts))):
            head = about | {"note": NOTE} if path == TREES else about
            path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in (head, *lines)), "utf-8")
        KNOWN.write_text(config.known_text(about["choria"], self.keys), "utf-8")

    def summary(self) -> str:
        """Summarise the comparison and the differences."""
        found = self.trees + self.other_trees
        alike = sum(not record["reasons"] for record in found)
        counts = Counter(reason for record in found for reason in set(record["reasons"].values()))
        return "\n".join(
            (
                "",
                *(f"  {each.reason} ({counts[name]})" for name, each in config.DIFFERENCES.items()),
                "",
                f"configurations read: {len(found)}, {alike} of them equal in all respects",
                f"texts of values parsed: {len(self.texts) + len(self.other_texts)}",
            )
        )


def wanted() -> list[Tree]:
    """Return the configurations to record."""
    return [*trees(), *random_trees(_SEED, _RECORDED)]


def live(ask: Ask) -> Live:
    """Read and parse everything on both sides."""
    return Live(
        keys=config.reflected(ask),
        trees=config.load(ask, wanted()),
        texts=config.understand(ask, texts()),
        other_trees=config.load(ask, list(random_trees(_LIVE_SEED, _LIVE))),
        other_texts=config.understand(ask, random_texts(_LIVE_SEED, _LIVE_TEXTS)),
    )


def recorded_trees() -> list[Record]:
    """Return the configurations with Go's results and the reasons found."""
    _, *cases = map(json.loads, TREES.read_text("utf-8").splitlines())
    usual = cases[0]["go"]["values"]
    for case in cases:
        if "values" in case["go"]:
            case["go"]["values"] = usual | case["go"]["values"]
    return [{"tree": Tree(**case["tree"]), "go": case["go"], "reasons": case.get("reasons", {})} for case in cases]


def recorded_texts() -> list[Record]:
    """Return the texts with Go's results."""
    _, *cases = map(json.loads, TEXTS.read_text("utf-8").splitlines())
    return cases


def _tree_lines(found: list[Record]) -> list[Record]:
    usual = found[0]["go"]["values"]
    return [_tree_line(record, {} if record is found[0] else usual) for record in found]


def _tree_line(record: Record, usual: Record) -> Record:
    tree, go = record["tree"], dict(record["go"])
    if "values" in go:
        go["values"] = {name: value for name, value in go["values"].items() if usual.get(name, ...) != value}
    plain = Tree(name="", files={})
    shown = {name: value for name in Tree.__slots__ if (value := getattr(tree, name)) != getattr(plain, name)}
    line = {"tree": {"name": tree.name, "files": tree.files, **shown}, "go": go}
    return line | ({"reasons": record["reasons"]} if record["reasons"] else {})


def _text_lines(found: list[Record]) -> list[Record]:
    return [dict(record) for record in found]


def _lasting(line: Record) -> Record:
    """Drop Go's wording of a refusal."""
    return line | {"go": {"refuses": True}} if "refuses" in line["go"] else line
