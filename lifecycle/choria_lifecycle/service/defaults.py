"""The default version and identity of a service: its distribution's version, and the name of this node."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib import metadata
from typing import TYPE_CHECKING, Any

from choria_lifecycle.config.choria.machine import Machine
from choria_lifecycle.config.node import identity
from choria_lifecycle.errors import ConfigError, OptionError
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

__all__ = ["local_identity", "version_of"]


def version_of(module: Mapping[str, Any]) -> str:
    """Return the version of the distribution that provides a module.

    Args:
        module: the module's globals.

    Raises:
        OptionError: no installed distribution provides it; for example, it is a script run by its path.
    """
    spec = module.get("__spec__")
    name = str(getattr(spec, "name", None) or module.get("__package__") or module.get("__name__") or "")
    package = name.partition(".")[0]
    if package and package != "__main__":
        found = _find_distribution(package, str(module.get("__file__") or ""))
        if found is not None:
            return found.version
    raise OptionError(
        f"no installed distribution provides {quoted(name or 'this program')}: pass its version, as in version='1.4.2'",
        missing=("version",),
    )


def _find_distribution(package: str, file: str) -> metadata.Distribution | None:
    """Return the distribution that lists the file, or one that may contain it: some do not list their files."""
    # Most distributions have the name of their package, and searching all of them is slow.
    with suppress(metadata.PackageNotFoundError):
        same = metadata.distribution(package)
        if _contains(same, file):
            return same
    found = [metadata.distribution(name) for name in metadata.packages_distributions().get(package, ())]
    owners = [each for each in found if _contains(each, file)]
    return next(iter(owners or filter(_may_contain, found)), None)


def _contains(distribution: metadata.Distribution, file: str) -> bool:
    return any(str(each.locate()) == file for each in distribution.files or ())


def _may_contain(distribution: metadata.Distribution) -> bool:
    """Return True if the list of files is missing, as in Debian packages, or incomplete, as in editable installs."""
    url = distribution.read_text("direct_url.json")
    return not distribution.files or (url is not None and bool(json.loads(url).get("dir_info", {}).get("editable")))


def local_identity(config: str | PathLike[str] | None, environ: Mapping[str, str] | None) -> str:
    """Return `identity(config, environ=environ)`, or the machine's if the configuration cannot be read."""
    try:
        return identity(config, environ=environ)
    except ConfigError:  # connecting reports it
        return Machine().identity
