"""Buckets on a real server: this library and nats-py's KeyValue read each other's entries."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest
from nats.js.errors import KeyDeletedError, KeyNotFoundError, KeyWrongLastSequenceError

import choria_lifecycle as lifecycle
from choria_lifecycle.demo import embedded
from choria_lifecycle.middleware.bucket import RevisionConflict, WriteResult
from tests.bed.faults import proxy
from tests.bed.permissions import allowed
from tests.bed.servers import User, users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nats.js import JetStreamContext
    from nats.js.kv import KeyValue

    from choria_lifecycle.middleware.bucket import Bucket

NUMBERS = count()
WITHIN = 5.0
KEY = "TALLY"


def choria(name: str, ttl: float, **more: object) -> dict[str, Any]:
    """Return the stream of an election's bucket, as made by Choria's broker (broker/network/network_jetstream.go)."""
    return {
        "name": f"KV_{name}",
        "subjects": [f"$KV.{name}.>"],
        "max_age": int(ttl * 1e9),
        "max_msgs_per_subject": 1,
        "max_msg_size": 1024,
        "discard": "new",
        "storage": "file",
        "deny_delete": True,
        "allow_rollup_hdrs": True,
        "allow_direct": True,
        **more,
    }


async def make(client: nats_py.NATS, config: dict[str, Any]) -> None:
    answer = await client.request(
        f"$JS.API.STREAM.CREATE.{config['name']}", json.dumps(config).encode(), timeout=WITHIN
    )
    assert "error" not in json.loads(answer.data)


@asynccontextmanager
async def both(server: embedded.Server, ttl: float = 60.0, **more: object) -> AsyncIterator[tuple[Bucket, KeyValue]]:
    """Make a new bucket; yield it as seen by this library and by nats-py."""
    name = f"B{next(NUMBERS)}"
    async with await nats_py.connect(server.url) as client:
        await make(client, choria(name, ttl, **more))
        async with lifecycle.connect(server.url) as middleware:
            yield middleware.bucket(name), await client.jetstream().key_value(name)


async def test_nats_py_reads_our_entries(server: embedded.Server) -> None:
    async with both(server) as (ours, theirs):
        held = await ours.write(KEY, "host", 0, "a", WITHIN)
        entry = await theirs.get(KEY)
        assert (entry.value, entry.revision) == (b"host", held.revision)
        again = await ours.write(KEY, "hôst", held.revision, "b", WITHIN)
        assert (await theirs.get(KEY)).value == "hôst".encode()
        assert again.revision > held.revision
        assert not again.previous_released
        with pytest.raises(RevisionConflict):
            await ours.write(KEY, "other", held.revision, "c", WITHIN)
        with pytest.raises(RevisionConflict):
            await ours.write(KEY, "other", 0, "d", WITHIN)
        with pytest.raises(KeyWrongLastSequenceError):
            await theirs.create(KEY, b"other")
        await ours.release(KEY, again.revision, WITHIN)
        with pytest.raises((KeyDeletedError, KeyNotFoundError)):
            await theirs.get(KEY)
        assert await theirs.create(KEY, b"theirs") == again.revision + 2


async def test_entries_of_nats_py_are_respected(server: embedded.Server) -> None:
    async with both(server) as (ours, theirs):
        revision = await theirs.create(KEY, b"theirs")
        with pytest.raises(RevisionConflict):
            await ours.write(KEY, "host", 0, "a", WITHIN)
        with pytest.raises(RevisionConflict):
            await ours.release(KEY, revision + 1, WITHIN)
        revision = await theirs.update(KEY, b"again", revision)
        assert (await ours.write(KEY, "host", revision, "b", WITHIN)).revision == revision + 1


@pytest.mark.parametrize("way", ["delete", "purge"])
async def test_a_deleted_key_can_be_written_and_was_not_released(server: embedded.Server, way: str) -> None:
    async with both(server) as (ours, theirs):
        await ours.write(KEY, "host", 0, "a", WITHIN)
        await (theirs.delete(KEY) if way == "delete" else theirs.purge(KEY))
        held = await ours.write(KEY, "host", 0, "b", WITHIN)
        assert not held.previous_released
        assert (await theirs.get(KEY)).value == b"host"


async def test_a_released_key_is_handed_over_once(server: embedded.Server) -> None:
    async with both(server) as (ours, _):
        held = await ours.write(KEY, "host", 0, "a", WITHIN)
        await ours.release(KEY, held.revision, WITHIN)
        with pytest.raises(RevisionConflict):
            await ours.release(KEY, held.revision, WITHIN)
        held = await ours.write(KEY, "other", 0, "b", WITHIN)
        assert held.previous_released
        assert not (await ours.write(KEY, "other", held.revision, "c", WITHIN)).previous_released


async def test_a_repeated_write_is_done_once(server: embedded.Server) -> None:
    async with both(server) as (ours, theirs):
        held = await ours.write(KEY, "host", 0, "a", WITHIN)
        assert (await ours.write(KEY, "host", 0, "a", WITHIN)).revision == held.revision
        next_ = await ours.write(KEY, "host", held.revision, "b", WITHIN)
        assert (await ours.write(KEY, "host", held.revision, "b", WITHIN)).revision == next_.revision
        assert (await theirs.status()).values == 1


async def test_after_the_duplicate_window_the_key_itself_decides(server: embedded.Server) -> None:
    async with both(server, duplicate_window=int(0.1e9)) as (ours, _):
        held = await ours.write(KEY, "host", 0, "a", WITHIN)
        await asyncio.sleep(0.3)  # the server's window
        assert (await ours.write(KEY, "host", 0, "a", WITHIN)).revision == held.revision


@pytest.mark.parametrize("more", [{}, {"allow_msg_ttl": True, "subject_delete_marker_ttl": int(1e9)}])
async def test_a_key_expires_and_can_be_written_again(server: embedded.Server, more: dict[str, object]) -> None:
    async with both(server, 1.0, **more) as (ours, theirs):
        assert await ours.ttl(WITHIN) == 1.0
        held = await ours.write(KEY, "host", 0, "a", WITHIN)
        async with asyncio.timeout(10):
            while True:
                try:
                    found = await ours.write(KEY, "other", 0, "b", WITHIN)
                except RevisionConflict:
                    await asyncio.sleep(0.05)
                    continue
                break
        assert found.revision > held.revision
        assert not found.previous_released
        assert (await theirs.get(KEY)).value == b"other"


async def test_a_missing_bucket(server: embedded.Server) -> None:
    async with lifecycle.connect(server.url) as middleware:
        bucket = middleware.bucket("NONE")
        with pytest.raises(lifecycle.NoStream, match="there is no bucket NONE: Choria's brokers create"):
            await bucket.ttl(WITHIN)
        with pytest.raises(lifecycle.NoStream, match="there is no bucket NONE"):
            await bucket.write(KEY, "x", 0, "a", WITHIN)
        with pytest.raises(lifecycle.NoStream, match="there is no bucket NONE"):
            await bucket.release(KEY, 1, WITHIN)


async def test_a_server_without_jetstream() -> None:
    with embedded.nats_server(jetstream=False) as server:
        async with lifecycle.connect(server.url) as middleware:
            bucket = middleware.bucket("NONE")
            with pytest.raises(lifecycle.NoStream, match="if JetStream is enabled"):
                await bucket.ttl(WITHIN)
            with pytest.raises(lifecycle.NoStream, match="if JetStream is enabled"):
                await bucket.write(KEY, "x", 0, "a", WITHIN)


async def test_a_bucket_without_ttl(server: embedded.Server) -> None:
    async with both(server, 0.0) as (ours, _):
        assert await ours.ttl(WITHIN) == 0.0


@pytest.mark.parametrize("key", ["", "a b", "a.", "a.*", "é"])
async def test_invalid_keys_are_refused(server: embedded.Server, key: str) -> None:
    async with lifecycle.connect(server.url) as middleware:
        with pytest.raises(lifecycle.OptionError, match="is not a valid key"):
            await middleware.bucket("B").write(key, "x", 0, "a", WITHIN)
        with pytest.raises(lifecycle.OptionError, match="is not a valid bucket name"):
            middleware.bucket(f"{key}.")


async def test_a_candidate_with_election_permissions_may_write_but_not_read() -> None:
    publish, _ = allowed({"callerid": "up=x", "permissions": {"election_user": True}})
    name = "CHORIA_LEADER_ELECTION"
    config = users(
        User(name="admin", password="p"),
        User(name="candidate", password="p", publish=publish, subscribe=["_INBOX.>"]),
        User(name="viewer", password="p", publish=["$SYS.REQ.USER.INFO"]),
    )
    with embedded.nats_server(config) as server:

        def url(user: str) -> str:
            return f"nats://{user}:p@127.0.0.1:{server.port}"

        async with await nats_py.connect(url("admin")) as client, lifecycle.connect(url("candidate")) as middleware:
            await make(client, choria(name, 60.0))
            theirs = await client.jetstream().key_value(name)
            ours = middleware.bucket(name)
            assert await ours.ttl(WITHIN) == 60.0
            held = await ours.write(KEY, "host", 0, "a", WITHIN)
            with pytest.raises(RevisionConflict):  # a single server compares revisions before it looks for duplicates
                await ours.write(KEY, "host", 0, "a", WITHIN)
            started = asyncio.get_running_loop().time()
            for token in ("b", "c"):
                with pytest.raises(RevisionConflict):
                    await ours.write(KEY, "host", 0, token, WITHIN)
            assert asyncio.get_running_loop().time() - started < WITHIN / 2  # no needless wait
            held = await ours.write(KEY, "host", held.revision, "d", WITHIN)
            await ours.release(KEY, held.revision, WITHIN)
            with pytest.raises(RevisionConflict):  # the entry cannot be read, but expires with the TTL
                await ours.write(KEY, "host", 0, "e", WITHIN)
            assert await theirs.create(KEY, b"theirs")
            with pytest.raises(lifecycle.NoStream):
                await _deleted(client.jetstream(), name, ours)
        async with lifecycle.connect(url("viewer")) as middleware:
            ours = middleware.bucket(name)
            with pytest.raises(lifecycle.NotAuthorised, match=r"to publish to \$JS.API.STREAM.INFO"):
                await ours.ttl(WITHIN)
            with pytest.raises(lifecycle.NotAuthorised, match=r"to publish to \$KV.CHORIA_LEADER_ELECTION.TALLY"):
                await ours.write(KEY, "host", 0, "f", WITHIN)


async def _deleted(jetstream: JetStreamContext, name: str, ours: Bucket) -> None:
    await jetstream.delete_key_value(name)
    await ours.write(KEY, "host", 0, "z", WITHIN)


async def test_the_connection_is_lost_between_a_write_and_its_confirmation(server: embedded.Server) -> None:
    async with both(server) as (_, theirs), proxy(server.port) as between, lifecycle.connect(between.url) as middleware:
        ours = middleware.bucket(theirs._name)
        revision = 0
        for number in range(3):
            between.black_hole(between.to_client)
            with pytest.raises(lifecycle.ConnectionFailed, match=f"bucket {theirs._name}: "):
                await ours.write(KEY, "host", revision, f"t{number}", 1.0)
            stored = await theirs.get(KEY)  # it has been written
            if number == 1:
                between.drop()
            between.heal()
            held = await _answered(ours, revision, f"t{number}")
            assert held.revision == stored.revision
            revision = held.revision


async def _answered(ours: Bucket, revision: int, token: str) -> WriteResult:
    async with asyncio.timeout(WITHIN):
        while True:
            try:
                return await ours.write(KEY, "host", revision, token, WITHIN)
            except lifecycle.ConnectionFailed:
                continue


async def test_requests_respect_the_timeout(server: embedded.Server) -> None:
    async with both(server) as (_, theirs), proxy(server.port) as between, lifecycle.connect(between.url) as middleware:
        ours = middleware.bucket(theirs._name)
        assert await ours.ttl(WITHIN) == 60.0
        between.black_hole()
        started = asyncio.get_running_loop().time()
        with pytest.raises(lifecycle.ConnectionFailed):
            await ours.ttl(0.2)
        with pytest.raises(lifecycle.ConnectionFailed):
            await ours.write(KEY, "host", 0, "a", 0.2)
        with pytest.raises(lifecycle.ConnectionFailed):
            await ours.release(KEY, 1, 0.2)
        with pytest.raises(lifecycle.ConnectionFailed):
            await ours.write(KEY, "host", 0, "b", 0.0)
        assert asyncio.get_running_loop().time() - started < 2.0
        between.heal()


async def test_a_bucket_cannot_be_used_after_its_middleware_is_closed(server: embedded.Server) -> None:
    async with lifecycle.connect(server.url) as middleware:
        ours = middleware.bucket("B")
    with pytest.raises(lifecycle.ConnectionFailed, match="the middleware is closed"):
        await ours.ttl(WITHIN)


async def test_a_write_can_be_cancelled_at_any_point(server: embedded.Server) -> None:
    async with both(server) as (ours, theirs):
        for steps in range(25):
            key = f"k{steps}"
            writing = asyncio.create_task(ours.write(key, "host", 0, key, WITHIN))
            for _ in range(steps):
                await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            held = await ours.write(key, "host", 0, key, WITHIN)
            assert (await theirs.get(key)).revision == held.revision
