"""The README's programs run unchanged, against a real server where they need one."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.demo import embedded
from tests.bed.paths import DOCS, ROOT
from tests.bed.samples import LIFECYCLE, OPTIONS
from tests.engines import page as engines

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SERVICE, PUBLISH, RECEIVE, REPLAY, VALIDATE, ASSERT_VALID, TESTING = PROGRAMS


@pytest.fixture(scope="module")
def server():
    with embedded.nats_server() as running:
        yield running


def start(program: str, url: str) -> subprocess.Popen[str]:
    environment = os.environ | {"NATS_URL": url, "PYTHONUNBUFFERED": "1"}
    program = program.replace("nats://127.0.0.1:4222", url)
    return subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)


async def test_publishing_and_a_service(server) -> None:
    async with lifecycle.connect(server.url) as middleware, middleware.events() as events:
        publisher = start(PUBLISH, server.url)
        assert (await anext(events)).version == "1.4.2"
        assert publisher.wait(20) == 0
        service = start(SERVICE, server.url)
        assert lifecycle.event_type(await anext(events)) == "startup"
        service.send_signal(signal.SIGTERM)
        assert lifecycle.event_type(await anext(events)) == "shutdown"
        assert service.wait(20) == -signal.SIGTERM
        publisher.stdout.close()
        service.stdout.close()


async def test_receiving(server) -> None:
    receiver = start(RECEIVE, server.url)
    lines: list[str] = []
    async with lifecycle.connect(server.url) as middleware:
        me = {"identity": "n1.example.net", "component": "billing"}
        # Nothing reports when the program has subscribed, and events are not retained: publish until it answers.
        while receiver.poll() is None:
            await middleware.publish(lifecycle.startup(version="1.4.2", **me))
            await middleware.publish(lifecycle.shutdown(**me))
    lines = receiver.stdout.read().splitlines()
    receiver.stdout.close()
    assert receiver.returncode == 0
    assert lines[-1] == "n1.example.net is gone"
    assert set(lines[:-1]) <= {"n1.example.net runs 1.4.2"}


async def test_replaying(server) -> None:
    client = await nats_py.connect(server.url)
    await client.jetstream().add_stream(name="README", subjects=["choria.lifecycle.event.>"])
    event = lifecycle.startup(identity="n1.example.net", component="billing", version="1.4.2")
    async with lifecycle.connect(server.url) as middleware:
        await middleware.publish(event, stored=True)
    program = start(REPLAY, server.url)
    line = await asyncio.to_thread(program.stdout.readline)
    program.terminate()
    program.wait(20)
    program.stdout.close()
    await client.jetstream().delete_stream("README")
    await client.close()
    assert line == lifecycle.describe(event) + "\n"


def test_validating_and_testing() -> None:
    said = subprocess.run([sys.executable, "-c", VALIDATE], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [line.removeprefix("# ") for line in VALIDATE.splitlines() if line.startswith("# ")]
    subprocess.run([sys.executable, "-c", ASSERT_VALID], check=True)
    said = subprocess.run([sys.executable, "-c", TESTING], capture_output=True, text=True, check=True).stdout
    assert said == "choria.lifecycle.event.shutdown.billing n1.example.net\n"


def test_a_strict_type_checker_reports_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    page = (DOCS / "connecting.md").read_text("utf-8")
    programs = [*PROGRAMS, *re.findall(r"```python\n(.*?)```", page, re.DOTALL), engines.FILES["archive.py"]]
    files = [tmp_path / f"program{number}.py" for number in range(len(programs))]
    for file, program in zip(files, programs, strict=True):
        file.write_text(program)
    files += (DOCS / "service").glob("*.py")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull, "--cache-dir", tmp_path / "cache"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, cwd=tmp_path, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_program_reports_the_errors_it_shows() -> None:
    page = (DOCS / "connecting.md").read_text("utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for url, said in (("nats://127.0.0.1:1", "try again later: cannot"), ("http://a", "check the settings: ")):
        environment = os.environ | {"NATS_URL": url}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=20
        )
        assert (done.returncode, done.stderr.startswith(said)) == (1, True), done.stderr


def test_the_table_of_events_is_complete() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \| ([^|]*) \|$", README, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == list(lifecycle.EVENT_TYPES)
    for name, required, filled in rows:
        with pytest.raises(lifecycle.OptionError) as caught:
            lifecycle.new(name)
        assert set(caught.value.missing) == set(required.split(", "))
        assert set(required.split(", ")) == set(OPTIONS[name])
        fields = set(LIFECYCLE[name].schema()["properties"]) - {"protocol"}
        assert fields == set(required.split(", ")) | {part.split(" ")[0] for part in filled.split(", ")}


def test_links_lead_to_files_of_this_repository() -> None:
    """The package index also shows the README, where relative links are broken."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    repository = project["urls"]["Repository"]
    links = re.findall(r"\]\(([^)]+)\)|^\[[^]]+\]: (\S+)$", README, re.MULTILINE)
    targets = [inline or reference for inline, reference in links]
    assert all(target.startswith("https://") for target in targets)
    files = [target for target in targets if target.startswith(repository)]
    assert len(files) >= 10
    for target in files:
        kind, branch, path = target.removeprefix(f"{repository}/").split("/", 2)
        assert (kind, branch) in {("blob", "main"), ("raw", "main")}, target
        assert (ROOT / path).exists(), target
    prose = re.sub(r"```.*?```|^    .*?$|`[^`]*`", "", README, flags=re.DOTALL | re.MULTILINE)
    for label in re.findall(r"\[([\w/.]+)\](?![(:])", prose):
        assert f"\n[{label}]: " in README, label
