"""Signal handlers are installed with the first hook and restored after the last."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from choria_lifecycle.service import exit_hooks

if TYPE_CHECKING:
    import pytest


class Hook:
    def end(self) -> Future[None]:
        done = Future[None]()
        done.set_result(None)
        return done


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in exit_hooks._SIGNALS]


def test_default_handlers_are_replaced_and_restored() -> None:
    before, hook = handlers(), Hook()
    exit_hooks.register(hook)
    installed = [handler for handler, was in zip(handlers(), before, strict=True) if was is signal.SIG_DFL]
    assert installed
    assert set(installed) == {exit_hooks._handle}
    exit_hooks.unregister(hook)
    assert handlers() == before
    exit_hooks.unregister(hook)
    assert handlers() == before


def test_only_the_main_thread_changes_handlers() -> None:
    before, first, second = handlers(), Hook(), Hook()
    in_thread(exit_hooks.register, first)
    assert handlers() == before
    exit_hooks.register(second)
    assert handlers() != before
    in_thread(exit_hooks.unregister, first)
    in_thread(exit_hooks.unregister, second)
    assert handlers() != before  # without hooks, they act like the default
    exit_hooks.unregister(second)
    assert handlers() == before


def in_thread(function: object, hook: Hook) -> None:
    thread = threading.Thread(target=function, args=(hook,))  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_process_1_keeps_the_default_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel discards such signals, so they would not kill it."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    before, hook = handlers(), Hook()
    exit_hooks.register(hook)
    assert handlers() == before
    exit_hooks.unregister(hook)
