from __future__ import annotations

import math

import pytest

from choria_lifecycle.election.timing import MAX_WAIT_SECONDS, RENEWAL_SECONDS, STAND_DOWN_SECONDS, Timing
from choria_lifecycle.errors import ConfigError

TTLS = [1.0, 2.0, 5.0, 10.0, 60.0, 3600.0]


@pytest.mark.parametrize(
    ("ttl", "lease", "confirmation", "write_timeout", "interval"),
    [
        (1.0, 0.95, 0.25, 0.2, 0.75),
        (4.0, 3.8, 0.75, 0.8, 3.0),
        (10.0, 9.5, 0.75, 2.0, 5.0),
        (60.0, 57.0, 0.75, 5.0, 5.0),
        (3600.0, 3420.0, 0.75, 5.0, 5.0),
    ],
)
def test_times_are_shares_of_the_ttl(
    ttl: float, lease: float, confirmation: float, write_timeout: float, interval: float
) -> None:
    timing = Timing(ttl)
    assert (timing.lease, timing.confirmation) == pytest.approx((lease, confirmation))
    assert (timing.write_timeout, timing.interval) == pytest.approx((write_timeout, interval))


@pytest.mark.parametrize("ttl", TTLS)
def test_a_lease_outlasts_two_renewals_without_a_reply(ttl: float) -> None:
    timing = Timing(ttl)
    assert 2 * (RENEWAL_SECONDS + timing.write_timeout) < timing.lease < ttl


@pytest.mark.parametrize("ttl", TTLS)
def test_a_new_leader_leads_within_its_first_lease(ttl: float) -> None:
    timing = Timing(ttl)
    assert timing.confirmation + STAND_DOWN_SECONDS < timing.lease
    assert max(timing.write_timeout, timing.interval) <= MAX_WAIT_SECONDS


@pytest.mark.parametrize(
    ("ttl", "usual"), [(1.0, False), (4.99, False), (5.0, True), (60.0, True), (60.1, False), (3600.0, False)]
)
def test_usual_ttls_are_those_without_a_warning_in_choria(ttl: float, usual: bool) -> None:
    assert Timing(ttl).usual is usual


@pytest.mark.parametrize(
    ("ttl", "found"),
    [
        (0.0, "forever"),
        (0.99, "for 0.99 s"),
        (-1.0, "for -1 s"),
        (3600.5, "for 3600.5 s"),
        (math.inf, "for inf s"),
        (math.nan, "for nan s"),
    ],
)
def test_a_ttl_outside_of_the_bounds_is_refused(ttl: float, found: str) -> None:
    with pytest.raises(ConfigError, match=f"^the bucket keeps keys {found}, an election needs 1 s to 1 h: set plugin"):
        Timing(ttl)
