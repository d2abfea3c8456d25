"""Choria's configuration, as a client of Choria finds and understands it, and what is wrong with it.

Each takes the place of those before it: the defaults, the initial file, `plugin.d/*.cfg` beside it, the `choria.conf`
files from / down to the working directory, the environment (go-choria, config/config.go and config/util.go). Other than
in Choria an environment variable counts whether or not a file has its key, and an empty one does not count.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.choria.reading import DEFAULT, ConfigReader, Problem, Value, exists
from choria_lifecycle.config.choria.syntax import convert
from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Configuration", "Problem", "Value", "find_initial_file", "read_configuration"]

_MAX_CONNECT_TIMEOUT = 120


@dataclass(frozen=True, slots=True)
class Configuration:
    """What was found. Its text shows no values.

    Attributes:
        initial: the file that comes first; None if there is none.
        files: all that were read, the strongest last.
        values: every key of `KEYS` with its effective value. An empty identity is for the machine to derive.
        raw: every key in the files with its text, also those that Choria does not know; the strongest one.
        problems: in the order in which they were found.
    """

    initial: Path | None
    files: tuple[Path, ...]
    values: Mapping[str, Value] = field(repr=False)
    raw: Mapping[str, Value] = field(repr=False)
    problems: tuple[Problem, ...]

    def get(self, key: str) -> Any:
        """The effective value of a key of `KEYS`."""
        return self.values[key].value

    def origin(self, key: str) -> str:
        """Where the value of a key of `KEYS` comes from; safe to show."""
        return self.values[key].origin

    def is_set(self, key: str) -> bool:
        """Whether a file or the environment sets a key of `KEYS`."""
        return self.origin(key) != DEFAULT


def find_initial_file(
    environ: Mapping[str, str], root: Path = Path("/"), *, windows: bool = sys.platform == "win32"
) -> Path | None:
    """The file that comes first where none is named; None if there is none (go-choria, internal/util/util.go).

    Args:
        environ: the environment, of which HOME counts, and on Windows HOMEDRIVE with HOMEDIR.
        root: where the absolute paths begin.
        windows: whether this is Windows, which has one place of its own beside the home directory.
    """
    home = _home(environ, windows=windows)
    places = [Path(home, name) for name in (".choriarc", ".mcollective")] if home else []
    if windows:
        places += [root / "ProgramData/choria/etc/client.conf"]
    else:
        places += [root / "etc/choria/client.conf", root / "usr/local/etc/choria/client.conf"]
        places += [root / "etc/puppetlabs/mcollective/client.cfg"]
    return next((place for place in places if exists(place)), None)


def read_configuration(
    *, environ: Mapping[str, str], root: Path = Path("/"), directory: Path | None = None, file: Path | None = None
) -> Configuration:
    """Find, read and understand a client's configuration.

    Without an initial file Choria does not start; here the defaults and the environment count then, and the files of
    projects do not.

    Args:
        environ: the environment.
        root: where the absolute paths of initial files and the search for projects begin.
        directory: the working directory; default PWD if that names it, as in Choria, else what the system says.
        file: the initial file; default the first of `find_initial_file`.

    Raises:
        ConfigError: a file cannot be read, or has more than 1 MiB. In the first case Choria does not start either.
    """
    directory = directory or _working_directory(environ)
    initial = find_initial_file(environ, root) if file is None else _absolute(file, directory)
    projects = [place for place in _project_files(directory, root) if exists(place)]
    reading = ConfigReader(_home(environ))
    if initial is None:
        for place in projects:
            reading.report(
                "note",
                place,
                "not read, for it can only add to the configuration of a client, and there is none; "
                "name this file with --config or create ~/.choriarc",
            )
    else:
        if os.path.isdir(initial):  # noqa: PTH112 - pathlib raises where it must not be entered
            raise ConfigError(f"cannot read {safe(str(initial))}: it is a directory; name a file with --config")
        reading.read(initial)
        reading.read_plugins(initial)
        for place in projects:
            reading.read(place)
    _apply_environment(reading, environ)
    _complete_and_check(reading, initial)
    return Configuration(initial, tuple(reading.files), reading.values, reading.raw, tuple(reading.problems))


def _apply_environment(reading: ConfigReader, environ: Mapping[str, str]) -> None:
    """Let the environment take the place of what files say."""
    for key in KEYS.values():
        if key.variable and (value := environ.get(key.variable)):
            # What is no text in the environment is none for Python either, and could not be sent.
            text = value.encode(errors="replace").decode()
            reading.values[key.name] = Value(convert(key.kind, text), f"environment {key.variable}")


def _complete_and_check(reading: ConfigReader, initial: Path | None) -> None:
    """Fill in what follows from other settings, and find those that Choria refuses (config.go, normalize)."""
    values = reading.values

    def default(key: str, value: object) -> None:
        if not values[key].value:
            values[key] = Value(value, DEFAULT)

    default("collectives", ("choria" if values["plugin.security.provider"].value == "choria" else "mcollective",))
    default("main_collective", values["collectives"].value[0])
    if initial is not None and values["plugin.security.server_anon_tls"].value:
        default("plugin.choria.security.server.token_file", str(initial.parent / "server.jwt"))
        default("plugin.choria.security.server.seed_file", str(initial.parent / "server.seed"))
    anonymous, signer = values["plugin.security.client_anon_tls"], "plugin.choria.security.request_signer"
    if anonymous.value and not (values[f"{signer}.url"].value or values[f"{signer}.service"].value):
        reading.report(
            "error",
            anonymous.origin,
            f"plugin.security.client_anon_tls needs {signer}.service = true, or {signer}.url: set one of them",
        )
    timeout = values["plugin.choria.network.connect_timeout"]
    if not 0 < timeout.value <= _MAX_CONNECT_TIMEOUT:
        reading.report(
            "error",
            timeout.origin,
            f"plugin.choria.network.connect_timeout is {timeout.value:g} seconds; "
            f"it must be more than 0 and at most {_MAX_CONNECT_TIMEOUT}",
        )
    user, password = values["plugin.nats.user"], values["plugin.nats.pass"]
    if bool(user.value) != bool(password.value):
        reading.report(
            "warning",
            (user if user.value else password).origin,
            "plugin.nats.user and plugin.nats.pass have an effect together only: set both or none",
        )


def _home(environ: Mapping[str, str], *, windows: bool = sys.platform == "win32") -> str:
    if windows:
        drive, home = environ.get("HOMEDRIVE", ""), environ.get("HOMEDIR", "")
        return drive + home if drive and home else ""
    return environ.get("HOME", "")


def _absolute(file: Path, directory: Path | None) -> Path:
    """A file that was named. An absolute path stays as it is: its text decides whether it is in the home directory."""
    if file.is_absolute() or directory is None:
        return file
    return Path(os.path.normpath(directory / file))


def _working_directory(environ: Mapping[str, str]) -> Path | None:
    """Where the user is; None if that directory is gone. Through a link it is the link's path, as in Go's os.Getwd."""
    named = environ.get("PWD", "")
    with contextlib.suppress(OSError, ValueError):
        if os.path.isabs(named) and os.path.samefile(named, "."):  # noqa: PTH117, PTH121 - it may be empty
            return Path(named)
    with contextlib.suppress(OSError):
        return Path.cwd()
    return None


def _project_files(directory: Path | None, root: Path) -> list[Path]:
    """Where the configuration of a project may be, the strongest place last."""
    if directory is None:
        return []
    directory = directory.absolute()
    above = [*reversed(directory.parents), directory]
    inside = directory.is_relative_to(root)
    return [place / "choria.conf" for place in above if not inside or place.is_relative_to(root)]
