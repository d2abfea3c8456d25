"""Show the settings in force, and check a connection from its settings to the brokers."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from choria_lifecycle.config.resolve import choria_configuration, resolve
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
    """What `connect` would use, and where it comes from; without any secret. May take seconds to ask facter or puppet.

    The settings of the connection come first, or one named `error` that says why there can be none; then the files of
    Choria's configuration that were read, and each of its keys, if it counts.

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
    timeout: float = 5,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> list[Check]:
    """Look at all that `connect` depends on, and connect to each broker; nothing is published.

    Args:
        servers: as for `connect`.
        timeout: seconds for each broker, and for each question to DNS.
        environ: as for `connect`.
        **options: as for `connect`.

    Returns:
        What was found, what is well included, in the order of `Step`; what is wrong is never raised.
    """
    return [found async for found in iter_checks(servers, timeout=timeout, environ=environ, **options)]


async def iter_checks(
    servers: str | Iterable[str] | None = None,
    *,
    timeout: float = 5,
    environ: Mapping[str, str] | None = None,
    **options: Unpack[ConnectionOptions],
) -> AsyncGenerator[Check]:
    """As `check`, each as soon as it is found."""
    environ = os.environ if environ is None else environ
    for found in check_environment(environ):
        yield found
    # Both in a thread: they read files, and may have to ask facter or puppet.
    try:
        configuration = await asyncio.to_thread(
            choria_configuration, servers, config=options.get("config"), environ=environ
        )
    except ConfigError as error:
        yield Check("error", "configuration", CONFIGURATION, safe(str(error)), ConfigError)
        return
    named = servers is not None or bool(environ.get("NATS_URL"))
    for found in check_configuration(configuration, named=named):
        yield found
    try:
        settings = await asyncio.to_thread(resolve, servers, configuration=configuration, environ=environ, **options)
    except LifecycleError as error:
        if configuration is not None and any(problem.severity == "error" for problem in configuration.problems):
            yield Check("error", "settings", CONNECTION, "there can be none because of this", type(error))
        else:
            yield Check("error", "settings", CONNECTION, f"there can be none: {safe(str(error))}", type(error))
        return
    wrong = False
    for found in (*check_settings(settings), *check_files(settings, time.time())):
        wrong = wrong or found.severity == "error"
        yield found
    reason = preparation_error(settings)
    if reason is not None and wrong:
        yield Check("error", "files", CONNECTION, "no broker is tried because of this", type(reason))
    elif reason is not None:
        yield Check("error", "files", CONNECTION, f"no broker is tried: {safe(str(reason))}", type(reason))
    answers, brokers = await check_dns(settings, timeout)
    for found in answers:
        yield found
    for url in brokers if reason is None else ():
        for found in await check_broker(replace(settings, servers=(url,), srv=()), timeout):
            yield found
