"""A splitter for consecutive JSON values, and the elements of arrays, over any number of lines.

It looks only at strings and brackets to find the end of each value, and reports only errors between values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from choria_lifecycle.validation.batch import BatchBuilder
from choria_lifecycle.wire import codes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from choria_lifecycle.validation.batch import Batch, PartialDocument
    from choria_lifecycle.wire.finding import Finding

__all__ = ["ValueSplitter"]

_QUOTE, _COMMA, _OPENING, _CLOSING, _LINE_END, _VALUE = *b'",[]\n', 0

# JSON strings contain no line ends, so the damage of an unclosed string ends with its line.
_WITHIN = rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*+'
_PLAIN = rb'[^"{}\[\]]*+'
_string = re.compile(_WITHIN).match
_to_bracket = re.compile(rb'%b(?:"%b["\n]%b)*+' % (_PLAIN, _WITHIN, _PLAIN)).match
_word = re.compile(rb'[^ \t\r\n,\[\]{}"]*+').match
_blank = re.compile(rb"[ \t\r\n]*+").match


def _array_error(message: str) -> Finding:
    return codes.INPUT_JSON.at("$", message)


# Created once, as a hostile file has one for every byte.
_MISSING_COMMA: Final = _array_error("a comma is missing before this element of the array")
_UNEXPECTED: Final = {byte: _array_error(f"unexpected '{chr(byte)}' between documents") for byte in b",]}"}


class _ValueScanner:
    """A block-by-block search for the end of a value."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = self._escaped = False

    @property
    def is_open(self) -> bool:
        """True while a string, an array or an object is open."""
        return self._in_string or self._depth > 0

    def begin(self, byte: int) -> None:
        """Begin a value with its first byte."""
        self._in_string = byte == _QUOTE
        self._depth = int(byte in b"{[")
        self._escaped = False

    def end(self, block: bytes, at: int) -> int:
        """Return the position at which the value ends in a block; -1 if it continues in the next block."""
        if not self.is_open:
            end = _word(block, at).end()  # type: ignore[union-attr]
            return end if end < len(block) else -1
        while at < len(block):
            if self._in_string:
                at = self._end_of_string(block, at)
                if self._in_string:
                    break
            else:
                at = _to_bracket(block, at).end()  # type: ignore[union-attr]
                if at == len(block):
                    break
                byte = block[at]
                at += 1
                if byte == _QUOTE:
                    self._in_string = True
                    continue
                self._depth += 1 if byte in b"{[" else -1
            if not self._depth:
                return at
        return -1

    def _end_of_string(self, block: bytes, at: int) -> int:
        if self._escaped and block[at] != _LINE_END:
            at += 1
        at = _string(block, at).end()  # type: ignore[union-attr]
        rest = block[at : at + 2]
        self._escaped = rest == b"\\"
        self._in_string = self._escaped or not rest
        return at + (rest[:1] != b"\n")


class ValueSplitter:
    """Splits a file into its values, and its outermost arrays into their elements.

    Args:
        partial: the buffer for values that span blocks.
    """

    def __init__(self, partial: PartialDocument) -> None:
        self._partial = partial
        self._scanner = _ValueScanner()
        self._inside = False
        self._line = self._value_line = 1
        self._array_line = 0  # the line on which the open array begins
        self._previous = _VALUE
        self._batch = BatchBuilder()

    def batches(self, blocks: Iterable[bytes]) -> Iterator[Batch]:
        """Return the values in the blocks of a file, as batches."""
        for block in blocks:
            yield from self._split(block)
            yield from self._batch.flush()
        unterminated = self._partial.size > 0
        if unterminated:
            unterminated = self._batch.add(self._value_line, self._partial.finish())
        if self._array_line and not (unterminated and self._scanner.is_open):
            begin = f"the array that begins on line {self._array_line}"
            message = f"{begin} is not closed: the file was truncated, or a ] is missing"
            self._batch.add(self._line, codes.INPUT_TRUNCATED.at("$", message))
        yield from self._batch.flush(unterminated)

    def _split(self, block: bytes) -> Iterator[Batch]:
        partial, value = self._partial, self._scanner
        at = counted = 0
        while True:
            begin = at
            if not self._inside:
                begin = _blank(block, at).end()  # type: ignore[union-attr]
                if begin == len(block):
                    break
                self._line += block.count(b"\n", counted, begin)
                at, counted = begin + 1, begin
                if not self._starts_value(block[begin]):
                    continue
            at = value.end(block, at)
            self._inside = at < 0
            if self._inside:
                # Preceding documents go first, because an oversized value is passed on while it is read.
                yield from self._batch.flush()
                partial.add(block[begin:])
                break
            if partial.size or at - begin > partial.limit:
                yield from self._batch.flush()
                partial.add(block[begin:at])
                self._batch.add(self._value_line, partial.finish())
            else:
                self._batch.add(self._value_line, block[begin:at] + b"\n")
        self._line += block.count(b"\n", counted)

    def _starts_value(self, byte: int) -> bool:
        """Return True if a value begins with this byte; handle the brackets and commas between values."""
        array, last = self._array_line, self._previous
        if byte in b",]}":
            if not array or byte not in (_COMMA, _CLOSING) or (byte, last) in _INVALID_PAIRS:
                self._batch.add(self._line, _UNEXPECTED[byte])
            self._previous = byte
            if byte == _CLOSING:
                self._array_line = 0
            return False
        if byte == _OPENING and not array:
            self._array_line, self._previous = self._line, byte
            return False
        if array and last == _VALUE:
            self._batch.add(self._line, _MISSING_COMMA)
        self._previous, self._value_line = _VALUE, self._line
        self._scanner.begin(byte)
        return True


_INVALID_PAIRS: Final = {(_COMMA, _OPENING), (_COMMA, _COMMA), (_CLOSING, _COMMA)}
