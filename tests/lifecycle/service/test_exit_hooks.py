"""Which signals are taken, and that they are given back."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from choria_lifecycle.service import exit_hooks

if TYPE_CHECKING:
    import pytest


class Nothing:
    def end(self) -> Future[None]:
        done = Future[None]()
        done.set_result(None)
        return done


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in exit_hooks._SIGNALS]


def test_what_would_kill_is_taken_and_given_back() -> None:
    before, ending = handlers(), Nothing()
    exit_hooks.register(ending)
    taken = [handler for handler, was in zip(handlers(), before, strict=True) if was is signal.SIG_DFL]
    assert taken
    assert set(taken) == {exit_hooks._handle}
    exit_hooks.unregister(ending)
    assert handlers() == before
    exit_hooks.unregister(ending)
    assert handlers() == before


def test_what_another_thread_cannot_do_the_main_one_does() -> None:
    before, first, second = handlers(), Nothing(), Nothing()
    in_thread(exit_hooks.register, first)
    assert handlers() == before
    exit_hooks.register(second)
    assert handlers() != before
    in_thread(exit_hooks.unregister, first)
    in_thread(exit_hooks.unregister, second)
    assert handlers() != before  # they do now what would happen without them
    exit_hooks.unregister(second)
    assert handlers() == before


def in_thread(what: object, ending: Nothing) -> None:
    thread = threading.Thread(target=what, args=(ending,))  # type: ignore[arg-type]
    thread.start()
    thread.join()


def test_of_process_1_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them would kill it."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    before, ending = handlers(), Nothing()
    exit_hooks.register(ending)
    assert handlers() == before
    exit_hooks.unregister(ending)
