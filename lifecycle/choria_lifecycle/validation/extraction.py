"""The events within the documents of a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from choria_lifecycle.validation.batch import Batch
from choria_lifecycle.validation.records import events_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from choria_lifecycle.wire.finding import Finding
    from choria_lifecycle.wire.locations import Location

__all__ = ["Extraction", "extract"]


@dataclass(slots=True)
class Extraction:
    """The events within the documents of a batch, and the documents that they came from.

    Attributes:
        events: the events, each ending with a line feed.
        paths: the place of each event in its document.
        owners: the index of each event's document.
        failures: the index of a document, and why it has no event at a place.
        unterminated: the last event is a document that ended with the file.
    """

    events: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    failures: list[tuple[int, Finding]] = field(default_factory=list)
    unterminated: bool = False

    @property
    def batch(self) -> Batch:
        """The events as a batch, each numbered with its index."""
        return Batch(range(len(self.events)), self.events, self.unterminated)

    def owners_of(self, events: Iterable[bytes]) -> set[int]:
        """Return the indexes of the documents that some of the events came from."""
        chosen = set(map(id, events))
        return {owner for event, owner in zip(self.events, self.owners, strict=True) if id(event) in chosen}

    def complete_in(self, events: Iterable[bytes]) -> set[int]:
        """Return the indexes of the documents whose events are all among some of the events."""
        chosen = set(map(id, events))
        others = {owner for event, owner in zip(self.events, self.owners, strict=True) if id(event) not in chosen}
        return set(self.owners) - others


def extract(batch: Batch, location: Location) -> Extraction:
    """Take the events out of the documents of a batch."""
    found = Extraction()
    for owner, document in enumerate(batch.documents):
        for each in events_in(document.removesuffix(b"\n"), location):
            if each.finding is not None:
                found.failures.append((owner, each.finding))
            else:
                found.events.append(each.data + b"\n")
                found.paths.append(each.path)
                found.owners.append(owner)
    last = len(batch.documents) - 1
    found.unterminated = batch.unterminated and found.events[-1:] == batch.documents[last:]
    return found
