"""The nodes of one component: when each was last seen, and with which version.

A million nodes fit in little memory: a node is one dict entry, from its identity to an integer that it shares with all
nodes seen in the same minute with the same version. The dict is sharded by hash, so that expiry can work through one
small shard after another.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from choria_lifecycle.tally.labels import OTHER

if TYPE_CHECKING:
    from choria_lifecycle.tally.labels import Labels

__all__ = ["SHARDS", "LastSeen", "NodeCounter", "Nodes"]

SHARDS: Final = 256
"""Number of shards."""

_MASK: Final = SHARDS - 1

# Host names have at most 253 characters, in practice far fewer. Longer identities are hashed.
_MAX_ASCII: Final = 128
_MAX_UNICODE: Final = 32
_PREFIX_LENGTH: Final = 16


class NodeCounter:
    """The number of nodes of all components."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: int = 0


class LastSeen(NamedTuple):
    """An expired node, and the version and minute in which it was last seen."""

    identity: str
    version: str
    minute: int


class _Version:
    """A version and its nodes.

    Attributes:
        name: the value of its label.
        slot: its number among the current versions.
        nodes: the number of nodes that run it.
        minute: the minute of `stamp`.
        stamp: the dict value of nodes seen in that minute with this version.
    """

    __slots__ = ("minute", "name", "nodes", "slot", "stamp")

    def __init__(self, name: str, slot: int) -> None:
        self.name = name
        self.slot = slot
        self.nodes = 0
        self.minute = -1
        self.stamp = -1


class Nodes:
    """The nodes of one component.

    Args:
        labels: makes the version labels, and holds the limits.
        counter: the counter shared by all components.
    """

    __slots__ = ("_bits", "_counter", "_free", "_labels", "_mask", "_other", "_shards", "_slots", "_versions")

    def __init__(self, labels: Labels, counter: NodeCounter) -> None:
        self._labels = labels
        self._counter = counter
        self._bits = labels.limits.versions.bit_length()
        self._mask = (1 << self._bits) - 1
        self._shards: list[dict[str, int]] = [{} for _ in range(SHARDS)]
        self._other = _Version(OTHER, 0)
        self._slots = {0: self._other}
        self._free: list[int] = []
        self._versions: dict[str, _Version] = {}

    def record(self, identity: str, name: str, minute: int) -> bool:
        """Record that a node was seen; beyond the limit, a new node only counts as a hit.

        Args:
            identity: the node.
            name: the version that it runs.
            minute: the time in whole minutes; not negative.

        Returns:
            True if a known node has changed its version.
        """
        try:
            version = self._versions[name]
        except KeyError:
            version = self._version_named(name)
        if version.minute != minute:
            version.minute = minute
            version.stamp = minute << self._bits | version.slot
        stamp = version.stamp
        shard = self._shards[hash(identity) & _MASK]
        try:
            old = shard[identity]
        except KeyError:
            if _is_long(identity):
                return self.record(_shorten(identity), name, minute)
            self._add(shard, identity, version)
            return False
        if old == stamp:
            return False
        shard[identity] = stamp
        former = self._slots[old & self._mask]
        if former is version:
            return False
        version.nodes += 1
        former.nodes -= 1
        self._release_if_unused(former)
        return True

    def remove(self, identity: str) -> None:
        """Remove a node, if known."""
        if _is_long(identity):
            identity = _shorten(identity)
        stamp = self._shards[hash(identity) & _MASK].pop(identity, None)
        if stamp is not None:
            self._drop(stamp)

    def expire(self, shard_number: int, oldest: int, most: int) -> tuple[int, list[LastSeen]]:
        """Remove the nodes of one shard that were last seen before a minute.

        Args:
            shard_number: the shard, below `SHARDS`.
            oldest: the minute.
            most: the maximum number of nodes to return.

        Returns:
            The number of removed nodes, and up to `most` of them.
        """
        shard = self._shards[shard_number]
        oldest <<= self._bits
        old = [(identity, stamp) for identity, stamp in shard.items() if stamp < oldest]
        for identity, _ in old:
            del shard[identity]
        if len(old) > len(shard):
            self._shards[shard_number] = dict(shard)  # a dict never shrinks
        counts = Counter(stamp for _, stamp in old)
        names = {stamp: self._drop(stamp, nodes) for stamp, nodes in counts.items()}
        return len(old), [LastSeen(identity, names[stamp], stamp >> self._bits) for identity, stamp in old[-most:]]

    def versions(self) -> dict[str, int]:
        """Return the number of nodes of each version that has any."""
        return {version.name: version.nodes for version in self._slots.values() if version.nodes}

    def _add(self, shard: dict[str, int], identity: str, version: _Version) -> None:
        """Add a node, within the limit."""
        if self._counter.nodes < self._labels.limits.nodes:
            self._counter.nodes += 1
            version.nodes += 1
            shard[identity] = version.stamp
        else:
            self._labels.hits["nodes"] += 1
            self._release_if_unused(version)

    def _drop(self, stamp: int, nodes: int = 1) -> str:
        """Subtract nodes from their version, and return its name."""
        version = self._slots[stamp & self._mask]
        version.nodes -= nodes
        self._counter.nodes -= nodes
        self._release_if_unused(version)
        return version.name

    def _version_named(self, name: str) -> _Version:
        """Return the version for a name that is not a known label itself, although its label may be."""
        label = self._labels.value(name)
        if label in self._versions:
            return self._versions[label]
        if label == OTHER or self._labels.admit(self._versions, label, "versions", OTHER) == OTHER:
            return self._other
        slot = self._free.pop() if self._free else len(self._slots)
        version = self._slots[slot] = self._versions[label] = _Version(label, slot)
        return version

    def _release_if_unused(self, version: _Version) -> None:
        """Remove a version without nodes."""
        if version.nodes or version is self._other:
            return
        del self._versions[version.name]
        del self._slots[version.slot]
        self._free.append(version.slot)


def _is_long(identity: str) -> bool:
    return len(identity) > _MAX_UNICODE and (len(identity) > _MAX_ASCII or not identity.isascii())


def _shorten(identity: str) -> str:
    """Return the beginning and the hash of a long identity, in ASCII."""
    digest = blake2b(identity.encode(errors="surrogatepass"), digest_size=16).hexdigest()
    return identity[:_PREFIX_LENGTH].encode("ascii", "replace").decode() + "~" + digest
