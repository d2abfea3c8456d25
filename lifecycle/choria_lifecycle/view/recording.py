"""Events in files: JSON documents, each either as it was sent or in a record with its receive time and subject.

    {"received":"2026-11-22T08:33:56.123456Z","subject":"choria.lifecycle.event.alive.server","format":"cloudevents","event":{...}}

A record holds the event in Choria's own JSON, regardless of the format it arrived in, so that one filter finds its
fields.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

import msgspec

from choria_lifecycle.errors import InvalidEvent, UnknownProtocol
from choria_lifecycle.middleware.delivery import Delivery
from choria_lifecycle.support.text import quoted, visible_json
from choria_lifecycle.validation.policy import split_batch
from choria_lifecycle.validation.records import Record, events_in, read_record
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire import codec
from choria_lifecycle.wire.cloudevents import Format, detect_format, unix_time
from choria_lifecycle.wire.finding import Severity
from choria_lifecycle.wire.jsontext import MAX_SIZE
from choria_lifecycle.wire.locations import MAX_HOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.events.event import Event
    from choria_lifecycle.wire.locations import Location

__all__ = ["encode_record", "read_deliveries"]

_encode = msgspec.json.Encoder().encode


def encode_record(delivery: Delivery, event: Event) -> str:
    """Return a delivery as a record, with every character that is not plainly visible escaped.

    Args:
        delivery: the delivery; a receive time of NaN and an empty subject mean unknown.
        event: the event in it.
    """
    line: str = _encode(
        Record(
            received=None if math.isnan(delivery.received) else _format_time(delivery.received),
            subject=delivery.subject or None,
            format=detect_format(delivery.data),
            event=msgspec.Raw(codec.encode(event)),
        )
    ).decode()
    return visible_json(line)


def read_deliveries(stream: IO[bytes], at: Location | None = None) -> Iterator[tuple[int, Delivery]]:
    """Read documents and records, and yield each with the line on which it begins, as it was delivered.

    The layout of the file is one of those of `DocumentSource`. A document without a record has a receive time of NaN
    and an empty subject. What is not a document, such as an error between two of them, is a delivery with the error.

    Args:
        stream: the file; it is read block by block, and a document of any size takes little memory.
        at: where the events lie within the documents; None if each is an event or a record.

    Raises:
        OSError: the file cannot be read.
    """
    for batch in chain.from_iterable(map(split_batch, DocumentSource(stream, limit=MAX_HOLDER))):
        for number, finding in batch.findings:
            if finding.severity is Severity.ERROR:
                yield number, Delivery("", b"", math.nan, None, finding.error())
        for number, document in zip(batch.line_numbers, batch.documents, strict=True):
            raw = document.strip(b" \t\r\n")
            for delivery in [_parse_document(raw)] if at is None else _read_events(raw, at):
                yield number, delivery


def _read_events(raw: bytes, at: Location) -> Iterator[Delivery]:
    """Yield the events at a place in a document; with `AUTO`, a record is read as one."""
    for event in events_in(raw, at):
        if event.finding is not None:
            yield Delivery("", raw, math.nan, None, event.finding.error())
            continue
        delivery = _parse_document(event.data)
        if isinstance(delivery.error, InvalidEvent):
            error = delivery.error
            path = event.path + error.path.removeprefix("$")
            error = InvalidEvent(error.message, path=path, rule=error.rule, value=error.value)
            delivery = delivery._replace(error=error)
        yield delivery


def _parse_document(raw: bytes) -> Delivery:
    found = read_record(raw)
    if found is None:
        return _decode("", raw, math.nan)
    subject, data = found.subject or "", bytes(found.event)
    try:
        received = _parse_time(found.received) if found.received is not None else math.nan
    except ValueError:
        message = f"received must be an RFC 3339 time, not {quoted(found.received)}"
        return Delivery(subject, data, math.nan, None, InvalidEvent(message, path="$.received", rule="format"))
    # The escapes of `encode_record` may have made an event of legal size longer.
    delivery = _decode(subject, data, received, MAX_HOLDER)
    if found.format is None or delivery.error is not None:
        return delivery
    return delivery._replace(data=_encode_original(delivery.event, found.format))


def _decode(subject: str, data: bytes, received: float, max_size: int = MAX_SIZE) -> Delivery:
    try:
        return Delivery(subject, data, received, codec.decode(data, max_size), None)
    except (InvalidEvent, UnknownProtocol) as error:
        return Delivery(subject, data, received, None, error)


def _encode_original(event: Any, form: Format) -> bytes:
    """Return an event as it arrived: without the escapes of a record, and in its format."""
    try:
        return codec.encode(event, form)
    except InvalidEvent:  # its timestamp lies outside the years that the envelope's time can express
        return codec.encode(event)


def _format_time(received: float) -> str:
    return datetime.fromtimestamp(received, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _parse_time(text: str) -> float:
    """Parse an RFC 3339 time; raises ValueError for other text, and for years outside 1 to 9999 in UTC."""
    received = unix_time(text)
    if received is None:
        raise ValueError("not an RFC 3339 time")
    try:
        datetime.fromtimestamp(received, UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error
    return received
