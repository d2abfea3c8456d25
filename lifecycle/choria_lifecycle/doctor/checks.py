"""The findings of the doctor, and the files it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from pathlib import Path

    from choria_lifecycle.errors import LifecycleError

__all__ = ["Check", "CheckSeverity", "CheckStep", "File", "file_check"]

CheckSeverity = Literal["ok", "note", "warning", "error"]
"""error: Choria or a broker refuses it; warning: it will fail later, or has no effect; note: no change is needed."""

CheckStep = Literal["configuration", "settings", "files", "dns", "broker"]
"""The steps, in order: Choria's configuration, the connection's settings, the files they name, DNS, each broker."""


class Check(NamedTuple):
    """A finding, safe to show and without secrets.

    Attributes:
        severity: ok, note, warning or error.
        step: the step that found it.
        subject: what was checked: a file, perhaps with a line, an environment variable, a DNS name, a broker.
        message: what was found, and what to do about it.
        error: the kind of error that `connect` would raise because of it, or None.
    """

    severity: CheckSeverity
    step: CheckStep
    subject: str
    message: str
    error: type[LifecycleError] | None = None


class File(NamedTuple):
    """A file that was read. Its repr does not show the content.

    Attributes:
        path: its path.
        data: its content.
    """

    path: Path
    data: bytes

    def __repr__(self) -> str:
        return f"File({str(self.path)!r})"


def file_check(severity: CheckSeverity, path: Path, message: str) -> Check:
    """Return a finding about a file."""
    return Check(severity, "files", safe(str(path)), message)
