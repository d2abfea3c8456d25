"""Turn the lines of configuration files into settings and problems."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from choria_lifecycle.config.choria.keys import KEYS, is_plugin_key, known_keys, suggest_key
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
"""error: Choria rejects it; warning: it has no effect, or not the apparent one; note: anything else."""

_MAX_BYTES = 1 << 20

# Suggesting a key is slow, and a file with more unknown keys is not Choria's.
_MAX_SUGGESTIONS = 50

# The part of an unknown key that is shown: a line that is not a setting may hold a secret.
_SHOWABLE_KEY = re.compile(r"[a-z0-9_.-]{0,80}")

_CHORIA = "plugin.choria."

# Choria's module for Puppet still writes these.
_MCOLLECTIVE = {"connection_timeout", "connector", "logger_type", "securityprovider"}


class Value(NamedTuple):
    """A setting. Its repr shows only where it comes from, because the value may be a secret.

    Attributes:
        value: depending on its key, a str, bool, int, a float for seconds, or a tuple of str.
        origin: `FILE:LINE`, `environment NAME` or `default`; safe to show.
    """

    value: Any
    origin: str

    def __repr__(self) -> str:
        return f"Value(origin={self.origin!r})"


class Problem(NamedTuple):
    """A problem in a configuration.

    Attributes:
        severity: error, warning or note.
        place: the origin of a value, or a file; safe to show.
        message: what is wrong and what to do; safe to show, and without secrets.
    """

    severity: ProblemSeverity
    place: str
    message: str


class ConfigReader:
    """Reads configuration files, each of which overrides those before it.

    Attributes:
        files: the files that were read.
        values: the effective value of every key of `KEYS`.
        raw: the effective text of every key in the files.
        problems: the problems, in the order in which they were found.

    Args:
        home: the home directory, or empty.
    """

    def __init__(self, home: str) -> None:
        self.files: list[Path] = []
        self.values: Final = {key.name: Value(key.default, DEFAULT) for key in KEYS.values()}
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
            prefix: the prefix of its keys.
            sets: whether the file can set Choria's own keys, not only those of plugins.

        Raises:
            ConfigError: the file cannot be read, or is larger than 1 MiB.
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
                if not is_plugin_key(key):
                    self._report_unknown(line.key, prefix, origin)
            elif not sets:
                self.report(
                    "warning",
                    origin,
                    f"{key} has no effect here, because in plugin.d only choria.cfg sets Choria's own keys; "
                    f"set it under its full name in {safe(str(self.files[0]))}",
                )
            else:
                if key in seen:
                    self.report(
                        "note", origin, f"{key} is already set in line {seen[key]}; remove that line, this one counts"
                    )
                seen[key] = line.number
                self._set(key, entry, line.value, origin)

    def read_plugins(self, initial: Path) -> None:
        """Read `plugin.d/*.cfg` beside the initial file, unless that is in the home directory.

        Raises:
            ConfigError: a file cannot be read, or is larger than 1 MiB.
        """
        directory = initial.parent / "plugin.d"
        if not os.path.isdir(directory):  # noqa: PTH112 - pathlib raises if it may not be entered
            return
        try:
            names = sorted(os.listdir(directory))  # noqa: PTH208 - sorted by name, not by path
        except OSError as error:
            raise _unreadable(directory, error) from error
        # A comparison of text, as in Choria: HOME=/root covers /rootfoo/client.conf, HOME=/ covers every path.
        if self._home and str(initial).startswith(self._home):
            if any(name.endswith(".cfg") for name in names):
                self.report(
                    "warning",
                    directory,
                    f"not read, because the path of {safe(str(initial))} begins with the home directory "
                    f"{safe(self._home)}; set its keys under their full names in that file",
                )
            return
        for name in names:
            stem, _, ending = name.rpartition(".")
            if ending == "conf":
                self.report(
                    "warning", directory / name, f"not read: Choria reads *.cfg here; rename it to {safe(stem)}.cfg"
                )
            elif ending == "cfg" and exists(directory / name):
                self.read(directory / name, f"plugin.{stem}.", sets=stem == "choria")

    def _read_text(self, path: Path) -> str | None:
        try:
            found = read_regular(path, _MAX_BYTES)
        except IsADirectoryError:
            self.report("warning", path, "ignored: it is a directory, not a file; rename or remove it")
            return None
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if len(found) > _MAX_BYTES:
            raise ConfigError(
                f"{safe(str(path))} has more than {_MAX_BYTES} bytes: too many for a configuration of Choria"
            )
        try:
            return found.decode()
        except UnicodeDecodeError as error:
            line = found.count(b"\n", 0, error.start) + 1
            self.report(
                "warning", f"{path}:{line}", "not UTF-8, so invalid bytes are read as U+FFFD: save the file as UTF-8"
            )
            return found.decode(errors="replace")

    def _set(self, key: str, entry: KnownKey, text: str, origin: str) -> None:
        value: Any
        try:
            value = convert(entry.kind, text, home=self._home)
        except ValueError as error:
            # Choria does not report this.
            effect = {"bool": "reads it as false", "path_string": "uses it unchanged"}.get(entry.kind, "ignores it")
            self.report("warning", origin, f"{key} = {quoted(text)} {error}; Choria {effect}")
            value = {"bool": False, "path_string": text}.get(entry.kind)
        if entry.choices and value not in entry.choices:
            severity: ProblemSeverity = "error" if key in KEYS else "warning"
            self.report(
                severity, origin, f"{key} = {quoted(text)} is not one of {', '.join(entry.choices)}; choose one of them"
            )
        if entry.kind == "comma_split" and "" in value:
            self.report("warning", origin, f"{key} has an empty item; remove the extra comma")
        if key in KEYS and value is not None:
            self.values[key] = Value(value, origin)

    def _report_unknown(self, written: str, prefix: str, origin: str) -> None:
        key = prefix + written
        if key in _MCOLLECTIVE:
            self.report(
                "note", origin, f"{key} is a key of MCollective, which Puppet writes and Choria ignores; leave it"
            )
            return
        shown = _SHOWABLE_KEY.match(written)
        text = shown[0] if shown else ""
        ignored = f"{text if text == written else f'{text}…'} is not a key of Choria, which ignores it"
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
                "warning", origin, f"{ignored}; did you mean {near.removeprefix(_CHORIA)}, its short name here?"
            )
        elif near == written:
            self.report("warning", origin, f"{written} has no effect here; set it {where}")
        else:
            self.report("warning", origin, f"{ignored}; did you mean {near}? Set that {where}")


def exists(path: Path) -> bool:
    """Return True if a path exists, or if permissions hide whether it does, as in Choria."""
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
        remedy = "correct config="
    return ConfigError(f"cannot read {safe(str(path))}: {reason}; {remedy}")
