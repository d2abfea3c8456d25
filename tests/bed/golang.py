"""Go programs that tests and benchmarks compare with, built where `go` is on PATH."""

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
    """Go is not installed, a program did not build, or it did not answer."""


def build(source: Path, binary: Path, **environment: str) -> None:
    """Build the Go program in a folder.

    Raises:
        GoError: go is not on PATH, or the build failed.
    """
    go = shutil.which("go")
    if go is None:
        raise GoError("go is not on PATH")
    # Use the installed toolchain; Go would otherwise download another.
    env = os.environ | {"GOTOOLCHAIN": "local"} | environment
    command = [go, "build", "-mod=readonly", "-o", str(binary), "."]
    built = subprocess.run(command, cwd=source, env=env, capture_output=True, text=True, timeout=_TIMEOUT)
    if built.returncode:
        raise GoError(f"go build failed: {built.stderr.strip()}")
