"""`lifecycle validate --since`: what a stream on a real nats-server has stored, and where its findings are."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest

from choria_lifecycle.demo import embedded
from tests.bed.cluster import retry_request
from tests.integration.test_validate import BAD, GOOD, WARNED, ended, read_line, running, totals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from nats.aio.client import Client

LIFECYCLE = "choria.lifecycle.event.startup.server"
MACHINE = "choria.machine.transition"
TRANSITION = json.dumps(
    {
        "protocol": "io.choria.machine.v1.transition",
        "identity": "n1.example.net",
        "id": "afde5918-768b-4db1-8615-34f204b5f362",
        "version": "1.0.0",
        "timestamp": 1_700_000_000,
        "machine": "puppet",
        "transition": "start",
        "from_state": "unknown",
        "to_state": "running",
        "info_source": "test",
    }
).encode()
BAD_TRANSITION = TRANSITION.replace(b'"puppet"', b"5")
EVENTS: dict[str, Any] = {"name": "CHORIA_EVENTS", "subjects": ["choria.lifecycle.>"]}
MACHINES: dict[str, Any] = {"name": "MACHINES", "subjects": ["choria.machine.>", "other"]}


@pytest.fixture
def own() -> Iterator[embedded.Server]:
    with embedded.nats_server() as running_server:
        yield running_server


@asynccontextmanager
async def storing(server: embedded.Server, *streams: dict[str, Any]) -> AsyncIterator[Client]:
    """Create streams, and yield a connection."""
    client = await nats_py.connect(server.url, allow_reconnect=False)
    try:
        for each in streams:
            await retry_request(client, f"STREAM.CREATE.{each['name']}", each)
        yield client
    finally:
        await client.close()


async def store(client: Client, subject: str, *payloads: bytes) -> None:
    for each in payloads:
        await client.jetstream().publish(subject, each)


def judged(server: embedded.Server, *arguments: object) -> tuple[int, list[dict[str, Any]], str]:
    """Validate to the end; return the exit code, the findings and standard error."""
    with running("--server", server.url, "--output", "json", *arguments) as process:
        code, out, err = ended(process)
    return code, [json.loads(line) for line in out.splitlines()], err


def places(findings: Sequence[dict[str, Any]]) -> list[tuple[str, str, int, int]]:
    return [(each["stream"], each["subject"], each["number"], each["sequence"]) for each in findings]


async def test_findings_have_the_sequence_and_the_subject(own: embedded.Server) -> None:
    async with storing(own, EVENTS, MACHINES) as client:
        await store(client, LIFECYCLE, GOOD, BAD)
        await store(client, MACHINE, TRANSITION, BAD_TRANSITION)
        await store(client, "other", b"nonsense")
        await store(client, LIFECYCLE, WARNED, GOOD)
        await store(client, MACHINE, BAD_TRANSITION, TRANSITION)
    code, found, err = judged(own, "--since", "1h")
    assert (code, totals(err)) == (1, (4, 3, 1))
    assert places(found) == [("CHORIA_EVENTS", LIFECYCLE, 2, 2), ("CHORIA_EVENTS", LIFECYCLE, 3, 3)]
    code, found, err = judged(own, "--since", "1h", "--subject", "choria.machine.>", "--stream", "MACHINES")
    assert (code, totals(err)) == (1, (4, 2, 2))
    assert places(found) == [("MACHINES", MACHINE, 2, 2), ("MACHINES", MACHINE, 3, 4)]
    with running("--server", own.url, "--since", "1h", "--subject", "choria.machine.>") as process:
        _, out, _ = ended(process)
    assert [line.partition(": ")[0] for line in out.splitlines()] == [f"{MACHINE}#2", f"{MACHINE}#4"]


async def test_new_messages_are_judged_with_follow_only(own: embedded.Server) -> None:
    async with storing(own, EVENTS) as client:
        await store(client, LIFECYCLE, BAD)
        with running("--server", own.url, "--since", "1h") as process:
            while not read_line(process.stderr).startswith(b"Reading the stream CHORIA_EVENTS from "):
                pass
            await store(client, LIFECYCLE, BAD, BAD)
            code, out, err = ended(process)
        assert (code, totals(err), len(out.splitlines())) == (1, (1, 0, 1), 1)
        follow = ["--since", "1h", "--follow", "--count", 4, "--output", "json"]
        with running("--server", own.url, *follow) as process:
            while b"out of 3 stored; waiting for new ones" not in read_line(process.stderr):
                pass
            await store(client, LIFECYCLE, BAD)
            code, out, err = ended(process)
    assert (code, totals(err)) == (1, (4, 0, 4))
    found = [json.loads(line) for line in out.splitlines()]
    assert [each["sequence"] for each in found[:3]] == [1, 2, 3]
    assert found[3]["number"] == 4
    assert (found[3]["stream"], found[3]["sequence"]) in [(None, None), ("CHORIA_EVENTS", 4)]


async def test_until_cuts_exactly(own: embedded.Server) -> None:
    async with storing(own, EVENTS) as client:
        await store(client, LIFECYCLE, *[BAD] * 4)
        times = [
            (await retry_request(client, "STREAM.MSG.GET.CHORIA_EVENTS", {"seq": sequence}))["message"]["time"]
            for sequence in range(1, 5)
        ]
    for number, time in enumerate(times[1:], 2):
        code, found, _ = judged(own, "--since", "1h", "--until", time)
        assert (code, [each["sequence"] for each in found]) == (1, list(range(1, number)))
        _, found, err = judged(own, "--since", time)
        assert [each["sequence"] for each in found] == list(range(number, 5)), err
    code, found, err = judged(own, "--since", "2h", "--until", "1h")
    assert found == []
    assert totals(err) == (0, 0, 0)
    assert "nothing is stored on choria.lifecycle.event.> in this interval\n" in err


async def test_a_stream_that_has_discarded_messages_is_not_clean(own: embedded.Server) -> None:
    async with storing(own, EVENTS | {"max_msgs": 3}) as client:
        await store(client, LIFECYCLE, *[WARNED] * 5)
    code, found, err = judged(own, "--since", "1h")
    assert (code, [each["sequence"] for each in found], totals(err)) == (2, [3, 4, 5], (3, 3, 0))
    assert "UTC: the stream CHORIA_EVENTS no longer has them\n" in err
    for output in ("sarif", "junit", "gitlab", "github"):
        with running("--server", own.url, "--output", output, "--since", "1h", "--no-warnings") as process:
            code, out, _ = ended(process)
        assert (code, out.count("CHORIA_EVENTS no longer has them")) == (2, 1)
        if output == "junit":
            assert ' errors="1" ' in out
    code, _, err = judged(own, "--since", "30s")
    assert (code, totals(err)) == (0, (3, 3, 0)), err


async def test_following_does_not_hide_what_the_stream_has_discarded(own: embedded.Server) -> None:
    async with storing(own, EVENTS | {"max_msgs": 3}) as client:
        await store(client, LIFECYCLE, *[WARNED] * 5)
        code, found, err = judged(own, "--since", "1h", "--follow", "--count", 3)
        assert (code, [each["sequence"] for each in found], totals(err)) == (2, [3, 4, 5], (3, 3, 0))
        assert "UTC: the stream CHORIA_EVENTS no longer has them\n" in err
        code, _, err = judged(own, "--since", "30s", "--follow", "--count", 3)
        assert (code, totals(err)) == (0, (3, 3, 0)), err


async def test_transformed_subjects(own: embedded.Server) -> None:
    transform = {"src": "choria.lifecycle.>", "dest": "dc1.choria.lifecycle.>"}
    async with storing(own, EVENTS | {"subject_transform": transform}) as client:
        await store(client, LIFECYCLE, GOOD, BAD)
    code, found, err = judged(own, "--since", "1h", "--subject", "dc1.choria.lifecycle.event.>")
    assert (code, totals(err)) == (1, (2, 1, 1))
    wrong = [each for each in found if each["severity"] == "error"]
    assert places(wrong) == [("CHORIA_EVENTS", f"dc1.{LIFECYCLE}", 2, 2)]
    assert {each["code"] for each in found} == {"schema-type", "subject-differs"}
    code, found, err = judged(own, "--since", "1h")
    assert (code, found) == (2, [])
    assert "has its events under dc1.choria.lifecycle.event.>: read them with --stream and --subject" in err


@pytest.mark.parametrize("until", [[], ["--until", "2099-02-01T00:00:00Z"]])
def test_an_interval_in_the_future_is_refused(until: list[str], own: embedded.Server) -> None:
    code, found, err = judged(own, "--since", "2099-01-01T00:00:00Z", *until)
    assert (code, found) == (2, [])
    assert "--since is in the future: without --follow, nothing could be read\n" in err


async def test_a_stream_that_begins_after_the_interval(own: embedded.Server) -> None:
    async with storing(own, EVENTS) as client:
        await store(client, LIFECYCLE, GOOD)
    code, found, err = judged(own, "--since", "2h", "--until", "1h", "--allow-empty")
    assert (code, found) == (0, [])
    assert re.search(
        r"^Nothing to read: the stream CHORIA_EVENTS begins at .* UTC, after this interval$", err, re.MULTILINE
    ), err


@pytest.mark.parametrize("output", ["text", "junit"])
async def test_fewer_messages_than_required(output: str, own: embedded.Server) -> None:
    async with storing(own, EVENTS) as client:
        await store(client, LIFECYCLE, GOOD, GOOD)
    with running("--server", own.url, "--output", output, "--since", "1h", "--count", 3) as process:
        code, out, err = ended(process)
    assert code == 1
    assert "only 2 of 3 messages arrived\n" in err
    assert ("only 2 of 3 messages arrived" in out) == (output == "junit")


async def test_a_sealed_stream_is_read_to_its_end(own: embedded.Server) -> None:
    async with storing(own, EVENTS) as client:
        await store(client, LIFECYCLE, GOOD)
        await retry_request(client, "STREAM.UPDATE.CHORIA_EVENTS", EVENTS | {"sealed": True})
    code, _, err = judged(own, "--since", "1h")
    assert (code, totals(err)) == (0, (1, 1, 0)), err
    assert "missed" not in err


@pytest.mark.parametrize("subject", ["choria.>", "choria.machine.>"])
async def test_a_stream_that_does_not_store_all_of_the_subject_is_refused(own: embedded.Server, subject: str) -> None:
    async with storing(own, EVENTS) as client:
        await store(client, LIFECYCLE, GOOD)
    code, found, err = judged(own, "--since", "1h", "--subject", subject)
    assert (code, found) == (2, [])
    assert "does not store all of choria.>" in err or "no JetStream stream stores choria.machine.>" in err
    assert "checked" not in err


async def test_without_jetstream() -> None:
    with embedded.nats_server(jetstream=False) as server:
        code, found, err = judged(server, "--since", "1h")
    assert (code, found) == (2, [])
    assert "no JetStream stream stores choria.lifecycle.event.>" in err
