"""The pytest fixtures, used by test suites that run in their own folder and their own pytest process."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.bed.inner_pytest import run_pytest

if TYPE_CHECKING:
    from pathlib import Path

SYNC = """
import threading
import unittest

import pytest
from choria_lifecycle import Service
from choria_lifecycle.service.service import INTERVAL
from choria_lifecycle.testing import announcing

service = Service("module", "1")


@pytest.mark.parametrize("number", range(4))
def test_a_block(lifecycle_announcements, number):
    with Service("billing", "1.4.2", servers="nats://broker.example.net", strict=True):
        lifecycle_announcements.clock.advance(INTERVAL)
    lifecycle_announcements.assert_types("startup", "alive", "shutdown")


def test_the_module_and_a_thread(lifecycle_announcements):
    service.start()
    thread = threading.Thread(target=service.stop)
    thread.start()
    thread.join()
    lifecycle_announcements.wait("shutdown", component="module")


class TestUnits(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _announcements(self, lifecycle_announcements):
        self.announcements = lifecycle_announcements

    def test_it(self):
        with Service("billing", "1.4.2"):
            self.announcements.assert_types("startup")


class TestMore(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.announcements = self.enterContext(announcing())

    async def test_it(self):
        async with Service("billing", "1.4.2"):
            await self.announcements.wait_async("startup")
        self.announcements.assert_types("startup", "shutdown")
"""

ASYNC = """
import pytest
from choria_lifecycle import Service
from choria_lifecycle.service.service import INTERVAL
{before}

@pytest.fixture
async def service(lifecycle_announcements):
    async with Service("billing", "1.4.2") as service:
        yield service


{mark}
async def test_a_block(lifecycle_announcements):
    async with Service("billing", "1.4.2"):
        await lifecycle_announcements.wait_async("startup")
        lifecycle_announcements.clock.advance(INTERVAL)
        await lifecycle_announcements.clock.advance_async(INTERVAL)
    lifecycle_announcements.assert_types("startup", "alive", "alive", "shutdown")


{mark}
async def test_a_fixture(service, lifecycle_announcements):
    service.provisioned()
    await lifecycle_announcements.wait_async("provisioned")


{mark}
async def test_a_middleware(lifecycle_middleware):
    announcements = lifecycle_middleware.announcements
    async with lifecycle_middleware.events() as events:
        async with Service("billing", "1.4.2", middleware=lifecycle_middleware):
            await announcements.clock.advance_async(INTERVAL)
        announcements.assert_types("startup", "alive", "shutdown", identity="test.example.net")
        assert await anext(aiter(events)) == announcements.of("startup")[0]
"""


def test_without_other_plugins(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, {"test_sync.py": SYNC})
    assert (ran.passed, ran.failed) == (7, 0), ran.text


def test_found_automatically_with_other_plugins_and_xdist(tmp_path: Path) -> None:
    files = {"test_sync.py": SYNC, "test_async.py": ASYNC.format(before="", mark="")}
    options = ("-n", "2", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")
    ran = run_pytest(tmp_path, files, *options, autoload=True)
    assert (ran.passed, ran.failed) == (10, 0), ran.text


PYTEST_ASYNCIO = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.mark.parametrize(
    ("options", "before", "mark"),
    [
        ((*PYTEST_ASYNCIO, "-o", "asyncio_mode=auto"), "", ""),
        ((*PYTEST_ASYNCIO, "-o", "asyncio_mode=strict"), "import pytest_asyncio", "@pytest.mark.asyncio"),
        (("-p", "anyio.pytest_plugin"), "", "@pytest.mark.anyio"),
    ],
    ids=["asyncio auto", "asyncio strict", "anyio"],
)
def test_with_asynchronous_plugins(tmp_path: Path, options: tuple[str, ...], before: str, mark: str) -> None:
    text = ASYNC.format(before=before, mark=mark)
    if "strict" in str(options):
        text = text.replace("@pytest.fixture", "@pytest_asyncio.fixture")
    conftest = "import pytest\n\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    ran = run_pytest(tmp_path, {"test_async.py": text, "conftest.py": conftest}, *options)
    assert (ran.passed, ran.failed) == (3, 0), ran.text


def test_a_failure_shows_the_line_of_the_test(tmp_path: Path) -> None:
    text = """
def test_it(lifecycle_announcements):
    lifecycle_announcements.wait("alive", timeout=0.01)


def test_that(lifecycle_announcements):
    lifecycle_announcements.assert_types("startup")


def test_misspelt(lifecycle_announcements):
    lifecycle_announcements.wait("started", timeout=0.01)
"""
    ran = run_pytest(tmp_path, {"test_mine.py": text})
    assert (ran.passed, ran.failed) == (0, 3), ran.text
    places = set(re.findall(r"^(\S+\.py):\d+: (\w+)", ran.text, re.MULTILINE))
    assert {("test_mine.py", "AssertionError")} <= places
    assert not any("AssertionError" in error and "choria_lifecycle" in file for file, error in places)
    assert "nothing was announced" in ran.text


def test_the_fixtures_are_documented(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, {}, "--fixtures")
    assert "lifecycle_announcements -- " in ran.text
    assert "The events that services announce: services started while a test uses this" in ran.text
    assert "lifecycle_middleware -- " in ran.text


def test_an_unused_plugin_costs_less_than_5_ms() -> None:
    """Per start of pytest; the best of several runs, because the machine may be busy."""
    code = (
        "import sys, time, pytest; before = set(sys.modules); began = time.perf_counter(); "
        "import choria_lifecycle.testing.pytest_plugin; "
        "print(time.perf_counter() - began, *sorted(set(sys.modules) - before))"
    )
    seconds = []
    for _ in range(5):
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
        took, *modules = ran.stdout.split()
        assert modules == [
            "choria_lifecycle",
            "choria_lifecycle.testing",
            "choria_lifecycle.testing.pytest_plugin",
            "choria_schemas",
            "choria_schemas.lazy",
        ]
        seconds.append(float(took))
    assert min(seconds) < 0.005, seconds
