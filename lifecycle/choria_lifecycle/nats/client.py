"""nats-py's client where its own behaviour does not suffice; each method says what it mends.

The methods named with an underscore belong to nats-py, which calls them; `tests/integration` notices if a new release
stops doing so.
"""
# nats-py's annotations leave much open, which a strict checker reports at every use.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from nats import errors
from nats.aio.client import Client as BaseClient
from nats.aio.client import Srv
from nats.aio.subscription import Subscription
from nats.protocol.command import pub_cmd
from nats.protocol.parser import PERMISSIONS_ERR, STALE_CONNECTION

from choria_lifecycle.errors import LifecycleError
from choria_lifecycle.nats.tcp import CLOSE_TIMEOUT, AbortableTransport, StrictParser
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from ssl import SSLContext
    from urllib.parse import ParseResult

    from choria_lifecycle.middleware.transport import Message

__all__ = ["Client", "MessageHandler", "Peer"]


MessageHandler: TypeAlias = "Callable[[bytes, bytes, bytes, bytes | None], None]"
"""What takes a message: its subject, where an answer goes, its data, and its headers as they were sent."""

# The errors after which the server keeps the connection (nats-server, server/client.go); it closes it after all others.
_NON_FATAL = (PERMISSIONS_ERR, "maximum subscriptions exceeded", "invalid subject", "invalid publish subject")


class Peer(NamedTuple):
    """A server, as it presents itself.

    Attributes:
        name: its name, safe to show; empty if it has none.
        version: likewise its version.
        tls: the version of TLS, such as `TLSv1.3`; empty without TLS.
        certificate: its certificate, as DER; empty without TLS.
    """

    name: str
    version: str
    tls: str
    certificate: bytes


class Client(BaseClient):
    """A connection to NATS that tells when it was lost, confirms in order, and closes without leaving anything.

    Args:
        tls: makes the context of each new connection that is encrypted, so that files which were replaced are read
            again. A server that insists on TLS gets it in any case.
        require_tls: whether to have nothing to do with a server that does not offer TLS.
        gossip: whether servers that a server tells of are tried as well.
        find_brokers: called before each attempt to reconnect; returns the servers known by now, best first. If it
            returns none, or is None, nats-py keeps its list.

    Attributes:
        on_connect: called when a connection has been made, before anything is received on it.
        lost: done once the current connection is lost; a new connection gets a new one, so that whoever holds one knows
            whether it is still the same connection.
    """

    def __init__(
        self,
        tls: Callable[[], SSLContext],
        *,
        require_tls: bool,
        gossip: bool = True,
        find_brokers: Callable[[], Awaitable[list[str]]] | None = None,
    ) -> None:
        super().__init__()
        self._tls = tls
        self._require_tls = require_tls
        self._gossip = gossip
        self._find_brokers = find_brokers
        self._socket = AbortableTransport()  # type: ignore[no-untyped-call]
        self._transport = self._socket
        self._ps = self._parser = StrictParser(self)
        self._shut_down = False
        self._listeners: dict[int, MessageHandler] = {}
        self.on_connect: Callable[[], None] = lambda: None
        self.lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    @property
    def last_tried(self) -> ParseResult | None:
        """The server that was last tried: nats-py's list does not say, servers it has heard of come after it."""
        return self._socket.last_tried

    @property
    def peer(self) -> Peer:
        """Who greeted last, and how the connection with it is protected."""
        encrypted = self._socket.ssl_object
        return Peer(
            name=safe(str(self._greeting.get("server_name", "")), 200),
            version=safe(str(self._greeting.get("version", "")), 100),
            tls=(encrypted.version() or "") if encrypted is not None else "",
            certificate=(encrypted.getpeercert(True) or b"") if encrypted is not None else b"",
        )

    @property
    def wants_certificate(self) -> bool:
        """Whether the server that greeted last demands a client certificate."""
        return bool(self._greeting.get("tls_verify"))

    @property
    def _greeting(self) -> dict[str, Any]:
        # What a server sends may be any JSON.
        info: object = self._server_info
        return info if isinstance(info, dict) else {}

    @property
    def ssl_context(self) -> SSLContext:
        """What the next connection is encrypted with; nats-py would keep its first."""
        return self._tls()

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

    def flushed(self) -> asyncio.Future[None]:
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
        """Send a PING at once and return the future of its PONG. To be called when all else is `flushed`.

        `flush` will not do: it sends its PING ahead of what is queued, so that the PONG confirms nothing; while
        reconnecting it reports success; and after a timeout it cancels a future, on which a late PONG then ends the
        read loop.
        """
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self._socket.write(b"PING\r\n")  # type: ignore[no-untyped-call]
        return pong

    async def listen(self, subject: str, queue: str, receive: MessageHandler) -> int:
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
        self._shut_down = True
        tasks = set(self._tasks())
        try:
            if self._flush_queue is not None:  # it has begun to connect
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self.close()
        except (TimeoutError, OSError, errors.Error) as error:
            logger.debug("the connection did not close and was cut: %r", error)
        finally:
            # Also when the caller is cancelled in between: from here on nothing waits.
            self._socket.abort()
            tasks.update(self._tasks())
            tasks.discard(asyncio.current_task())
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT)
        # One of them may have connected in the same turn in which it was cancelled.
        self._socket.abort()
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
        receive(subject, reply, data, headers)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Mend a greeting before nats-py acts on it."""
        if not self._gossip:
            info.pop("connect_urls", None)
        if initial_connection:
            if self._require_tls:
                # A server may speak both; nats-py encrypts only where one insists. nats.go asks for it, and so do we.
                info["tls_required"] = bool(info.get("tls_required") or info.get("tls_available"))
                # One that does not, or someone in between who strips that wish, would get the password in plain text.
                if not info["tls_required"]:
                    raise errors.SecureConnWantedError
            # A signature is sent also to a server that does not say that it asks for one, as Choria's brokers do not.
            if self._signature_cb is not None:
                self._auth_configured = True
            # Compared with the size of every message from here on.
            if not isinstance(info.get("max_payload", 0), int):
                raise errors.Error("nats: the server's greeting names no usable max_payload")
        await super()._process_info(info, initial_connection)

    async def _process_connect_init(self) -> None:
        if self._shut_down:
            # asyncio.wait_for of Python 3.11 swallows a cancellation that meets a connection just made; without this
            # the reconnecting task would go on after the end, and find itself connected.
            raise asyncio.CancelledError
        self._mark_lost(errors.StaleConnectionError())
        try:
            await super()._process_connect_init()
        except (OSError, errors.Error, TimeoutError, LifecycleError):
            raise
        except Exception as error:
            # A greeting nobody expects must not keep the other servers from being tried.
            raise errors.ProtocolError from error
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

    def usable(self, urls: list[str]) -> list[str]:
        """Those URLs that nats-py takes: a single odd one in DNS would keep it from all others."""
        return [url for url in urls if self._is_usable(url)]

    def _is_usable(self, url: str) -> bool:
        try:
            self._parse_server_uri(url)
        except (errors.Error, ValueError):
            logger.debug("passed over a broker that cannot be connected to: %s", safe(url, 200))
            return False
        return True

    async def _connect_to_server(self, s: Srv) -> None:
        """Ask for the brokers there are by now, before each attempt to come back to one."""
        self._server_info = {}
        if self._find_brokers is not None and self.is_reconnecting:
            found = self.usable(await self._find_brokers())
            if found:
                self.set_server_pool(found)
                if all(each.uri.netloc != s.uri.netloc for each in self._server_pool):
                    s = self._current_server = self._server_pool[0]
        await super()._connect_to_server(s)

    async def _process_op_err(self, e: Exception) -> None:
        self._mark_lost(e)
        await super()._process_op_err(e)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        self._mark_lost(errors.ConnectionClosedError())
        await super()._close(status, do_cbs)

    def _mark_lost(self, reason: Exception) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)

    async def _process_err(self, err_msg: str) -> None:
        """Reconnect where nats-py would close for good, as after a change of the server's users; or stay."""
        if STALE_CONNECTION in err_msg:
            await super()._process_err(err_msg)
            return
        error = errors.Error(f"nats: {self._parser.error_text}")
        await self._error_cb(error)
        if not any(words in err_msg for words in _NON_FATAL):
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
