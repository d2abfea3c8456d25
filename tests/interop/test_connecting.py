"""The comparison of clients detects differences."""

from __future__ import annotations

import pytest

from .broker.cases import Case
from .connecting import Compared, problems, summary

IN = {"connects": True, "name": "rip", "views": True}
OUT = {"connects": False, "name": "rip"}


def compared(go: dict[str, object], ours: dict[str, object], reason: str = "") -> Compared:
    said = {} if ours["connects"] else {"ours": "no"}
    return Compared(Case("a client", "a broker", {}, reason=reason), go, ours, said)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (compared(IN, IN), []),
        (compared(OUT, OUT), []),
        (compared(OUT, IN, "it may"), []),
        (compared(IN, OUT, "it may"), []),
        (compared({"connects": False}, OUT), []),
        (compared(IN, OUT), ["a client (a broker): connects is True with Go, and False here (ours: no)"]),
        (compared(OUT, IN), ["a client (a broker): connects is False with Go, and True here"]),
        (compared(IN, IN | {"views": False}), ["a client (a broker): views is True with Go, and False here"]),
        (compared(IN, IN | {"name": "r"}), ["a client (a broker): name is 'rip' with Go, and 'r' here"]),
        (
            compared(IN, OUT | {"name": "r"}, "it may"),
            ["a client (a broker): name is 'rip' with Go, and 'r' here (ours: no)"],
        ),
        (compared(IN, IN, "it may"), ["a client (a broker): both do the same, although it may"]),
    ],
)
def test_differences_are_found_unless_explained(done: Compared, said: list[str]) -> None:
    assert problems([done]) == said


def test_the_summary_lists_cases_in_which_one_side_is_admitted() -> None:
    text = summary([compared(IN, IN), compared(OUT, IN, "it may"), compared(IN, OUT, "it must not")])
    assert text.splitlines() == [
        "3 clients at Choria's brokers; 2 times Choria's own client is let in",
        "  a client (a broker): ours alone, as it may",
        "  a client (a broker): Go alone, as it must not",
    ]
