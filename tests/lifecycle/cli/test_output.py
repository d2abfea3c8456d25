from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from typing import TextIO

import pytest

from choria_lifecycle.cli.output import abandon, flush_or_abandon, has_colors


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "stdout", "environment", "expected"),
    [
        ("always", StringIO(), {"NO_COLOR": "1", "TERM": "dumb"}, True),
        ("never", Terminal(), {}, False),
        ("auto", Terminal(), {}, True),
        ("auto", Terminal(), {"NO_COLOR": ""}, True),
        ("auto", Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("auto", StringIO(), {}, False),
    ],
)
def test_colors_follow_the_choice_then_the_terminal(
    choice: str, stdout: TextIO, environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", stdout)
    for name, value in ({"TERM": "xterm"} | environment).items():
        monkeypatch.setenv(name, value)
    assert has_colors(choice) is expected


@pytest.fixture
def broken() -> TextIO:
    """A stream with unwritten text whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", encoding="utf-8")
    stream.write("unwritten")
    return stream


def test_a_stream_without_a_reader_is_abandoned(broken: TextIO) -> None:
    flush_or_abandon(broken)
    broken.write("more")
    broken.close()  # would raise BrokenPipeError


def test_a_stream_with_a_reader_is_flushed() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as end, os.fdopen(writer, "w", encoding="utf-8") as stream:
        stream.write("text")
        flush_or_abandon(stream)
        assert os.read(end.fileno(), 99) == b"text"


def test_a_stream_that_is_not_a_file_cannot_be_abandoned() -> None:
    stream = StringIO()
    abandon(stream)
    stream.write("kept")
    assert stream.getvalue() == "kept"


def test_closed_standard_streams_are_opened_again() -> None:
    code = """
import os, sys
for descriptor in (0, 1):
    os.close(descriptor)
sys.stdin = sys.stdout = None
from choria_lifecycle.cli.output import open_missing
open_missing()
pipe = os.pipe()  # would get the descriptors of the closed streams
print("lost")
sys.stdout.flush()
print(repr(sys.stdin.read()), min(pipe) > 2, file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "'' True\n")


def test_open_standard_streams_are_left_alone() -> None:
    code = """
import sys
from choria_lifecycle.cli.output import open_missing
before = (sys.stdin, sys.stdout, sys.stderr)
open_missing()
print(before == (sys.stdin, sys.stdout, sys.stderr), sys.stdin.read())
"""
    ran = subprocess.run([sys.executable, "-c", code], input="in", capture_output=True, text=True, timeout=20)
    assert (ran.stdout, ran.stderr) == ("True in\n", "")
