from __future__ import annotations

from types import SimpleNamespace

import pytest

from choria_lifecycle.wire import verdict


@pytest.fixture
def day_of_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock to the time of the sample events, so that their timestamps are not in the future."""
    monkeypatch.setattr(verdict, "time", SimpleNamespace(time=lambda: 1795336436.0))
