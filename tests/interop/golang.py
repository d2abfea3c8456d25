"""The Go program in go/: built where `go` is on PATH, then asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SOURCE = Path(__file__).with_name("go")

Ask = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

# Without a build cache everything is compiled, which takes minutes on a small machine.
_BUILD_TIMEOUT = 1200
_TIMEOUT = 120


class GoError(Exception):
    """There is no Go, the program could not be built, or it refused a request as one it does not know."""


@contextmanager
def program() -> Iterator[Ask]:
    """Build the program into a temporary folder; yields what takes requests and returns their answers.

    Raises:
        GoError: it could not be built; and asking raises it where the program does not answer.
    """
    go = shutil.which("go")
    if go is None:
        raise GoError("go is not on PATH")
    with TemporaryDirectory(prefix="lifecycle-interop-") as folder:
        binary = Path(folder) / "interop"
        # The toolchain that is there is the one to use; Go would otherwise fetch another.
        env = os.environ | {"GOTOOLCHAIN": "local"}
        command = [go, "build", "-mod=readonly", "-o", str(binary), "."]
        built = subprocess.run(command, cwd=SOURCE, env=env, capture_output=True, text=True, timeout=_BUILD_TIMEOUT)
        if built.returncode:
            raise GoError(f"go build failed: {built.stderr.strip()}")
        yield lambda requests: _ask(binary, requests)


def _ask(binary: Path, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([binary], input=lines.encode(), capture_output=True, timeout=_TIMEOUT)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(answers) != len(requests):
        raise GoError(f"the Go program has ended: {done.stderr.decode(errors='replace').strip()[-2000:]}")
    for request, answer in zip(requests, answers, strict=True):
        if "error" in answer:
            raise GoError(f"{answer['error']}, asked {json.dumps(request)[:500]}")
    return answers
