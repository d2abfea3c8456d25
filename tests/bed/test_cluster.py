"""The cluster elects a leader, and one of its servers can be separated from the others."""

from __future__ import annotations

import asyncio

import nats as nats_py
import pytest

from .cluster import cluster, retry_request, server_named

STREAM = {"name": "S", "subjects": ["s.>"], "num_replicas": 3}


async def test_a_server_is_separated_from_the_others() -> None:
    with cluster() as running:
        apart = await nats_py.connect(running.urls[0])
        others = await nats_py.connect(running.urls[1:])
        made = await retry_request(others, "STREAM.CREATE.S", STREAM)
        assert server_named(running, made["cluster"]["leader"]) in running.servers
        assert len(made["cluster"]["replicas"]) == 2
        await retry_request(apart, "STREAM.INFO.S", {})
        running.isolate()
        await retry_request(others, "STREAM.PURGE.S", {})  # needs two of the three
        with pytest.raises((nats_py.errors.Error, TimeoutError)):
            await apart.jetstream().publish("s.2", timeout=0.5)
        running.heal()
        async with asyncio.timeout(30):
            while True:
                try:
                    await apart.jetstream().publish("s.3", timeout=1)
                except (nats_py.errors.Error, TimeoutError):
                    continue
                break
        await apart.close()
        await others.close()
