"""A child process that answers in lines of JSON and exits when its stdin is closed."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from tests.bed.golang import GoError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["SECONDS", "Lines", "process"]

# Go starts a broker within a second; the rest allows for a busy machine.
SECONDS = 60.0
_END_SECONDS = 10.0


class Lines:
    """The output of a process, line by line, with a timeout."""

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self._process = process
        self._errors = errors
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, name="broker")
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._queue.put(line)
        self._queue.put("")

    def next(self) -> dict[str, Any]:
        """Return the next line."""
        line: str | None
        try:
            line = self._queue.get(timeout=SECONDS)
        except queue.Empty:
            line = None
        if not line:
            happened = "has ended" if line == "" else "says nothing"
            raise GoError(f"the Go program {happened}: {self._errors.read_text('utf-8').strip()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """Kill the process, and wait for its end."""
        self._process.kill()
        self._process.wait()

    def join(self) -> None:
        """Wait for the end of the output, which follows the process's exit."""
        self._thread.join()


@contextmanager
def process(command: Sequence[str | Path], environ: Mapping[str, str], folder: Path) -> Iterator[tuple[Lines, IO[str]]]:
    """Run a command in a folder; yield its output and its stdin."""
    errors = folder / "errors"
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as child,
    ):
        assert child.stdin is not None
        lines = Lines(child, errors)
        try:
            yield lines, child.stdin
        finally:
            _end(child)
            lines.join()


def _end(child: subprocess.Popen[str]) -> None:
    """Close its stdin and wait for it to exit; kill it after a timeout."""
    assert child.stdin is not None
    child.stdin.close()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
