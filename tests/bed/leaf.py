"""A leaf node whose hub has JetStream in the domain `hub`, and an account that imports another's JetStream."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import nats as nats_py

from choria_lifecycle.demo import embedded

from .cluster import retry_request
from .ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["IMPORTED", "Tree", "importing_server", "leaf_node", "wait_linked"]

IMPORTED = "choria.streams"
"""The prefix under which Choria's provisioning account imports JetStream's API."""


class Tree(NamedTuple):
    """A hub and its leaf node."""

    hub: embedded.Server
    leaf: embedded.Server


@contextmanager
def leaf_node(*, jetstream: bool = True) -> Iterator[Tree]:
    """Run a hub and a leaf node within the block; see `wait_linked`.

    Args:
        jetstream: enable JetStream on the leaf node, in the domain `site`.
    """
    port = free_port()
    with ExitStack() as stack:

        def run(name: str, domain: str, leafnodes: dict[str, object]) -> embedded.Server:
            store = stack.enter_context(TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True))
            config = f"server_name: {name}\nleafnodes: {json.dumps(leafnodes)}"
            if domain:
                config += f"\njetstream: {json.dumps({'domain': domain, 'store_dir': store})}"
            return stack.enter_context(embedded.nats_server(config, jetstream=False, store=Path(store)))

        hub = run("hub", "hub", {"listen": f"127.0.0.1:{port}", "no_advertise": True})
        yield Tree(hub, run("leaf", "site" * jetstream, {"remotes": [{"url": f"nats://127.0.0.1:{port}"}]}))


async def wait_linked(tree: Tree) -> None:
    """Wait until requests from the leaf node reach the hub."""
    async with await nats_py.connect(tree.leaf.url) as client:
        await retry_request(client, "INFO", {}, prefix="$JS.hub.API")


@contextmanager
def importing_server() -> Iterator[embedded.Server]:
    """Run a server on which the account of `guest` imports the JetStream of that of `owner`; passwords as names."""
    exports = [{"service": "$JS.API.>", "response_type": "stream"}, {"service": "$KV.>"}, {"stream": "choria.>"}]
    imports = [
        {"service": {"account": "choria", "subject": "$JS.API.>"}, "to": f"{IMPORTED}.>"},
        {"service": {"account": "choria", "subject": "$KV.>"}, "to": f"{IMPORTED}.$KV.>"},
        {"stream": {"account": "choria", "subject": "choria.>"}},
    ]
    accounts = {
        "choria": {
            "jetstream": "enabled",
            "users": [{"user": "owner", "password": "owner"}],
            "exports": exports,
        },
        "provisioning": {"users": [{"user": "guest", "password": "guest"}], "imports": imports},
    }
    with embedded.nats_server(f"accounts: {json.dumps(accounts)}") as server:
        yield server
