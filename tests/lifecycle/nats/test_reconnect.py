from __future__ import annotations

from urllib.parse import urlparse

from nats.aio.client import Server

from choria_lifecycle.nats.reconnect import MAX_DELAY, MIN_DELAY, ReconnectHandler


def pool(*hosts: str) -> list[Server]:
    return [Server(uri=urlparse(f"nats://{host}:4222")) for host in hosts]


def host(server: Server | None) -> str | None:
    return server and server.uri.hostname


def test_backoff_grows_and_stays_within_bounds() -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    servers = pool("a", "b")
    handler = ReconnectHandler(uniform)
    chosen = [handler(servers, {}) for _ in range(16)]
    assert [host(server) for server, _ in chosen] == ["a", "b"] * 8
    assert [delay for _, delay in chosen[1::2]] == [0.0] * 8
    assert [delay for _, delay in chosen[::2]] == [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0]
    assert {low for low, _ in bounds} == {0.5}
    handler.reset()
    assert handler(servers, {})[1] == 1.0


def test_a_server_that_appears_is_tried_before_the_next_pause() -> None:
    handler = ReconnectHandler()
    tried = [handler(pool(*names), {}) for names in (["a"], ["a", "b"], ["b", "a"])]
    assert [host(server) for server, _ in tried] == ["a", "b", "b"]
    assert [delay > 0 for _, delay in tried] == [True, False, True]


def test_delays_are_random_within_the_bounds() -> None:
    first = [ReconnectHandler()(pool("a"), {})[1] for _ in range(100)]
    assert all(MIN_DELAY <= delay <= 1.0 for delay in first)
    assert len(set(first)) > 90
    handler = ReconnectHandler()
    later = [handler(pool("a"), {})[1] for _ in range(100)]
    assert max(later) <= MAX_DELAY
    assert max(later) > 1.0
