"""Hostile documents of any size: what is cheap at 100 bytes may be expensive at 64 kB."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from tests.bed.samples import ENVELOPE, STARTUP, example

__all__ = ["FAMILIES", "Family"]

NAGIOS, METRIC, MACHINES = (
    example(f"io.choria.machine.watcher.{name}.v1.state") for name in ("nagios", "metric", "machines")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Documents that differ in the number of repetitions of one piece.

    Attributes:
        head: the beginning.
        piece: the repeated text; `%d` in it is the number of the repetition.
        core: the middle.
        close: the text repeated as often after the middle; empty for pieces with a number.
        tail: the end.
        base64: put all of it into the data_base64 of an envelope.
    """

    head: bytes = b""
    piece: bytes
    core: bytes = b""
    close: bytes = b""
    tail: bytes = b""
    base64: bool = False

    def of(self, size: int) -> bytes:
        """Return the document of this family that comes closest to a size in bytes without exceeding it."""
        if self.base64:
            head, tail = _around(ENVELOPE | {"data": None}, "data_base64")
            room = (size - len(head) - len(tail) - 2) // 4 * 3
            return head + b'"' + base64.b64encode(self._plain(room)) + b'"' + tail
        return self._plain(size)

    def _plain(self, size: int) -> bytes:
        room = size - len(self.head) - len(self.core) - len(self.tail)
        if b"%d" not in self.piece:
            count = max(1, room // (len(self.piece) + len(self.close)))
            return self.head + self.piece * count + self.core + self.close * count + self.tail
        pieces: list[bytes] = []
        while (room := room - len(piece := self.piece % len(pieces))) >= 0:
            pieces.append(piece)
        return self.head + b"".join(pieces) + self.tail


def _around(document: dict[str, object], name: str) -> tuple[bytes, bytes]:
    """Return the text before and after the value of a field that is put last."""
    rest = {key: value for key, value in document.items() if key != name and value is not None}
    return _compact(rest)[:-1] + b',"' + name.encode() + b'":', b"}"


def _compact(document: dict[str, object]) -> bytes:
    """Return a document in Go's layout, for which the library has a quick path."""
    return json.dumps(document, separators=(",", ":")).encode()


def _in(
    document: dict[str, object],
    name: str,
    piece: bytes,
    *,
    start: bytes = b"",
    core: bytes = b"",
    close: bytes = b"",
    end: bytes = b"",
) -> Family:
    """Return a family in which the value of one field of a document grows."""
    head, tail = _around(document, name)
    return Family(head=head + start, piece=piece, core=core, close=close, tail=end + tail)


def _text(document: dict[str, object], name: str, piece: bytes) -> Family:
    return _in(document, name, piece, start=b'"', end=b'"')


def _list(document: dict[str, object], name: str, piece: bytes) -> Family:
    return _in(document, name, piece + b",", start=b"[", end=b"0]")


def _keys(document: dict[str, object], name: str, piece: bytes) -> Family:
    return _in(document, name, piece + b",", start=b"{", end=b'"":0}')


def _fields(document: dict[str, object], piece: bytes) -> Family:
    """Return a family with a growing number of unknown fields."""
    return Family(head=_compact(document)[:-1], piece=b"," + piece, tail=b"}")


def _metrics(piece: bytes, end: bytes, start: bytes = b"{") -> Family:
    """Return a family in which the metrics of a metric watcher grow."""
    return _in(METRIC, "metrics", piece, start=b'{"labels":{},"time":0,"metrics":' + start, end=end + b"}")


_STARTUP = _compact(STARTUP)
_NEXT = _STARTUP[:-1] + b', "'
_UNCLOSED = _NEXT + b'x": "'
_BIDI = "\u202e".encode()

FAMILIES: dict[str, Family] = {
    # Events within other documents.
    "json texts": Family(head=b"{", piece=rb'"%d":"{\"a\":[]}",', tail=b'"":0}'),
    "base64 texts": Family(head=b"{", piece=b'"%d":"eyJhIjpbXX0=",', tail=b'"":0}'),
    "almost base64": Family(head=b'{"":"', piece=b"e", tail=b'"}'),
    "texts without an event": Family(head=b'{"log":["', piece=b'{}","', tail=b'"]}'),
    "events in an array": Family(head=b'{"log":[', piece=b'{"protocol":"io.choria."},', tail=b"0]}"),
    # Frames.
    "record separators": Family(piece=b"\x1e{"),
    "record over many lines": Family(head=b"\x1e", piece=b"{\n"),
    "data lines": Family(head=b"data: {{\n", piece=b"data: }\n"),
    "data lines, closed": Family(piece=b"data: {}\n"),
    "messages": Family(piece=b"[#1] Received\n"),
    "headers": Family(head=b"[#1] Received\n", piece=b"a: b\n"),
    # Nesting.
    "unclosed arrays": Family(piece=b"["),
    "arrays, closed": Family(piece=b"[", close=b"]"),
    "closing brackets": Family(piece=b"]"),
    "unclosed objects": Family(piece=b'{"":'),
    "objects, closed": Family(piece=b'{"":', core=b"0", close=b"}"),
    "many deep places": _list(STARTUP, "x", b"[" * 250 + b"]" * 250),
    "brackets in a string": _text(STARTUP, "identity", b"[{"),
    "brackets in many strings": _list(STARTUP, "x", b'"[", "]"'),
    "envelopes in envelopes": Family(piece=b'{"specversion":"1.0","data":', core=b"{}", close=b"}"),
    "an envelope beside each field": _fields(STARTUP, b'"data%d":{"specversion":"1.0"}'),
    # Strings.
    "quotes": Family(piece=b'"'),
    "escaped quotes": _text(STARTUP, "identity", b'\\"'),
    "escaped quotes in an unclosed string": Family(head=_UNCLOSED, piece=b'\\"'),
    "escaped quotes in an open list": Family(head=_UNCLOSED, piece=b'\\",[\\"'),
    "backslashes": _text(STARTUP, "identity", b"\\\\"),
    "backslashes in an unclosed string": Family(head=_UNCLOSED, piece=b"\\\\"),
    "an unclosed string": Family(head=_UNCLOSED, piece=b"a"),
    "strings without commas": Family(head=b"[", piece=b'"a" '),
    "escapes": _text(STARTUP, "component", b"\\u0007"),
    "escaped surrogate pairs": _text(STARTUP, "component", b"\\ud83d\\ude00"),
    "escaped lone surrogates": _text(STARTUP, "version", b"\\ud800"),
    "invalid escapes": _text(STARTUP, "version", b"\\x"),
    "bidirectional controls": _text(STARTUP, "component", _BIDI),
    "deletes": _text(STARTUP, "identity", b"\x7f"),
    "combining marks": _text(STARTUP, "identity", "\u0301".encode()),
    "blanks around a subject": _text(ENVELOPE, "subject", b" "),
    # Keys.
    "unknown fields": _fields(STARTUP, b'"x%d":0'),
    "unknown fields of an envelope": _fields(ENVELOPE, b'"x%d":0'),
    "fields similar to known ones": _fields(STARTUP, b'"identiti%d":""'),
    "fields similar to known ones, in upper case": _fields(STARTUP, b'"TimeStamp%d":""'),
    "fields similar to known ones, in an envelope": _fields(ENVELOPE, b'"data_base%d":""'),
    "long fields similar to known ones": _fields(STARTUP, b'"' + b"identity" * 16 + b'%d":0'),
    "one field repeated": _fields(STARTUP, b'"identity":"n1"'),
    "one field with two values, repeated": _fields(STARTUP, b'"identity":"n1","identity":5'),
    "unknown fields and a repeated one": _fields(STARTUP, b'"x%d":0,"y":0'),
    "doubled fields deep down": _list(STARTUP, "x", b'{"a":0,"a":[{"b":0,"b":0}]}'),
    "a long key": Family(head=_NEXT, piece=b"k", tail=b'": 0}'),
    "a long key of escapes": Family(head=_NEXT, piece=b"\\u001b", tail=b'": 0}'),
    "a long key of dots": Family(head=_NEXT, piece=b".[", tail=b'": 0}'),
    "annotations of a wrong type": _keys(NAGIOS, "annotations", b'"k%d":0'),
    "annotations named like paths": _keys(NAGIOS, "annotations", b'"{data}.a[%d]{}":0'),
    "a long path to many numbers": _in(
        NAGIOS, "annotations", b'{"a":1e999,"%b":' % (b"k" * 240), core=b"0", close=b"}"
    ),
    # Numbers.
    "an integer of many digits": _in(STARTUP, "timestamp", b"9"),
    "an unknown integer of many digits": _in(STARTUP, "x", b"9"),
    "integers of 400 digits": _list(NAGIOS, "annotations", b"9" * 400),
    "a number of many decimals": _in(NAGIOS, "runtime", b"5", start=b"2.2250738585072011"),
    "a number of many zeros": _in(NAGIOS, "runtime", b"0", start=b"0.", end=b"1"),
    "a long exponent": _in(NAGIOS, "runtime", b"9", start=b"1e"),
    "a long negative exponent": _in(NAGIOS, "runtime", b"9", start=b"1e-"),
    "numbers beyond a double": _list(NAGIOS, "perfdata", b"1e999"),
    "signs": Family(piece=b"-"),
    "words": Family(head=b"[", piece=b"NaN,"),
    # Contracts with lists.
    "perfdata of a wrong type": _list(NAGIOS, "perfdata", b"0"),
    "empty perfdata": _list(NAGIOS, "perfdata", b"{}"),
    "perfdata of wrong values": _list(NAGIOS, "perfdata", b'{"label":1,"value":"x","unit":[]}'),
    "valid perfdata": _list(NAGIOS, "perfdata", b'{"label":"a","value":1,"unit":"s"}'),
    "history of wrong perfdata": _list(NAGIOS, "history", b'{"execute":0,"status":9,"perfdata":[0,{}]}'),
    "machines": _in(MACHINES, "machines", b'"m",', start=b"[", end=b'"m"]'),
    "machines of a wrong type": _list(MACHINES, "machines", b"{}"),
    "metrics": _metrics(b'"k%d":1.5,', b'"":0}'),
    "metrics of a wrong type": _metrics(b'"k%d":"1",', b'"":0}'),
    "metrics beyond a double": _metrics(b'"k%d":1e999,', b'"":0}'),
    "metrics of many digits": _metrics(b"9", b"}", start=b'{"k":'),
    # The envelope.
    "data in base64": Family(head=_STARTUP[:-1] + b', "x": "', piece=b"a", tail=b'"}', base64=True),
    "data in base64, deep": Family(piece=b"[", base64=True),
    "data in base64, unclosed": Family(head=_UNCLOSED, piece=b'\\"', base64=True),
    "data in base64 with doubled fields": Family(head=_STARTUP[:-1], piece=b',"x%d":0,"y":0', tail=b"}", base64=True),
    "base64 with blanks": _text(ENVELOPE | {"data": None}, "data_base64", b"e30 "),
    "base64 of padding": _text(ENVELOPE | {"data": None}, "data_base64", b"="),
    "a time with many decimals": _in(ENVELOPE, "time", b"9", start=b'"2026-11-22T08:33:56.', end=b'Z"'),
    "a time without an end": _in(ENVELOPE, "time", b"9", start=b'"2026-11-22T08:33:56.', end=b'"'),
    "a long source": _text(ENVELOPE, "source", b"io.choria."),
    "a long type": _text(ENVELOPE, "type", b"io.choria."),
    "a long protocol": _text(STARTUP, "protocol", b"io.choria."),
    "a protocol similar to known ones": Family(
        head=b'{"protocol":"io.choria.lifecycle.v1.', piece=b"startu", tail=b'","id":"1"}'
    ),
    # Bytes and lines.
    "invalid UTF-8 at the end": _in(STARTUP, "identity", b"a", start=b'"', end=b'\xff"'),
    "invalid UTF-8": Family(piece=b"\xff"),
    "half of a character": Family(piece=b"\xf0\x9f"),
    "blanks before": Family(piece=b" ", tail=_STARTUP),
    "blanks after": Family(head=_STARTUP, piece=b" "),
    "blanks within": Family(head=b"[", piece=b" ", tail=b"x"),
    "empty lines": Family(piece=b"\n"),
    "lines without an event": Family(piece=b"[1, 2, 3]\n"),
    "lines of events": Family(piece=_STARTUP + b"\n"),
    "lines of records": Family(
        piece=b'{"received":"2026-11-22T08:33:56Z","subject":"x","format":null,"event":{"protocol":"x"}}\n'
    ),
    "commas": Family(head=b"[", piece=b","),
    # Not documents: components, times and foreign text.
    "letters": Family(piece=b"a"),
    "dots": Family(piece=b"."),
    "escape characters": Family(piece=b"\x1b["),
    "plain time with many decimals": Family(head=b"2026-11-22T08:33:56.", piece=b"0", tail=b"Z"),
    "zero bytes": Family(piece=b"\x00"),
}
