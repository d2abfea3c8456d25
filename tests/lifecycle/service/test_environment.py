from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from choria_lifecycle.service import environment as module
from choria_lifecycle.service.defaults import local_identity
from choria_lifecycle.service.environment import Environment, current_environment, override_environment
from choria_lifecycle.support.clock import SystemClock
from choria_lifecycle.testing import FakeClock


def test_services_use_the_network_and_the_system_by_default() -> None:
    for environment in (current_environment(), Environment()):
        assert environment.connect is module._connect
        assert environment.identity is local_identity
        assert isinstance(environment.clock, SystemClock)


def test_an_environment_is_replaced_within_the_block_in_every_thread() -> None:
    before = current_environment()
    outer, inner = (replace(before, clock=FakeClock()) for _ in range(2))
    seen = []
    with override_environment(outer):
        thread = threading.Thread(target=lambda: seen.append(current_environment()))
        thread.start()
        thread.join()
        with override_environment(inner):
            assert current_environment() is inner
        assert current_environment() is outer
    assert seen == [outer]
    assert current_environment() is before


def test_an_exception_restores_the_environment() -> None:
    before = current_environment()
    with pytest.raises(ZeroDivisionError), override_environment(replace(before, clock=FakeClock())):
        raise ZeroDivisionError
    assert current_environment() is before
