"""Lines of configuration become settings, and what is wrong with them becomes problems."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from choria_lifecycle.config.choria.keys import KEYS, is_foreign, known_keys, suggest_key
from choria_lifecycle.config.choria.syntax import IgnoredLine, convert, read_lines
from choria_lifecycle.config.contents import read_regular
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.text import quoted, safe

if TYPE_CHECKING:
    from pathlib import Path

    from choria_lifecycle.config.choria.keys import KnownKey
    from choria_lifecycle.config.choria.syntax import ConfigLine

__all__ = ["DEFAULT", "ConfigReader", "Problem", "ProblemSeverity", "Value", "exists"]

DEFAULT = "default"
"""The origin of a value that nothing sets."""

ProblemSeverity = Literal["error", "warning", "note"]
"""An error is what Choria refuses, a warning what has no effect or not the one it seems to have, a note the rest."""

_MAX_BYTES = 1 << 20

# Looking for what was meant takes a while; a file with more unknown keys than this is none of Choria's.
_MAX_SUGGESTIONS = 50

# What can be shown of an unknown key: a line that is no setting at all may hold a secret.
_SHOWABLE_KEY = re.compile(r"[a-z0-9_.-]{0,80}")

_CHORIA = "plugin.choria."

# Puppet's module still writes these.
_MCOLLECTIVE = {"connection_timeout", "connector", "logger_type", "securityprovider"}


class Value(NamedTuple):
    """A setting. Its text shows no more than where it comes from, for the value may be a secret.

    Attributes:
        value: as its key has it: a str, bool, int, a float for seconds, or a tuple of str.
        origin: `FILE:LINE`, `environment NAME` or `default`; safe to show.
    """

    value: Any
    origin: str

    def __repr__(self) -> str:
        return f"Value(origin={self.origin!r})"


class Problem(NamedTuple):
    """Something to tell the owner of a configuration.

    Attributes:
        severity: how bad it is.
        place: as the origin of a value, or a file; safe to show.
        message: what is wrong and what to do; safe to show, and without any secret.
    """

    severity: ProblemSeverity
    place: str
    message: str


class ConfigReader:
    """A configuration while it is read; each file takes the place of what those before it say.

    Attributes:
        files: those that were read.
        values: every key of `KEYS` with its effective value.
        raw: every key seen in a file, with its text.
        problems: in the order in which they were found.

    Args:
        home: the home directory; empty if there is none.
    """

    def __init__(self, home: str) -> None:
        self.files: list[Path] = []
        self.values = {key.name: Value(key.default, DEFAULT) for key in KEYS.values()}
        self.raw: dict[str, Value] = {}
        self.problems: list[Problem] = []
        self._home = home
        self._suggestions = 0

    def report(self, severity: ProblemSeverity, place: object, message: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(severity, safe(str(place)), message))

    def read(self, path: Path, prefix: str = "", *, sets: bool = True) -> None:
        """Read a file.

        Args:
            path: the file.
            prefix: what to put before each key.
            sets: whether the file can set what Choria itself uses; else its settings are for plugins.

        Raises:
            ConfigError: it cannot be read, or has more than 1 MiB.
        """
        text = self._read_text(path)
        if text is None:
            return
        self.files.append(path)
        lines, ignored = read_lines(text)
        seen: dict[str, int] = {}
        entries: list[ConfigLine | IgnoredLine] = [*lines, *ignored]
        for line in sorted(entries, key=lambda line: line.number):
            if isinstance(line, IgnoredLine):
                self.report("warning", f"{path}:{line.number}", line.reason)
                continue
            key, origin = prefix + line.key, safe(f"{path}:{line.number}")
            self.raw[key] = Value(line.value, origin)
            entry = known_keys().get(key)
            if entry is None:
                if not is_foreign(key):
                    self._report_unknown(line.key, prefix, origin)
            elif not sets:
                self.report(
                    "warning",
                    origin,
                    f"{key} has no effect here, where only choria.cfg sets what Choria itself uses; "
                    f"write it with its full name into {safe(str(self.files[0]))}",
                )
            else:
                if key in seen:
                    self.report(
                        "note", origin, f"{key} is in line {seen[key]} already; remove that line, this one counts"
                    )
                seen[key] = line.number
                self._set(key, entry, line.value, origin)

    def read_plugins(self, initial: Path) -> None:
        """Read `plugin.d/*.cfg` beside the initial file, whose keys are short, unless that is in the home directory.

        Raises:
            ConfigError: a file cannot be read, or has more than 1 MiB.
        """
        directory = initial.parent / "plugin.d"
        if not os.path.isdir(directory):  # noqa: PTH112 - pathlib raises where it must not be entered
            return
        try:
            names = sorted(os.listdir(directory))  # noqa: PTH208 - the order of names, not of paths
        except OSError as error:
            raise _unreadable(directory, error) from error
        # The bare text decides, as in Choria: with HOME=/root that is so for /rootfoo/client.conf, with HOME=/ for all.
        if self._home and str(initial).startswith(self._home):
            if any(name.endswith(".cfg") for name in names):
                self.report(
                    "warning",
                    directory,
                    f"not read, for the path of {safe(str(initial))} begins with the home directory "
                    f"{safe(self._home)}; write its settings with their full names into that file",
                )
            return
        for name in names:
            stem, _, ending = name.rpartition(".")
            if ending == "conf":
                self.report(
                    "warning", directory / name, f"not read: call it {safe(stem)}.cfg, as Choria expects it here"
                )
            elif ending == "cfg" and exists(directory / name):
                self.read(directory / name, f"plugin.{stem}.", sets=stem == "choria")

    def _read_text(self, path: Path) -> str | None:
        try:
            found = read_regular(path, _MAX_BYTES)
        except IsADirectoryError:
            self.report(
                "warning", path, "a directory where Choria expects a file, and reads nothing; rename or remove it"
            )
            return None
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if len(found) > _MAX_BYTES:
            raise ConfigError(f"{safe(str(path))} has more than {_MAX_BYTES} bytes: that is no configuration of Choria")
        try:
            return found.decode()
        except UnicodeDecodeError as error:
            line = found.count(b"\n", 0, error.start) + 1
            self.report(
                "warning", f"{path}:{line}", "not UTF-8; what is no text is read as U+FFFD: save the file as UTF-8"
            )
            return found.decode(errors="replace")

    def _set(self, key: str, entry: KnownKey, text: str, origin: str) -> None:
        value: Any
        try:
            value = convert(entry.kind, text, home=self._home)
        except ValueError as error:
            # Choria reports nothing of this.
            happens = {"bool": "takes it for false", "path_string": "takes it as it is"}.get(entry.kind, "ignores it")
            self.report("warning", origin, f"{key} = {quoted(text)} {error}; Choria {happens}")
            value = {"bool": False, "path_string": text}.get(entry.kind)
        if entry.choices and value not in entry.choices:
            severity: ProblemSeverity = "error" if key in KEYS else "warning"
            self.report(
                severity, origin, f"{key} = {quoted(text)} is none of {', '.join(entry.choices)}; choose one of them"
            )
        if entry.kind == "comma_split" and "" in value:
            self.report("warning", origin, f"{key} has an empty item; remove the comma that is too many")
        if key in KEYS and value is not None:
            self.values[key] = Value(value, origin)

    def _report_unknown(self, written: str, prefix: str, origin: str) -> None:
        key = prefix + written
        if key in _MCOLLECTIVE:
            self.report(
                "note", origin, f"{key} is a key of MCollective; Choria ignores it, Puppet writes it: let it be"
            )
            return
        shown = _SHOWABLE_KEY.match(written)
        text = shown[0] if shown else ""
        ignored = f"{text if text == written else f'{text}…'} is no key of Choria, which ignores it"
        near = ""
        if self._suggestions < _MAX_SUGGESTIONS:
            self._suggestions += 1
            near = next(
                (name for name in (written, f"plugin.{written}") if prefix and name in known_keys()), ""
            ) or suggest_key(key)
        where = f"in {safe(str(self.files[0]))}"
        if not near:
            self.report("note", origin, f"{ignored}; remove it")
        elif not prefix:
            self.report("warning", origin, f"{ignored}; did you mean {near}?")
        elif prefix == _CHORIA and near.startswith(_CHORIA):
            self.report(
                "warning", origin, f"{ignored}; did you mean {near.removeprefix(_CHORIA)}, as it is written here?"
            )
        elif near == written:
            self.report("warning", origin, f"{written} has no effect here; it has to stand {where}")
        else:
            self.report("warning", origin, f"{ignored}; did you mean {near}? That has to stand {where}")


def exists(path: Path) -> bool:
    """Whether there is something, if only something that must not be looked at, as Choria sees it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:
        return True
    return True


def _unreadable(path: Path, error: OSError | ValueError) -> ConfigError:
    reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
    remedy = "Choria would not start either: make it readable or remove it"
    if isinstance(error, FileNotFoundError):
        remedy = "correct --config (config=)"
    return ConfigError(f"cannot read {safe(str(path))}: {reason}; {remedy}")
