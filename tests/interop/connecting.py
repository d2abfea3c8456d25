"""A configuration given to Choria's client and to this library, both connecting to Choria's own broker.

The results must be equal: the brokers, the name, the inbox, the TLS settings, whether they are admitted, and what they
may do there. Where they differ, the case gives a reason.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import choria_lifecycle as lifecycle
from choria_lifecycle.config.resolve import choria_configuration, resolve
from choria_lifecycle.config.settings import Verify
from choria_lifecycle.nats.credentials import inbox_prefix

from .broker import choria, write
from .broker.cases import Case, cases
from .broker.site import EVENTS, Settings, Site, build_site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.config.settings import ConnectionSettings
    from choria_lifecycle.middleware.subscription import Events

    from .broker import Choria, Client

__all__ = ["Compared", "compare", "problems", "summary"]

_SECONDS = 30.0
_VERIFY = {Verify.FULL: "full", Verify.COMMON_NAME: "common name", Verify.NOTHING: "nothing"}
_GO, _OURS = "go", "python"
# Choria's client would retry forever.
_FAILED = "Initial connection to the Broker failed"


@dataclass(frozen=True, slots=True)
class Compared:
    """The results of both sides.

    Attributes:
        case: the configuration.
        go: the results of Choria's client.
        ours: the results of this library. Results that one side did not get as far as are missing, and not compared.
        said: the error of a side that failed, in its own words.
    """

    case: Case
    go: dict[str, Any]
    ours: dict[str, Any]
    said: dict[str, str]

    @property
    def place(self) -> str:
        """The name of the case."""
        return f"{self.case.name} ({self.case.broker})"

    def problems(self) -> list[str]:
        """Return the differences, except one side alone being admitted for a reason."""
        differing = sorted(name for name in self.go.keys() & self.ours.keys() if self.go[name] != self.ours[name])
        if self.case.reason and "connects" not in differing:
            return [f"{self.place}: both do the same, although {self.case.reason}"]
        if self.case.reason:
            differing.remove("connects")
        said = "; ".join(f"{who}: {words}" for who, words in self.said.items())
        return [
            f"{self.place}: {name} is {self.go[name]!r} with Go, and {self.ours[name]!r} here" + (said and f" ({said})")
            for name in differing
        ]


def problems(done: list[Compared]) -> list[str]:
    """Return unexplained differences, and reasons that explain nothing."""
    return [problem for compared in done for problem in compared.problems()]


def summary(done: list[Compared]) -> str:
    """Summarise the comparison, and list the cases in which only one side is admitted."""
    let_in = sum(compared.go["connects"] for compared in done)
    lines = [f"{len(done)} clients at Choria's brokers; {let_in} times Choria's own client is let in"]
    for compared in done:
        if compared.case.reason:
            who = "Go" if compared.go["connects"] else "ours"
            lines.append(f"  {compared.place}: {who} alone, as {compared.case.reason}")
    return "\n".join(lines)


def compare() -> list[Compared]:
    """Run all brokers, and both clients with each case.

    Raises:
        GoError: the Go program could not be built, or failed.
    """
    with ExitStack() as stack:
        program = stack.enter_context(choria())
        site = build_site(program, Path(stack.enter_context(TemporaryDirectory(prefix="lifecycle-site-"))))
        (site.folder / "home").mkdir()
        ports = {
            name: stack.enter_context(program.broker(settings, environ=site.environ)).port
            for name, settings in site.brokers.items()
        }
        return [_compared(program, site, case, ports[case.broker]) for case in cases(site)]


def _compared(program: Choria, site: Site, case: Case, port: int) -> Compared:
    common: Settings = {
        "identity": "me.example.net",
        "loglevel": "warn",
        "plugin.choria.use_srv": "false",
        "plugin.choria.middleware_hosts": f"{case.host}:{port}",
    }
    file = write(site.folder / "client.conf", common | case.settings)
    environ = {**site.environ, **case.environ}
    with program.client(file, environ=environ, folder=site.folder) as client:
        go, said = _go(client)
        return asyncio.run(_both(case, file, environ, client, go, said))


def _go(client: Client) -> tuple[dict[str, Any], dict[str, str]]:
    """Return how Choria's client reads its configuration, and whether it is admitted, which is known at once."""
    line = client.until("plan", "failed")
    made: dict[str, Any] = {"connects": False}
    if "plan" in line:
        plan = line["plan"]
        made |= {"servers": plan["servers"], "name": plan["certname"]} | (plan["tls"] or {})
        line = client.until("connected", "failed", "log")
        while _FAILED not in line.get("log", _FAILED):
            line = client.until("connected", "failed", "log")
    if "connected" in line:
        there = line["connected"]
        made |= {"connects": True, "name": there["name"], "prefix": there["prefix"]} | there["tls"]
        return made, {}
    return made, {"Go": str(line.get("failed") or line.get("log"))}


async def _both(
    case: Case, file: Path, environ: Mapping[str, str], client: Client, go: dict[str, Any], said: dict[str, str]
) -> Compared:
    """Connect this library beside Choria's client, and check that each receives the other's events."""
    ours: dict[str, Any] = {"connects": False}
    published: list[str] = []
    middleware = events = None
    async with AsyncExitStack() as stack:
        try:
            settings = await asyncio.to_thread(_settings, file, environ)
            ours |= _plan(settings)
            middleware = await stack.enter_async_context(
                lifecycle.connect(config=file, environ=environ, timeout=_SECONDS)
            )
            ours |= {"connects": True, "prefix": inbox_prefix(settings)}
        except lifecycle.LifecycleError as error:
            said["ours"] = str(error)
        if go["connects"]:
            go["views"] = not await asyncio.to_thread(client.ask, subscribe=EVENTS)
        if middleware is not None:
            events = await _subscribed(stack, middleware)
            ours["views"] = events is not None
        if go["connects"]:
            go["publishes"] = not await asyncio.to_thread(client.ask, publish=_GO)
            published += [_GO] if go["publishes"] else []
        if middleware is not None:
            ours["publishes"] = await _published(middleware, stored=case.stored)
            published += [_OURS] if ours["publishes"] else []
        if go.get("views"):
            seen = await asyncio.to_thread(client.events, len(published))
            go["sees"] = [subject.rpartition(".")[2] for subject in seen]
        if events is not None:
            async with asyncio.timeout(_SECONDS):
                ours["sees"] = [(await anext(events)).component for _ in published]
    return Compared(case, go, ours, said)


def _settings(file: Path, environ: Mapping[str, str]) -> ConnectionSettings:
    found = choria_configuration(config=file, environ=environ, directory=file.parent)
    return resolve(configuration=found, environ=environ)


def _plan(settings: ConnectionSettings) -> dict[str, Any]:
    return {
        "servers": list(settings.servers),
        "name": settings.name,
        "verify": _VERIFY[settings.verify],
        "authority": settings.ca is not None,
        "certificate": settings.cert is not None,
    }


async def _subscribed(stack: AsyncExitStack, middleware: lifecycle.Middleware) -> Events | None:
    try:
        return await stack.enter_async_context(middleware.events())
    except lifecycle.NotAuthorised:
        return None


async def _published(middleware: lifecycle.Middleware, *, stored: bool) -> bool:
    event = lifecycle.startup(identity="me.example.net", component=_OURS, version="1.0.0")
    try:
        await middleware.publish(event, stored=stored)
    except lifecycle.NotAuthorised:
        return False
    return True
