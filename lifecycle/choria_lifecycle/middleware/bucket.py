"""Keys and values that JetStream keeps for a while: what an election is held with."""

from __future__ import annotations

import re
import time
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

from choria_lifecycle.errors import NoStream, OptionError
from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bucket", "InMemoryBucket", "RevisionConflict", "WriteResult", "check_bucket", "check_key", "no_bucket"]

# What NATS' clients take for the two.
_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(?:\.[-/_=a-zA-Z0-9]+)*").fullmatch
_BUCKET = re.compile(r"[-_a-zA-Z0-9]+").fullmatch


class WriteResult(NamedTuple):
    """A key that was written.

    Attributes:
        revision: what the next write of it has to name.
        previous_released: whether its holder before had let go of it with `Bucket.release`.
    """

    revision: int
    previous_released: bool


class RevisionConflict(Exception):
    """A key was not written: it has another revision than the one named."""


class Bucket(Protocol):
    """Keys and their values, kept by JetStream for some time after each write.

    All of these raise ConnectionFailed where no answer came in time, so that nobody knows whether it was done;
    NotAuthorised where the server refuses; and NoStream where the bucket is not there.
    """

    async def ttl(self, timeout: float) -> float:
        """Return for how long a key is kept after it was written, in seconds; 0 is for ever."""
        ...

    async def write(self, key: str, value: str, revision: int, token: str, timeout: float) -> WriteResult:
        """Write a key, if nobody else did since.

        Args:
            key: the key.
            value: what to write.
            revision: the revision that is to be replaced; 0 for a key that is not there, or was deleted.
            token: names this write: who asks again with the same token after no answer gets the answer of before.
            timeout: how long to wait for the answer, in seconds.

        Raises:
            RevisionConflict: the key is there, or has another revision.
        """
        ...

    async def release(self, key: str, revision: int, timeout: float) -> None:
        """Delete a key that has this revision, and say so to who writes it next.

        Raises:
            RevisionConflict: it has another.
        """


class _Entry(NamedTuple):
    revision: int
    value: str | None  # None: it was deleted
    token: str
    released: bool
    written: float


class InMemoryBucket:
    """A bucket within one process, for tests.

    Args:
        name: its name.
        ttl: for how many seconds a key is kept; 0 is for ever; None is a bucket that is not there.
        clock: the time in seconds.

    Attributes:
        entries: what is in it by key, what has expired and what was deleted included.
    """

    def __init__(self, name: str, ttl: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.entries: dict[str, _Entry] = {}
        self._name = name
        self._ttl = ttl
        self._clock = clock
        self._revisions = count(1)

    async def ttl(self, timeout: float) -> float:  # noqa: ARG002 - nothing to wait for
        if self._ttl is None:
            raise no_bucket(self._name)
        return self._ttl

    async def write(self, key: str, value: str, revision: int, token: str, timeout: float) -> WriteResult:
        check_key(key)
        last = self._last(key, await self.ttl(timeout))
        if last is not None and last.token == token:
            return WriteResult(last.revision, previous_released=False)
        if revision != (0 if last is None or last.value is None else last.revision):
            raise RevisionConflict(key)
        return WriteResult(self._put(key, value, token), previous_released=last is not None and last.released)

    async def release(self, key: str, revision: int, timeout: float) -> None:
        last = self._last(key, await self.ttl(timeout))
        if last is None or last.revision != revision:
            raise RevisionConflict(key)
        self._put(key, None, "", released=True)

    def delete(self, key: str) -> None:
        """Delete a key, whoever holds it, as `choria election evict` does."""
        self._put(key, None, "")

    def _last(self, key: str, ttl: float) -> _Entry | None:
        last = self.entries.get(key)
        return None if last is None or 0 < ttl <= self._clock() - last.written else last

    def _put(self, key: str, value: str | None, token: str, *, released: bool = False) -> int:
        revision = next(self._revisions)
        self.entries[key] = _Entry(revision, value, token, released, self._clock())
        return revision


def check_key(key: str) -> None:
    """Refuse what cannot be a key of a bucket.

    Raises:
        OptionError: it is empty, or has other characters than letters, digits, and -/_=. in it.
    """
    if not _KEY(key):
        raise OptionError(f"{quoted(key)} is no key: letters, digits, and any of -/_=. within", invalid=("key",))


def check_bucket(name: str) -> None:
    """Refuse what cannot be the name of a bucket.

    Raises:
        OptionError: it is empty, or has other characters than letters, digits, - and _ in it.
    """
    if not _BUCKET(name):
        raise OptionError(f"{quoted(name)} is no name for a bucket: letters, digits, - and _", invalid=("name",))


def no_bucket(name: str) -> NoStream:
    """The error for a bucket that is not there."""
    return NoStream(
        f"there is no bucket {name}: Choria's brokers make those that they need, where JetStream is enabled"
    )
