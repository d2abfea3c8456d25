"""A process with all its descendants: their memory, and that they end."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["EndedFamily", "run_family"]

_PERIOD: Final = 0.05  # in seconds
_GRACE: Final = 30.0


@dataclass(frozen=True, slots=True)
class EndedFamily:
    """A process that has ended, and its descendants.

    Attributes:
        code: its exit code; None if it had to be killed.
        python: the peak resident memory of its largest descendant that runs Python, in bytes.
        total: the peak resident memory of all of them together, in bytes.
        survivors: the names of descendants that had to be killed.
    """

    code: int | None
    python: int
    total: int
    survivors: list[str]


def run_family(
    command: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    output: IO[bytes],
    log: IO[bytes],
    timeout: float,
) -> EndedFamily:
    """Run a command until it and all processes that it started have ended; after the timeout, kill them.

    Its standard output and error go to the two files."""
    family: dict[psutil.Process, str] = {}
    python = total = 0
    deadline = time.monotonic() + timeout
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=log
    ) as process:
        try:
            parent = psutil.Process(process.pid)
            while process.poll() is None and time.monotonic() < deadline:
                sizes = dict(_sizes(parent, family))
                python = max([python, *(size for each, size in sizes.items() if "python" in family[each])])
                total = max(total, sum(sizes.values()))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PERIOD)
            code = process.poll()
        finally:
            process.kill()
            process.wait()
            survivors = _end(family)
    return EndedFamily(code, python, total, survivors)


def _sizes(parent: psutil.Process, family: dict[psutil.Process, str]) -> list[tuple[psutil.Process, int]]:
    sizes = []
    with suppress(psutil.Error):
        for each in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.Error):
                family.setdefault(each, each.name())
                sizes.append((each, each.memory_info().rss))
    return sizes


def _end(family: dict[psutil.Process, str]) -> list[str]:
    """Wait for processes to end; kill those that do not, and return their names."""
    _, alive = psutil.wait_procs([each for each in family if _runs(each)], timeout=_GRACE)
    survivors = [each for each in alive if _runs(each)]
    for each in survivors:
        with suppress(psutil.Error):
            each.kill()
    return [family[each] for each in survivors]


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
