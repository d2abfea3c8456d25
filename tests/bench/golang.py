"""The Go reference, built where `go` is on PATH: a child process that takes turns with the Python peers."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.bed.golang import GoError, build

from .measure import Peer

SOURCE = Path(__file__).parent / "go"

# Two builds of one program. jsonv2 is the alternative engine of encoding/json and reads events in about half the time;
# targets are judged against the faster one.
PLAIN = "Go reference"
JSONV2 = "Go reference, GOEXPERIMENT=jsonv2"
NAMES = (PLAIN, JSONV2)
CPU = ", CPU time"


class Reference:
    """A running build of the Go program, which exits when its stdin is closed."""

    def __init__(self, name: str, child: subprocess.Popen[str]) -> None:
        self.name = name
        self._child = child
        about = self.ask(work="about")
        self.version = f"{about['go']}, go-choria {about['choria']}"

    def ask(self, **request: object) -> dict[str, Any]:
        """Send a request and return its response.

        Raises:
            GoError: the program answered with an error, or has exited.
        """
        stdin, stdout = self._child.stdin, self._child.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018 - for type checkers: both are pipes
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise GoError("the Go program has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise GoError(answer["error"])
        return answer

    def peer(self, note: str = "", **request: object) -> Peer:
        """Return a peer that runs this program; with `cpu=True`, its time is that of all threads together."""
        name = self.name + CPU if request.get("cpu") else self.name
        return Peer(name, lambda passes: float(self.ask(**request, passes=passes)["nanos"]), note)


class Toolchain:
    """The running builds and, for missing ones, the reason, by name."""

    def __init__(self, references: list[Reference], missing: dict[str, str]) -> None:
        self.references = references
        self.missing = missing


@contextmanager
def toolchain() -> Iterator[Toolchain]:
    """Build both variants and keep them running; the first build compiles for a minute each."""
    if shutil.which("go") is None:
        yield Toolchain([], dict.fromkeys(NAMES, "go is not on PATH"))
        return
    references, missing = [], {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lifecycle-bench-")))
        for number, name in enumerate(NAMES):
            binary = folder / f"reference{number}"
            try:
                print(f"building {name} ...", file=sys.stderr)
                build(SOURCE, binary, **({"GOEXPERIMENT": "jsonv2"} if name == JSONV2 else {}))
                references.append(Reference(name, stack.enter_context(_running(binary))))
            except (GoError, OSError, subprocess.SubprocessError) as exc:
                print(f"{name}: {exc}", file=sys.stderr)
                missing[name] = shareable(str(exc))
        yield Toolchain(references, missing)


@contextmanager
def _running(binary: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            assert child.stdin is not None
            child.stdin.close()


def shareable(reason: str) -> str:
    """Return a reason fit for a committed file: one line, without addresses or folders of the machine."""
    return re.sub(r"\S*://\S+|(?<!\w)/\S+", "...", " ".join(reason.split()))[:160]
