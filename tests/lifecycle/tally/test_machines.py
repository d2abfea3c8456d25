from __future__ import annotations

from typing import TYPE_CHECKING

from choria_lifecycle.tally.components import Summary
from choria_lifecycle.tally.labels import Labels
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.machines import MachineCounter, WatcherSeries
from choria_schemas.machine.v1 import Transition
from tests.bed.tally_events import run, transition

if TYPE_CHECKING:
    from choria_schemas.machine.watcher.exec.v1 import ExecState


def counted(*events: Transition | ExecState, **limits: int) -> MachineCounter:
    machines = MachineCounter(Labels(Limits(**limits)))
    for each in events:
        if isinstance(each, Transition):
            machines.transition(each)
        else:
            machines.run(each)
    return machines


def test_machine_events_are_counted_as_the_go_tally_does() -> None:
    machines = counted(
        transition(),
        transition(),
        transition(latter="stop"),
        run(),
        run("error", 500_000_000),
        run("skipped"),
        run("unknown"),
        run(name="other check", nanoseconds=-1),
    )
    assert machines.transitions == {
        ("puppet", "1.2.3", "start", "idle", "run"): 2,
        ("puppet", "1.2.3", "start", "idle", "stop"): 1,
    }
    check, other = ("puppet", "1.2.3", "check"), ("puppet", "1.2.3", "other check")
    assert machines.successes == {check: 1, other: 1}
    assert machines.failures == {check: 1}
    assert machines.runtime == {check: Summary(2, 2.0), other: Summary(1, -1e-9)}


def test_series_beyond_a_limit_are_counted_together() -> None:
    events = [transition(f"m{number}") for number in range(4)] + [transition("m0")]
    machines = counted(*events, *(run("error", name=f"w{number}") for number in range(3)), transitions=2, watchers=1)
    assert {series.machine: count for series, count in machines.transitions.items()} == {"m0": 2, "m1": 1, "other": 2}
    assert machines.failures == {("puppet", "1.2.3", "w0"): 1, ("other",) * 3: 2}
    assert machines.successes == {}
    assert machines.runtime[WatcherSeries("other", "other", "other")] == Summary(2, 3.0)


def test_a_run_without_an_outcome_takes_no_series() -> None:
    machines = counted(run("skipped", name="a"), run("unknown", name="b"), run(name="c"), watchers=1)
    assert list(machines.runtime) == [("puppet", "1.2.3", "c")]


def test_names_of_machines_become_label_values() -> None:
    machines = counted(transition("a\nb" + "x" * 20, "\x00", version="\ud800"), label_bytes=8)
    [series] = machines.transitions
    assert series == ("a\ufffdbxxx", "\ufffd", "start", "\ufffd", "run")
