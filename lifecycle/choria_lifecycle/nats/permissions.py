"""Dispatch of the server's permission errors to the callers that they concern."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from choria_lifecycle.errors import ConnectionFailed, LifecycleError, NotAuthorised
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

__all__ = ["PermissionWatcher", "RefusedSubscription"]

# The server quotes subjects as Go's %q does, and gives the subscription id only after reloading its settings.
_QUOTED = r'("(?:[^"\\]|\\.)*")'
_VIOLATION = re.compile(
    rf"permissions violation for (publish|subscription) to {_QUOTED}"
    rf"(?: using queue {_QUOTED})?"
    r'(?:.*\(sid "(\d+)"\))?',
    re.IGNORECASE,
)
# Errors of a SUB that do not name its subject.
_ANY_SUBSCRIPTION = re.compile(r"maximum subscriptions exceeded|invalid subject", re.IGNORECASE)


class RefusedSubscription(NamedTuple):
    """A subscription that the server has refused or revoked.

    Attributes:
        subject: the subject.
        queue: the queue group, or empty.
        sid: the subscription id, or None if the server did not give it.
        error: the error for its owner.
    """

    subject: str
    queue: str
    sid: int | None
    error: NotAuthorised


class _Waiter(NamedTuple):
    publishing: Collection[str]
    subscribing: tuple[str, str] | None
    inbox: bool
    refused: asyncio.Future[LifecycleError]


class PermissionWatcher:
    """Dispatches permission errors to the callers that wait for a publish or a subscription to be confirmed.

    Args:
        inbox: the inbox prefix for replies, which a user may be denied like any other subject.

    Attributes:
        inbox: the inbox prefix.
        on_subscription: called for each refused subscription, pending or confirmed; returns whether it was known.
    """

    def __init__(self, inbox: str) -> None:
        self.inbox = inbox
        self._waiters: list[_Waiter] = []
        self.on_subscription: Callable[[RefusedSubscription], bool] = lambda _: False

    @contextmanager
    def publishing(
        self, subjects: Collection[str], *, inbox: bool = False
    ) -> Generator[asyncio.Future[LifecycleError]]:
        """Watch within a block for the server to refuse one of the subjects, or the inbox.

        Returns:
            A future whose result, not its exception, is the error to raise.
        """
        with self._wait(_Waiter(subjects, None, inbox, _future())) as refused:
            yield refused

    @contextmanager
    def subscribing(self, subject: str, queue: str) -> Generator[asyncio.Future[LifecycleError]]:
        """Watch within a block for the server to refuse a subscription; see `publishing`."""
        with self._wait(_Waiter((), (subject, queue), False, _future())) as refused:
            yield refused

    @contextmanager
    def _wait(self, entry: _Waiter) -> Generator[asyncio.Future[LifecycleError]]:
        self._waiters.append(entry)
        try:
            yield entry.refused
        finally:
            self._waiters.remove(entry)
            entry.refused.cancel()

    def dispatch(self, message: str) -> bool:
        """Dispatch an error message of the server; return False if it concerns no caller."""
        found = _VIOLATION.search(message)
        if found is None:
            return self._fail_subscribing(message)
        subject = _unquoted(found[2])
        if found[1].lower() == "publish":
            error = NotAuthorised(f"the server does not allow this user to publish to {safe(subject)}")
            return self._fail(error, [entry for entry in self._waiters if subject in entry.publishing])
        error = NotAuthorised(f"the server does not allow this user to subscribe to {safe(subject)}")
        queue = _unquoted(found[3]) if found[3] else ""
        notified = self._fail(
            error,
            [
                entry
                for entry in self._waiters
                if entry.subscribing == (subject, queue) or (entry.inbox and subject.startswith(f"{self.inbox}."))
            ],
        )
        sid = int(found[4]) if found[4] else None
        return self.on_subscription(RefusedSubscription(subject, queue, sid, error)) or notified

    def _fail_subscribing(self, message: str) -> bool:
        """Fail every pending subscription, because the server does not say which one it has refused."""
        if not _ANY_SUBSCRIPTION.search(message):
            return False
        error = ConnectionFailed(f"the server refused the subscription: {safe(message, 200)}")
        return self._fail(error, [entry for entry in self._waiters if entry.subscribing is not None])

    @staticmethod
    def _fail(error: LifecycleError, entries: list[_Waiter]) -> bool:
        for entry in entries:
            if not entry.refused.done():
                entry.refused.set_result(error)
        return bool(entries)


def _future() -> asyncio.Future[LifecycleError]:
    return asyncio.get_running_loop().create_future()


def _unquoted(text: str) -> str:
    # For all characters of a subject, Go's quoting and JSON's are the same.
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]
