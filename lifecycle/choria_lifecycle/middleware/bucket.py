"""The key-value bucket protocol, its in-memory form, and checks of names and keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from typing import NamedTuple, Protocol

from choria_lifecycle.errors import NoStream, OptionError
from choria_lifecycle.support.clock import steady
from choria_lifecycle.support.text import quoted

__all__ = ["Bucket", "InMemoryBucket", "RevisionConflict", "WriteResult", "check_bucket", "check_key", "no_bucket"]

# The rules of NATS' own clients.
_KEY = re.compile(r"[-/_=a-zA-Z0-9]+(?:\.[-/_=a-zA-Z0-9]+)*").fullmatch
_BUCKET = re.compile(r"[-_a-zA-Z0-9]+").fullmatch


class WriteResult(NamedTuple):
    """The result of a write.

    Attributes:
        revision: the key's new revision, which the next write must name.
        previous_released: whether the previous holder had released the key with `Bucket.release`.
    """

    revision: int
    previous_released: bool


class RevisionConflict(Exception):
    """The key does not have the expected revision; nothing was written."""


class Bucket(Protocol):
    """A JetStream key-value bucket, which keeps each key for a time to live (TTL) after its last write.

    All methods raise ConnectionFailed if no reply came in time, so the outcome is unknown; NotAuthorised if the server
    refused; and NoStream if the bucket does not exist.
    """

    async def ttl(self, timeout: float) -> float:
        """Return the bucket's TTL in seconds; 0 means that keys never expire."""
        ...

    async def write(self, key: str, value: str, revision: int, token: str, timeout: float) -> WriteResult:
        """Write a key if it still has the given revision.

        Args:
            key: the key.
            value: the value.
            revision: the revision to replace; 0 for a key that does not exist or was deleted.
            token: idempotency key: a retry with the same token returns the original result.
            timeout: how long to wait for the reply, in seconds.

        Raises:
            RevisionConflict: the key exists, or has another revision.
        """
        ...

    async def release(self, key: str, revision: int, timeout: float) -> None:
        """Delete a key if it still has the given revision; the next write reports it as released.

        Raises:
            RevisionConflict: the key has another revision.
        """


class _Entry(NamedTuple):
    revision: int
    value: str | None  # None: deleted
    token: str
    released: bool
    written: float


class InMemoryBucket:
    """A bucket within one process, for tests.

    Args:
        name: the bucket's name.
        ttl: the TTL in seconds; 0 means that keys never expire, None that the bucket does not exist.
        clock: returns the time in seconds.

    Attributes:
        entries: the entries by key, including expired and deleted ones.
    """

    def __init__(self, name: str, ttl: float | None, *, clock: Callable[[], float] = steady) -> None:
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
        """Delete a key regardless of its revision, as `choria election evict` does."""
        self._put(key, None, "")

    def _last(self, key: str, ttl: float) -> _Entry | None:
        last = self.entries.get(key)
        return None if last is None or 0 < ttl <= self._clock() - last.written else last

    def _put(self, key: str, value: str | None, token: str, *, released: bool = False) -> int:
        revision = next(self._revisions)
        self.entries[key] = _Entry(revision, value, token, released, self._clock())
        return revision


def check_key(key: str) -> None:
    """Check that a bucket can have this key.

    Raises:
        OptionError: the key is empty, or contains characters other than letters, digits and -/_=.
    """
    if not _KEY(key):
        raise OptionError(
            f"{quoted(key)} is not a valid key: use letters, digits and -/_=, and dots between them", invalid=("key",)
        )


def check_bucket(name: str) -> None:
    """Check that a bucket can have this name.

    Raises:
        OptionError: the name is empty, or contains characters other than letters, digits, - and _.
    """
    if not _BUCKET(name):
        raise OptionError(f"{quoted(name)} is not a valid bucket name: use letters, digits, - and _", invalid=("name",))


def no_bucket(name: str, detail: str = "", remedy: str = "") -> NoStream:
    """Return the error for a bucket that does not exist, with text to add to its two parts."""
    usual = "Choria's brokers create the buckets they need if JetStream is enabled"
    return NoStream(f"there is no bucket {name}{detail}: {usual}{remedy}")
