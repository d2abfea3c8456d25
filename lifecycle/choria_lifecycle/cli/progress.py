"""The progress of reading long files, as one line for a terminal.

click.progressbar is not used: it appears at once, bypasses the printer's thread, and cannot be erased before another
line is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from choria_lifecycle.support.text import safe

__all__ = ["Progress"]

# In seconds, before the first line and between updates.
_DELAY: Final = 1.0
_INTERVAL: Final = 0.1

_UNITS: Final = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))

# In columns.
_MIN_NAME: Final = 8
_MIN_BAR: Final = 8
_MAX_BAR: Final = 32


@dataclass(slots=True, kw_only=True)
class Progress:
    """The progress of reading one or several files; the reader updates the attributes.

    Attributes:
        started: the time of the start, in seconds of a monotonic clock.
        name: the file being read; untrusted text.
        size: the total number of bytes, None if unknown.
        position: the number of bytes read.
        documents: the number of documents read.
    """

    started: float
    name: str = ""
    size: int | None = None
    position: int = 0
    documents: int = 0
    _due: float = field(init=False)

    def __post_init__(self) -> None:
        self._due = self.started + _DELAY

    def render(self, now: float, columns: int = 80) -> str | None:
        """Return the line to show, or None if the first line, or the next update, is not due yet.

        To fit a narrow terminal, the line omits the bar, shortens or omits the name, and finally is truncated.

        Args:
            now: the time, on the clock of `started`.
            columns: the width of the terminal. The last column stays free: some terminals wrap when it is full.

        >>> Progress(started=0.0, name="a.ndjson", size=4 * 10**8, position=10**8, documents=500_000).render(2.0)
        'a.ndjson  25 %  100 MB of 400 MB  250,000 events/s  0:06 left  [###-----------]'
        """
        if now < self._due:
            return None
        self._due = now + _INTERVAL
        width = max(columns - 1, 0)
        line = "  ".join(self._figures(now - self.started))
        if name := _tail(safe(self.name), width - len(line) - 2):
            line = f"{name}  {line}"
        spare = width - _width(line) - 2
        if self.size and spare >= _MIN_BAR:
            line = f"{line}  {_bar(self._share, min(spare, _MAX_BAR))}"
        return line[:width]

    @property
    def _share(self) -> float:
        # A file may have grown since its size was read.
        return min(self.position / self.size, 1.0) if self.size else 0.0

    def _figures(self, elapsed: float) -> list[str]:
        speed = f"{self.documents / elapsed:,.0f} events/s"
        if not self.size:
            return [_bytes(self.position), speed]
        figures = [f"{int(self._share * 100)} %", f"{_bytes(self.position)} of {_bytes(self.size)}", speed]
        if self._share:
            figures.append(f"{_clock(elapsed / self._share - elapsed)} left")
        return figures


def _bytes(count: int) -> str:
    for size, unit in _UNITS:
        if count >= size:
            return f"{count / size:.{1 if count < 10 * size else 0}f} {unit}"
    return f"{count} B"


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def _bar(share: float, width: int) -> str:
    done = int(share * (width - 2))
    return f"[{'#' * done}{'-' * (width - 2 - done)}]"


def _width(text: str) -> int:
    # Terminals disagree on the width of some characters; none is wider than two columns.
    return len(text) if text.isascii() else sum(1 if char.isascii() else 2 for char in text)


def _tail(text: str, width: int) -> str:
    """Return the end of a path that fits, marked if it is truncated; empty if the width is too small for a name."""
    if width < _MIN_NAME:
        return ""
    if _width(text) <= width:
        return text
    text = text[-width:]
    while _width(text) > width - 2:
        text = text[1:]
    return f"…{text}"
