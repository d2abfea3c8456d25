"""An event loop with virtual time, which advances only while all tasks wait: an hour of waiting takes no real time."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["run"]

T = TypeVar("T")


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: _Loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        found: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not found:
            self._loop.now += max(0.0, timeout)
        return found


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to completion, starting at time 0."""
    loop = _Loop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
