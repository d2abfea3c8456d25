"""Show the settings in force, and check a connection from its settings to the brokers."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from choria_lifecycle.config.resolve import choria_configuration, resolve
from choria_lifecycle.config.table import CONNECT_TIMEOUT, URL_VARIABLE
from choria_lifecycle.connection import check_guard
from choria_lifecycle.doctor.brokers import check_broker, check_dns, preparation_error
from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.doctor.effective import ERROR, Setting, list_settings
from choria_lifecycle.doctor.files import check_files
from choria_lifecycle.doctor.rules import (
    CONFIGURATION,
    CONNECTION,
    check_configuration,
    check_environment,
    check_settings,
)
from choria_lifecycle.errors import ConfigError, LifecycleError
from choria_lifecycle.support.text import safe
from choria_lifecycle.support.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping
    from typing import Unpack

    from choria_lifecycle.config.settings import ConnectionOptions

__all__ = ["check_connection", "effective_settings", "iter_checks"]


def effective_settings(
    servers: str | Iterable[str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> list[Setting]:
    """Return the settings that `connect` would use, and where they come from, without secrets.

    The connection's settings come first, or one named `error` with the reason why there is no connection; then, if
    Choria's configuration applies, its files and keys. May take seconds if facter or puppet is queried.

    Args:
        servers: as for `connect`.
        environ: as for `connect`.
        **options: as for `connect`.

    Raises:
        ConfigError: a file of Choria's configuration cannot be read.
    """
    environ = os.environ if environ is None else environ
    configuration = choria_configuration(servers, config=options.get("config"), environ=environ)
    try:
        settings = resolve(servers, configuration=configuration, environ=environ, **options)
    except ConfigError as error:
        return [Setting(ERROR, safe(str(error)), ""), *list_settings(None, configuration)]
    return list_settings(settings, configuration)


async def check_connection(
    servers: str | Iterable[str] | None = None,
    *,
    timeout: float = CONNECT_TIMEOUT,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> list[Check]:
    """Check everything that `connect` depends on, and connect to each broker; publish nothing.

    Args:
        servers: as for `connect`.
        timeout: seconds for each broker, and for each DNS query.
        environ: as for `connect`.
        **options: as for `connect`.

    Returns:
        The findings, good ones included, in the order of `CheckStep`. Problems are returned, never raised.

    Raises:
        RuntimeError: `choria_lifecycle.testing.announcing` keeps this process off the network.
    """
    return [found async for found in iter_checks(servers, timeout=timeout, environ=environ, **options)]


async def iter_checks(
    servers: str | Iterable[str] | None = None,
    *,
    timeout: float = CONNECT_TIMEOUT,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> AsyncGenerator[Check]:
    """Yield the findings of `check_connection` as they are made."""
    check_guard("check_connection")
    environ = os.environ if environ is None else environ
    for found in check_environment(environ):
        yield found
    # Both in a thread: they read files, and may run facter or puppet.
    try:
        configuration = await run_in_thread(
            choria_configuration, servers, config=options.get("config"), environ=environ
        )
    except ConfigError as error:
        yield Check("error", "configuration", CONFIGURATION, safe(str(error)), ConfigError)
        return
    named = servers is not None or bool(environ.get(URL_VARIABLE))
    for found in check_configuration(configuration, named=named):
        yield found
    try:
        settings = await run_in_thread(resolve, servers, configuration=configuration, environ=environ, **options)
    except LifecycleError as error:
        if configuration is not None and any(problem.severity == "error" for problem in configuration.problems):
            yield Check("error", "settings", CONNECTION, "not possible because of the errors above", type(error))
        else:
            yield Check("error", "settings", CONNECTION, f"not possible: {safe(str(error))}", type(error))
        return
    wrong = False
    for found in (*check_settings(settings), *check_files(settings, time.time())):
        wrong = wrong or found.severity == "error"
        yield found
    reason = preparation_error(settings)
    if reason is not None and wrong:
        yield Check("error", "files", CONNECTION, "no broker is tried because of the errors above", type(reason))
    elif reason is not None:
        yield Check("error", "files", CONNECTION, f"no broker is tried: {safe(str(reason))}", type(reason))
    answers, brokers = await check_dns(settings, timeout)
    for found in answers:
        yield found
    for url in brokers if reason is None else ():
        for found in await check_broker(replace(settings, servers=(url,), srv=()), timeout):
            yield found
