"""Calls go down the packages, from a factory to the socket and from the socket to a metric, without turning back.

One seam is crossed in both directions: `middleware` calls the transport that `connect` gave it, and a transport calls
the sink that the subscription gave it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.tally.intake import Intake
from choria_lifecycle.tally.recorder import Recorder
from tests.bed.layers import PACKAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from choria_lifecycle.demo import embedded

SEAM = ("middleware", "nats")
HOME = Path(lifecycle.__file__).parent
RANK = {package: row for row, packages in enumerate(PACKAGES) for package in packages}


def package_of(frame: FrameType) -> str | None:
    """Return the package whose code a frame runs, None for code from elsewhere."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(HOME) or path == HOME / "__init__.py":
        return None
    return path.relative_to(HOME).parts[0].removesuffix(".py")


@contextmanager
def calls() -> Iterator[list[tuple[str, str]]]:
    """Record each call from one package into another one, callbacks through foreign code included."""
    found: list[tuple[str, str]] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or (callee := package_of(frame)) is None:
            return
        caller, at = None, frame.f_back
        while at is not None and (caller := package_of(at)) is None:
            at = at.f_back
        if caller is not None and caller != callee:
            found.append((caller, callee))

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield found
    finally:
        sys.setprofile(before)


def assert_downwards(found: list[tuple[str, str]]) -> None:
    """Fail for calls that go up."""
    upwards = sorted(f"{caller} -> {callee}" for caller, callee in {*found} - {SEAM} if RANK[callee] <= RANK[caller])
    assert upwards == []


def assert_passes(found: list[tuple[str, str]], *way: str) -> None:
    """Fail unless each package of the way calls the next one."""
    assert {*pairwise(way)} <= {*found}


async def test_from_a_factory_to_the_socket(server: embedded.Server) -> None:
    async with lifecycle.connect(server.url) as middleware:
        with calls() as found:
            event = lifecycle.startup(identity="n1.example.net", component="way", version="1.4.2")
            await middleware.publish(event)
    assert_downwards(found)
    for way in (("middleware", "wire"), ("middleware", "events", "support"), SEAM):
        assert_passes(found, *way)


async def test_from_the_socket_to_a_metric(server: embedded.Server) -> None:
    recorder = Recorder(now=0.0)
    async with lifecycle.connect(server.url) as middleware, lifecycle.connect(server.url) as other:
        intake = Intake(middleware, recorder, components=("way",), replay=0, stream="", notify=lambda _: None)
        with calls() as found:
            receiving = asyncio.create_task(intake.run())
            async with asyncio.timeout(10):
                while not intake.receiving:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0)
                await other.publish(lifecycle.startup(identity="n1.example.net", component="way", version="1.4.2"))
                while not recorder.nodes:  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.wait({receiving})
    assert_downwards(found)
    for way in (("nats", "middleware"), ("tally", "middleware", "wire")):
        assert_passes(found, *way)


def test_a_call_upwards_is_seen() -> None:
    with pytest.raises(AssertionError, match="events -> wire"):
        assert_downwards([SEAM, ("wire", "events"), ("events", "wire")])
