"""Discover Choria's brokers from SRV records, in the order of their priorities and weights."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING

from choria_lifecycle.errors import MissingExtra
from choria_lifecycle.support.jitter import jitter
from choria_lifecycle.support.log import logger
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dns.asyncresolver import Resolver

__all__ = ["Brokers", "order_records"]

# As in Choria: one pass over a pool of brokers queries once.
_CACHE_SECONDS = 5.0

# A target with other characters could put a user or a port into the URL; "." means that the service does not exist.
_HOST = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")

# The timeout for connecting is shared among them.
_MAX_BROKERS = 32

Record = tuple[int, int, str]
"""The priority and weight of a server, and its URL."""


class Brokers:
    """A domain's brokers, queried from DNS for each connection.

    Attributes:
        failure: the reason why the last query found none; empty if it found some.

    Args:
        names: the SRV names to query; the first that has records is used.
        resolver: the DNS resolver; default dnspython's, with this machine's name servers.
        uniform: returns a random number between two bounds.

    Raises:
        MissingExtra: dnspython is not installed.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        resolver: Resolver | None = None,
        uniform: Callable[[float, float], float] = jitter.uniform,
    ) -> None:
        if importlib.util.find_spec("dns") is None:
            raise MissingExtra(f"finding brokers by {safe(names[0], 200)}", extra="choria")
        self.failure: str = ""
        self._names = names
        self._resolver = resolver
        self._uniform = uniform
        self._queried = float("-inf")
        self._records: list[Record] = []

    async def find(self, now: float, timeout: float) -> list[str]:
        """Return the URLs of at most 32 brokers, best first; empty if DNS has none.

        Args:
            now: seconds on a monotonic clock; an answer is cached for 5 seconds.
            timeout: seconds for the query.
        """
        if now - self._queried >= _CACHE_SECONDS:
            self._records = await self._query(timeout)
            self._queried = now
        return order_records(self._records, self._uniform)[:_MAX_BROKERS]

    async def _query(self, timeout: float) -> list[Record]:
        from dns.asyncresolver import Resolver
        from dns.exception import DNSException, Timeout
        from dns.resolver import NXDOMAIN, NoAnswer

        self.failure = ""
        for name in self._names:
            try:
                # A new one reads the current name servers.
                resolver = self._resolver or Resolver()
                answer = await resolver.resolve(name, "SRV", lifetime=timeout / len(self._names))
            except (NXDOMAIN, NoAnswer):
                reason = "no such record"
            except Timeout:
                reason = "no answer from DNS"
            except (DNSException, OSError, ValueError) as error:
                reason = safe(str(error), 200)
            else:
                found = [
                    (record.priority, record.weight, f"nats://{host}:{record.port}")
                    for record in answer
                    if _HOST.fullmatch(host := record.target.to_text(omit_final_dot=True))
                ]
                if found:
                    self.failure = ""
                    return found
                reason = "no such service"
            self.failure += f"{'; ' if self.failure else ''}{safe(name, 200)}: {reason}"
            logger.debug("SRV %s: %s", safe(name, 200), reason)
        return []


def order_records(records: Iterable[Record], uniform: Callable[[float, float], float] = jitter.uniform) -> list[str]:
    """Return the URLs of SRV records in the order in which to try them (RFC 2782).

    A lower priority comes first; records of equal priority are drawn in proportion to their weights, those of weight 0
    rarely.
    """
    urls: list[str] = []
    for priority in sorted({record[0] for record in records}):
        # Records without weights are equally likely, so shuffle them.
        left = sorted((weight, uniform(0, 1), url) for given, weight, url in records if given == priority)
        while left:
            drawn = uniform(0, sum(weight for weight, *_ in left))
            index = 0
            while index < len(left) - 1 and (drawn := drawn - left[index][0]) > 0:
                index += 1
            urls.append(left.pop(index)[2])
    return list(dict.fromkeys(urls))
