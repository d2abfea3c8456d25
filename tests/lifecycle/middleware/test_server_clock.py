"""The server's clock: ages, measurements, and what is logged about it."""

from __future__ import annotations

import pytest

from choria_lifecycle.middleware.server_clock import ServerClock

DAY = 86400.0
EPOCH = 1_800_000_000.0  # the time by right clocks, when the monotonic clock of `Machine` shows 0


class Machine:
    """This machine's clocks."""

    def __init__(self) -> None:
        self.monotonic = 5000.0
        self.ahead = 0.0

    def wall(self) -> float:
        return EPOCH + self.monotonic + self.ahead


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> ServerClock:
    return ServerClock(machine.wall, lambda: machine.monotonic)


def test_an_unmeasured_clock_is_that_of_this_machine_at_the_start(machine: Machine, clock: ServerClock) -> None:
    """As for servers before 2.10, which do not send their time."""
    stored = machine.wall() - 600
    for machine.ahead in (0, DAY, -DAY):
        assert clock.to_monotonic(stored) == machine.monotonic - 600
    assert clock.steps == 0


@pytest.mark.parametrize("ahead", [20.0, 3600.0, DAY, -20.0, -3600.0, -DAY])
def test_ages_are_right_however_much_the_clocks_differ(machine: Machine, clock: ServerClock, ahead: float) -> None:
    clock.measured(EPOCH + ahead)
    stored = EPOCH + machine.monotonic + ahead - 600
    machine.monotonic += 100
    for machine.ahead in (0, 5 * DAY, -5 * DAY):
        assert clock.to_monotonic(stored) == machine.monotonic - 700
        clock.measured(EPOCH + ahead)
    assert clock.steps == 0


def test_no_time_is_in_the_future(machine: Machine, clock: ServerClock) -> None:
    clock.measured(EPOCH)
    assert clock.to_monotonic(EPOCH + machine.monotonic + DAY) == machine.monotonic


def test_clocks_that_agree_within_a_minute_are_not_mentioned(
    machine: Machine, clock: ServerClock, caplog: pytest.LogCaptureFixture
) -> None:
    for ahead in (0.0, 59.0, 5.0, -50.0):
        clock.measured(EPOCH + ahead)
        machine.monotonic += 30
    assert (clock.steps, caplog.records) == (0, [])


@pytest.mark.parametrize(
    ("ahead", "words"), [(DAY, "is 86400 s ahead of this machine's"), (-61.0, "is 61 s behind this machine's")]
)
def test_a_difference_is_logged_once(
    clock: ServerClock, caplog: pytest.LogCaptureFixture, ahead: float, words: str
) -> None:
    for _ in range(3):
        clock.measured(EPOCH + ahead)
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        f"the clock of the server {words}: stored messages have its times; correct the clocks"
    )
    assert clock.steps == 0


def test_each_step_of_this_machines_clock_is_logged_once(
    machine: Machine, clock: ServerClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "choria_lifecycle")
    for machine.ahead in (0, DAY, DAY, -3600, -3600, 0, 0):
        clock.measured(EPOCH)
        machine.monotonic += 30
    assert [record.getMessage() for record in caplog.records] == [
        "the clock of the server is 86400 s behind this machine's: stored messages have its times; correct the clocks",
        "the clock of the server is 3600 s ahead of this machine's: stored messages have its times; correct the clocks",
        "the clock of the server agrees with this machine's again",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]
    assert clock.steps == 0


def test_each_step_of_the_server_is_counted_and_logged_once(
    machine: Machine, clock: ServerClock, caplog: pytest.LogCaptureFixture
) -> None:
    for ahead in (0.0, DAY, DAY, 0.0, -3600.0, -3600.0):
        clock.measured(EPOCH + ahead)
        stored = EPOCH + machine.monotonic + ahead - 10
        assert clock.to_monotonic(stored) == machine.monotonic - 10
        machine.monotonic += 30
    assert [record.getMessage() for record in caplog.records] == [
        f"the clock of the server was set {step}, or this machine was paused; it now {relation} this machine's"
        for step, relation in (
            ("forward by 86400 s", "is 86400 s ahead of"),
            ("back by 86400 s", "agrees with"),
            ("back by 3600 s", "is 3600 s behind"),
        )
    ]
    assert clock.steps == 3


def test_a_clock_that_drifts_is_followed_without_a_step(machine: Machine, clock: ServerClock) -> None:
    for ahead in range(0, 600, 10):
        clock.measured(EPOCH + ahead)
        machine.monotonic += 30
    assert clock.steps == 0
    assert clock.to_monotonic(EPOCH + machine.monotonic + 590 - 5) == machine.monotonic - 5
