"""The page's charts as SVG: shares of a whole, and counts by minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from choria_lifecycle.tally.web.markup import Html, number, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["describe_peak", "minute_bars", "share_bar"]

_HEIGHT: Final = 40
_STEP: Final = 4
_WIDTH: Final = 3

# The smallest share still visible.
_MIN_SHARE: Final = 0.6


def share_bar(part: int, whole: int) -> Html:
    """Return a bar for a share of a whole; the number stands beside it."""
    share = max(100 * part / whole, _MIN_SHARE) if part and whole else 0.0
    return Html(
        '<svg class="bar" aria-hidden="true" viewBox="0 0 100 8" preserveAspectRatio="none">'
        f'<rect width="{share:.1f}" height="8"></rect></svg>'
    )


def minute_bars(counts: Sequence[int], name: str) -> Html:
    """Return a bar chart of counts by minute.

    Args:
        counts: the counts, oldest first; the last minute is not over.
        name: the name of the chart.
    """
    most = max(counts, default=0)
    bars = [
        f'<rect x="{at * _STEP}" y="{_HEIGHT - height:g}" width="{_WIDTH}" height="{height:g}"></rect>'
        for at, count in enumerate(counts)
        if (height := round(max(_HEIGHT * count / most, 1.5), 1) if count else 0)
    ]
    return tag(
        "svg",
        Html("".join(bars)),
        class_="minutes",
        role="img",
        viewBox=f"0 0 {len(counts) * _STEP - _STEP + _WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        aria_label=f"{name} in each of the last {len(counts)} minutes: {describe_peak(counts)}",
    )


def describe_peak(counts: Sequence[int]) -> str:
    """Describe the highest count.

    >>> describe_peak([0, 7, 0]), describe_peak([0, 0])
    ('peak 7 a minute, 1 min ago', 'none')
    """
    most = max(counts, default=0)
    if not most:
        return "none"
    # Of several, the newest is the most useful.
    ago = counts[::-1].index(most)
    return f"peak {number(most)} a minute, {f'{ago} min ago' if ago else 'just now'}"
