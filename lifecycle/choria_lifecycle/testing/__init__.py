"""For the tests of other projects: what their services announce, and whether what they send keeps the contract.

    from choria_lifecycle.testing import announcing

    with announcing() as announcements:
        with Service("billing", "1.4.2"):
            announcements.clock.advance(1800)
    announcements.assert_types("startup", "alive", "shutdown")

It works with any test framework and needs none. For pytest there are fixtures: `choria_lifecycle.pytest_plugin`.
Importing this package imports nothing else: each name is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from choria_lifecycle.testing.announcements import Announcements
    from choria_lifecycle.testing.clock import FakeClock
    from choria_lifecycle.testing.memory import MemoryMiddleware, announcing
    from choria_lifecycle.testing.validity import assert_valid

__all__ = ["Announcements", "FakeClock", "MemoryMiddleware", "announcing", "assert_valid"]

_HOME: Final = {
    "Announcements": "announcements",
    "FakeClock": "clock",
    "MemoryMiddleware": "memory",
    "announcing": "memory",
    "assert_valid": "validity",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
