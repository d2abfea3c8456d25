"""What can be wrong with a contract, said with the file and the place in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that stops the translation.

    Attributes:
        file: The file in question, relative to schemas/ or to upstream's root.
        pointer: The place in it as a JSON pointer; empty for the file as a whole.
        text: What is wrong and, where it is not plain, what to do about it.
    """

    file: str
    pointer: str
    text: str

    def __str__(self) -> str:
        # Names come from foreign files: escaped, they cannot forge a second line or move a terminal's cursor.
        place = f"{self.file}#{self.pointer}" if self.pointer else self.file
        return f"{printable(place)}: {printable(self.text)}"


class ContractError(Exception):
    """The contract cannot be used; `problems` says why, all of them and not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(Exception):
    """The command cannot do what it was asked: bad arguments, or something that cannot be read."""


def printable(text: str) -> str:
    """Text with every character that is not printable escaped, as repr() would."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shorten(text: str, limit: int = 80) -> str:
    """Text that is too long to be read, without its middle."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} [...] {text[-half:]}"


def escape_pointer(token: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")
