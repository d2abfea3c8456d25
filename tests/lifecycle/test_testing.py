from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.testing import assert_valid
from choria_schemas.lifecycle.v1 import Startup
from choria_schemas.machine.v1 import Transition
from tests.lifecycle import test_codec
from tests.lifecycle.test_codec import compact

if TYPE_CHECKING:
    from pathlib import Path

# Not ahead of any clock.
STARTUP, TRANSITION = (event | {"timestamp": 1700000000} for event in (test_codec.STARTUP, test_codec.TRANSITION))
ENVELOPE = test_codec.ENVELOPE | {"data": STARTUP}
SUBJECT = "choria.lifecycle.event.startup.server"


def failure(document: Any, subject: str | None = None, *, warnings: bool = False) -> list[str]:
    """Return the lines with which it fails."""
    with pytest.raises(AssertionError) as caught:
        assert_valid(compact(document), subject, warnings=warnings)
    return str(caught.value).splitlines()


def test_the_event_comes_back() -> None:
    raw = compact(STARTUP)
    event = assert_valid(raw)
    assert isinstance(event, Startup)
    assert event.version == "0.30.2"
    for data in (raw.decode(), bytearray(raw), memoryview(raw), compact(ENVELOPE)):
        assert assert_valid(data, SUBJECT, warnings=True) == event
    assert isinstance(assert_valid(compact(TRANSITION), warnings=True), Transition)


def test_every_finding_is_a_line() -> None:
    head, *lines = failure(STARTUP | {"identity": 5, "timestamp": "1700000000", "id": "\x1b[2J\n"})
    assert head == "this is no valid event:"
    assert lines[0] == "event: $.identity: identity must be of type string, not 5 [schema-type]"
    assert [line.rpartition(" ")[2] for line in lines] == ["[schema-type]", "[schema-type]", "[id-uuid]"]
    assert lines[2].startswith("event: $.id: warning: ")
    assert all(line.isprintable() for line in lines)
    assert len(failure({"protocol": "io.choria.machine.watcher.nagios.v1.state", "perfdata": [1] * 5000})) == 1 + 101


def test_what_cannot_be_read_fails() -> None:
    for data in (b"", b"\xff", "\ud800", b" " * 70_000, b"[" * 300, b"[]"):
        with pytest.raises(AssertionError, match=r"event: \$: .* \[input-"):
            assert_valid(data)


@pytest.mark.parametrize(
    ("document", "subject", "code"),
    [
        (STARTUP | {"protocol": "choria:lifecycle:startup:1"}, None, "protocol-old"),
        (STARTUP, "choria.lifecycle.event.alive.server", "subject-differs"),
        (STARTUP | {"verison": "1"}, None, "field-misspelt"),
    ],
)
def test_warnings_fail_where_it_is_asked_for(document: Any, subject: str | None, code: str) -> None:
    assert assert_valid(compact(document), subject) == assert_valid(compact(STARTUP))
    [_, line] = failure(document, subject, warnings=True)
    assert ": warning: " in line
    assert line.endswith(f"[{code}]")


@pytest.mark.parametrize("document", [STARTUP, ENVELOPE])
def test_a_misspelt_protocol_fails(document: dict[str, Any]) -> None:
    raw = compact(document).replace(b"v1.startup", b"v1.strtup")
    [_, line] = failure(json.loads(raw))
    assert "information: no contract is held" in line
    assert "io.choria.lifecycle.v1.startup?" in line


@pytest.mark.parametrize("data", [None, 5, {}, [b"{}"]])
def test_what_is_neither_bytes_nor_text_is_a_wrong_call(data: Any) -> None:
    with pytest.raises(TypeError, match="from bytes or text"):
        assert_valid(data)


def test_it_fails_under_every_option_and_needs_no_framework() -> None:
    code = """
import sys
from choria_lifecycle.testing import assert_valid

unwanted = {"pytest", "unittest", "asyncio", "nats", "click"} & set(sys.modules)
try:
    assert_valid(b"{}")
except AssertionError as failure:
    print(sys.flags.optimize, sorted(unwanted), failure)
"""
    for option, level in (("-I", 0), ("-O", 1), ("-OO", 2)):
        ran = subprocess.run([sys.executable, option, "-c", code], capture_output=True, text=True, check=True)
        assert ran.stdout.startswith(f"{level} [] this is no valid event:\nevent: $.protocol: protocol is missing")


def test_pytest_shows_the_test_and_not_the_helper(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from choria_lifecycle.testing import assert_valid\n\n\ndef test_mine():\n    assert_valid(b'[]')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_mine.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ">   assert_valid(b'[]')".replace(" ", "") in ran.stdout.replace(" ", "")
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("E       event: ")]
    assert line.endswith("$: an event is a JSON object, not []; send a document for each event [input-type]")
    assert "__tracebackhide__" not in ran.stdout
