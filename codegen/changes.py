"""The kinds of changes of a contract, and whom each of them breaks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from codegen.problems import escape_unprintable, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

READERS: Final = "readers"
"""Events that used to be valid are refused."""
WRITERS: Final = "writers"
"""Events that users of this library make are refused."""
PYTHON: Final = "Python"
"""A class, field or value is gone, a field must be passed that could be omitted, or an annotation is another one."""

PATCH: Final = "patch"
MINOR: Final = "minor"
MAJOR: Final = "major"


class Effect(NamedTuple):
    """The consequences of one kind of change.

    Attributes:
        breaks: whom it breaks.
        step: the step of the version number that it demands.
    """

    breaks: tuple[str, ...]
    step: str


_ALL = Effect((READERS, WRITERS, PYTHON), MAJOR)
_EVENTS = Effect((READERS, WRITERS), MAJOR)
_PYTHON = Effect((PYTHON,), MAJOR)
_MINOR = Effect((), MINOR)
_PATCH = Effect((), PATCH)

EFFECTS: Final = {
    "event-added": _MINOR,
    "event-removed": _ALL,
    "field-added": _MINOR,
    "required-field-added": _ALL,
    # An event that has the field stays valid: it counts as an unknown field.
    "field-removed": _PYTHON,
    "field-removed-from-closed-object": _ALL,
    "now-required": _ALL,
    "no-longer-required": _PYTHON,
    "default-added": _MINOR,
    "type-widened": _PYTHON,
    # The annotation of an optional field accepts None anyway.
    "null-allowed": _MINOR,
    "type-narrowed": _ALL,
    "null-refused": _EVENTS,
    "type-changed": _ALL,
    # A match over all values is no longer exhaustive, which type checkers report; it still runs.
    "value-added": _MINOR,
    "value-removed": _ALL,
    "values-limited": _ALL,
    "values-unlimited": _PYTHON,
    # Types do not express bounds.
    "bound-tightened": _EVENTS,
    "bound-loosened": _MINOR,
    "closed": _EVENTS,
    "opened": _MINOR,
    "fields-named": _ALL,
    "fields-unnamed": _PYTHON,
    "class-renamed": _PYTHON,
    # A keyword that cannot be translated is assumed to refuse something; generate refuses it.
    "keyword-added": _EVENTS,
    "keyword-removed": _MINOR,
    "title-changed": _PYTHON,
    "id-changed": _PATCH,
    "annotation-changed": _PATCH,
    "source-changed": _PATCH,
    "correction-added": _PATCH,
    "correction-removed": _PATCH,
    "sentence-changed": _PATCH,
    "order-changed": _PATCH,
    "new-text": _PATCH,
}
"""Each kind of change; the only place that decides what breaks whom."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a contract.

    Attributes:
        path: the path of the schema.
        event: the event type, by the title of its schema.
        field: the field, such as `history[].status`; empty for the event as a whole.
        kind: a key of `EFFECTS`.
        text: the change in words.
        in_python: False if the generated classes do not show the place, such as the type of unnamed fields.
    """

    path: str
    event: str
    field: str
    kind: str
    text: str
    in_python: bool = True

    @property
    def breaks(self) -> tuple[str, ...]:
        """Whom the change breaks."""
        return tuple(who for who in EFFECTS[self.kind].breaks if self.in_python or who != PYTHON)

    @property
    def step(self) -> str:
        """The step of the version number that the change demands."""
        step = EFFECTS[self.kind].step
        return MINOR if step == MAJOR and not self.breaks else step

    def __str__(self) -> str:
        *others, last = self.breaks or ("",)
        broken = f"breaks {', '.join(others)}{' and ' * bool(others)}{last}: " if last else ""
        return escape_unprintable(f"{shorten(self.event)}: {self.text} ({broken}{self.step})")

    def record(self) -> dict[str, Any]:
        """Return the change as a JSON object."""
        return {
            "record": "change",
            "path": self.path,
            "event": self.event,
            "field": self.field,
            "kind": self.kind,
            "text": self.text,
            "breaks": [who.lower() for who in self.breaks],
            "step": self.step,
        }


def demanded_step(found: Iterable[Change]) -> str:
    """Return the largest step that the changes demand; empty if there are none."""
    return max((change.step for change in found), key=(PATCH, MINOR, MAJOR).index, default="")


def summary_record(found: Sequence[Change]) -> dict[str, Any]:
    """Return the changes in total, as a JSON object."""
    broken = {who.lower(): sum(who in change.breaks for change in found) for who in (READERS, WRITERS, PYTHON)}
    return {"record": "summary", "changes": len(found), "breaks": broken, "step": demanded_step(found)}


def summary(found: Sequence[Change]) -> str:
    """Return the changes in total, in words."""
    if not found:
        return "no changes"
    counts = Counter(who for change in found for who in change.breaks)
    broken = [
        f"{counts[who]} break{'s' if counts[who] == 1 else ''} {who}"
        for who in (READERS, WRITERS, PYTHON)
        if counts[who]
    ]
    number = f"{len(found)} change{'' if len(found) == 1 else 's'}"
    return f"{number}{': ' * bool(broken)}{', '.join(broken)}; version step: {demanded_step(found)}"
