"""`lifecycle view`, `validate` and `tally` with a stream on a real nats-server, and through its outage."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.demo import embedded
from tests.bed.cluster import retry_request
from tests.integration.test_cli_streams import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 30
TIME = r"\d\d:\d\d:\d\d"
BEGIN = rf"\d{{4}}-\d\d-\d\d {TIME} UTC"


@contextmanager
def running(server: embedded.Server, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `lifecycle`, and kill it if the test has not ended it."""
    command = [sys.executable, "-m", "choria_lifecycle", *arguments, "--server", server.url]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def wait_line(process: subprocess.Popen[str], words: str) -> None:
    """Wait for a line on standard error."""
    assert process.stderr is not None
    assert any(words in line for line in iter(process.stderr.readline, "")), words


def wait_event(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline()


async def make(server: embedded.Server, name: str, subject: str) -> None:
    client = await nats_py.connect(server.url)
    await retry_request(client, f"STREAM.CREATE.{name}", {"name": name, "subjects": [subject]})
    await client.close()


async def publish(server: embedded.Server, number: int) -> None:
    event = lifecycle.startup(identity=f"n{number}.example.net", component="server", version="1.0.0")
    async with lifecycle.connect(server.url, environ={}) as middleware:
        await middleware.publish(event, timeout=SECONDS)


async def test_a_view_of_a_stream_through_an_outage(tmp_path: Path) -> None:
    with embedded.nats_server(store=tmp_path) as first:
        await make(first, "CHORIA_EVENTS", "choria.lifecycle.>")
        await publish(first, 1)
        with running(first, "view", "--since", "1h") as viewer:
            wait_event(viewer)
            wait_line(viewer, "1 events shown out of 1 stored; waiting for new ones")
            first.kill()
            wait_line(viewer, "lost the connection to NATS: the server closed the connection; reconnecting")
            with embedded.nats_server(store=tmp_path, port=first.port) as second:
                await publish(second, 2)
                wait_event(viewer)
                viewer.send_signal(signal.SIGTERM)
                out, err = viewer.communicate(timeout=SECONDS)
    lines = [line for line in err.splitlines() if line != "lifecycle: warning: connection to NATS: connection refused"]
    assert (viewer.returncode, out) == (0, "")
    assert lines == [
        f"lifecycle: warning: reconnected to {first.url}",
        "received 2 = 2 shown + 0 filtered + 0 rejected + 0 dropped",
    ]


@pytest.mark.parametrize(("command", "code"), [("view", 0), ("validate", 2)])
async def test_without_a_stream_an_outage_is_named(command: str, code: int) -> None:
    with embedded.nats_server(jetstream=False) as first, running(first, command) as process:
        wait_line(process, "events from topic" if command == "view" else "Validating messages on")
        first.kill()
        wait_line(process, "lost the connection to NATS")
        with embedded.nats_server(jetstream=False, port=first.port):
            wait_line(process, "reconnected to ")
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=SECONDS)
    noun = "events" if command == "view" else "messages"
    assert process.returncode == code
    assert re.match(
        f"{noun} may have been missed from {TIME} to {TIME} UTC: the connection was lost\n(received|checked) 0 = ", err
    )


@pytest.mark.parametrize(("command", "code"), [("view", 0), ("validate", 2)])
async def test_a_connection_that_is_still_lost_is_named(command: str, code: int) -> None:
    with embedded.nats_server(jetstream=False) as server, running(server, command) as process:
        wait_line(process, "events from topic" if command == "view" else "Validating messages on")
        server.kill()
        wait_line(process, "lost the connection to NATS")
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SECONDS)
    noun = "events" if command == "view" else "messages"
    assert process.returncode == code
    assert f"the connection is still lost: {noun} published since may have been missed\n" in err


async def test_a_stream_with_other_subjects_is_refused_with_the_flag() -> None:
    with embedded.nats_server() as server:
        await make(server, "CENTRAL", "dc1.choria.lifecycle.>")
        hint = (
            "the stream CENTRAL does not store choria.lifecycle.event.>: its events are under "
            "dc1.choria.lifecycle.event.>; read them with --subject"
        )
        for command in ("view", "validate"):
            with running(server, command, "--since", "1h", "--stream", "CENTRAL") as process:
                out, err = process.communicate(timeout=SECONDS)
            assert (process.returncode, out, err) == (2, "", f"lifecycle: error: {hint}\n")
        with running(server, "tally", "--port", "0", "--stream", "CENTRAL") as tally:
            wait_line(tally, f"lifecycle: warning: {hint}; ")
        subject = "dc1.choria.lifecycle.event.>"
        with running(server, "view", "--since", "1h", "--subject", subject, "--for", "100ms") as viewer:
            out, err = viewer.communicate(timeout=SECONDS)
    assert (viewer.returncode, out) == (0, "")
    assert re.fullmatch(
        f"Waiting for events from topic {subject} on {server.url}\n"
        rf"Reading the stream CENTRAL from {BEGIN}, its beginning\n"
        r"0 events shown out of 0 stored; waiting for new ones\n"
        r"received 0 = 0 shown \+ 0 filtered \+ 0 rejected \+ 0 dropped\n",
        err,
    )
