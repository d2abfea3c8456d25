"""Label values made from untrusted text, within limits."""

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
"""The label value for everything beyond a limit."""

# A lone surrogate cannot be encoded and would fail every scrape from then on.
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Labels:
    """Converts names to label values, and counts how often limits are hit.

    Attributes:
        limits: the limits.
        hits: how often each limit was hit, by its name.
    """

    __slots__ = ("hits", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits: Final = limits
        self.hits: Final = dict.fromkeys(LIMITS, 0)

    def value(self, text: str) -> str:
        """Return text with control characters and lone surrogates as U+FFFD, truncated to `Limits.label_bytes`.

        Truncation never splits a character, and counts as a hit.
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
        """Return the key, or `other` if the table is full and does not have the key, which counts as a hit.

        Args:
            table: the known keys.
            key: the key to add.
            limit: the name of the limit on the table's size.
            other: the key of everything beyond the limit.
        """
        if key in table or len(table) < getattr(self.limits, limit):
            return key
        self.hits[limit] += 1
        return other
