"""The types as a user's type checker sees them."""

from __future__ import annotations

import re
import subprocess
import sys

PROGRAM = """\
import choria_schemas
from choria_schemas.lifecycle.v1 import Governor, Startup
from choria_schemas.lifecycle.v1.startup import PROTOCOL, PROTOCOLS
from choria_schemas.registry import CONTRACTS

event = Startup(protocol=PROTOCOL, id="i", identity="n", component="c", timestamp=1, version="1")
Startup(protocol=PROTOCOLS[1], id="i", identity="n", component="c", timestamp=1, version="1")
number: int = event.timestamp
schema: dict[str, object] = choria_schemas.schema(PROTOCOL)
names: list[str | None] = [error.name for error in CONTRACTS[PROTOCOL].violations({})]

event.id = "other"  # wrong: frozen
Startup(protocol="other", id="i", identity="n", component="c", timestamp=1, version="1")  # wrong: protocol
Startup(PROTOCOL, "i", "n", "c", 1, "1")  # wrong: positional
Startup(protocol=PROTOCOL, id="i", identity="n", component="c", timestamp=1)  # wrong: version is missing
text: str = event.timestamp  # wrong: a number
from choria_schemas.lifecycle.v1 import Starting  # wrong: no such name
"""


def test_mypy_reports_exactly_the_wrong_lines(tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path}", str(file)]
    completed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    found = {int(number) for number in re.findall(r"^program\.py:(\d+): error:", completed.stdout, re.MULTILINE)}
    assert found == {number for number, line in enumerate(PROGRAM.splitlines(), 1) if "# wrong" in line}, (
        completed.stdout
    )
