"""Peak resident memory of `lifecycle validate`: its process, and those that it starts."""

import gzip
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from threading import Thread
from typing import IO

from . import archive, golang
from .archive import Archive
from .measure import Samples, Settings, demand
from .report import Section, Target
from .validating import ALL, command, passed

LIMIT = 120

_TWO = "--jobs 2, the sum of its four processes"
_PERIOD = 0.01
_MEGABYTE = 1_000_000
_REMARK = (
    "The command with its defaults, warnings included. The peaks of all its processes are added, so that memory that "
    "they share is counted once for each."
)

Feed = Callable[[IO[bytes]], None]


@dataclass(frozen=True, slots=True)
class FinishedCommand:
    """A command that has exited.

    Attributes:
        code: its exit code.
        said: its standard error.
        peak: the peak resident memory of the process and of its children, in bytes.
    """

    code: int
    said: str
    peak: int


def measure(settings: Settings, go: golang.Toolchain, folder: Path) -> Section:
    """Measure files of different sizes and layouts, and a line that never ends."""
    title, unit = "Memory of the command", "memory"
    if not Path("/proc/self/status").exists():
        return Section(
            title=title,
            unit=unit,
            ours="",
            samples={},
            targets=[_target("lifecycle validate: memory", title)],
            missing={title: "there is no /proc here"},
        )
    measured = dict(_measured(settings, folder))
    largest = max((name for name in measured if name != _TWO), key=lambda name: measured[name])
    return Section(
        title=title,
        unit=unit,
        ours="",
        samples={name: Samples.of([size]) for name, size in measured.items()},
        targets=[
            _target("lifecycle validate: memory, whatever it reads", largest),
            _target("lifecycle validate --jobs 2: memory of all processes", _TWO),
        ],
        remarks=[_REMARK],
    )


def _target(what: str, ours: str) -> Target:
    return Target(what=what, ours=ours, bound=LIMIT, at_least=False, unit=" MB")


def _measured(settings: Settings, folder: Path) -> Iterator[tuple[str, int]]:
    few, many = archive.make(folder, settings.lines), archive.make(folder, settings.archive)
    part = archive.make(folder, settings.archive // 4)
    yield f"{few.size:,} lines", _reading(few, few.path)
    yield f"{many.size:,} lines", _reading(many, many.path)
    yield _TWO, _reading(many, many.path, "--jobs", "2")
    yield f"{many.size:,} lines, gzip", _reading(many, _packed(many))
    yield f"an array of {part.size:,}", _reading(part, _array(part))
    endless = settings.archive // 10_000  # MB
    yield f"one line of {endless} MB, from a pipe", _overflowing(endless)


def _reading(lines: Archive, path: Path, *options: str) -> int:
    ended = peak([*command("lifecycle validate"), *options, str(path)])
    demand(ended.code == 0 and passed(ended.said) == lines.passing(ALL), path.name, ended.said[-500:])
    return ended.peak


def _overflowing(size: int) -> int:
    def feed(stream: IO[bytes]) -> None:
        stream.write(b'{"protocol":"')
        for _ in range(size):
            stream.write(b"x" * _MEGABYTE)

    ended = peak([*command("lifecycle validate"), "-"], feed)
    demand(ended.code == 1 and "checked 1 = 0 valid + 1 rejected" in ended.said, "one line", ended.said[-500:])
    return ended.peak


def _packed(lines: Archive) -> Path:
    path = lines.path.with_suffix(".gz")
    with lines.path.open("rb") as plain, gzip.open(path, "wb", compresslevel=1) as packed:
        copyfileobj(plain, packed, 1 << 20)
    return path


def _array(lines: Archive) -> Path:
    path = lines.path.with_suffix(".json")
    with lines.path.open("rb") as documents, path.open("wb") as array:
        array.write(b"[\n" + next(documents).rstrip())
        array.writelines(b",\n" + document.rstrip() for document in documents)
        array.write(b"\n]\n")
    return path


def peak(arguments: list[str], feed: Feed | None = None) -> FinishedCommand:
    """Run a command to its end.

    The usage that the system reports afterwards is unsuitable: it starts with that of this process, from which the
    command was forked, and for children it is the largest, not the sum.
    """
    highest: dict[int, int] = {}
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        if feed is not None and process.stdin is not None:
            Thread(target=_fed, args=(feed, process.stdin), daemon=True).start()
        while process.poll() is None:
            for each, size in peaks(process.pid).items():
                highest[each] = max(highest.get(each, 0), size)
            time.sleep(_PERIOD)
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace")
    return FinishedCommand(process.returncode, said, sum(highest.values()))


def _fed(feed: Feed, stream: IO[bytes]) -> None:
    with suppress(BrokenPipeError):  # the command has exited; its exit code is checked elsewhere
        feed(stream)
    with suppress(BrokenPipeError):
        stream.close()


def peaks(process: int) -> dict[int, int]:
    """Return the peak resident memory so far of a process and of each of its descendants, in bytes."""
    return {each: _peak_of(each) for each in _family(process)}


def _family(process: int) -> Iterator[int]:
    """Yield a process and its descendants; those that exit during the search may be missing."""
    yield process
    with suppress(OSError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in thread.joinpath("children").read_text().split():
                yield from _family(int(child))


def _peak_of(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
