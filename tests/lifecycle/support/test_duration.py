from __future__ import annotations

import pytest

from choria_lifecycle.cli.parameters import duration
from choria_lifecycle.support.duration import compact, minutes


@pytest.mark.parametrize("seconds", [0.5, 5.0, 90.0, 1800.0, 4800.0, 5400.0, 7200.0, 86400.0])
def test_the_command_reads_a_compact_duration_back(seconds: float) -> None:
    assert duration(compact(seconds)) == seconds


@pytest.mark.parametrize(("seconds", "text"), [(0.5, "0.5s"), (90.0, "90s"), (4800.0, "80m"), (7200.0, "2h")])
def test_the_largest_unit_without_a_fraction(seconds: float, text: str) -> None:
    assert compact(seconds) == text


def test_minutes() -> None:
    assert (minutes(1800.0), minutes(90.0)) == ("30 minutes", "1.5 minutes")
