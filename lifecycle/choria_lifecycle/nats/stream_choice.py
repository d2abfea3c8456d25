"""The choice of the stream to read: the named one, else Choria's own, else the one that stores the subject."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from choria_lifecycle.errors import NoStream, NotAuthorised, OptionError
from choria_lifecycle.middleware.transport import check_stream, covers, nothing_stored
from choria_lifecycle.nats.api import NO_STREAM, JetStreamError, NoReplyError, NoResponderError
from choria_lifecycle.nats.contents import Stored, StreamConfig, intersect, relocated, stored_subjects
from choria_lifecycle.support.choria import EVENT_STREAM
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from choria_lifecycle.nats.api import Api

__all__ = ["Cluster", "OriginState", "StreamInfo", "StreamState", "choose_stream"]

# A mirror of a mirror of a mirror is unusual.
_MAX_ORIGINS: Final = 20
# Names in one message.
_MAX_NAMED: Final = 10


class StreamState(msgspec.Struct):
    """The messages of a stream.

    Attributes:
        messages: their number.
        bytes: their size.
        first_seq: the sequence of the first.
        first_ts: when it was stored.
        last_seq: the sequence of the last.
        subjects: the number of messages by subject, if requested.
    """

    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    first_ts: str = ""
    last_seq: int = 0
    subjects: dict[str, int] | None = None


class Cluster(msgspec.Struct):
    """The servers that keep a stream.

    Attributes:
        name: the cluster's name; empty for a server that belongs to none.
        leader: the name of the server that stores what is published; empty if there is none.
        leader_since: since when it does, from nats-server 2.12 on.
    """

    name: str = ""
    leader: str = ""
    leader_since: str = ""


class OriginState(msgspec.Struct):
    """A stream that is copied: its name, and nanoseconds since it was last heard; negative if it never was."""

    name: str = ""
    active: int = -1


class StreamInfo(msgspec.Struct):
    """A stream's configuration and state; `ts` is the time of the server, which may leave out the fields after it."""

    config: StreamConfig
    state: StreamState
    created: str = ""
    ts: str = ""
    cluster: Cluster | None = None
    mirror: OriginState | None = None
    sources: list[OriginState] | None = None

    @property
    def origins(self) -> list[OriginState]:
        """The streams that it mirrors or sources."""
        return [*([self.mirror] if self.mirror is not None else ()), *(self.sources or ())]


class _Names(msgspec.Struct):
    streams: list[str] | None = None


class _Page(msgspec.Struct):
    total: int = 0
    streams: list[StreamInfo] | None = None
    missing: list[str] | None = None


async def choose_stream(api: Api, subject: str, name: str, deadline: float) -> StreamInfo:
    """Return the stream to read a subject from.

    That is the named stream; else CHORIA_EVENTS if it stores the subject; else the only stream that does. A stream
    that mirrors or sources others stores what it copies of them, by its filters and transforms. What a stream in
    another domain or account stores is unknown; a copy of it is judged by its messages.

    Args:
        api: the API to call.
        subject: the subject, wildcards allowed.
        name: the stream's name, or empty.
        deadline: when to stop waiting, by the clock of the event loop.

    Raises:
        NoStream: the named stream does not store all of the subject, or no stream does, or several do; or it does not
            keep all messages.
        NoReplyError: as for `Api`.
        JetStreamError: as for `Api`.
        NotAuthorised: as for `Api`.
    """
    choice = _Choice(api, subject, deadline)
    try:
        return await (choice.named(name) if name else choice.unnamed())
    except NoResponderError as error:
        raise _unavailable(api, subject, error) from error
    except JetStreamError as error:
        if not error.enabled:
            raise _unavailable(api, subject, error) from error
        raise


def _unavailable(api: Api, subject: str, error: NoReplyError | JetStreamError) -> NoStream:
    reason, remedy = api.absence(error)
    return nothing_stored(subject, f", as {reason}", f"; {remedy}")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A stream that may store the subject.

    Attributes:
        info: the stream.
        stored: the subjects that it stores.
        subject: the subject to read.
    """

    info: StreamInfo
    stored: list[Stored]
    subject: str

    @property
    def name(self) -> str:
        return self.info.config.name

    @property
    def certain(self) -> bool:
        """True if the stream stores the subject."""
        return any(not each.unknown and covers(each.subject, self.subject) for each in self.stored)

    @property
    def unknown(self) -> str:
        """The reason why the stream may or may not store the subject; empty if that is known."""
        reasons = (each.unknown for each in self.stored if each.unknown and covers(each.subject, self.subject))
        return "" if self.certain else next(reasons, "")

    @property
    def partial(self) -> bool:
        """True if the stream stores some of the subject, but not all of it."""
        overlaps = any(intersect(each.subject, self.subject) is not None for each in self.stored)
        return overlaps and not self.certain and not self.unknown

    @property
    def elsewhere(self) -> str:
        """The subjects under which it stores the same messages, with a prefix."""
        return safe(", ".join(relocated(self.stored, self.subject)), 200)

    @property
    def refusal(self) -> str:
        """The reason why it cannot be read; empty if it can, as far as is known."""
        config = self.info.config
        if not self.stored:
            return f"the stream {self.name} stores nothing: its filters match no subject of the streams that it copies"
        if not self.certain and not self.unknown:
            if self.elsewhere and not self.partial:
                return (
                    f"the stream {self.name} does not store {self.subject}: its events are under {self.elsewhere}; "
                    "read them with subject="
                )
            return f"the stream {self.name} does not store all of {self.subject}, but only {_list(self.stored)}"
        if config.max_msgs_per_subject > 0:
            return (
                f"the stream {self.name} keeps only the last {config.max_msgs_per_subject} messages of each subject, "
                "and all alive events of a component share one: set its max_msgs_per_subject to -1"
            )
        if config.retention == "workqueue":
            return (
                f"the stream {self.name} deletes each message once a worker has read it: its retention must be limits"
            )
        return ""

    def __str__(self) -> str:
        return f"{self.name} ({_list(self.stored)})"


class _Choice:
    def __init__(self, api: Api, subject: str, deadline: float) -> None:
        self._api = api
        self._subject = subject
        self._deadline = deadline

    async def named(self, name: str) -> StreamInfo:
        try:
            candidate = await self._examine(await self._info(name))
        except JetStreamError as error:
            if error.code != NO_STREAM:
                raise
            raise NoStream(f"there is no JetStream stream {name}{self._api.where}{self._api.elsewhere}") from error
        if candidate.refusal:
            raise NoStream(candidate.refusal)
        if candidate.unknown and not await self._has_messages(candidate):
            logger.warning(
                "the stream %s may not store %s: that depends on %s, and none of its %d messages is such an event",
                name,
                self._subject,
                safe(candidate.unknown, 200),
                candidate.info.state.messages,
            )
        return self._use(candidate)

    async def unnamed(self) -> StreamInfo:
        refused: NotAuthorised | None = None
        try:
            usual = await self._examine(await self._info(EVENT_STREAM))
        except NotAuthorised as error:
            refused = error
        except JetStreamError as error:
            if error.code != NO_STREAM:
                raise
        else:
            if not usual.refusal and (usual.certain or await self._has_messages(usual)):
                return self._use(usual)
        try:
            candidates = await self._candidates()
        except NotAuthorised as error:
            if refused is not None:
                raise refused from error
            raise NoStream(
                f"no stream {EVENT_STREAM} stores {self._subject}{self._api.where}, and this user may not look for "
                "another: name it with stream="
            ) from error
        usable = [each for each in candidates if each.certain and not each.refusal]
        names = {each.name for each in usable}
        # A mirror of another candidate has nothing to add.
        usable = [each for each in usable if (mirror := each.info.config.mirror) is None or mirror.name not in names]
        if not usable:
            usable = [
                each for each in candidates if each.unknown and not each.refusal and await self._has_messages(each)
            ]
        if len(usable) == 1:
            return self._use(usable[0])
        if usable:
            raise NoStream(f"several streams store {self._subject}, name one with stream=: {_names(usable)}")
        raise self._nothing(candidates)

    def _nothing(self, candidates: list[_Candidate]) -> NoStream:
        """Return the error if no stream can be read: the nearest reason."""
        unusable = [each for each in candidates if each.certain]
        partial = [each for each in candidates if each.partial]
        if unusable or len(partial) == 1:
            return NoStream((unusable or partial)[0].refusal)
        if partial:
            return NoStream(f"several streams store parts of {self._subject}, none all of it: {_names(partial)}")
        hints = [
            f"; the stream {each.name} has its events under {each.elsewhere}: read them with stream= and subject="
            for each in candidates
            if each.elsewhere
        ]
        hints += [
            f"; the stream {each.name} may store it, depending on {safe(each.unknown, 200)}: name it with stream="
            for each in candidates
            if each.unknown
        ]
        return nothing_stored(self._subject, self._api.where, "".join(hints[:_MAX_NAMED]) or self._api.elsewhere)

    def _use(self, candidate: _Candidate) -> StreamInfo:
        logger.debug("reading %s from the stream %s", self._subject, candidate)
        if candidate.info.config.retention == "interest":
            logger.warning(
                "the stream %s deletes messages once its consumers have read them: history may be missing; "
                "set its retention to limits",
                candidate.name,
            )
        return candidate.info

    async def _candidates(self) -> list[_Candidate]:
        """Return all streams; only those with the subject among their own if this user may not list them."""
        now = asyncio.get_running_loop().time()
        try:
            infos = await self._list(now + (self._deadline - now) / 2)
        except NoResponderError:
            raise
        except (NotAuthorised, NoReplyError, JetStreamError) as error:
            logger.debug("cannot list the streams: %s", error)
            request = {"subject": self._subject}
            names = (await self._api.call("STREAM.NAMES", request, _Names, self._deadline)).streams or []
            return [await self._examine(await self._info(name)) for name in names[:_MAX_NAMED] if _is_valid(name)]
        configs = {info.config.name: info.config for info in infos}
        return [
            _Candidate(info, stored_subjects(info.config, configs), self._subject)
            for info in infos
            if _is_valid(info.config.name)
        ]

    async def _list(self, deadline: float) -> list[StreamInfo]:
        found: list[StreamInfo] = []
        while True:
            page = await self._api.call("STREAM.LIST", {"offset": len(found)}, _Page, deadline)
            if page.missing:
                raise NoReplyError(f"no reply from the streams {safe(', '.join(page.missing), 200)}")
            found += page.streams or []
            if not page.streams or len(found) >= page.total:
                return found

    async def _examine(self, info: StreamInfo) -> _Candidate:
        """Return the stream as a candidate, after reading the configurations of those that it copies."""
        configs = {info.config.name: info.config}
        candidate = _Candidate(info, stored_subjects(info.config, configs), self._subject)
        waiting = [] if candidate.certain else [origin.name for origin in info.config.origins if not origin.api]
        while waiting and len(configs) < _MAX_ORIGINS:
            name = waiting.pop()
            if name in configs or not _is_valid(name):
                continue
            try:
                configs[name] = (await self._info(name)).config
            except (NotAuthorised, NoReplyError, JetStreamError) as error:
                logger.debug("cannot examine the stream %s: %s", name, error)
            else:
                waiting += [origin.name for origin in configs[name].origins if not origin.api]
        return _Candidate(info, stored_subjects(info.config, configs), self._subject)

    async def _has_messages(self, candidate: _Candidate) -> bool:
        """Return True if the stream has messages of the subject."""
        request = {"subjects_filter": self._subject}
        info = await self._api.call(f"STREAM.INFO.{candidate.name}", request, StreamInfo, self._deadline)
        return bool(info.state.subjects)

    async def _info(self, name: str) -> StreamInfo:
        info = await self._api.call(f"STREAM.INFO.{name}", {}, StreamInfo, self._deadline)
        info.config.name = name
        return info


def _is_valid(name: str) -> bool:
    """Return True if a name that the server sent can be part of a subject."""
    try:
        check_stream(name)
    except OptionError:
        return False
    return True


def _list(stored: Iterable[Stored]) -> str:
    subjects = (f"{each.subject} of {each.unknown}" if each.unknown else each.subject for each in stored)
    return safe(", ".join(subjects), 200)


def _names(candidates: list[_Candidate]) -> str:
    more = f" and {len(candidates) - _MAX_NAMED} more" if len(candidates) > _MAX_NAMED else ""
    return safe(", ".join(map(str, candidates[:_MAX_NAMED])), 1000) + more
