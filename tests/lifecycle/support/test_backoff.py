from __future__ import annotations

from choria_lifecycle.support.backoff import Backoff


def test_pauses_double_up_to_the_maximum_and_start_over() -> None:
    backoff = Backoff(0.25, 5.0)
    assert [backoff.next() for _ in range(7)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert backoff.next() == 0.25
