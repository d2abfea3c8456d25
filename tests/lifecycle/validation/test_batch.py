from __future__ import annotations

import pytest

from choria_lifecycle.validation.batch import PartialDocument
from choria_lifecycle.wire.finding import Finding


def refuse(piece: bytes) -> None:
    pytest.fail(f"{piece!r} was passed on")


def test_pieces_are_joined_and_the_next_document_begins_empty() -> None:
    partial = PartialDocument(4, refuse)
    for pieces in ([b"ab", b"", b"cd"], [b"x"], [b""]):
        for piece in pieces:
            partial.add(piece)
        assert partial.size == len(b"".join(pieces))
        assert partial.finish() == b"".join(pieces) + b"\n"
        assert partial.size == 0


def test_an_oversized_document_is_passed_on_and_not_kept() -> None:
    passed_on: list[bytes] = []
    partial = PartialDocument(4, passed_on.append)
    partial.add(b"ab")
    partial.add(b"cd")
    assert passed_on == []
    partial.add(b"e")
    assert passed_on == [b"ab", b"cd", b"e"]
    partial.add(b"f")
    assert passed_on[3:] == [b"f"]
    found = partial.finish()
    assert isinstance(found, Finding)
    assert (found.severity, found.code, found.path, found.rule) == ("error", "input-size", "$", "size")
    assert found.message.startswith("the document has 6 bytes, more than the 4 allowed")
    assert passed_on[4:] == [b"\n"]
    partial.add(b"abcd")
    assert partial.finish() == b"abcd\n"
    assert len(passed_on) == 5


def test_a_document_that_was_added_at_once_can_be_rejected() -> None:
    passed_on: list[bytes] = []
    partial = PartialDocument(2, passed_on.append)
    partial.add(b"abc")
    assert partial.reject().message.startswith("the document has 3 bytes, more than the 2 allowed")
    assert (passed_on, partial.size) == ([b"abc", b"\n"], 0)
