"""Settings and fixtures for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.bed.process_state import SignalState, reset_environment, reset_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

# At import, since every worker of pytest-xdist imports this module; child processes inherit the result.
reset_signals()
reset_environment()

# `make test` uses the same examples each time; with the variable set, hypothesis looks for new ones. There is no
# deadline, since durations on a shared machine mean nothing.
settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.register_profile("new", deadline=None)
settings.load_profile("new" if "LIFECYCLE_EXAMPLES" in os.environ else "steady")


@pytest.fixture(autouse=True)
def _signals_are_restored() -> Iterator[None]:
    """Fail a test that leaves a signal handler behind, which would affect the next one, and restore the default."""
    before = SignalState.current()
    yield
    if left := before.restore():
        pytest.fail(f"this test leaves {'; '.join(left)}", pytrace=False)
