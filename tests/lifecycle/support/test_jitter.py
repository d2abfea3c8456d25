from __future__ import annotations

import random

from choria_lifecycle.support.jitter import jitter


def test_jitter_is_independent_of_the_seed() -> None:
    state = random.getstate()
    try:
        drawn = []
        for _ in range(2):
            random.seed(1)
            drawn.append([jitter.random() for _ in range(4)])
        jitter.seed(1)
        drawn.append([jitter.random() for _ in range(4)])
        jitter.seed(1)
        drawn.append([jitter.random() for _ in range(4)])
    finally:
        random.setstate(state)
    assert len({tuple(numbers) for numbers in drawn}) == 4
