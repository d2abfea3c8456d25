from __future__ import annotations

from typing import TYPE_CHECKING

import nats as nats_py

from choria_lifecycle.nats import reconnect

if TYPE_CHECKING:
    import pytest


def test_backoff_grows_and_stays_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect, "MIN_DELAY", 0.5)
    monkeypatch.setattr(reconnect, "MAX_DELAY", 20.0)
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    pool = [nats_py.aio.client.Server(uri=nats_py.aio.client.urlparse(f"nats://{host}:4222")) for host in "ab"]
    chooses = reconnect.ReconnectHandler(uniform)
    chosen = [chooses(pool, {}) for _ in range(16)]
    assert [server.uri.hostname for server, _ in chosen if server] == ["a", "b"] * 8
    assert [delay for _, delay in chosen[1::2]] == [0.0] * 8
    assert [delay for _, delay in chosen[::2]] == [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0]
    assert {low for low, _ in bounds} == {0.5}
    chooses.reset()
    assert chooses(pool, {})[1] == 1.0
