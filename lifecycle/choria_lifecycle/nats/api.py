"""Requests to JetStream, which is asked and answers in JSON over subjects of its own (`$JS.API.`)."""
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

__all__ = ["Api", "JetStreamError", "NoReplyError", "NoResponderError"]

T = TypeVar("T")

# JetStream's own numbers for its errors (nats-server, server/errors.json).
_NOT_ENABLED: Final = (10039, 10076)


class NoReplyError(Exception):
    """No answer came: nobody knows whether what was asked for was done."""


class NoResponderError(NoReplyError):
    """Nobody listens: there is no JetStream, or none that works at the moment."""


class JetStreamError(Exception):
    """JetStream's answer is an error.

    Attributes:
        code: its number among JetStream's errors.
        enabled: False if it says that there is no JetStream for this user.
    """

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{safe(description, 200) or 'refused'} ({code})")
        self.code = code
        self.enabled = code not in _NOT_ENABLED


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Response(msgspec.Struct):
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Response).decode


class Api:
    """Asks, and waits for the answer on one connection.

    All of its methods raise UnansweredError, where no answer came by the deadline or the connection was lost;
    RefusedError, where the answer is an error; and NotAuthorised, where the server does not pass the request on.

    Args:
        connection: where to ask.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def call(self, what: str, request: Mapping[str, object], kind: type[T], deadline: float) -> T:
        """Call a function of the API.

        Args:
            what: its name, and what it is about, such as `STREAM.INFO.EVENTS`.
            request: what to send.
            kind: what the answer is to be read as.
            deadline: until when to wait, by the clock of the event loop.
        """
        return await self.request(f"$JS.API.{what}", msgspec.json.encode(request), kind, deadline)

    async def request(
        self,
        subject: str,
        data: bytes,
        response_type: type[T],
        deadline: float,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Publish a message on a subject and read the answer, as `call` does."""
        answer = await self._reply(subject, data, dict(headers) if headers else None, deadline)
        try:
            error = _decode(answer).error
            if error is None:
                return msgspec.json.decode(answer, type=response_type)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as failed:
            raise NoReplyError(f"the answer on {subject} could not be read") from failed
        raise JetStreamError(error.err_code, error.description)

    async def _reply(self, subject: str, data: bytes, headers: dict[str, str] | None, deadline: float) -> bytes:
        connection = self._connection
        if not await connection.connected(deadline):
            raise NoReplyError(connection.state)
        client, lost = connection.client, connection.client.lost
        remaining = max(0.0, deadline - asyncio.get_running_loop().time())
        with connection.permissions.publishing({subject}, inbox=True) as refused:
            asked = asyncio.create_task(client.request(subject, data, timeout=remaining, headers=headers))
            try:
                await wait_confirmed(asked, refused, lost, deadline)
                answer = await asked
            except errors.NoRespondersError as error:
                raise NoResponderError(
                    f"nobody answers on {subject}: JetStream is not enabled, or not ready"
                ) from error
            except TimeoutError as error:
                raise NoReplyError(f"no answer on {subject} in time") from error
            except (ConnectionLostError, errors.Error) as error:
                raise NoReplyError(diagnose(error)) from error
            finally:
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
        return bytes(answer.data)
