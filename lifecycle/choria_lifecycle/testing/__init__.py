"""Test support for other projects: recorded announcements, a fake clock, and an assertion for valid events.

    from choria_lifecycle.testing import announcing

    with announcing() as announcements:
        with Service("billing", "1.4.2"):
            announcements.clock.advance(1800)
    announcements.assert_types("startup", "alive", "shutdown")

It works with any test framework or none; `testing.pytest_plugin` has fixtures for pytest. This package imports each of
its names when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choria_lifecycle.testing.announcements import Announcements
    from choria_lifecycle.testing.fake_clock import FakeClock
    from choria_lifecycle.testing.in_memory import MemoryMiddleware, allow_network, announcing
    from choria_lifecycle.testing.validity import assert_valid
else:
    from choria_schemas.lazy import exports

    __getattr__, __dir__ = exports(
        globals(),
        {
            "Announcements": "announcements",
            "FakeClock": "fake_clock",
            "MemoryMiddleware": "in_memory",
            "allow_network": "in_memory",
            "announcing": "in_memory",
            "assert_valid": "validity",
        },
    )

__all__ = ["Announcements", "FakeClock", "MemoryMiddleware", "allow_network", "announcing", "assert_valid"]
