"""Chance, for what many programs would otherwise do at the same moment."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["jitter"]

jitter: Final = random.SystemRandom()
"""The operating system's: a program that seeds `random`, as every one of a fleet may do alike, is not disturbed by this
library, nor the other way round."""
