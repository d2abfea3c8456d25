"""The choice of the stream to read, on real servers: copies, filters, transforms and permissions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import nats as nats_py
import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.demo import embedded
from tests.bed.cluster import retry_request
from tests.bed.leaf import leaf_node, wait_linked
from tests.bed.servers import User, users

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nats.aio.client import Client

EVENTS = "choria.lifecycle.event.>"
SUBJECT = "choria.lifecycle.event.alive.server"
DATA = lifecycle.encode(lifecycle.alive(identity="n1.example.net", component="server", version="1.0.0"))
NONE = f"no JetStream stream stores {EVENTS}"
EARLIER = ": earlier messages cannot be replayed"


def stream(name: str, *subjects: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "storage": "memory", "subjects": list(subjects), **more}


def mirror(name: str, origin: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "storage": "memory", "mirror": {"name": origin, **more}}


def sources(name: str, *origins: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "storage": "memory", "sources": [{"name": origin, **more} for origin in origins]}


def renamed(source: str, destination: str) -> dict[str, Any]:
    return {"subject_transforms": [{"src": source, "dest": destination}]}


@pytest.fixture
def own() -> Iterator[embedded.Server]:
    """Run a private server."""
    with embedded.nats_server() as running:
        yield running


async def make(client: Client, *streams: dict[str, Any]) -> None:
    for each in streams:
        await retry_request(client, f"STREAM.CREATE.{each['name']}", each)


async def chosen(url: str, name: str = "", **options: Any) -> str:
    """Return the name of the stream that a replay reads."""
    async with (
        lifecycle.connect(url, environ={}, **options) as middleware,
        middleware.events(since=0, stream=name) as events,
    ):
        return str(events._replay._cursor.stream)  # type: ignore[union-attr]


async def refusal(url: str, name: str = "", **options: Any) -> str:
    with pytest.raises(lifecycle.NoStream) as caught:
        await chosen(url, name, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("streams", "found"),
    [
        pytest.param([stream("ANY", "choria.>")], "ANY", id="the only one"),
        pytest.param(
            [stream("CHORIA_EVENTS", "choria.lifecycle.>"), sources("FLEET", "CHORIA_EVENTS")],
            "CHORIA_EVENTS",
            id="Choria's before another",
        ),
        pytest.param(
            [stream("CHORIA_EVENTS", "choria.machine.>"), stream("SITE", "choria.lifecycle.>")],
            "SITE",
            id="Choria's stores others",
        ),
        pytest.param([stream("SITE", EVENTS), mirror("COPY", "SITE")], "SITE", id="not its mirror"),
        pytest.param(
            [stream("SITE", EVENTS), sources("PART", "SITE", filter_subject="choria.lifecycle.event.alive.>")],
            "SITE",
            id="not a part",
        ),
        pytest.param(
            [stream("SITE", EVENTS), sources("FLEET", "SITE", **renamed(EVENTS, f"dc1.{EVENTS}"))],
            "SITE",
            id="not a prefix",
        ),
        pytest.param(
            [stream("SITE", EVENTS), sources("LAST", "SITE") | {"max_msgs_per_subject": 1}],
            "SITE",
            id="not one that cannot be read",
        ),
        pytest.param(
            [stream("RAW", "dc1.>"), mirror("COPY", "RAW", **renamed("dc1.choria.>", "choria.>"))],
            "COPY",
            id="renamed by a mirror",
        ),
        pytest.param(
            [stream("RAW", "dc1.>"), sources("A", "RAW"), sources("B", "A", **renamed("dc1.choria.>", "choria.>"))],
            "B",
            id="renamed by a source of a source",
        ),
        pytest.param(
            [stream("RAW", "dc1.>", subject_transform={"src": "dc1.choria.>", "dest": "choria.>"})],
            "RAW",
            id="renamed as it is stored",
        ),
    ],
)
async def test_a_stream_is_found(own: embedded.Server, streams: list[dict[str, Any]], found: str) -> None:
    async with await nats_py.connect(own.url) as client:
        await make(client, *streams)
    assert await chosen(own.url) == await chosen(own.url, found) == found


@pytest.mark.parametrize(
    ("streams", "name", "message"),
    [
        pytest.param(
            [stream("SITE", EVENTS), sources("FLEET", "SITE")],
            "",
            f"several streams store {EVENTS}, name one with stream=: FLEET ({EVENTS}), SITE ({EVENTS})",
            id="several",
        ),
        pytest.param(
            [stream("SITE", EVENTS), mirror("PART", "SITE", filter_subject="choria.lifecycle.event.alive.>")],
            "PART",
            f"the stream PART does not store all of {EVENTS}, but only choria.lifecycle.event.alive.>",
            id="a filter",
        ),
        pytest.param(
            [stream("SITE", EVENTS), mirror("OTHER", "SITE", filter_subject="choria.machine.>")],
            "OTHER",
            "the stream OTHER stores nothing: its filters match no subject of the streams that it copies",
            id="nothing",
        ),
        pytest.param(
            [
                stream("RAW", "choria.lifecycle.>"),
                sources("CENTRAL", "RAW", **renamed("choria.lifecycle.>", "dc1.choria.lifecycle.>")),
            ],
            "CENTRAL",
            f"the stream CENTRAL does not store {EVENTS}: its events are under dc1.{EVENTS}; read them with subject=",
            id="a prefix",
        ),
        pytest.param(
            [stream("CENTRAL", "dc1.choria.lifecycle.>", "dc2.choria.lifecycle.>")],
            "",
            f"{NONE}{EARLIER}; the stream CENTRAL has its events under dc1.{EVENTS}, dc2.{EVENTS}: "
            "read them with stream= and subject=",
            id="prefixes of an unnamed stream",
        ),
        pytest.param(
            [stream("QUEUE", EVENTS, retention="workqueue")],
            "",
            "the stream QUEUE deletes each message once a worker has read it: its retention must be limits",
            id="a work queue",
        ),
    ],
)
async def test_a_stream_is_refused(
    own: embedded.Server, streams: list[dict[str, Any]], name: str, message: str
) -> None:
    async with await nats_py.connect(own.url) as client:
        await make(client, *streams)
    assert await refusal(own.url, name) == message


async def test_a_prefix_can_be_read(own: embedded.Server) -> None:
    async with await nats_py.connect(own.url) as client:
        await make(client, stream("SITE", EVENTS), sources("CENTRAL", "SITE", **renamed(EVENTS, f"dc1.{EVENTS}")))
        await client.jetstream().publish(SUBJECT, DATA)
    async with (
        lifecycle.connect(own.url, environ={}) as middleware,
        middleware.deliveries(f"dc1.{EVENTS}", since=0) as deliveries,
    ):
        delivery = await anext(deliveries)
    assert (delivery.subject, delivery.event) == (f"dc1.{SUBJECT}", lifecycle.parse(DATA))


async def test_a_copy_of_an_unknown_stream_is_judged_by_its_messages(caplog: pytest.LogCaptureFixture) -> None:
    with leaf_node() as tree:
        await wait_linked(tree)
        async with await nats_py.connect(tree.hub.url) as hub, await nats_py.connect(tree.leaf.url) as leaf:
            await make(hub, stream("FAR", "choria.lifecycle.>"))
            await make(leaf, mirror("NEAR", "FAR", external={"api": "$JS.hub.API"}))
            assert await refusal(tree.leaf.url) == (
                f"{NONE} in the domain site{EARLIER}; the stream NEAR may store it, depending on the stream FAR behind "
                "$JS.hub.API: name it with stream="
            )
            assert not caplog.messages
            assert await chosen(tree.leaf.url, "NEAR") == "NEAR"
            (warning,) = caplog.messages
            assert warning == (
                f"the stream NEAR may not store {EVENTS}: that depends on the stream FAR behind $JS.hub.API, and none "
                "of its 0 messages is such an event"
            )
            caplog.clear()
            await hub.jetstream().publish(SUBJECT, DATA)
            async with asyncio.timeout(30):
                while not (await leaf.jetstream().stream_info("NEAR")).state.messages:
                    pass
            assert await chosen(tree.leaf.url) == await chosen(tree.leaf.url, "NEAR") == "NEAR"
            assert not caplog.messages


async def test_a_stream_that_deletes_what_has_been_read(own: embedded.Server, caplog: pytest.LogCaptureFixture) -> None:
    async with await nats_py.connect(own.url) as client:
        await make(client, stream("INTEREST", EVENTS, retention="interest"))
    assert await chosen(own.url) == "INTEREST"
    (warning,) = caplog.messages
    assert warning == (
        "the stream INTEREST deletes messages once its consumers have read them: history may be missing; "
        "set its retention to limits"
    )


@pytest.mark.parametrize(
    ("functions", "found"),
    [
        (["STREAM.INFO.*", "STREAM.LIST"], "ANY"),
        (["STREAM.INFO.*", "STREAM.NAMES"], "ANY"),
        (["STREAM.INFO.ANY", "STREAM.NAMES"], "ANY"),
        (["STREAM.LIST", "STREAM.INFO.ANY"], "ANY"),
        (["STREAM.INFO.CHORIA_EVENTS"], lifecycle.NoStream),
        (["STREAM.INFO.ANY"], lifecycle.NotAuthorised),
    ],
)
async def test_permissions(functions: list[str], found: str | type[Exception]) -> None:
    api = [f"$JS.API.{function}" for function in (*functions, "CONSUMER.>")]
    known = users(User(name="all", password="all"), User(name="me", password="me", publish=api))
    with embedded.nats_server(known) as server:
        async with await nats_py.connect(server.url, user="all", password="all") as client:
            await make(client, stream("ANY", "choria.>"))
        if isinstance(found, str):
            assert await chosen(server.url, user="me", password="me") == found
            return
        with pytest.raises(found) as caught:
            await chosen(server.url, user="me", password="me")
        assert str(caught.value) == (
            f"no stream CHORIA_EVENTS stores {EVENTS}, and this user may not look for another: name it with stream="
            if found is lifecycle.NoStream
            else "the server does not allow this user to publish to $JS.API.STREAM.INFO.CHORIA_EVENTS"
        )
