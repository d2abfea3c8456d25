from __future__ import annotations

from typing import TYPE_CHECKING

from choria_lifecycle.tally.components import Summary
from choria_lifecycle.tally.labels import Labels
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.machines import MachineCounter
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
