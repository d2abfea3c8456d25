from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from choria_lifecycle.cli.command import Failure
from choria_lifecycle.cli.parameters import ConnectionArguments, duration

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("1h", 3600), ("500ms", 0.5), ("1h30m", 5400), ("1.5s", 1.5), ("2d", 172800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("30", "write for example 30s"),
        ("", "no duration"),
        ("-1s", "no duration"),
        ("1 s", "no duration"),
        ("s", "no duration"),
        ("1w", "no duration"),
        ("1s\n", "no duration"),
        ("٣s", "no duration"),
        ("0s", "more than nothing"),
        ("400d", "at most 366d"),
        ("9" * 400 + "s", "at most 366d"),
    ],
)
def test_what_is_no_duration(text: str, hint: str) -> None:
    with pytest.raises(click.BadParameter, match=hint) as caught:
        duration(text)
    assert caught.value.message.isprintable()


def test_only_what_was_given_is_given_on() -> None:
    assert ConnectionArguments().arguments() == {
        "servers": None,
        "config": None,
        "tls": None,
        "creds": None,
        "user": None,
        "password": None,
        "ca": None,
        "cert": None,
        "key": None,
        "timeout": 5.0,
    }


def test_tls_is_given_up_in_so_many_words_only() -> None:
    assert ConnectionArguments(no_tls=True).arguments()["tls"] is False


@pytest.mark.parametrize("text", ["secret", "secret\n", "secret\r\n"])
def test_a_password_is_the_first_line_of_its_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(text.encode())
    assert ConnectionArguments(password_file=file).arguments()["password"] == "secret"


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_file_that_cannot_be_read(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Failure, match="password") as caught:
        ConnectionArguments(password_file=file).arguments()
    assert caught.value.exit_code == 2
    assert str(file) in caught.value.message
