"""What it costs to carry services: a hundred of them in one process, announced to a real server, and then at rest."""

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

_NOTES = {ALONE: "as it is installed without extras", BESIDE: "which nats-py imports where it is there"}


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure their processor time, over a while in which a few heartbeats come."""
    measured = {name: carried(name, SERVICES, settings.seconds // 3) for name in _NOTES}
    return Section(
        title=f"{SERVICES} services in one process",
        unit="cores",
        ours="",
        samples={name: Samples.of([found["cores"] * 1e9]) for name, found in measured.items()},
        notes={name: f"{found['percent']:.3f} % of a core" for name, found in measured.items()},
        targets=[
            Target(what=f"{SERVICES} services in one process", ours=ALONE, bound=0.01, at_least=False, unit=" cores")
        ],
        remarks=("Each has published its startup before the clock starts. Heartbeats come each half hour.",),
    )


def measure_memory(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure what the process has more than a bare interpreter."""
    title = f"Memory of {SERVICES} services in one process"
    target = Target(what=title, ours=ALONE, bound=30, at_least=False, unit=" MB")
    if not Path("/proc/self/statm").exists():
        missing = dict.fromkeys(_NOTES, "there is no /proc here")
        return Section(title=title, unit="memory", ours="", samples={}, targets=[target], missing=missing)
    measured = {name: (carried(name, SERVICES, 0), carried(name, 1, 0)) for name in _NOTES}
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
        remarks=("More than a bare interpreter has, which imports nothing.",),
    )


def carried(name: str, services: int, seconds: int) -> dict[str, Any]:
    """Run so many services in a process of their own; see tests/bench/carrying.py."""
    from choria_lifecycle.demo.embedded import nats_server

    with nats_server(jetstream=False) as server:
        command = [sys.executable, "-m", "tests.bench.carrying", server.url, str(services), str(seconds)]
        command += ["--no-aiohttp"] if name == ALONE else []
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)
    found: dict[str, Any] = json.loads(done.stdout)
    demand(found["published"] >= 2 * services, name, f"{services} services published {found['published']} events")
    demand(not found["failures"], name, f"{found['failures']} attempts failed")
    return found
