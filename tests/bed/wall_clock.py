"""A wall clock that a test sets for another process, while its monotonic clocks run on."""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LIBFAKETIME", "FakedClock", "PatchedClock", "WallClock", "wall_clock"]

# Replaces the functions that read the wall clock, before the program imports anything.
_SITECUSTOMIZE: Final = """
import datetime, mmap, os, struct, time

with open(os.environ["WALL_CLOCK_FILE"], "rb") as file:
    _memory = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
_time, _gmtime, _localtime, _gettime = time.time, time.gmtime, time.localtime, time.clock_gettime

def _shift():
    return struct.unpack("d", _memory[:8])[0]

time.time = lambda: _time() + _shift()
time.time_ns = lambda: int((_time() + _shift()) * 1e9)
time.gmtime = lambda seconds=None: _gmtime(time.time() if seconds is None else seconds)
time.localtime = lambda seconds=None: _localtime(time.time() if seconds is None else seconds)
time.clock_gettime = lambda clock: _gettime(clock) + (_shift() if clock == time.CLOCK_REALTIME else 0.0)

class _Type(type):
    def __instancecheck__(cls, each):
        return isinstance(each, _datetime)

_datetime = datetime.datetime
class _Shifted(_datetime, metaclass=_Type):
    @classmethod
    def now(cls, tz=None):
        return _datetime.fromtimestamp(time.time(), tz)

datetime.datetime = _Shifted
"""


def _libfaketime() -> Path | None:
    places = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), Path("/usr/lib/faketime/libfaketime.so.1")]
    places += [Path("/usr/local/lib/faketime/libfaketime.so.1"), Path("/usr/lib64/faketime/libfaketime.so.1")]
    return next(filter(Path.exists, places), None)


LIBFAKETIME: Final = _libfaketime()
"""The library libfaketime, if it is installed."""


class WallClock:
    """The wall clock of another process.

    Attributes:
        environ: the environment variables to start the process with.
    """

    environ: dict[str, str]

    def set_ahead(self, seconds: float) -> None:
        """Set it ahead of this process's clock, or behind it; the process sees that at once."""
        raise NotImplementedError


class PatchedClock(WallClock):
    """A clock that Python's own functions return; it needs nothing installed, but C code does not see it."""

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE, "utf-8")
        self._file = folder / "ahead"
        self._file.write_bytes(struct.pack("d", 0.0))
        path = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        self.environ = {"PYTHONPATH": path, "WALL_CLOCK_FILE": str(self._file)}

    def set_ahead(self, seconds: float) -> None:
        with self._file.open("r+b") as file:  # in place, as it is mapped
            file.write(struct.pack("d", seconds))


class FakedClock(WallClock):
    """A CLOCK_REALTIME that libfaketime sets for the whole process."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ahead"
        self.set_ahead(0.0)
        self.environ = {
            "LD_PRELOAD": str(LIBFAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # before 0.9.8
        }

    def set_ahead(self, seconds: float) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.0f}\n", "ascii")
        new.rename(self._file)  # never half-written


@contextmanager
def wall_clock(kind: type[PatchedClock | FakedClock]) -> Iterator[WallClock]:
    """Yield a clock for a process that ends within the block."""
    with TemporaryDirectory() as folder:
        yield kind(Path(folder))
