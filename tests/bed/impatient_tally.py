"""`lifecycle tally` with short intervals, so that a test sees in seconds what takes hours: `python -m` this module."""

from __future__ import annotations

from typing import Final

from choria_lifecycle.cli import main
from choria_lifecycle.nats import replay
from choria_lifecycle.tally import daemon, intake

_INTERVALS: Final = (
    (daemon, "_SWEEP_INTERVAL", 0.2),
    (daemon, "_PING_INTERVAL", 0.2),
    (replay, "_CLOCK_INTERVAL", 0.2),
    (intake, "ALIVE_INTERVAL", 2.0),
)

if __name__ == "__main__":
    for module, name, seconds in _INTERVALS:
        assert hasattr(module, name)
        setattr(module, name, seconds)
    main()
