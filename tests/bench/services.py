"""The cost of services: a hundred in one process, announced to a real server, and then idle."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import golang
from .measure import Samples, Settings, demand
from .report import Section, Target

SERVICES = 100
ALONE = "the library alone"
BESIDE = "beside aiohttp"
_SECONDS = 120

_NOTES = {ALONE: "as installed without extras", BESIDE: "which nats-py imports if it is installed"}


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure their processor time, over a period with a few heartbeats."""
    measured = {name: measure_process(name, SERVICES, settings.seconds // 3) for name in _NOTES}
    return Section(
        title=f"{SERVICES} services in one process",
        unit="cores",
        ours="",
        samples={name: Samples.of([found["cores"] * 1e9]) for name, found in measured.items()},
        notes={name: f"{found['percent']:.3f} % of a core" for name, found in measured.items()},
        targets=[
            Target(what=f"{SERVICES} services in one process", ours=ALONE, bound=0.01, at_least=False, unit=" cores")
        ],
        remarks=("All have published their startup before the clock starts. They send a heartbeat every half hour.",),
    )


def measure_memory(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure the memory of the process beyond a bare interpreter's."""
    title = f"Memory of {SERVICES} services in one process"
    target = Target(what=title, ours=ALONE, bound=30, at_least=False, unit=" MB")
    if not Path("/proc/self/statm").exists():
        missing = dict.fromkeys(_NOTES, "there is no /proc here")
        return Section(title=title, unit="memory", ours="", samples={}, targets=[target], missing=missing)
    measured = {name: (measure_process(name, SERVICES, 0), measure_process(name, 1, 0)) for name in _NOTES}
    return Section(
        title=title,
        unit="memory",
        ours="",
        samples={name: Samples.of([many["memory"]]) for name, (many, _) in measured.items()},
        notes={
            name: f"{_NOTES[name]}; one service alone takes {one['memory'] / 1e6:.0f} MB"
            for name, (_, one) in measured.items()
        },
        targets=[target],
        remarks=("Beyond a bare interpreter that imports nothing.",),
    )


def measure_process(name: str, services: int, seconds: int) -> dict[str, Any]:
    """Run this many services in a separate process; see tests/bench/carrying.py."""
    from choria_lifecycle.demo.embedded import nats_server

    with nats_server(jetstream=False) as server:
        command = [sys.executable, "-m", "tests.bench.carrying", server.url, str(services), str(seconds)]
        command += ["--no-aiohttp"] if name == ALONE else []
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
    found: dict[str, Any] = json.loads(done.stdout)
    demand(found["published"] >= 2 * services, name, f"{services} services published {found['published']} events")
    demand(not found["failures"], name, f"{found['failures']} attempts failed")
    return found
