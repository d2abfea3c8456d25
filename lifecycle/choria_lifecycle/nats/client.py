"""A subclass of nats-py's client that corrects its behaviour, as each method documents.

Most methods with a leading underscore override nats-py's own; `tests/integration` fails if a new release no longer
calls them.
"""
# nats-py's annotations leave much open, which a strict checker reports at every use.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from nats import errors
from nats.aio.client import Client as BaseClient
from nats.aio.client import Srv
from nats.aio.subscription import Subscription
from nats.protocol.parser import PERMISSIONS_ERR, STALE_CONNECTION

from choria_lifecycle.errors import LifecycleError
from choria_lifecycle.nats.tcp import SOCKET_CLOSE_TIMEOUT, AbortableTransport, StrictParser
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from ssl import SSLContext
    from urllib.parse import ParseResult

    from choria_lifecycle.middleware.transport import Message
    from choria_lifecycle.nats.tcp import MessageHandler

__all__ = ["Client", "Peer"]


# After these errors the server keeps the connection open; after any other, it closes it (nats-server, client.go).
_NON_FATAL = (PERMISSIONS_ERR, "maximum subscriptions exceeded", "invalid subject", "invalid publish subject")


class Peer(NamedTuple):
    """A server, as its greeting and the TLS handshake identify it.

    Attributes:
        name: the name, safe to show; may be empty.
        version: the version, safe to show; may be empty.
        tls: the TLS version, such as `TLSv1.3`; empty without TLS.
        certificate: the certificate as DER; empty without TLS.
    """

    name: str
    version: str
    tls: str
    certificate: bytes


class Client(BaseClient):
    """A NATS client that reports a lost connection, confirms in order, and leaves nothing behind when closed.

    Args:
        tls: creates the context for each encrypted connection, so that replaced files are read again. Also used for a
            server that requires TLS.
        require_tls: refuse servers that do not offer TLS.
        gossip: also try the servers that a server advertises.
        find_brokers: called before each attempt to reconnect; returns the servers known by now, best first. If it
            returns none, or is None, nats-py keeps its list.

    Attributes:
        on_connect: called on each new connection, before anything is received on it, with the time at which the server
            was last heard before, by `choria_lifecycle.support.clock.steady`.
        lost: a future that is done once the current connection is lost. Each connection has its own, so that a caller
            can tell whether the connection is still the same.
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
        self._listeners: dict[int, MessageHandler] = {}
        self._ps = self._parser = StrictParser(self, self._listeners)
        self._shut_down = False
        self.on_connect: Callable[[float], None] = lambda _: None
        self.lost: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    @property
    def last_tried(self) -> ParseResult | None:
        """The server that was tried last; nats-py's list does not show it, as it adds advertised servers at the end."""
        return self._socket.last_tried

    @property
    def peer(self) -> Peer:
        """The last server that sent a greeting, and its TLS."""
        encrypted = self._socket.ssl_object
        return Peer(
            name=safe(str(self._greeting.get("server_name", "")), 200),
            version=safe(str(self._greeting.get("version", "")), 100),
            tls=(encrypted.version() or "") if encrypted is not None else "",
            certificate=(encrypted.getpeercert(True) or b"") if encrypted is not None else b"",
        )

    @property
    def js_domain(self) -> str:
        """The JetStream domain of the last server that sent a greeting, safe to show; empty if it names none."""
        return safe(str(self._greeting.get("domain") or ""), 200)

    @property
    def wants_certificate(self) -> bool:
        """True if the last server that sent a greeting requires a client certificate."""
        return bool(self._greeting.get("tls_verify"))

    @property
    def _greeting(self) -> dict[str, Any]:
        # A server may send any JSON.
        info: object = self._server_info
        return info if isinstance(info, dict) else {}

    @property
    def ssl_context(self) -> SSLContext:
        """A new context for the next connection; nats-py would reuse its first."""
        return self._tls()

    def enqueue(self, messages: Iterator[Message], limit: int) -> bool:
        """Queue messages until they add up to `limit` bytes; return True if the limit was reached.

        nats-py's `publish` takes as long for each message as encoding an event does. The caller has checked the
        subjects and sizes, and that the client is connected.
        """
        size = count = 0
        queue = self._pending.append
        for subject, data in messages:
            command = f"PUB {subject} {len(data)}\r\n".encode() + data + b"\r\n"
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
        """Return a future that is done once everything queued so far has been handed to the socket.

        The queue of these futures is unbounded (`flusher_queue_size`): nats-py would wait for space in it regardless
        of deadlines, and swallow a cancellation.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._flush_queue is None:
            raise errors.ConnectionClosedError
        self._flush_queue.put_nowait(done)
        return done

    def ping(self) -> asyncio.Future[bool]:
        """Send a PING at once and return the future of its PONG. Wait for `flushed` first.

        nats-py's `flush` is no substitute: it sends its PING ahead of queued messages, so the PONG confirms
        nothing; it reports success while reconnecting; and after a timeout it cancels a future, so a late PONG ends
        the read loop.
        """
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        self._socket.write(b"PING\r\n")  # type: ignore[no-untyped-call]
        return pong

    async def listen(self, subject: str, queue: str, receive: MessageHandler) -> int:
        """Subscribe with a handler that is called as soon as a message is parsed; return the subscription id.

        nats-py passes messages through a queue and a task per subscription, or a task per message when iterating. That
        takes most of a message's time, and drops messages. The caller has checked the subject.
        """
        self._sid += 1
        sid = self._sid
        self._subs[sid] = Subscription(self, sid, subject, queue)
        self._listeners[sid] = receive
        await self._send_subscribe(self._subs[sid])
        return sid

    async def unlisten(self, sid: int) -> None:
        """Unsubscribe what `listen` subscribed; the handler is not called again."""
        # Without its tasks nats-py would write directly, and wait for the socket without a timeout.
        if self.forget(sid) and self.is_connected and not self.lost.done():
            await self._send_unsubscribe(sid)

    def forget(self, sid: int) -> bool:
        """Drop a subscription that the server does not have; return False if it was dropped before."""
        return self._listeners.pop(sid, None) is not None and self._subs.pop(sid, None) is not None

    def forget_inbox(self) -> None:
        """Drop the inbox subscription, which the server has refused, so that the next request creates another.

        nats-py subscribes once, and would then wait in vain for every reply.
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
        """Unsubscribe everything on the server, but still deliver messages in flight."""
        for sid in list(self._listeners):
            await self._send_unsubscribe(sid)

    async def shutdown(self) -> None:
        """Close the connection and wait until every task has ended.

        Takes little more than a second, even if the peer reads nothing. Calling it again does nothing.
        """
        self._shut_down = True
        tasks = set(self._tasks())
        try:
            if self._flush_queue is not None:  # `connect` was called
                async with asyncio.timeout(SOCKET_CLOSE_TIMEOUT):
                    await self.close()
        except (TimeoutError, OSError, errors.Error) as error:
            logger.debug("the connection did not close and was aborted: %r", error)
        finally:
            # Also runs if the caller is cancelled; nothing waits from here on.
            self._socket.abort()
            tasks.update(self._tasks())
            tasks.discard(asyncio.current_task())
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=SOCKET_CLOSE_TIMEOUT)
        # A task may have connected in the same iteration of the event loop in which it was cancelled.
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
        """Correct a greeting before nats-py acts on it."""
        if not self._gossip:
            info.pop("connect_urls", None)
        if initial_connection:
            if self._require_tls:
                # Where TLS is optional, nats-py does not use it. nats.go does.
                info["tls_required"] = bool(info.get("tls_required") or info.get("tls_available"))
                # A server without TLS, or an attacker who strips the offer, would get the password in plain text.
                if not info["tls_required"]:
                    raise errors.SecureConnWantedError
            # Choria's brokers require a signature without announcing it.
            if self._signature_cb is not None:
                self._auth_configured = True
            if not isinstance(info.get("max_payload", 0), int):
                raise errors.Error("nats: the max_payload in the server's greeting is not a number")
        await super()._process_info(info, initial_connection)

    def _connect_command(self) -> bytes:
        """Send a user beside a token, as Choria's client does; nats-py sends one of them."""
        command: bytes = super()._connect_command()
        given = [self.options[name] for name in ("token", "user", "password")]
        if None in given:
            return command
        verb, _, text = command.partition(b" ")
        # The values are functions, see `credentials`.
        both = dict(zip(("auth_token", "user", "pass"), (value() for value in given), strict=True))
        return b"%s %s\r\n" % (verb, json.dumps(json.loads(text) | both, sort_keys=True).encode())

    async def _process_connect_init(self) -> None:
        if self._shut_down:
            # In Python 3.11 asyncio.wait_for swallows a cancellation that coincides with a new connection; the
            # reconnecting task would then continue, connected, after shutdown.
            raise asyncio.CancelledError
        self._mark_lost(errors.StaleConnectionError())
        heard = self._parser.heard
        try:
            await super()._process_connect_init()
        except (OSError, errors.Error, TimeoutError, LifecycleError):
            raise
        except Exception as error:
            # A malformed greeting must not prevent trying the other servers.
            raise errors.ProtocolError from error
        lost = self.lost = asyncio.get_running_loop().create_future()

        def ended(_: asyncio.Task[None]) -> None:
            if not lost.done():
                lost.set_result(errors.ConnectionClosedError())

        # asyncio.run cancels all tasks once the main one has ended, these included; code that closes a connection then
        # must not wait for replies that are never read.
        for task in (self._reading_task, self._flusher_task):
            if task is not None:
                task.add_done_callback(ended)
        self.on_connect(heard)

    def usable(self, urls: list[str]) -> list[str]:
        """Return the URLs that nats-py can parse; it would reject all because of one."""
        return [url for url in urls if self._is_usable(url)]

    def _is_usable(self, url: str) -> bool:
        try:
            self._parse_server_uri(url)
        except (errors.Error, ValueError):
            logger.debug("skipped a broker with an unusable URL: %s", safe(url, 200))
            return False
        return True

    async def _connect_to_server(self, s: Srv) -> None:
        """Look up the brokers again before each attempt to reconnect."""
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
        """Reconnect, or stay connected, where nats-py would close permanently, as when the server's users change."""
        if STALE_CONNECTION in err_msg:
            await super()._process_err(err_msg)
            return
        error = errors.Error(f"nats: {self._parser.error_text}")
        await self._error_cb(error)
        if not any(words in err_msg for words in _NON_FATAL):
            await self._process_op_err(error)

    async def _attempt_reconnect(self) -> None:
        """Keep trying after an error that nats-py does not handle, such as a name that DNS cannot encode."""
        while not self.is_closed:
            try:
                await super()._attempt_reconnect()
            except Exception as error:  # noqa: BLE001 - any error must lead to another attempt
                await self._error_cb(error)
            else:
                return


def _worker(subscription: Subscription) -> asyncio.Task[None] | None:
    return subscription._wait_for_msgs_task  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
