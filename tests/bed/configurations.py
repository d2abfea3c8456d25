"""Choria configurations below a folder that stands for the root of the file system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from choria_lifecycle.config.choria.configuration import read_configuration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from choria_lifecycle.config.choria.configuration import Configuration

__all__ = ["ETC", "PLUGIN", "RC", "build", "found", "load", "names"]

RC = "home/.choriarc"
ETC = "etc/choria/client.conf"
PLUGIN = "etc/choria/plugin.d"


def build(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files, named relative to the root."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def load(
    root: Path,
    files: Mapping[str, str | bytes],
    *,
    environ: Mapping[str, str] | None = None,
    directory: str = "work",
    **options: Any,
) -> Configuration:
    """Write files and read the configuration, with the home directory `home` below the root."""
    build(root, files)
    (root / directory).mkdir(parents=True, exist_ok=True)
    home = {"HOME": str(root / "home")}
    return read_configuration(environ=home | dict(environ or {}), root=root, directory=root / directory, **options)


def found(configuration: Configuration, root: Path) -> list[tuple[str, str, str]]:
    """Return the problems, with places relative to the root."""
    return [(severity, place.removeprefix(f"{root}/"), message) for severity, place, message in configuration.problems]


def names(configuration: Configuration, root: Path) -> list[str]:
    """Return the files that were read, relative to the root."""
    return [str(file.relative_to(root)) for file in configuration.files]
