"""nats-py's client where its own behaviour does not suffice; each method says what it mends.

The methods named with an underscore belong to nats-py, which calls them; `tests/integration` notices if a new release
stops doing so.
"""
# nats-py's annotations leave much open, which a strict checker reports at every use.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from nats import errors
from nats.aio.client import Client as BaseClient
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.protocol.command import pub_cmd
from nats.protocol.parser import ERR_RE, PERMISSIONS_ERR, STALE_CONNECTION, Parser

from choria_lifecycle.log import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from urllib.parse import ParseResult

    from choria_lifecycle.transport import Message

__all__ = ["Client"]


# How long a closed socket may take to say goodbye, in seconds.
_GOODBYE = 1.0

# The errors after which the server keeps the connection (nats-server, server/client.go); it closes it after all others.
_KEPT = (PERMISSIONS_ERR, "maximum subscriptions exceeded", "invalid subject", "invalid publish subject")


class Client(BaseClient):
    """A connection to NATS that tells when it was lost, confirms in order, and closes without leaving anything.

    Attributes:
        on_connect: called when a connection has been made, before anything is received on it.
        lost: done once the current connection is lost; a new connection gets a new one, so that whoever holds one knows
            whether it is still the same connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self._socket = _Socket()  # type: ignore[no-untyped-call]
        self._transport = self._socket
        self._ps = self._parser = _Parser(self)
        self._over = False
        self._listeners: dict[int, Callable[[str, bytes], None]] = {}
        self.on_connect: Callable[[], None] = lambda: None
        self.lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    @property
    def tried(self) -> ParseResult | None:
        """The server that was last tried: nats-py's list does not say, servers it has heard of come after it."""
        return self._socket.tried

    @property
    def offers_tls(self) -> bool:
        """Whether TLS was agreed with the server that has just greeted; nats-py has then encrypted the connection."""
        return bool(self._server_info.get("tls_required"))

    def enqueue(self, messages: Iterator[Message], limit: int) -> bool:
        """Queue messages for sending until they have `limit` bytes; True if that many were taken and more may follow.

        `publish` does this for one message at a time, and takes as long for it as encoding an event does. The caller
        has checked subjects and sizes, and that the client is connected.
        """
        size = count = 0
        queue = self._pending.append
        for subject, data in messages:
            command = pub_cmd(subject, "", data)
            queue(command)
            count += 1
            size += len(command)
            if size >= limit:
                break
        self._pending_data_size += size
        self.stats["out_msgs"] += count
        self.stats["out_bytes"] += size
        return size >= limit

    def written(self) -> asyncio.Future[None]:
        """Return a future that is done when all that was queued before has been handed to the socket.

        The queue of such futures has no bound (`flusher_queue_size`): nats-py would wait for room in it outside every
        deadline, and swallow a cancellation.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._flush_queue is None:
            raise errors.ConnectionClosedError
        self._flush_queue.put_nowait(done)
        return done

    def ping(self) -> asyncio.Future[bool]:
        """Send a PING at once and return the future of its PONG. To be called when all else is `written`.

        `flush` will not do: it sends its PING ahead of what is queued, so that the PONG confirms nothing; while
        reconnecting it reports success; and after a timeout it cancels a future, on which a late PONG then ends the
        read loop.
        """
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self._socket.write(b"PING\r\n")  # type: ignore[no-untyped-call]
        return pong

    async def listen(self, subject: str, queue: str, receive: Callable[[str, bytes], None]) -> int:
        """Subscribe, and have each message handed over the moment it is parsed; returns the subscription's number.

        nats-py puts messages into a queue that a task of each subscription empties into a coroutine, or makes a task
        for each message of an iterator. That is most of the time a message takes, and drops messages of its own.
        The caller has checked the subject.
        """
        self._sid += 1
        sid = self._sid
        self._subs[sid] = Subscription(self, sid, subject, queue)
        self._listeners[sid] = receive
        await self._send_subscribe(self._subs[sid])
        return sid

    async def unlisten(self, sid: int) -> None:
        """Unsubscribe what `listen` subscribed; nothing more is handed over from now on."""
        # Without its tasks nats-py would write at once, and wait for the socket for as long as that takes.
        if self.forget(sid) and self.is_connected and not self.lost.done():
            await self._send_unsubscribe(sid)

    def forget(self, sid: int) -> bool:
        """Drop a subscription that the server does not have; False if it was dropped before."""
        return self._listeners.pop(sid, None) is not None and self._subs.pop(sid, None) is not None

    def forget_inbox(self) -> None:
        """Drop the subscription for acknowledgements, which the server has refused: the next request makes another.

        nats-py subscribes once, and would then wait in vain for every acknowledgement.
        """
        prefix, self._resp_sub_prefix = self._resp_sub_prefix, None
        if prefix is None:
            return
        for sid, subscription in list(self._subs.items()):
            if subscription.subject == f"{prefix.decode()}*":
                del self._subs[sid]
                if (worker := _worker(subscription)) is not None:
                    worker.cancel()

    async def stop_receiving(self) -> None:
        """Ask the server to send nothing more, and keep handing over what is on its way."""
        for sid in list(self._listeners):
            await self._send_unsubscribe(sid)

    async def shutdown(self) -> None:
        """Close the connection and wait until every task has ended, whatever state they are in.

        Takes little more than a second even if the other side takes nothing. Does nothing the second time.
        """
        self._over = True
        tasks = set(self._tasks())
        try:
            if self._flush_queue is not None:  # it has begun to connect
                async with asyncio.timeout(_GOODBYE):
                    await self.close()
        except TimeoutError:
            logger.debug("the connection did not close in time and was cut")
        finally:
            # Also when the caller is cancelled in between: from here on nothing waits.
            self._socket.abort()
            tasks.update(self._tasks())
            tasks.discard(asyncio.current_task())
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_GOODBYE)
        await self._socket.wait_closed()

    def _tasks(self) -> Iterable[asyncio.Task[None]]:
        named = (self._reading_task, self._ping_interval_task, self._flusher_task, self._reconnection_task)
        workers = map(_worker, self._subs.values())
        return [task for task in (*named, *workers) if task is not None]

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        receive = self._listeners.get(sid)
        if receive is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.stats["in_msgs"] += 1
        self.stats["in_bytes"] += len(data)
        receive(subject.decode(errors="replace"), data)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Mend a greeting before nats-py acts on it."""
        if initial_connection:
            # A server may speak both; nats-py encrypts only where one insists. nats.go asks for it, and so do we.
            if "tls" in self.options and info.get("tls_available"):
                info["tls_required"] = True
            # Compared with the size of every message from here on.
            if not isinstance(info.get("max_payload", 0), int):
                raise errors.Error("nats: the server's greeting names no usable max_payload")
        await super()._process_info(info, initial_connection)

    async def _process_connect_init(self) -> None:
        if self._over:
            # asyncio.wait_for of Python 3.11 swallows a cancellation that meets a connection just made; without this
            # the reconnecting task would go on after the end, and find itself connected.
            raise asyncio.CancelledError
        self._lose(errors.StaleConnectionError())
        await super()._process_connect_init()
        lost = self.lost = asyncio.get_running_loop().create_future()

        def ended(_: asyncio.Task[None]) -> None:
            if not lost.done():
                lost.set_result(errors.ConnectionClosedError())

        # asyncio.run cancels every task once the main one has ended, these among them; whoever closes a connection then
        # must not wait for answers that nobody reads.
        for task in (self._reading_task, self._flusher_task):
            if task is not None:
                task.add_done_callback(ended)
        self.on_connect()

    async def _process_op_err(self, e: Exception) -> None:
        self._lose(e)
        await super()._process_op_err(e)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        self._lose(errors.ConnectionClosedError())
        await super()._close(status, do_cbs)

    def _lose(self, reason: Exception) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)

    async def _process_err(self, err_msg: str) -> None:
        """Reconnect where nats-py would close for good, as after a change of the server's users; or stay."""
        if STALE_CONNECTION in err_msg:
            await super()._process_err(err_msg)
            return
        error = errors.Error(f"nats: {self._parser.words}")
        await self._error_cb(error)
        if not any(words in err_msg for words in _KEPT):
            await self._process_op_err(error)

    async def _attempt_reconnect(self) -> None:
        """Go on after an error nats-py does not expect, such as a name DNS cannot encode, instead of staying silent."""
        while not self.is_closed:
            try:
                await super()._attempt_reconnect()
            except Exception as error:  # noqa: BLE001 - whatever it is, the connection has to come back
                await self._error_cb(error)
            else:
                return


def _worker(subscription: Subscription) -> asyncio.Task[None] | None:
    return subscription._wait_for_msgs_task  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


class _Socket(TcpTransport):
    """A TCP connection that can be cut."""

    tried: ParseResult | None = None
    _given_up: asyncio.StreamWriter | None = None

    def __bool__(self) -> bool:
        """True, or nats-py would put one of its own in its place before it first connects."""
        return True

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Connect, and let go of the attempt before: nats-py leaves it open if it failed after the TCP connection."""
        self.tried = uri
        self.abort()
        await super().connect(uri, buffer_size, connect_timeout)

    async def wait_closed(self) -> None:
        """Wait until the socket is closed, but not for ever: a peer may take no more bytes.

        Nor does asyncio tell the end of a connection whose TLS handshake failed.
        """
        if self._io_writer is self._given_up:
            return
        # A task of its own, so that a caller's timeout does not cancel the future within, which others await too.
        closed = asyncio.create_task(super().wait_closed())  # type: ignore[no-untyped-call]
        if not (await asyncio.wait({closed}, timeout=_GOODBYE))[0]:
            self.abort()
            closed.cancel()
            self._given_up = self._io_writer
            await asyncio.wait({closed})
        if not closed.cancelled() and (error := closed.exception()):
            logger.debug("a closing connection reported %r", error)

    def abort(self) -> None:
        """Close at once, dropping what was not sent."""
        for writer in (self._io_writer, self._bare_io_writer):
            if writer is not None:
                writer.transport.abort()


class _Parser(Parser):
    """Turns what a damaged byte stream does to nats-py into the one error that makes it reconnect."""

    @property
    def words(self) -> str:
        """The server's error that is being handled, as it was sent: nats-py hands it on in lower case."""
        found = ERR_RE.match(self.buf)
        return found[1].decode().strip("'") if found is not None and found[1] is not None else ""

    async def parse(self, data: bytes = b"") -> None:
        try:
            await super().parse(data)
        except (errors.Error, OSError):
            raise
        except Exception as error:
            raise errors.ProtocolError from error
