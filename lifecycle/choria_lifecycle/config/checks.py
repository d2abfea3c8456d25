"""What a look at settings, files or brokers has shown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.text import safe

if TYPE_CHECKING:
    from pathlib import Path

    from choria_lifecycle.errors import LifecycleError

__all__ = ["Check", "File", "Severity", "Step", "day", "unreadable"]

Severity = Literal["ok", "note", "warning", "error"]
"""error for what Choria or a broker refuses, warning for what will fail some day or has no effect, note for what may be
left as it is."""

Step = Literal["configuration", "settings", "files", "dns", "broker"]
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

    severity: Severity
    step: Step
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


def unreadable(path: Path, origin: str, error: OSError, remedy: str = "") -> ConfigError:
    """The error for a file that settings name and that cannot be read.

    Args:
        path: the file.
        origin: where its name comes from; empty if that is not known.
        error: why it cannot be read.
        remedy: how to get one, if there is none.
    """
    source = f" ({safe(origin)})" if origin else ""
    if origin.startswith("provider puppet"):
        remedy = "'choria enroll' gets it"
    if isinstance(error, PermissionError):
        remedy = "let this user read it"
    elif not isinstance(error, FileNotFoundError):
        remedy = "name a file"
    return ConfigError(f"cannot read {path}{source}: {error.strerror or error}{'; ' if remedy else ''}{remedy}")


def day(seconds: float) -> str:
    """A time in Unix seconds, for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
