"""Foreign text as values of labels, and how often a limit was hit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from choria_lifecycle.tally.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from choria_lifecycle.tally.limits import Limits

__all__ = ["OTHER", "Labels"]

K = TypeVar("K")

OTHER: Final = "other"
"""Stands for all that is beyond a limit."""

# A lone surrogate has no bytes in UTF-8 and would fail every scrape from then on.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Labels:
    """Makes values of labels.

    Attributes:
        limits: how much is kept.
        hits: how often each limit was hit, by its name.
    """

    __slots__ = ("hits", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.hits = dict.fromkeys(LIMITS, 0)

    def value(self, text: str) -> str:
        """Return the text with control characters and lone surrogates as U+FFFD, cut to `Limits.label_bytes`.

        The cut is between two characters, and counted.
        """
        limit = self.limits.label_bytes
        clean = _UNPRINTABLE.sub("\ufffd", text[:limit])
        encoded = clean.encode()
        if len(encoded) > limit:
            clean = encoded[:limit].decode(errors="ignore")
        if len(clean) < len(text):
            self.hits["label_bytes"] += 1
        return clean

    def admit(self, table: Mapping[K, object], key: K, limit: str, other: K) -> K:
        """Return the key; or `other`, and count that, where the table is full and does not have it.

        Args:
            table: what there is.
            key: what is to be in it.
            limit: the name of the limit to its size.
            other: stands for what is not in it.
        """
        if key in table or len(table) < getattr(self.limits, limit):
            return key
        self.hits[limit] += 1
        return other
