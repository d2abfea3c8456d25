"""The cost of a start over a bare interpreter: whole processes, started in turns."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter_ns

from . import golang
from .measure import Peer, Settings, WrongAnswerError, take_turns
from .report import Section, Target

LIBRARY = "import choria_lifecycle"
CLASS = "from choria_schemas.lifecycle.v1 import Startup"
HELP = "lifecycle --help"

TARGETS = (
    Target(what=LIBRARY, ours=LIBRARY, bound=1.5, at_least=False, peers=("import msgspec",)),
    Target(what=CLASS, ours=CLASS, bound=1.5, at_least=False, peers=("import dataclasses",)),
    Target(what=HELP, ours=HELP, bound=2, at_least=False, peers=("import click",)),
)

_BARE = "bare interpreter"


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure the imports and the command's help, each beside the comparison that its target names."""
    imports = (LIBRARY, "import msgspec", CLASS, "import dataclasses", "import click", "import pydantic", "import nats")
    commands = {_BARE: [sys.executable, "-c", "pass"]} | {name: [sys.executable, "-c", name] for name in imports}
    commands[HELP] = [str(Path(sys.executable).with_name("lifecycle")), "--help"]
    samples = take_turns([_starting(*item) for item in commands.items()], settings.starts, passes=_warm)
    bare = samples.pop(_BARE)
    return Section(
        title="Start, net of a bare interpreter",
        unit="ms",
        ours="",
        samples={name: taken.minus(bare) for name, taken in samples.items()},
        targets=TARGETS,
        remarks=(
            f"A bare interpreter takes {bare.best / 1e6:.1f} ms at best, {bare.median / 1e6:.1f} ms by the median.",
        ),
    )


def _starting(name: str, command: Sequence[str]) -> Peer:
    def turn(passes: int) -> float:
        begin = perf_counter_ns()
        for _ in range(passes):
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if ended.returncode:
                raise WrongAnswerError(f"{name}: {ended.stderr.decode(errors='replace').strip()[-500:]}")
        return (perf_counter_ns() - begin) / passes

    return Peer(name, turn)


def _warm(peer: Peer) -> int:
    peer.turn(2)  # compiles missing byte code, and loads the files into the page cache
    return 1
