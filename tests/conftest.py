"""What holds for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.bed.process_state import SignalState, reset_environment, reset_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

# At import, as every worker of pytest-xdist imports this, and what it starts inherits the result.
reset_signals()
reset_environment()

# `make test` sees the same examples each time; with the variable set, it looks for new ones. How long one takes says
# nothing on a machine that does other things too.
settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.register_profile("new", deadline=None)
settings.load_profile("new" if "LIFECYCLE_EXAMPLES" in os.environ else "steady")


@pytest.fixture(autouse=True)
def _signals_are_restored() -> Iterator[None]:
    """Fail a test that leaves a handler behind, which the next would take for the default, and restore it."""
    before = SignalState.current()
    yield
    if left := before.restore():
        pytest.fail(f"this test leaves {'; '.join(left)}", pytrace=False)
