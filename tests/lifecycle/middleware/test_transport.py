"""The checks that all transports share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.errors import DeliveryFailed, OptionError
from choria_lifecycle.middleware.transport import check_messages, check_pattern, covers

if TYPE_CHECKING:
    from choria_lifecycle.middleware.transport import Transport


@pytest.mark.parametrize("subject", ["", ".", "a.", "a..b", "a b", "a\tb", "a\r\nSUB >", "a.*", ">", "a\x00"])
def test_unusable_subjects_cannot_be_published_on(subject: str) -> None:
    with pytest.raises(OptionError):
        check_messages([("fine", b""), (subject, b"")], 10)


def test_messages_are_limited_in_size() -> None:
    check_messages([("a", b"x" * 10)], 10)
    with pytest.raises(DeliveryFailed, match="11 bytes") as raised:
        check_messages([("a", b""), ("b", b"x" * 11)], 10)
    assert (raised.value.subject, raised.value.may_arrive) == ("b", False)


@pytest.mark.parametrize("subject", ["a", "a.b", "*", ">", "a.*.>", "*.*", "é.ü"])
def test_usable_subjects_can_be_subscribed_to(subject: str) -> None:
    check_pattern(subject, "")
    check_pattern(subject, "group.one")


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.>", "a.b", True),
        ("a.>", "a.>", True),
        ("a.>", "a.*.c", True),
        ("a.>", "a", False),
        ("a.>", ">", False),
        ("a.*", "a.>", False),
        ("a.*", "a.*", True),
        ("a.*", "a.b", True),
        ("a.b", "a.*", False),
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.b.c", "a.b", False),
        (">", "a.b", True),
        ("*.b", "*.b", True),
        ("*.b", "*.c", False),
    ],
)
def test_a_pattern_covers_a_subject(pattern: str, subject: str, expected: bool) -> None:
    assert covers(pattern, subject) is expected


async def test_messages_too_large_for_the_server_are_not_sent(transport: Transport) -> None:
    subject = "choria.lifecycle.event.startup.server"
    with pytest.raises(DeliveryFailed, match="at most 1048576") as raised:
        await transport.publish([(subject, b"x" * 1_100_000)], 5)
    assert not raised.value.may_arrive
    assert raised.value.subject == subject
