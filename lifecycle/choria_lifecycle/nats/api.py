"""Requests to JetStream's JSON API, on the subjects `$JS.API.>` or below the prefix of a domain or an import."""
# nats-py's annotations leave much open, which a strict checker reports at every call.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from nats import errors

from choria_lifecycle.nats.diagnosis import diagnose
from choria_lifecycle.nats.waiting import ConnectionLostError, wait_confirmed
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.nats.connection import Connection

__all__ = ["NO_CONSUMER", "NO_STREAM", "Api", "JetStreamError", "NoReplyError", "NoResponderError"]

T = TypeVar("T")

NO_STREAM: Final = 10059
"""JetStream's error code for a stream that does not exist (nats-server, server/errors.json)."""

NO_CONSUMER: Final = 10014
"""That for a consumer that does not exist."""

_NOT_ENABLED: Final = (10039, 10076)
_USUAL_PREFIX: Final = "$JS.API"


class NoReplyError(Exception):
    """No reply came, so the outcome of the request is unknown."""


class NoResponderError(NoReplyError):
    """Nothing listens on the subject: JetStream is not enabled, or temporarily unavailable."""


class JetStreamError(Exception):
    """JetStream replied with an error.

    Attributes:
        code: JetStream's error code.
        enabled: False if JetStream is not enabled for this user.
    """

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{safe(description, 200) or 'refused'} ({code})")
        self.code = code
        self.enabled: Final = code not in _NOT_ENABLED


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Response(msgspec.Struct):
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Response).decode


class Api:
    """JetStream's API on one connection.

    All methods raise NoReplyError if no reply came by the deadline or the connection was lost; JetStreamError if the
    reply is an error; and NotAuthorised if the server refused the request.

    Args:
        connection: the connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(self, function: str, request: Mapping[str, object], response_type: type[T], deadline: float) -> T:
        """Call a function of the API.

        Args:
            function: the function and its object, such as `STREAM.INFO.EVENTS`.
            request: the request, sent as JSON.
            response_type: the type to decode the reply as.
            deadline: when to stop waiting, by the clock of the event loop.
        """
        return await self.request(self.subject(function), msgspec.json.encode(request), response_type, deadline)

    def subject(self, function: str) -> str:
        """Return the subject of a function of the API."""
        return f"{self._connection.js_api}.{function}"

    def key_subject(self, subject: str) -> str:
        """Return the subject on which to write a key, as NATS' own clients do.

        In another domain or account, `$KV.>` is reached through the API's prefix.
        """
        return subject if self._connection.js_api == _USUAL_PREFIX else self.subject(subject)

    @property
    def where(self) -> str:
        """The domain or prefix of the API in words, with a blank in front; empty if there is neither."""
        connection = self._connection
        domain = connection.js_domain
        if not domain and connection.js_api != _USUAL_PREFIX:
            return f" under {safe(connection.js_api, 200)}"
        domain = domain or connection.client.js_domain
        return f" in the domain {safe(domain, 200)}" if domain else ""

    @property
    def elsewhere(self) -> str:
        """A sentence on where else to look for a stream or bucket; empty if the API is not the server's own."""
        connection = self._connection
        if connection.js_api != _USUAL_PREFIX or not connection.client.js_domain:
            return ""
        return "; if it is in another domain, name that with js_domain="

    def absence(self, error: NoReplyError | JetStreamError) -> tuple[str, str]:
        """Return why JetStream is not available, and what to do about it, for an error that means so."""
        connection = self._connection
        if isinstance(error, JetStreamError):
            reason = f"JetStream is not enabled for this account{self.where if connection.js_domain else ''}"
        elif connection.js_domain:
            own = connection.client.js_domain
            return (
                f"there is no answer from the JetStream domain {safe(connection.js_domain, 200)}",
                f"check js_domain=, and the link to that domain{f'; that of this server is {own}' if own else ''}",
            )
        elif connection.js_api != _USUAL_PREFIX:
            return (
                f"there is no answer from JetStream under {safe(connection.js_api, 200)}",
                "check js_prefix=, and that the account imports the API under it",
            )
        else:
            reason = "JetStream is not enabled on this server"
        return reason, (
            "if the hub of a leaf node has it, name its domain with js_domain= (`nats account info` shows it there); "
            "if another account has it, import its API and name the prefix with js_prefix="
        )

    async def request(
        self,
        subject: str,
        data: bytes,
        response_type: type[T],
        deadline: float,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Publish a message on a subject and decode the reply, as `call` does."""
        reply = await self._reply(subject, data, dict(headers) if headers else None, deadline)
        try:
            error = _decode(reply).error
            if error is None:
                return msgspec.json.decode(reply, type=response_type)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as failed:
            raise NoReplyError(f"the reply on {subject} could not be decoded") from failed
        raise JetStreamError(error.err_code, error.description)

    async def _reply(self, subject: str, data: bytes, headers: dict[str, str] | None, deadline: float) -> bytes:
        connection = self._connection
        if not await connection.connected(deadline):
            raise NoReplyError(connection.state)
        client, lost = connection.client, connection.client.lost
        remaining = max(0.0, deadline - asyncio.get_running_loop().time())
        with connection.permissions.publishing({subject}, inbox=True) as refused:
            request = asyncio.create_task(client.request(subject, data, timeout=remaining, headers=headers))
            try:
                await wait_confirmed(request, refused, lost, deadline)
                reply = await request
            except errors.NoRespondersError as error:
                raise NoResponderError(f"no responder on {subject}: JetStream is not enabled, or not ready") from error
            except TimeoutError as error:
                raise NoReplyError(f"no reply on {subject} in time") from error
            except (ConnectionLostError, errors.Error) as error:
                raise NoReplyError(diagnose(error)) from error
            finally:
                request.cancel()
                await asyncio.gather(request, return_exceptions=True)
        return bytes(reply.data)
