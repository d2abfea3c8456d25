from __future__ import annotations

import json
import logging
import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click
import pytest

from choria_lifecycle.cli import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["probe", "-q"], ["error"]),
        (["probe"], ["warning", "error"]),
        (["probe", "-v"], ["info", "warning", "error"]),
        (["probe", "-vv"], ["debug", "info", "warning", "error"]),
        (["-v", "probe", "-q"], ["warning", "error"]),
    ],
)
def test_verbosity_selects_the_log_levels(arguments: list[str], said: list[str], probe: Callable[..., Result]) -> None:
    def action() -> None:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("choria_lifecycle").log(level, "some\nthing")

    result = probe(action, *arguments)
    assert result.stderr.splitlines() == [f"lifecycle: {level}: some\\nthing" for level in said]


def test_the_logger_is_restored(probe: Callable[..., Result]) -> None:
    logger = logging.getLogger("choria_lifecycle")
    before = (logger.level, list(logger.handlers))
    probe(lambda: None, "probe", "-vv")
    assert (logger.level, list(logger.handlers)) == before


def test_verbosity_outside_a_command_is_zero() -> None:
    assert messages.verbosity() == 0


def test_a_message_is_written_from_its_verbosity_on(probe: Callable[..., Result]) -> None:
    def action() -> None:
        for at in (-9, -1, 0, 1, 2):
            messages.say(f"from {at}", at=at)

    for arguments, written in ((["-qq"], [-9]), (["-q"], [-9, -1]), ([], [-9, -1, 0]), (["-vv"], [-9, -1, 0, 1, 2])):
        result = probe(action, "probe", *arguments)
        assert (result.stdout, result.stderr.splitlines()) == ("", [f"from {at}" for at in written])


@pytest.fixture
def json_log() -> Iterator[None]:
    """Be within a command that was given --log-format json."""

    @click.command()
    @messages.log_format_option
    def command() -> None:
        pass

    with command.make_context("command", ["--log-format", "json"]):
        yield


@pytest.mark.usefixtures("json_log")
def test_a_json_message_has_a_time_a_level_and_no_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    messages.say('lifecycle: warning: a "quoted" é', level="warning")
    messages.say("lifecycle: running")
    out, err = capsys.readouterr()
    assert out == ""
    first, second = map(json.loads, err.splitlines())
    assert list(first) == ["time", "level", "message"]
    assert datetime.fromisoformat(first["time"]).utcoffset() == timedelta(0)
    assert (first["level"], first["message"]) == ("warning", 'a "quoted" é')
    assert (second["level"], second["message"]) == ("info", "running")


def test_a_message_outside_a_command_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    messages.say("said")
    messages.say("not said", at=1)
    assert capsys.readouterr() == ("", "said\n")
    assert messages.format_line("lifecycle: error: it broke", "error") == "lifecycle: error: it broke"


def test_the_librarys_log_of_another_thread_is_written(probe: Callable[..., Result]) -> None:
    def action() -> None:
        thread = threading.Thread(target=logging.getLogger("choria_lifecycle").info, args=("from a thread",))
        thread.start()
        thread.join()

    assert probe(action, "probe", "-v").stderr == "lifecycle: info: from a thread\n"
    assert probe(action).stderr == ""
