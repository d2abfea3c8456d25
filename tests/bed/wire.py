"""Additions to asyncio's streams for a server that changes to TLS, and a reader for NATS protocol operations."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

__all__ = ["LIMIT", "close", "first_byte", "operation", "streams"]

LIMIT = 2**21
"""The maximum length of a line in bytes."""

_HANDSHAKE_SECONDS = 5.0
_GOODBYE_SECONDS = 1.0
_CARRY_DATA = {"PUB", "HPUB", "MSG", "HMSG"}


async def first_byte(connection: socket.socket) -> bytes:
    """Wait for the first byte without consuming it: a TLS handshake is asyncio's to read."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


async def streams(connection: socket.socket, context: ssl.SSLContext | None) -> Streams:
    """Return the streams of an accepted connection, encrypted if there is a context; OSError if the handshake fails."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(LIMIT, loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    timeout = _HANDSHAKE_SECONDS if context else None
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, connection, ssl=context, ssl_handshake_timeout=timeout
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def close(writer: asyncio.StreamWriter) -> None:
    """Flush what was written, then close; with a timeout."""
    writer.close()
    with suppress(OSError):  # includes TimeoutError
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await writer.wait_closed()


async def operation(reader: asyncio.StreamReader) -> tuple[str, list[str], bytes]:
    """Read the next NATS operation: its verb, its arguments, and all of it; EOFError at the end."""
    line = await reader.readuntil(b"\n")
    verb, *arguments = line.decode(errors="replace").split() or [""]
    if verb.upper() in _CARRY_DATA:
        line += await reader.readexactly(int(arguments[-1]) + 2)
    return verb.upper(), arguments, line
