"""The runner detects failures, keeps the input, and reports both. Nothing here is timed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st

from tests.fuzz import growth
from tests.fuzz.__main__ import main
from tests.fuzz.families import FAMILIES, Family
from tests.fuzz.growth import SIZES, Growth
from tests.fuzz.search import search
from tests.fuzz.targets import TARGETS, Hangs, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def target(run: Callable[[bytes], Iterator[None]]) -> dict[str, Target]:
    return {"broken": Target(name="broken", run=run, inputs=st.binary(max_size=20))}


def raises(raw: bytes) -> Iterator[None]:
    if b"x" in raw:
        raise LookupError("what the library let out")
    yield


def shows_control_characters(raw: bytes) -> Iterator[None]:
    shown = raw.decode("latin-1").replace("y", "")
    yield
    assert shown.isprintable() or "\x00" not in shown, f"{shown!a} is not a plain line"


def holds(raw: bytes) -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("run", "written", "said"),
    [
        (raises, b"x", "LookupError: what the library let out"),
        (shows_control_characters, b"\x00", "is not a plain line"),
    ],
)
def test_a_failure_is_reported_and_its_shortest_input_kept(
    run, written: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--seconds", "10", "--seed", "1", "--no-growth"], target(run), {}, tmp_path) == 1
    [path] = tmp_path.iterdir()
    assert path.read_bytes() == written
    assert path.name.startswith("broken-")
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith("FAILED broken: ")
    assert said in told
    assert told.endswith(str(path))


def test_a_failure_of_a_family_is_reported_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    families = {"good": Family(piece=b"a"), "bad": Family(head=b"[", piece=b"0,", tail=b"0]x")}
    assert main(["--seconds", "0"], target(raises), families, tmp_path) == 1
    [path] = tmp_path.iterdir()
    assert path.read_bytes() == families["bad"].of(SIZES[0])
    assert f"what the library let out: {path}" in capsys.readouterr().out


def test_the_same_seed_tries_the_same_inputs() -> None:
    def tried(seed: int) -> list[bytes]:
        inputs: list[bytes] = []

        def keeps(raw: bytes) -> Iterator[None]:
            inputs.append(raw)
            yield

        search(target(keeps)["broken"], 0.05, seed)
        # Slow inputs are retried at once, which depends on the clock.
        return [raw for raw, _ in groupby(inputs)]

    first, second = tried(7), tried(7)
    least = min(len(first), len(second))
    assert least > 1
    assert first[:least] == second[:least]


def test_exit_code_0_without_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    families = {"good": Family(piece=b"a")}
    assert main(["--seconds", "0.01", "--target", "broken"], target(holds), families, tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
    assert "FAILED" not in capsys.readouterr().out


def test_superlinear_growth_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setattr("tests.fuzz.__main__.measure", lambda *_: Growth((0.01, 0.04, 0.16, 0.64)))
    assert main(["--seconds", "0"], target(holds), {"squares": Family(piece=b"a")}, tmp_path) == 1
    assert "FAILED broken: squares: the time grows as size^2.0: 10.0 ms, 40.0 ms" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("milliseconds", "beyond", "said"),
    [
        ((10, 20, 40, 80), None, ""),
        ((10, 22, 48, 104), None, ""),  # sorting
        ((1, 2, 4, 80), None, ""),  # one step, as where the library starts to read more thoroughly
        ((0.01, 0.04, 0.16, 0.64), None, ""),  # too short to matter, or to stand out from noise
        ((10, 30, 100, 360), None, "grows as size^1.7"),  # a quadratic part beside a linear one
        ((1, 2, 4, 8), 7, ""),
        ((0, 0, 0, 0.1), 4, ""),
        ((1, 2, 4, 8), 128, "not refused at once, but after 128.0 ms"),
    ],
)
def test_growth_is_judged_by_its_doublings(milliseconds, beyond, said: str) -> None:
    seconds = tuple(max(time, 0.001) / 1000 for time in milliseconds)
    failure = Growth(seconds, None if beyond is None else beyond / 1000).failure
    assert said in failure
    assert bool(said) == bool(failure)


def test_a_suspicious_measurement_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = iter([Growth((0.01, 0.04, 0.16, 0.64)), Growth((0.01, 0.02, 0.04, 0.08))])
    monkeypatch.setattr(growth, "_times", lambda *_, **__: next(measured))
    assert growth.measure(TARGETS["parse"], Family(piece=b"a")).failure == ""


def test_a_hanging_target_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(raw: bytes) -> Iterator[None]:
        while True:
            pass
        yield

    monkeypatch.setattr("tests.fuzz.targets.HANGS", 0.01)
    with pytest.raises(Hangs):
        target(hangs)["broken"](b"")


@pytest.mark.parametrize("size", [700, SIZES[0]])
def test_families_have_the_requested_size(size: int) -> None:
    for name, family in FAMILIES.items():
        assert 0.5 * size < len(family.of(size)) <= max(size, 1000), name
