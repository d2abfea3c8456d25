"""A large fleet in its own process: `python -m tests.bench.fleet NODES ROUNDS` prints the measurements as JSON.

The recorder's clock is simulated: hours pass as fast as events can be counted.
"""

import gc
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import perf_counter_ns

from choria_lifecycle.tally.defaults import EXPIRY
from choria_lifecycle.tally.exposition import render
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.state import TallyState
from choria_schemas.lifecycle.v1 import Alive

COMPONENTS, VERSIONS = 64, 256

# Servers publish every half hour, starting at one of thirty whole minutes.
_PERIOD = 1800.0
_COHORTS = 30
_PAGE = 4096
_FACTS = TallyState(connected=True, started=0.0, now=0.0)


def alive(number: int, components: int, versions: int) -> Alive:
    """Return the event of one node; its strings are not shared with other events."""
    return Alive(
        protocol="io.choria.lifecycle.v1.alive",
        id="afde5918-768b-4db1-8615-34f204b5f362",
        identity=f"web{number:07}.dc{number % 9}.example.net",
        component=f"component{number % components}",
        timestamp=1_795_336_436,
        version=f"0.30.{number // components % versions}",
    )


def events(nodes: int, components: int = 1, versions: int = 5) -> Iterator[tuple[Alive, float]]:
    """Yield one event per node, within one heartbeat period."""
    return ((alive(number, components, versions), number / nodes * _PERIOD) for number in range(nodes))


def measure(nodes: int, rounds: int) -> dict[str, object]:
    """Tally the fleet, first with five versions and then with as many as possible."""
    return _usual(nodes, rounds) | _worst(nodes, rounds) | {"peak": _peak()}


def _usual(nodes: int, rounds: int) -> dict[str, object]:
    begin = _resident()
    recorder = Recorder(now=0.0)
    _take(recorder, events(nodes))
    gc.collect()
    state = _resident() - begin
    cohort = [(alive(number, 1, 5), _PERIOD) for number in range(nodes // _COHORTS)]
    instant = [_spent(lambda: _take(recorder, cohort)) for _ in range(rounds)]
    expiring = []
    later = 0.0
    for _ in range(rounds):
        later += EXPIRY + 2 * _PERIOD
        expiring.append(_slowest(recorder, later))
        assert recorder.nodes == 0
        _take(recorder, ((event, later + at) for event, at in events(nodes)))
    return {"state": state, "cohort": len(cohort), "instant": instant, "expiring": expiring}


def _worst(nodes: int, rounds: int) -> dict[str, object]:
    recorder = Recorder(now=0.0)
    _take(recorder, events(nodes, COMPONENTS, VERSIONS))
    return {
        "series": sum(map(len, recorder.versions().values())),
        "render": [_spent(lambda: render(recorder, _FACTS, now=_PERIOD)) for _ in range(rounds)],
        "idle": [_slowest(recorder, _PERIOD) for _ in range(rounds)],
    }


def _take(recorder: Recorder, events: Iterable[tuple[Alive, float]]) -> None:
    for event, at in events:
        recorder.record(event, at)


def _slowest(recorder: Recorder, now: float) -> int:
    """Return the slowest slice of a sweep, in nanoseconds."""
    slowest, more = 0, True
    while more:
        begin = perf_counter_ns()
        more = recorder.expire(now)
        slowest = max(slowest, perf_counter_ns() - begin)
    return slowest


def _spent(work: Callable[[], object]) -> int:
    begin = perf_counter_ns()
    work()
    return perf_counter_ns() - begin


def _resident() -> int:
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * _PAGE if path.exists() else 0


def _peak() -> int:
    path = Path("/proc/self/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
