"""docs/service.md shows the files in docs/service unchanged; those that need no web server are run here.

`tests/integration/test_service_hosts.py` runs the others under gunicorn and uvicorn.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import re
import shlex
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from choria_lifecycle import Service
from choria_lifecycle.cli.program import program
from choria_lifecycle.config.settings import ConnectionOptions
from choria_lifecycle.connection import connect
from choria_lifecycle.demo import embedded
from choria_lifecycle.events.event import event_type
from choria_lifecycle.service.announcer import AnnouncerCounters
from choria_lifecycle.service.asgi import ServiceOptions
from tests.bed.paths import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (DOCS / "service.md").read_text("utf-8")
EXAMPLES = {path.name: path.read_text("utf-8") for path in (DOCS / "service").glob("*.py")}


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Server]:
    with embedded.nats_server(jetstream=False) as running:
        yield running


def test_the_examples_are_shown_as_they_are() -> None:
    shown = re.findall(r"```python\n# docs/service/(\w+\.py)\n(.*?)```", PAGE, re.DOTALL)
    assert PAGE.count("```python") == len(shown)
    # Without the module docstring, because the page has its own text.
    code = {name: text.partition("\n\n")[2] for name, text in EXAMPLES.items() if name != "wsgi.py"}
    assert dict(shown) == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["sync.py", "async.py"])
async def test_the_services_are_announced(server: embedded.Server, name: str, number: signal.Signals) -> None:
    async with connect(server.url, environ={}) as middleware, middleware.events(component="billing") as events:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(DOCS / "service" / name),
            env={**os.environ, "NATS_URL": server.url},
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(20):
                assert event_type(await anext(events)) == "startup"
                process.send_signal(number)
                while (ended := event_type(await anext(events))) == "alive":
                    pass
                assert ended == "shutdown"
                assert await process.wait() == -number
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def test_a_single_event_is_published(server: embedded.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", server.url)
    commands = re.findall(r"^    lifecycle (emit .*)$", PAGE, re.MULTILINE)
    async with connect(server.url, environ={}) as middleware, middleware.events() as events:
        await asyncio.to_thread(exec, EXAMPLES["upgraded.py"], {})
        for command in commands:
            done = await asyncio.to_thread(CliRunner().invoke, program, shlex.split(command))
            assert done.exit_code == 0, done.output
        await middleware.flush()
        found = [event_type(await anext(events)) for _ in range(events.queued)]
    assert found == ["upgraded", "startup", "shutdown"]


def test_names_and_links_exist() -> None:
    options = inspect.signature(Service).parameters.keys() | ConnectionOptions.__annotations__.keys()
    assert set(re.findall(r"`(\w+)=[^`]*`", PAGE)) <= options
    assert set(re.findall(r"`service\.(\w+)", PAGE)) == {"provisioned", "upgraded", "counters"}
    assert all(f"`{name}`" in PAGE for name in AnnouncerCounters.__slots__)
    for target, part in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", PAGE):
        assert (DOCS / target).exists(), target
        assert not part or re.search(rf"^#+ {part.replace('-', ' ')}$", PAGE, re.MULTILINE | re.IGNORECASE), part


def test_the_asgi_middleware_takes_every_option() -> None:
    given = {"component", "version", "identity", "connection", "self", "middleware"}
    here = set(inspect.signature(Service).parameters) - given
    assert set(ServiceOptions.__annotations__) == here | set(ConnectionOptions.__annotations__)
