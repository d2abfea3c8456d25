"""Read a Choria client's configuration, and report the problems in it.

In ascending precedence: the defaults, the initial file, `plugin.d/*.cfg` beside it, the `choria.conf` files from / down
to the working directory, the environment (go-choria, config/config.go and config/util.go). Unlike in Choria, an
environment variable takes effect whether or not a file has its key, and an empty one counts as unset.
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
    """Choria's configuration as read from files and the environment. Its repr shows no values.

    Attributes:
        initial: the initial file, or None.
        files: all files that were read, in ascending precedence.
        values: the effective value of every key of `KEYS`. An empty identity is derived by `Machine`.
        raw: the effective text of every key in the files, including keys that Choria does not know.
        problems: the problems, in the order in which they were found.
    """

    initial: Path | None
    files: tuple[Path, ...]
    values: Mapping[str, Value] = field(repr=False)
    raw: Mapping[str, Value] = field(repr=False)
    problems: tuple[Problem, ...]

    def get(self, key: str) -> Any:
        """Return the effective value of a key of `KEYS`."""
        return self.values[key].value

    def origin(self, key: str) -> str:
        """Return where the value of a key of `KEYS` comes from; safe to show."""
        return self.values[key].origin

    def is_set(self, key: str) -> bool:
        """Return True if a file or the environment sets a key of `KEYS`."""
        return self.origin(key) != DEFAULT


def find_initial_file(
    environ: Mapping[str, str], root: Path = Path("/"), *, windows: bool = sys.platform == "win32"
) -> Path | None:
    """Return the first initial file that exists, or None (go-choria, internal/util/util.go).

    Args:
        environ: the environment, for HOME, and on Windows HOMEDRIVE and HOMEDIR.
        root: where the absolute paths begin.
        windows: whether to look where Windows keeps them.
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
    """Find and read a client's configuration.

    Without an initial file, where Choria would not start, the result consists of the defaults and the environment, and
    project files are ignored.

    Args:
        environ: the environment.
        root: where the absolute paths of initial files and the search for project files begin.
        directory: the working directory; default PWD if that names it, as in Choria, else the system's.
        file: the initial file; default `find_initial_file`.

    Raises:
        ConfigError: a file cannot be read, where Choria would not start either, or is larger than 1 MiB.
    """
    directory = directory or _working_directory(environ)
    initial = find_initial_file(environ, root) if file is None else _absolute(file, directory)
    projects = [place for place in _project_files(directory, root) if exists(place)]
    reader = ConfigReader(_home(environ))
    if initial is None:
        for place in projects:
            reader.report(
                "note",
                place,
                "not read: a project file only adds to a client's configuration, which does not exist; "
                "name this file with config= or create ~/.choriarc",
            )
    else:
        if os.path.isdir(initial):  # noqa: PTH112 - pathlib raises if it may not be entered
            raise ConfigError(f"cannot read {safe(str(initial))}: it is a directory; name a file with config=")
        reader.read(initial)
        reader.read_plugins(initial)
        for place in projects:
            reader.read(place)
    _apply_environment(reader, environ)
    _complete_and_check(reader, initial)
    return Configuration(initial, tuple(reader.files), reader.values, reader.raw, tuple(reader.problems))


def _apply_environment(reader: ConfigReader, environ: Mapping[str, str]) -> None:
    """Override the files' values with those of the environment."""
    for key in KEYS.values():
        if key.variable and (value := environ.get(key.variable)):
            # Bytes that are not UTF-8 are surrogates in Python, which cannot be sent.
            text = value.encode(errors="replace").decode()
            reader.values[key.name] = Value(convert(key.kind, text), f"environment {key.variable}")


def _complete_and_check(reader: ConfigReader, initial: Path | None) -> None:
    """Set the defaults that depend on other settings, and report those that Choria rejects (config.go, normalize)."""
    values = reader.values

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
        reader.report(
            "error",
            anonymous.origin,
            f"plugin.security.client_anon_tls needs {signer}.service = true, or {signer}.url: set one of them",
        )
    timeout = values["plugin.choria.network.connect_timeout"]
    if not 0 < timeout.value <= _MAX_CONNECT_TIMEOUT:
        reader.report(
            "error",
            timeout.origin,
            f"plugin.choria.network.connect_timeout is {timeout.value:g} seconds; "
            f"it must be more than 0 and at most {_MAX_CONNECT_TIMEOUT}",
        )
    user, password = values["plugin.nats.user"], values["plugin.nats.pass"]
    if bool(user.value) != bool(password.value):
        reader.report(
            "warning",
            (user if user.value else password).origin,
            "plugin.nats.user and plugin.nats.pass take effect only together: set both or neither",
        )


def _home(environ: Mapping[str, str], *, windows: bool = sys.platform == "win32") -> str:
    if windows:
        drive, home = environ.get("HOMEDRIVE", ""), environ.get("HOMEDIR", "")
        return drive + home if drive and home else ""
    return environ.get("HOME", "")


def _absolute(file: Path, directory: Path | None) -> Path:
    """Return a named file's path. An absolute one is kept as written: its text decides whether it is below HOME."""
    if file.is_absolute() or directory is None:
        return file
    return Path(os.path.normpath(directory / file))


def _working_directory(environ: Mapping[str, str]) -> Path | None:
    """Return the working directory with links unresolved, as Go's os.Getwd does; None if it no longer exists."""
    named = environ.get("PWD", "")
    with contextlib.suppress(OSError, ValueError):
        if os.path.isabs(named) and os.path.samefile(named, "."):  # noqa: PTH117, PTH121 - it may be empty
            return Path(named)
    with contextlib.suppress(OSError):
        return Path.cwd()
    return None


def _project_files(directory: Path | None, root: Path) -> list[Path]:
    """Return the paths where project files may be, in ascending precedence."""
    if directory is None:
        return []
    directory = directory.absolute()
    above = [*reversed(directory.parents), directory]
    inside = directory.is_relative_to(root)
    return [place / "choria.conf" for place in above if not inside or place.is_relative_to(root)]
