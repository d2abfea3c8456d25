"""Programs in Go that the tests and the bench compare with, built where `go` is on PATH."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Without a build cache everything is compiled, which takes minutes on a small machine.
_TIMEOUT = 1200


class GoError(Exception):
    """There is no Go, a program could not be built, or it did not answer."""


def build(source: Path, binary: Path, **environment: str) -> None:
    """Build the program in a folder.

    Raises:
        GoError: go is not on PATH, or refuses the program.
    """
    go = shutil.which("go")
    if go is None:
        raise GoError("go is not on PATH")
    # The toolchain that is there is the one to use; Go would otherwise fetch another.
    env = os.environ | {"GOTOOLCHAIN": "local"} | environment
    command = [go, "build", "-mod=readonly", "-o", str(binary), "."]
    built = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True, timeout=_TIMEOUT)
    if built.returncode:
        raise GoError(f"go build failed: {built.stderr.strip()}")
