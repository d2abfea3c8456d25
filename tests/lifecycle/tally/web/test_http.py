"""The HTTP server over raw sockets: paths, headers, and hostile clients."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import threading
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import pytest

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.tally.web import http
from choria_lifecycle.tally.web.assets import assets
from choria_lifecycle.tally.web.http import check_path, serve
from choria_lifecycle.tally.web.listening import bind
from choria_lifecycle.tally.web.page import page
from tests.bed import tally_states

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from choria_lifecycle.tally.status import Status

OPEN: list[asyncio.StreamWriter] = []

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"


@pytest.fixture(autouse=True)
async def connections() -> AsyncGenerator[None]:
    """Close the connections that a test has opened."""
    yield
    for writer in OPEN:
        writer.transport.abort()
    OPEN.clear()
    await asyncio.sleep(0)  # connection_lost is called


class Source:
    """The served data."""

    def __init__(self) -> None:
        self.numbers = b"lifecycle_tally_connected 1\n"
        self.state: Status = tally_states.typical()
        self.reason = ""
        self.error: Exception | None = None

    def metrics(self) -> bytes:
        if self.error:
            raise self.error
        return self.numbers

    def status(self) -> Status:
        return self.state

    def not_ready_reason(self) -> str:
        return self.reason


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Served:
    """A running server and its client."""

    def __init__(self, source: Source, port: int) -> None:
        self.source = source
        self.port = port

    async def connect(self, raw: bytes = b"", limit: int = 2**16) -> asyncio.StreamReader:
        """Open a connection, send bytes, and return the reader for the response."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=limit)
        OPEN.append(writer)
        writer.write(raw)
        await writer.drain()
        return reader

    async def raw(self, raw: bytes) -> Answer:
        """Send bytes, and return the response received until the connection is closed."""
        async with asyncio.timeout(10):
            received = await (await self.connect(raw)).read()
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return Answer(int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body)

    async def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return await self.raw(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())


@asynccontextmanager
async def serving(telemetry_path: str = "/metrics") -> AsyncGenerator[Served]:
    source = Source()
    [listening] = bind(["127.0.0.1:0"])
    served = Served(source, listening.getsockname()[1])
    async with serve(source, [listening], telemetry_path):
        yield served


@pytest.mark.parametrize(
    ("path", "kind", "cached", "body"),
    [
        ("/", "text/html; charset=utf-8", "no-store", b"<!doctype html>"),
        ("/?a=b", "text/html; charset=utf-8", "no-store", b"<!doctype html>"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "no-store", b"lifecycle_tally_connected 1\n"),
        ("/metrics?x", "text/plain; version=0.0.4; charset=utf-8", "no-store", b"lifecycle_tally_connected 1\n"),
        ("/api/v1/status", "application/json", "no-store", b'{"version":"0.1.0"'),
        ("/-/healthy", "text/plain; charset=utf-8", "no-store", b"healthy\n"),
        ("/-/ready", "text/plain; charset=utf-8", "no-store", b"ready\n"),
        *(
            (asset.path, asset.media_type, "public, max-age=31536000, immutable", asset.content)
            for asset in assets().values()
        ),
    ],
)
async def test_paths(path: str, kind: str, cached: str, body: bytes) -> None:
    async with serving() as served:
        answer = await served.get(path)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == kind
        assert answer.headers["Cache-Control"] == cached
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert answer.body.startswith(body)
        secured(answer)
        head = await served.get(path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert {**head.headers, "Date": ""} == {**answer.headers, "Date": ""}


def secured(answer: Answer) -> None:
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Server"] == "choria-lifecycle"
    assert answer.headers["Connection"] == "close"


async def test_the_page_and_the_json_show_the_status() -> None:
    async with serving() as served:
        assert (await served.get("/")).body.decode() == page(served.source.state)
        assert json.loads((await served.get("/api/v1/status")).body) == served.source.state


async def test_metrics_are_at_the_given_path_and_in_one_format() -> None:
    async with serving("/numbers") as served:
        answer = await served.get("/numbers", Accept=OPENMETRICS)
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert (await served.get("/metrics")).status == 404


@pytest.mark.parametrize("path", ["", "metrics", "/", "/-/ready", "/api/v1/status", "/static/x", "/a b", "/é", "/a?b"])
def test_reserved_and_invalid_paths_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="metrics cannot be served at"):
        check_path(path)


@pytest.mark.parametrize(
    "path", ["/nothing", "/metrics/", "/static/page.000000000000.css", "/static/../http.py", "/%2e"]
)
async def test_other_paths_are_not_found(path: str) -> None:
    async with serving() as served:
        answer = await served.get(path)
        assert answer.status == 404
        assert b"metrics at /metrics" in answer.body
        secured(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
async def test_other_methods_are_refused(method: str) -> None:
    async with serving() as served:
        answer = await served.get("/metrics", method)
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        secured(answer)


async def test_not_ready_has_a_reason() -> None:
    async with serving() as served:
        served.source.reason = "not subscribed yet"
        answer = await served.get("/-/ready")
        assert (answer.status, answer.body) == (503, b"not ready: not subscribed yet\n")
        secured(answer)
        assert (await served.get("/-/healthy")).status == 200


@pytest.mark.parametrize(
    ("asked", "packed"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5, br", True),
        ("gzip;q=1.0", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000", False),
        ("identity", False),
        ("xgzip", False),
    ],
)
async def test_long_responses_are_compressed_on_request_in_a_thread(
    asked: str, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    compress = gzip.compress

    def compressed(data: bytes, level: int) -> bytes:
        threads.append(threading.get_ident())
        return compress(data, level)

    monkeypatch.setattr(gzip, "compress", compressed)
    async with serving() as served:
        served.source.numbers = b"lifecycle_tally_good_events 1\n" * 10_000
        answer = await served.get("/metrics", Accept_Encoding=asked)
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert ("Content-Encoding" in answer.headers) == packed
        assert (gzip.decompress(answer.body) if packed else answer.body) == served.source.numbers
        assert threading.get_ident() not in threads
        assert "Content-Encoding" not in (await served.get("/-/ready", Accept_Encoding=asked)).headers


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"nonsense\r\n\r\n", id="not HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nno header\r\n\r\n", id="no header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", id="NUL"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="length"),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", id="both"
        ),
        pytest.param(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", id="long line"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", id="long header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000 + b"\r\n", id="many headers"),
    ],
)
async def test_malformed_requests_are_refused_quietly(
    raw: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as served:
        answer = await served.raw(raw)
        assert (answer.status, answer.body) == (400, b"400 Bad Request\n")
        secured(answer)
        assert (await served.get("/-/healthy")).status == 200
    assert [record.levelname for record in caplog.records if record.name != "asyncio"] == ["DEBUG"]
    assert not any(record.exc_info for record in caplog.records)
    assert capfd.readouterr() == ("", "")


async def test_an_unwanted_body_is_discarded() -> None:
    async with serving() as served:
        answer = await served.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000)
        assert answer.status == 405


async def test_a_connection_carries_one_request() -> None:
    async with serving() as served:
        answer = await served.raw(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" * 30)
        assert answer.body == b"healthy\n"


async def test_an_internal_error_is_logged_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        served.source.error = ValueError("no number\x1b[2J")
        answer = await served.get("/metrics")
        assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
        secured(answer)
        served.source.error = None
        assert (await served.get("/metrics")).status == 200
    [record] = caplog.records
    assert record.getMessage() == r"cannot serve /metrics: ValueError('no number\x1b[2J')"
    assert record.name == "choria_lifecycle"


async def test_half_open_connections_do_not_delay_a_scrape() -> None:
    async with serving() as served:
        for _ in range(60):
            await served.connect(b"GET /metrics HTTP/1.1\r\nHost: ")
        begin = time.monotonic()
        assert (await served.get("/metrics")).status == 200
        assert time.monotonic() - begin < 1


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what arrives until the server closes or resets the connection."""
    received = b""
    async with asyncio.timeout(10):
        with suppress(ConnectionResetError):
            while data := await reader.read(2**20):
                received += data
    return received


async def test_beyond_the_limit_the_oldest_connection_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_MAX_CONNECTIONS", 5)
    async with serving() as served:
        readers = [await served.connect(b"GET /metrics HTTP/1.1\r\n") for _ in range(7)]
        assert (await served.get("/metrics")).status == 200
        for reader in readers[:3]:
            assert await rest(reader) == b""
        assert not any(reader.at_eof() for reader in readers[3:])


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: "], ids=["silent", "half a request"])
async def test_a_slow_sender_is_disconnected(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_CONNECTION_TIMEOUT", 0.3)
    async with serving() as served:
        assert await rest(await served.connect(sent)) == b""


async def test_a_slow_reader_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_CONNECTION_TIMEOUT", 0.3)
    async with serving() as served:
        served.source.numbers = b"x" * 30_000_000  # more than socket buffers hold
        reader = await served.connect(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", limit=10)
        assert await asyncio.wait_for(reader.readexactly(1), 10) == b"H"
        await asyncio.sleep(0.6)  # the test must not read for longer than the timeout
        assert len(await rest(reader)) < len(served.source.numbers)


async def test_shutdown_takes_less_than_a_second() -> None:
    async with serving() as served:
        served.source.numbers = b"x" * 30_000_000
        half = await served.connect(b"GET /metrics HTTP/1.1\r\nHost: ")
        unread = await served.connect(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", limit=10)
        assert await asyncio.wait_for(unread.readexactly(1), 10) == b"H"
        begin = time.monotonic()
    assert time.monotonic() - begin < 1
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", served.port)
    assert await rest(half) == b""
    assert len(await rest(unread)) < len(served.source.numbers)


async def test_shutdown_finishes_a_response_that_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    begun, go_on = asyncio.Event(), threading.Event()

    def slowly(_: Status) -> str:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)
        return "the page"

    monkeypatch.setattr(http, "page", slowly)
    async with serving() as served:
        asking = asyncio.create_task(served.get("/"))
        await asyncio.wait_for(begun.wait(), 10)
        loop.call_later(0.05, go_on.set)  # during the shutdown
    answer = await asyncio.wait_for(asking, 10)
    assert (answer.status, answer.body) == (200, b"the page")


async def test_several_sockets_are_served() -> None:
    sockets = bind(["127.0.0.1:0", "localhost:0"])
    addresses = [each.getsockname()[:2] for each in sockets]
    async with serve(Source(), sockets):
        for host, port in addresses:
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"GET /-/healthy HTTP/1.0\r\n\r\n")
            assert (await rest(reader)).endswith(b"\r\n\r\nhealthy\n")
            writer.close()
            await writer.wait_closed()
    assert {each.fileno() for each in sockets} == {-1}
