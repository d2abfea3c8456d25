"""`lifecycle tally` with short intervals, so that a test sees in seconds what takes hours: `python -m` this module."""

from __future__ import annotations

from typing import Final

from choria_lifecycle.cli import main
from choria_lifecycle.middleware import merge
from choria_lifecycle.nats import replay
from choria_lifecycle.tally import daemon, intake, state
from choria_lifecycle.tally.defaults import EXPIRY
from choria_lifecycle.tally.intake import Intake

_INTERVALS: Final = (
    (daemon, "_SWEEP_INTERVAL", 0.2),
    (daemon, "_PING_INTERVAL", 0.2),
    (daemon, "_WATCH_INTERVAL", 0.2),
    (replay, "_CHECK_INTERVAL", 0.2),
    (merge, "MARGIN", 5.0),
    (intake, "ALIVE_INTERVAL", EXPIRY + 2.0),
    (state, "ALIVE_INTERVAL", 2.0),
)


def _unbroken(intake: Intake, real: property = Intake.__dict__["unbroken"]) -> float:
    """Return the time without a gap as if the stream reached back far enough for nodes to expire."""
    seconds: float = real.__get__(intake)
    return seconds + EXPIRY if seconds else 0.0


if __name__ == "__main__":
    for module, name, seconds in _INTERVALS:
        assert hasattr(module, name)
        setattr(module, name, seconds)
    Intake.unbroken = property(_unbroken)  # type: ignore[method-assign, assignment]
    main()
