"""Choria's brokers out of DNS: SRV records, in the order of their priorities and weights."""

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

# Choria remembers an answer for this long, too: one pass over a pool of brokers asks once.
_CACHE_SECONDS = 5.0

# DNS may answer with anything, of which a URL would make a user or a port; "." says that there is no such service.
_HOST = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")

# Each gets its share of the time there is for connecting.
_MAX_BROKERS = 32

Record = tuple[int, int, str]
"""The priority and weight of a server, and its URL."""


class Brokers:
    """Asks DNS for the brokers of a domain, again for every new connection.

    Attributes:
        failure: why the last question had no answer, in words; empty if it had one.

    Args:
        names: the SRV names to ask for; the first that has records decides.
        resolver: what asks; default dnspython's, with the name servers of this machine.
        uniform: draws a number between two bounds.

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
        self.failure = ""
        self._names = names
        self._resolver = resolver
        self._uniform = uniform
        self._queried = float("-inf")
        self._records: list[Record] = []

    async def find(self, now: float, timeout: float) -> list[str]:
        """The URLs of the brokers, at most 32, best first; empty if DNS knows none.

        Args:
            now: seconds on a monotonic clock. An answer is used for 5 seconds.
            timeout: seconds until there has to be an answer.
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
                # A new one reads which name servers there are by now.
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
    """The URLs of SRV records in the order in which to try them (RFC 2782).

    A lower priority comes first; among equal ones each is drawn in proportion to its weight, one of weight 0 rarely.
    """
    urls: list[str] = []
    for priority in sorted({record[0] for record in records}):
        # Without weights all are drawn alike, which the order in which they stand must not decide.
        left = sorted((weight, uniform(0, 1), url) for given, weight, url in records if given == priority)
        while left:
            drawn = uniform(0, sum(weight for weight, *_ in left))
            index = 0
            while index < len(left) - 1 and (drawn := drawn - left[index][0]) > 0:
                index += 1
            urls.append(left.pop(index)[2])
    return list(dict.fromkeys(urls))
