"""Choria's names and times are the defaults of everything that follows them."""

from __future__ import annotations

from inspect import signature

from choria_lifecycle import Service
from choria_lifecycle.middleware.memory import InMemoryTransport
from choria_lifecycle.middleware.middleware import Middleware
from choria_lifecycle.support.choria import ELECTION_BUCKET, EVENT_STREAM, SERVICE_INTERVAL
from choria_lifecycle.tally.daemon import TallyOptions


async def test_the_bucket_exists_in_memory() -> None:
    assert await InMemoryTransport().bucket(ELECTION_BUCKET).ttl(1) == 60.0


def test_the_interval_is_that_of_services() -> None:
    assert signature(Service).parameters["interval"].default == SERVICE_INTERVAL


def test_the_tally_leaves_the_choice_of_the_stream_to_the_library() -> None:
    assert TallyOptions().stream == signature(Middleware.events).parameters["stream"].default == ""
    assert EVENT_STREAM in str(Middleware.events.__doc__)
