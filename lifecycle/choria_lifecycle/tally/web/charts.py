"""The charts of the page, as SVG: bars beside numbers, and what happened in each minute of an hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from choria_lifecycle.tally.web.markup import Html, number, tag

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["describe_peak", "minute_bars", "share_bar"]

_HEIGHT: Final = 40
_STEP: Final = 4
_WIDTH: Final = 3

# What is there at all is seen.
_MIN_SHARE: Final = 0.6


def share_bar(part: int, whole: int) -> Html:
    """A share of a whole, beside which stands the number."""
    share = max(100 * part / whole, _MIN_SHARE) if part and whole else 0.0
    return Html(
        '<svg class="bar" aria-hidden="true" viewBox="0 0 100 8" preserveAspectRatio="none">'
        f'<rect width="{share:.1f}" height="8"></rect></svg>'
    )


def minute_bars(counts: Sequence[int], name: str) -> Html:
    """A bar for each minute; the last one is not over.

    Args:
        counts: how many there were, the oldest minute first.
        name: what was counted, as in "starts".
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
    """The minute in which most happened, in words.

    >>> describe_peak([0, 7, 0]), describe_peak([0, 0])
    ('most 7 a minute, 1 min ago', 'none')
    """
    most = max(counts, default=0)
    if not most:
        return "none"
    # The newest of several: it is the one that somebody may still do something about.
    ago = counts[::-1].index(most)
    return f"most {number(most)} a minute, {f'{ago} min ago' if ago else 'just now'}"
