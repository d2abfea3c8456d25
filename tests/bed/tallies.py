"""A `lifecycle tally` process, and the metrics it serves."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from .ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RunningTally", "Scrape", "running_tally"]

_SECONDS = 30.0
_POLL_SECONDS = 0.01
_PREFIX = "lifecycle_tally_"


class Scrape:
    """The series of a scrape, as parsed by prometheus_client.

    Names are those of the tally without its prefix and without `_total`, which the parser adds where it is missing.
    """

    def __init__(self, text: str) -> None:
        self._series: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                name = sample.name.removeprefix(_PREFIX).removesuffix("_total")
                self._series.setdefault(name, []).append((sample.labels, sample.value))

    def series(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        """Return the series of this name and these labels."""
        return [each for each in self._series.get(name, []) if labels.items() <= each[0].items()]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the matching series; 0 if there are none."""
        return sum(value for _, value in self.series(name, **labels))

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """Return the sum for each value of a label."""
        found = self.series(name, **labels)
        return {
            key: sum(value for has, value in found if has[label] == key) for key in {has[label] for has, _ in found}
        }

    def texts(self) -> set[str]:
        """Return all label values."""
        return {text for series in self._series.values() for labels, _ in series for text in labels.values()}


class RunningTally:
    """A running tally process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self._port = port

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the body of a response."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def scrape(self) -> Scrape:
        """Scrape the tally."""
        return Scrape(self.get("/metrics")[1])

    def until(self, reached: Callable[[Scrape], object], seconds: float = _SECONDS) -> Scrape:
        """Scrape until a condition holds; return the last scrape, also on timeout."""
        deadline = time.monotonic() + seconds
        while not reached(numbers := self.scrape()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return numbers

    def wait(self) -> None:
        """Block until the tally is ready.

        Raises:
            TimeoutError: it exited, or was not ready in time.
        """
        deadline = time.monotonic() + _SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if self.get("/-/ready")[0] == 200:
                    return
            except OSError:  # it is not listening yet
                pass
            time.sleep(_POLL_SECONDS)
        raise TimeoutError("the tally did not become ready")


@contextmanager
def running_tally(*arguments: str) -> Iterator[RunningTally]:
    """Run a tally within the block, which starts once the tally is ready."""
    port = free_port()
    command = [sys.executable, "-m", "choria_lifecycle", "tally", "--port", str(port), *arguments]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            running = RunningTally(process, port)
            try:
                running.wait()
            except TimeoutError as error:
                said.seek(0)
                raise TimeoutError(f"{error}: {said.read()[-500:].decode(errors='replace')}") from None
            yield running
        finally:
            process.kill()
            process.wait()
