"""The Go program in go/, built where `go` is on PATH."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bed.golang import GoError, build

__all__ = ["Ask", "GoError", "program"]

SOURCE = Path(__file__).with_name("go")

Ask = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]

_TIMEOUT = 120


@contextmanager
def program(source: Path = SOURCE) -> Iterator[Ask]:
    """Build the program of a folder in a temporary one; yield a function that sends requests and returns the answers.

    Raises:
        GoError: the build failed; the function raises it if the program does not answer.
    """
    with TemporaryDirectory(prefix="lifecycle-interop-") as folder:
        binary = Path(folder) / "interop"
        build(source, binary)
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
