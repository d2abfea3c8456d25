"""This node's identity, the name that its events carry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING

from choria_lifecycle.config.choria.machine import Machine
from choria_lifecycle.config.resolve import choria_configuration
from choria_lifecycle.config.table import URL_VARIABLE

if TYPE_CHECKING:
    from choria_lifecycle.config.choria.configuration import Configuration

__all__ = ["configured_identity", "identity"]


def identity(config: str | PathLike[str] | None = None, *, environ: Mapping[str, str] | None = None) -> str:
    """Return this node's identity as Choria derives it, for the events of a program; `Service` uses it by default.

    The first of: `identity` in Choria's configuration; the host name, if it has two dots or more; the DNS name of the
    host's first IPv4 address, unless that is localhost; facter's fact `networking.fqdn`; the host name as it is. It
    does not depend on where the program connects: NATS_URL has no influence.

    Blocks while DNS is queried, and for at most 5 seconds while facter runs; nothing is cached. In an event loop, write
    `await asyncio.to_thread(identity)`.

    Args:
        config: a Choria configuration file; by default, the one that Choria's tools would find.
        environ: the environment variables; by default, `os.environ`.

    Raises:
        ConfigError: a configuration file cannot be read.
    """
    environ = dict(os.environ if environ is None else environ)
    environ.pop(URL_VARIABLE, None)
    return configured_identity(choria_configuration(config=config, environ=environ))


def configured_identity(configuration: Configuration | None, machine: Machine | None = None) -> str:
    """Return this node's identity from Choria's configuration, else as Choria derives it, which may take seconds.

    Args:
        configuration: the result of `choria_configuration`.
        machine: this machine's names and tools.
    """
    given = configuration.get("identity") if configuration is not None else None
    return str(given or (machine or Machine()).identity)
