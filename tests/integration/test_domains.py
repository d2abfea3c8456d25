"""JetStream in another domain or account: streams, buckets and elections, with nats-py as the judge."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.election.campaign import Campaign
from choria_lifecycle.middleware.bucket import RevisionConflict
from tests.bed.leaf import IMPORTED, importing_server, leaf_node, wait_linked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from nats.js import JetStreamContext

WITHIN = 5.0
STREAM: dict[str, Any] = {"name": "CHORIA_EVENTS", "subjects": ["choria.lifecycle.event.>"]}
BUCKET = "CHORIA_LEADER_ELECTION"


class Place(NamedTuple):
    """A client whose JetStream is elsewhere.

    Attributes:
        url: the URL of its server, with its user.
        options: the arguments of `connect`.
        theirs: nats-py's view of that JetStream from the same place.
        owner: nats-py's view from where it is.
    """

    url: str
    options: dict[str, Any]
    theirs: JetStreamContext
    owner: JetStreamContext


@asynccontextmanager
async def domain(**options: Any) -> AsyncIterator[Place]:
    with leaf_node() as tree:
        await wait_linked(tree)
        async with await nats_py.connect(tree.leaf.url) as near, await nats_py.connect(tree.hub.url) as far:
            yield Place(tree.leaf.url, options, near.jetstream(domain="hub"), far.jetstream())


@asynccontextmanager
async def account() -> AsyncIterator[Place]:
    with importing_server() as server:
        url = server.url.replace("//", "//{0}:{0}@")
        guest, owner = url.format("guest"), url.format("owner")
        async with await nats_py.connect(guest) as near, await nats_py.connect(owner) as far:
            yield Place(guest, {"js_prefix": IMPORTED}, near.jetstream(prefix=IMPORTED), far.jetstream())


PLACES = [
    pytest.param(lambda: domain(js_domain="hub"), id="domain"),
    pytest.param(lambda: domain(js_prefix="$JS.hub.API."), id="prefix of a domain"),
    pytest.param(account, id="account"),
]


def alive(number: int) -> lifecycle.Event:
    return lifecycle.alive(identity=f"n{number}.example.net", component="server", version="1.0.0")


async def make_bucket(owner: JetStreamContext) -> Any:
    return await owner.create_key_value(bucket=BUCKET, ttl=60, history=1)


@pytest.mark.parametrize("elsewhere", PLACES)
async def test_a_replay(elsewhere: Callable[[], Any]) -> None:
    before, after = [alive(number) for number in range(300)], [alive(number) for number in range(300, 310)]
    async with elsewhere() as place:
        await place.owner.add_stream(**STREAM)
        for event in before:
            await place.owner.publish(lifecycle.subject(event), lifecycle.encode(event))
        async with lifecycle.connect(place.url, environ={}, **place.options) as middleware:
            async with middleware.events(since=0) as events:
                assert [await anext(events) for _ in before] == before
                consumer = (await place.owner.consumers_info("CHORIA_EVENTS"))[0].name
                await place.owner.delete_consumer("CHORIA_EVENTS", consumer)
                for event in after:
                    await place.owner.publish(lifecycle.subject(event), lifecycle.encode(event))
                assert [await anext(events) for _ in after] == after
                assert (events.counters.replayed, events.counters.gaps) == (300, 0)
            await middleware.flush()
            async with asyncio.timeout(WITHIN):
                while await place.owner.consumers_info("CHORIA_EVENTS"):
                    pass
        subscription = await place.theirs.pull_subscribe("choria.lifecycle.event.>", stream="CHORIA_EVENTS")
        theirs = [message.data for message in await subscription.fetch(310, timeout=WITHIN)]
        assert theirs == list(map(lifecycle.encode, before + after))


@pytest.mark.parametrize("elsewhere", PLACES)
async def test_an_election(elsewhere: Callable[[], Any]) -> None:
    async with elsewhere() as place:
        owned = await make_bucket(place.owner)
        theirs = await place.theirs.key_value(BUCKET)
        async with lifecycle.connect(place.url, environ={}, **place.options) as middleware:
            bucket = middleware.bucket(BUCKET)
            assert await bucket.ttl(WITHIN) == 60
            held = await bucket.write("KEY", "first", 0, "a", WITHIN)
            assert await bucket.write("KEY", "first", 0, "a", WITHIN) == held
            for each in (owned, theirs):
                entry = await each.get("KEY")
                assert (entry.value, entry.revision) == (b"first", held.revision)
            with pytest.raises(RevisionConflict):
                await bucket.write("KEY", "second", 0, "b", WITHIN)
            await bucket.release("KEY", held.revision, WITHIN)
            assert (await bucket.write("KEY", "second", 0, "c", WITHIN)).previous_released
            won = asyncio.Event()
            async with Campaign(bucket, "TALLY", "host", changed=lambda leads: leads and won.set()) as campaign:
                async with asyncio.timeout(30):
                    await won.wait()
                assert campaign.leader
                assert (await owned.get("TALLY")).value == b"host"


async def refusal(url: str, **options: Any) -> tuple[str, str]:
    """Return the errors of a replay and of a bucket."""
    async with lifecycle.connect(url, environ={}, **options) as middleware:
        with pytest.raises(lifecycle.NoStream) as replay:
            await middleware.events(since=0).__aenter__()
        with pytest.raises(lifecycle.NoStream) as bucket:
            await middleware.bucket(BUCKET).ttl(WITHIN)
    return str(replay.value), str(bucket.value)


NONE = "no JetStream stream stores choria.lifecycle.event.>"
EARLIER = ": earlier messages cannot be replayed"
BUCKETS = ": Choria's brokers create the buckets they need if JetStream is enabled"
ELSEWHERE = (
    "; if the hub of a leaf node has it, name its domain with js_domain= (`nats account info` shows it there); "
    "if another account has it, import its API and name the prefix with js_prefix="
)


async def test_nothing_is_there() -> None:
    with leaf_node() as tree:
        await wait_linked(tree)
        found = {
            name: await refusal(tree.leaf.url, **options)
            for name, options in {
                "own": {},
                "wrong": {"js_domain": "nowhere"},
                "hub": {"js_domain": "hub"},
                "prefix": {"js_prefix": "choria.streams"},
            }.items()
        }
        async with lifecycle.connect(tree.leaf.url, environ={}, js_domain="hub") as middleware:
            with pytest.raises(lifecycle.NoStream, match=r"^there is no JetStream stream OTHER in the domain hub$"):
                await middleware.events(since=0, stream="OTHER").__aenter__()
    other = "; if it is in another domain, name that with js_domain="
    wrong = ", as there is no answer from the JetStream domain nowhere"
    check = "; check js_domain=, and the link to that domain; that of this server is site"
    under = ", as there is no answer from JetStream under choria.streams"
    imports = "; check js_prefix=, and that the account imports the API under it"
    bucket = f"there is no bucket {BUCKET}"
    assert found == {
        "own": (f"{NONE} in the domain site{EARLIER}{other}", f"{bucket} in the domain site{BUCKETS}{other}"),
        "wrong": (f"{NONE}{wrong}{EARLIER}{check}", f"{bucket}{wrong}{BUCKETS}{check}"),
        "hub": (f"{NONE} in the domain hub{EARLIER}", f"{bucket} in the domain hub{BUCKETS}"),
        "prefix": (f"{NONE}{under}{EARLIER}{imports}", f"{bucket}{under}{BUCKETS}{imports}"),
    }


async def test_jetstream_is_enabled_at_the_hub_only() -> None:
    with leaf_node(jetstream=False) as tree:
        await wait_linked(tree)
        replay, bucket = await refusal(tree.leaf.url)
        assert replay == f"{NONE}, as JetStream is not enabled on this server{EARLIER}{ELSEWHERE}"
        assert bucket == f"there is no bucket {BUCKET}, as JetStream is not enabled on this server{BUCKETS}{ELSEWHERE}"
        async with lifecycle.connect(tree.leaf.url, environ={"NATS_JS_DOMAIN": "hub"}) as middleware:
            with pytest.raises(lifecycle.NoStream, match=f"^{NONE} in the domain hub: "):
                await middleware.events(since=0).__aenter__()


async def test_jetstream_is_enabled_for_another_account_only() -> None:
    with importing_server() as server:
        replay, bucket = await refusal(server.url.replace("//", "//guest:guest@"))
    assert replay == f"{NONE}, as JetStream is not enabled for this account{EARLIER}{ELSEWHERE}"
    assert bucket == f"there is no bucket {BUCKET}, as JetStream is not enabled for this account{BUCKETS}{ELSEWHERE}"
