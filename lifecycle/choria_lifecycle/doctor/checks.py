"""What a look at settings, files or brokers has shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from choria_lifecycle.errors import LifecycleError

__all__ = ["Check", "CheckSeverity", "CheckStep", "File"]

CheckSeverity = Literal["ok", "note", "warning", "error"]
"""error for what Choria or a broker refuses, warning for what will fail some day or has no effect, note for what may be
left as it is."""

CheckStep = Literal["configuration", "settings", "files", "dns", "broker"]
"""What is looked at, in this order: Choria's configuration, the connection it makes, the files that it names, DNS, and
each broker."""


class Check(NamedTuple):
    """A finding; all of it is safe to show, and no secret.

    Attributes:
        severity: how bad it is.
        step: at which step it was found.
        subject: what was looked at: a file, perhaps with a line, an environment variable, a name in DNS, a broker.
        message: what is so, and what to do about it.
        error: the kind of error that `connect` ends with because of it; None if it does not.
    """

    severity: CheckSeverity
    step: CheckStep
    subject: str
    message: str
    error: type[LifecycleError] | None = None


class File(NamedTuple):
    """A file that was read. Its text does not show what is in it.

    Attributes:
        path: its name.
        data: what is in it.
    """

    path: Path
    data: bytes

    def __repr__(self) -> str:
        return f"File({str(self.path)!r})"
