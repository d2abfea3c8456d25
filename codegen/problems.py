"""Problems of a contract, each with its file and its location in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One reason why a contract cannot be translated.

    Attributes:
        file: the file, relative to schemas/ or to upstream's root.
        pointer: the location in the file as a JSON pointer; empty for the file as a whole.
        message: what is wrong and, unless it is obvious, how to fix it.
    """

    file: str
    pointer: str
    message: str

    def __str__(self) -> str:
        # Names come from untrusted files: once escaped, they cannot forge a second line or move the terminal's cursor.
        location = f"{self.file}#{self.pointer}" if self.pointer else self.file
        return f"{escape_unprintable(location)}: {escape_unprintable(self.message)}"

    def record(self) -> dict[str, str]:
        """Return the problem as a JSON object."""
        return {"record": "to-do", "path": self.file, "pointer": self.pointer, "text": self.message}


class ContractError(Exception):
    """The contract cannot be used; `problems` lists every reason, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


class UsageError(Exception):
    """The command cannot run: invalid arguments, or upstream cannot be read."""


def escape_unprintable(text: str) -> str:
    """Escape every unprintable character as repr() does."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def shorten(text: str, limit: int = 80) -> str:
    """Cut the middle out of a text longer than `limit` characters."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} [...] {text[-half:]}"


def escape_pointer(token: str) -> str:
    """Escape one reference token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")
