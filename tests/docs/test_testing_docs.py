"""docs/testing.md matches the code: each example runs in an empty folder, in its own pytest process."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle import shutdown
from choria_lifecycle.connection import publish_once
from choria_lifecycle.demo import embedded
from choria_lifecycle.testing import Announcements, pytest_plugin
from tests.bed.inner_pytest import run_pytest
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "testing.md").read_text("utf-8")
FILES = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
PASSING = sorted(name for name in FILES if name.startswith("test_") and name != "test_failing.py")


def test_every_example_has_a_name() -> None:
    assert len(FILES) == PAGE.count("```python")
    assert set(FILES) == {"billing.py", "conftest.py", "test_failing.py", *PASSING}


def test_the_examples_pass(tmp_path: Path) -> None:
    """All in one suite, with the conftest.py that keeps every test away from a broker."""
    files = {name: text for name, text in FILES.items() if name != "test_failing.py"}
    ran = run_pytest(tmp_path, files)
    tests = sum(len(re.findall(r"^ *def test_", text, re.MULTILINE)) for text in files.values())
    assert (ran.passed, ran.failed) == (tests, 0), ran.text


@pytest.mark.parametrize("name", PASSING)
def test_each_example_needs_only_the_program(tmp_path: Path, name: str) -> None:
    ran = run_pytest(tmp_path, {"billing.py": FILES["billing.py"], name: FILES[name]})
    assert ran.passed > 0, ran.text
    assert not ran.failed, ran.text


# Every way to reach a broker, from the main thread and from another.
EVERY_WAY = """
import asyncio
import threading

import pytest
from click.testing import CliRunner

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.program import program
from choria_lifecycle.doctor import check_connection

EVENT = lifecycle.shutdown(identity="n1.example.net", component="billing")


async def connect():
    async with lifecycle.connect() as middleware:
        await middleware.publish(EVENT)


async def announce():
    async with lifecycle.Service("billing", "1.4.2"):
        pass


@pytest.fixture(scope="module", params=[False, True], ids=["here", "in a thread"])
def call(request):
    def call(function, *arguments):
        result = []
        thread = threading.Thread(target=lambda: result.append(function(*arguments)))
        thread.start()
        thread.join(10)
        return result

    return call if request.param else lambda function, *arguments: [function(*arguments)]


@pytest.fixture(autouse=True, scope="module")
def service():
    with lifecycle.Service("module", "1.4.2"):
        yield


def test_publish_once(call):
    assert call(lifecycle.publish_once, EVENT) == [None]


def test_service(call):
    assert call(asyncio.run, announce()) == [None]


@pytest.mark.parametrize("blocked", [connect, check_connection])
def test_connect(call, blocked):
    def refused():
        with pytest.raises(RuntimeError, match="is blocked by choria_lifecycle.testing.announcing"):
            asyncio.run(blocked())
        return True

    assert call(refused) == [True]


def test_command(call):
    [result] = call(CliRunner().invoke, program, ["emit", "shutdown", "--identity", "n1", "--component", "billing"])
    assert isinstance(result.exception, RuntimeError)
"""


def test_no_test_at_all_can_reach_a_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server sees not even a connection."""
    assert "no test at all can reach a broker" in " ".join(PAGE.split())
    with embedded.nats_server("debug: true", jetstream=False) as server:
        monkeypatch.setenv("NATS_URL", server.url)

        def connections() -> int:
            # The log shows the connection of this call after all others.
            publish_once(shutdown(identity="n1.example.net", component="billing"), server.url, environ={})
            return server.log.read_text().count("Client connection created")

        before = connections()
        ran = run_pytest(tmp_path, {"conftest.py": FILES["conftest.py"], "test_every_way.py": EVERY_WAY})
        assert (ran.passed, ran.failed) == (10, 0), ran.text
        assert connections() == before + 1
        (tmp_path / "work" / "conftest.py").unlink()
        before = connections()
        run_pytest(tmp_path, {"test_every_way.py": EVERY_WAY})
        assert connections() > before + 5


def test_the_failure_looks_as_the_page_shows(tmp_path: Path) -> None:
    ran = run_pytest(tmp_path, {name: FILES[name] for name in ("billing.py", "test_failing.py")})
    assert ran.failed == 1
    shown = re.findall(r"^    E +(.*)$", PAGE, re.MULTILINE)
    assert [line for line in re.findall(r"^E +(.*)$", ran.text, re.MULTILINE) if line] == shown


def test_the_example_for_unittest_runs_without_pytest(tmp_path: Path) -> None:
    for name in ("billing.py", "test_unittest.py"):
        (tmp_path / name).write_text(FILES[name])
    command = [sys.executable, "-W", "error", "test_unittest.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert ran.returncode == 0, ran.stderr
    assert "Ran 1 test" in ran.stderr


def test_the_table_and_the_links_are_correct() -> None:
    methods = re.findall(r"^\| `(?:await )?(\w+)", PAGE, re.MULTILINE)
    public = [name for name, _ in inspect.getmembers(Announcements, inspect.isfunction) if not name.startswith("_")]
    assert sorted(methods) == sorted([*public, "clock"])
    assert set(re.findall(r"`(lifecycle_\w+)`", PAGE)) == set(pytest_plugin.__all__)
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
