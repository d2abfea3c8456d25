"""Key-value buckets in JetStream, laid out as NATS' own clients do.

A bucket B is the stream KV_B; its key K is the last message on `$KV.B.K`, whose sequence is the revision. A write names
the revision to replace, and the server compares. For a bucket in another domain or account, the API's prefix precedes
the subject of a write. Choria allows an election's candidates only to write and to read the stream's info (go-choria,
broker/network/choria_auth.go); a key is read only if that is allowed too.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Final

import msgspec

from choria_lifecycle.errors import ConnectionFailed, NotAuthorised
from choria_lifecycle.middleware.bucket import RevisionConflict, WriteResult, check_key, no_bucket
from choria_lifecycle.nats.api import NO_STREAM, Api, JetStreamError, NoReplyError, NoResponderError
from choria_lifecycle.support.log import logger

if TYPE_CHECKING:
    from choria_lifecycle.errors import LifecycleError, NoStream
    from choria_lifecycle.nats.connection import Connection

__all__ = ["NatsBucket"]

_EXPECTED_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
_WRITE_ID: Final = "Nats-Msg-Id"
_OPERATION: Final = "KV-Operation"
_MARKER_REASON: Final = "Nats-Marker-Reason"
# Our own header: the holder released the key, as opposed to another client deleting it.
_RELEASED: Final = "Lifecycle-Released"

# Error codes of JetStream (nats-server, server/errors.json).
_NO_MESSAGE: Final = 10037
_WRONG_SEQUENCE: Final = 10071

_NANOSECONDS: Final = 1e9


class _Config(msgspec.Struct):
    max_age: int = 0


class _Info(msgspec.Struct):
    config: _Config


class _Stored(msgspec.Struct):
    seq: int


class _Message(msgspec.Struct):
    seq: int
    hdrs: str = ""


class _Last(msgspec.Struct):
    message: _Message


class NatsBucket:
    """A bucket on a server; implements `choria_lifecycle.middleware.bucket.Bucket`.

    Args:
        connection: the connection to the server.
        name: the bucket's name.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._api = Api(connection)
        self._name = name
        self._may_read = True

    async def ttl(self, timeout: float) -> float:
        return (await self._config(_deadline(timeout))).max_age / _NANOSECONDS

    async def write(self, key: str, value: str, revision: int, token: str, timeout: float) -> WriteResult:
        check_key(key)
        deadline = _deadline(timeout)
        try:
            return WriteResult(await self._put(key, value, deadline, revision, token), previous_released=False)
        except RevisionConflict:
            last = await self._last(key, deadline)
            if last is None:
                raise
        headers = _headers(last.hdrs)
        if headers.get(_WRITE_ID) == token:
            return WriteResult(last.seq, previous_released=False)  # it was stored, and the reply was lost
        if revision or not (headers.get(_OPERATION) in ("DEL", "PURGE") or _MARKER_REASON in headers):
            raise RevisionConflict(key)
        return WriteResult(
            await self._put(key, value, deadline, last.seq, token), previous_released=_RELEASED in headers
        )

    async def release(self, key: str, revision: int, timeout: float) -> None:
        check_key(key)
        await self._put(key, "", _deadline(timeout), revision, "", {_OPERATION: "DEL", _RELEASED: "1"})

    async def _config(self, deadline: float) -> _Config:
        try:
            info = await self._api.call(f"STREAM.INFO.KV_{self._name}", {}, _Info, deadline)
        except NoResponderError as error:
            raise self._unavailable(error) from error
        except (NoReplyError, JetStreamError) as error:
            raise self._translate(error) from error
        return info.config

    async def _put(
        self, key: str, value: str, deadline: float, revision: int, token: str, more: dict[str, str] | None = None
    ) -> int:
        headers = {_EXPECTED_SEQUENCE: str(revision), **(more or {})}
        if token:
            headers[_WRITE_ID] = token
        subject = self._api.key_subject(self._subject(key))
        try:
            stored = await self._api.request(subject, value.encode(), _Stored, deadline, headers)
        except JetStreamError as error:
            # While another write is pending, the server replies with other codes, and the outcome is unknown.
            if error.code == _WRONG_SEQUENCE:
                raise RevisionConflict(key) from error
            raise self._translate(error) from error
        except NoReplyError as error:
            if isinstance(error, NoResponderError):
                await self._config(deadline)  # raises NoStream if the bucket does not exist
            raise self._translate(error) from error
        return stored.seq

    async def _last(self, key: str, deadline: float) -> _Message | None:
        """Return the last message of a key; None if it has none, or this user may not read it."""
        if not self._may_read:
            return None
        request = {"last_by_subj": self._subject(key)}
        try:
            last = await self._api.call(f"STREAM.MSG.GET.KV_{self._name}", request, _Last, deadline)
        except NotAuthorised:
            logger.debug("this user may write to the bucket %s, but not read it", self._name)
            self._may_read = False
            return None
        except JetStreamError as error:
            if error.code == _NO_MESSAGE:
                return None
            raise self._translate(error) from error
        except NoReplyError as error:
            raise self._translate(error) from error
        return last.message

    def _subject(self, key: str) -> str:
        return f"$KV.{self._name}.{key}"

    def _translate(self, error: NoReplyError | JetStreamError) -> LifecycleError:
        if isinstance(error, JetStreamError):
            if not error.enabled:
                return self._unavailable(error)
            if error.code == NO_STREAM:
                return no_bucket(self._name, self._api.where, self._api.elsewhere)
        return ConnectionFailed(f"bucket {self._name}: {error}")

    def _unavailable(self, error: NoReplyError | JetStreamError) -> NoStream:
        reason, remedy = self._api.absence(error)
        return no_bucket(self._name, f", as {reason}", f"; {remedy}")


def _deadline(timeout: float) -> float:
    return asyncio.get_running_loop().time() + timeout


def _headers(encoded: str) -> dict[str, str]:
    """Decode the headers of a stored message; return an empty dict if they are malformed."""
    try:
        lines = base64.b64decode(encoded).decode().split("\r\n")[1:]
    except ValueError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
