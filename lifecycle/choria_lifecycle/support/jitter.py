"""Random jitter, so that a fleet does not act in lockstep."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["jitter"]

jitter: Final = random.SystemRandom()
"""A generator that uses the operating system's random source, independent of `random.seed`, which every program of a
fleet may call with the same value."""
