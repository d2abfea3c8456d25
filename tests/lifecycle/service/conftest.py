from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.demo import embedded
from choria_lifecycle.service import exit_hooks
from choria_lifecycle.service.environment import current_environment, override_environment
from choria_lifecycle.testing import FakeClock
from tests.bed.services import ours

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Server]:
    with embedded.nats_server(jetstream=False) as server:
        yield server


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listens:
        yield f"nats://127.0.0.1:{listens.getsockname()[1]}"


@pytest.fixture
def nothing_is_left() -> Iterator[None]:
    """Fail a test after which a thread or exit hook of a service is left."""
    yield
    assert not ours()
    assert not exit_hooks._hooks


@pytest.fixture
def time_stands_still() -> Iterator[None]:
    """Stop the clock of services; otherwise the first alive event could be due at any moment."""
    with override_environment(replace(current_environment(), clock=FakeClock())):
        yield
