"""The HTTP server: metrics for Prometheus, a page for people, and health checks. Needs aiohttp.

A connection carries one request and has one deadline, from its first byte to the last one of the response, so that slow
senders and readers cannot hold it.
"""

from __future__ import annotations

import asyncio
import gzip
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec
from aiohttp import web

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import quoted, safe
from choria_lifecycle.tally.exposition import CONTENT_TYPE
from choria_lifecycle.tally.web.assets import assets
from choria_lifecycle.tally.web.page import page

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from choria_lifecycle.tally.status import Status

__all__ = ["StatusSource", "check_path", "serve"]

_CONNECTION_TIMEOUT: Final = 20.0

# Beyond this, the oldest is dropped, so that a client that opens many loses its own.
_MAX_CONNECTIONS: Final = 256

# For responses that have begun when the server shuts down. aiohttp waits this long twice.
_SHUTDOWN_TIMEOUT: Final = 0.25

# For reading an unwanted body, so that its sender gets to read the response.
_LINGER_TIMEOUT: Final = 1.0

# Smaller responses fit into one packet anyway.
_MIN_COMPRESSED_SIZE: Final = 1400

_TEXT: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"
_JSON: Final = "application/json"
_NO_STORE: Final = "no-store"
_IMMUTABLE: Final = "public, max-age=31536000, immutable"

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
    "Server": "choria-lifecycle",
    "Vary": "Accept-Encoding",
}

_RESERVED: Final = frozenset({"/", "/api/v1/status", "/-/healthy", "/-/ready"})


class StatusSource(Protocol):
    """A source of the data to serve, called in the event loop once for each request."""

    def metrics(self) -> bytes:
        """Return the metrics in Prometheus' text format 0.0.4."""
        ...

    def status(self) -> Status:
        """Return the status for the JSON and the page."""
        ...

    def not_ready_reason(self) -> str:
        """Return the reason why the tally is not ready, safe to show; empty if it is ready."""
        ...


def check_path(path: str) -> str:
    """Return a path unchanged if metrics can be served at it.

    Raises:
        ConfigError: the path is invalid or reserved.
    """
    if path in _RESERVED or path.startswith("/static/"):
        raise ConfigError(f"metrics cannot be served at {quoted(path)}, which is reserved; use a path like /metrics")
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or set(path) & set(' "#%<>?'):
        raise ConfigError(f"metrics cannot be served at {quoted(path)}: not a valid path; use one like /metrics")
    return path


@asynccontextmanager
async def serve(
    source: StatusSource, sockets: Iterable[socket.socket], telemetry_path: str = "/metrics"
) -> AsyncGenerator[None]:
    """Serve on sockets within the block; leaving it closes them, in less than a second.

    Args:
        source: the data to serve.
        sockets: listening sockets, as returned by `listening.bind`.
        telemetry_path: the path of the metrics.

    Raises:
        ConfigError: the path is invalid or reserved.
    """
    server = _Server(_Routes(source, check_path(telemetry_path)).handle)
    loop = asyncio.get_running_loop()
    listening = [await loop.create_server(server, sock=each) for each in sockets]
    try:
        yield
    finally:
        for each in listening:
            each.close()
        server.pre_shutdown()
        try:
            await server.shutdown(_SHUTDOWN_TIMEOUT)
        finally:
            server.abort_all()
        # A connection being accepted appears in the loop's next turn; an aborted socket is closed one turn later.
        for _ in range(3):
            await asyncio.sleep(0)
            server.abort_all()


class _Content(NamedTuple):
    body: bytes
    media_type: str = _TEXT
    status: HTTPStatus = HTTPStatus.OK
    cache_control: str = _NO_STORE


class _Routes:
    """The paths and their content."""

    def __init__(self, source: StatusSource, telemetry_path: str) -> None:
        self._source = source
        self._files = {
            asset.path: _Content(asset.content, asset.media_type, cache_control=_IMMUTABLE)
            for asset in assets().values()
        }
        self._routes: dict[str, Callable[[], Awaitable[_Content]]] = {
            "/": self._page,
            "/api/v1/status": self._status,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            telemetry_path: self._metrics,
        }
        paths = f"the page at /, metrics at {telemetry_path}, JSON at /api/v1/status, checks at /-/healthy and /-/ready"
        self._not_found = _Content(f"Not found. Available: {paths}.\n".encode(), status=HTTPStatus.NOT_FOUND)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to a request."""
        if request.method not in {"GET", "HEAD"}:
            response = _to_response(_Content(b"Only GET and HEAD are allowed.\n", status=HTTPStatus.METHOD_NOT_ALLOWED))
            response.headers["Allow"] = "GET, HEAD"
            return response
        if route := self._routes.get(request.path):
            content = await route()
        else:
            content = self._files.get(request.path, self._not_found)
        if len(content.body) < _MIN_COMPRESSED_SIZE or not _accepts_gzip(request):
            return _to_response(content)
        # In a thread, because the loop has events to count.
        response = _to_response(content._replace(body=await asyncio.to_thread(gzip.compress, content.body, 1)))
        response.headers["Content-Encoding"] = "gzip"
        return response

    async def _page(self) -> _Content:
        status = self._source.status()
        return _Content((await asyncio.to_thread(page, status)).encode(), _HTML)

    async def _status(self) -> _Content:
        return _Content(msgspec.json.encode(self._source.status()) + b"\n", _JSON)

    async def _metrics(self) -> _Content:
        return _Content(self._source.metrics(), CONTENT_TYPE)

    async def _healthy(self) -> _Content:
        return _Content(b"healthy\n")

    async def _ready(self) -> _Content:
        if reason := self._source.not_ready_reason():
            return _Content(f"not ready: {reason}\n".encode(), status=HTTPStatus.SERVICE_UNAVAILABLE)
        return _Content(b"ready\n")


class _Server(web.Server):
    """aiohttp's server, with a deadline for each connection and a limit on their number."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler)
        self._open: dict[web.RequestHandler, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}

    def __call__(self) -> web.RequestHandler:
        loop = asyncio.get_running_loop()
        return _Connection(self, loop=loop, access_log=None, lingering_time=_LINGER_TIMEOUT)  # type: ignore[arg-type]

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self._open) >= _MAX_CONNECTIONS:
            self._abort(next(iter(self._open)))
        deadline = asyncio.get_running_loop().call_later(_CONNECTION_TIMEOUT, self._abort, handler)
        self._open[handler] = transport, deadline

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if handler in self._open:
            self._open.pop(handler)[1].cancel()

    def abort_all(self) -> None:
        """Abort all open connections."""
        for handler in list(self._open):
            self._abort(handler)

    def _abort(self, handler: web.RequestHandler) -> None:
        transport, deadline = self._open.pop(handler)
        deadline.cancel()
        transport.abort()


class _Connection(web.RequestHandler):
    """aiohttp's connection, with errors logged to the library's logger."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request
    ) -> web.StreamResponse:
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("cannot serve %s: %s", safe(request.path, 100), safe(repr(exc)), exc_info=exc)
        else:
            logger.debug("rejected a request from %s: %s", request.remote, safe(str(exc), 200))
        phrase = HTTPStatus(status)
        return _to_response(_Content(f"{phrase.value} {phrase.phrase}\n".encode(), status=phrase))


def _to_response(content: _Content) -> web.Response:
    headers = {**_HEADERS, "Content-Type": content.media_type, "Cache-Control": content.cache_control}
    response = web.Response(body=content.body, status=content.status, headers=headers)
    response.force_close()
    return response


def _accepts_gzip(request: web.BaseRequest) -> bool:
    for offered in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, quality = offered.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return quality.strip("0.") != "" if quality else True
    return False
