"""Ports for servers in other processes, which cannot be handed a socket."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

__all__ = ["free_port"]

# Systems give ports from 32768 on to sockets that ask for any: such a port may be taken before its server starts.
_RANGE = range(20_000, 32_000)
_random = random.SystemRandom()


def free_port() -> int:
    """Return a port on 127.0.0.1 on which nothing listens, and which no socket gets by asking for any."""
    while True:
        with suppress(OSError), socket.socket() as probe:
            port = _random.choice(_RANGE)
            probe.bind(("127.0.0.1", port))
            return port
