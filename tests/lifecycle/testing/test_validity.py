from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.testing import assert_valid
from choria_schemas.lifecycle.v1 import Startup
from choria_schemas.machine.v1 import Transition
from tests.bed import samples
from tests.bed.samples import compact

if TYPE_CHECKING:
    from pathlib import Path


# A time in the past, so that no clock counts it as ahead.
STARTUP, TRANSITION = (event | {"timestamp": 1700000000} for event in (samples.STARTUP, samples.TRANSITION))
ENVELOPE = samples.ENVELOPE | {"data": STARTUP, "time": "2023-11-14T22:13:20Z"}
SUBJECT = "choria.lifecycle.event.startup.server"


def failure(document: Any, subject: str | None = None, *, warnings: bool = False) -> list[str]:
    """Return the lines of the assertion's failure."""
    with pytest.raises(AssertionError) as caught:
        assert_valid(compact(document), subject, warnings=warnings)
    return str(caught.value).splitlines()


def test_the_event_is_returned() -> None:
    raw = compact(STARTUP)
    event = assert_valid(raw)
    assert isinstance(event, Startup)
    assert event.version == "0.30.2"
    for data in (raw.decode(), bytearray(raw), memoryview(raw), compact(ENVELOPE)):
        assert assert_valid(data, SUBJECT, warnings=True) == event
    assert isinstance(assert_valid(compact(TRANSITION), warnings=True), Transition)


def test_every_finding_is_a_line() -> None:
    head, *lines = failure(STARTUP | {"identity": 5, "timestamp": "1700000000", "id": "\x1b[2J\n"})
    assert head == "this is not a valid event:"
    assert lines[0] == "event: $.identity: identity must be of type string, not 5 [schema-type]"
    assert [line.rpartition(" ")[2] for line in lines] == ["[schema-type]", "[schema-type]", "[id-uuid]"]
    assert lines[2].startswith("event: $.id: warning: ")
    assert all(line.isprintable() for line in lines)
    assert len(failure({"protocol": "io.choria.machine.watcher.nagios.v1.state", "perfdata": [1] * 5000})) == 1 + 101


def test_unreadable_input_fails() -> None:
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
def test_warnings_fail_on_request(document: Any, subject: str | None, code: str) -> None:
    assert assert_valid(compact(document), subject) == assert_valid(compact(STARTUP))
    [_, line] = failure(document, subject, warnings=True)
    assert ": warning: " in line
    assert line.endswith(f"[{code}]")


@pytest.mark.parametrize("document", [STARTUP, ENVELOPE])
def test_a_misspelt_protocol_fails(document: dict[str, Any]) -> None:
    raw = compact(document).replace(b"v1.startup", b"v1.strtup")
    [_, line] = failure(json.loads(raw))
    assert "no contract covers" in line
    assert "io.choria.lifecycle.v1.startup?" in line


def test_a_foreign_document_fails() -> None:
    [_, line] = failure({"protocol": "com.example.started"})
    assert line.startswith("event: $.protocol: information: ")
    assert line.endswith("[protocol-foreign]")


@pytest.mark.parametrize("data", [None, 5, {}, [b"{}"]])
def test_data_must_be_bytes_or_text(data: Any) -> None:
    with pytest.raises(TypeError, match="data must be bytes or str, not "):
        assert_valid(data)


def test_it_fails_under_optimization_and_needs_no_framework() -> None:
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
        assert ran.stdout.startswith(f"{level} [] this is not a valid event:\nevent: $.protocol: protocol is missing")


def test_pytest_shows_the_line_of_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "from choria_lifecycle.testing import assert_valid\n\n\ndef test_mine():\n    assert_valid(b'[]')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_mine.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ">   assert_valid(b'[]')".replace(" ", "") in ran.stdout.replace(" ", "")
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("E       event: ")]
    assert line.endswith("$: an event must be a JSON object, not []; send one document per event [input-type]")
    assert "__tracebackhide__" not in ran.stdout
