"""The subjects that a JetStream stream stores, according to its configuration and those of the streams it copies."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from choria_lifecycle.middleware.transport import covers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Origin", "Stored", "StreamConfig", "Transform", "intersect", "relocated", "stored_subjects"]

# A token of a transform's destination that stands for a wildcard of its source.
_WILDCARD: Final = re.compile(r"\$(\d+)|\{\{\s*wildcard\s*\(\s*(\d+)\s*\)\s*\}\}", re.IGNORECASE)
# Functions whose result may have several tokens.
_SEVERAL_TOKENS: Final = re.compile(r"\{\{\s*(?:split|slice)", re.IGNORECASE)


class _External(msgspec.Struct):
    api: str = ""


class Transform(msgspec.Struct):
    """A transform of subjects.

    Attributes:
        src: the subjects that it matches; empty for all.
        dest: their new names; empty to keep them.
    """

    src: str = ""
    dest: str = ""


class Origin(msgspec.Struct):
    """A stream that another one mirrors or sources.

    Attributes:
        name: its name.
        filter_subject: the subjects to copy; empty for all.
        subject_transforms: the subjects to copy, and their new names.
        external: the API through which it is reached, if it is in another domain or account.
    """

    name: str
    filter_subject: str = ""
    subject_transforms: list[Transform] | None = None
    external: _External | None = None

    @property
    def api(self) -> str:
        """The prefix of the API through which it is reached; empty if that is the stream's own."""
        return self.external.api if self.external is not None else ""


class StreamConfig(msgspec.Struct):
    """The part of a stream's configuration that decides what it stores, and for how long."""

    name: str = ""
    subjects: list[str] | None = None
    mirror: Origin | None = None
    sources: list[Origin] | None = None
    subject_transform: Transform | None = None
    retention: str = "limits"
    max_msgs_per_subject: int = -1
    discard: str = "old"
    max_msgs: int = -1
    max_bytes: int = -1
    max_age: int = 0
    sealed: bool = False

    @property
    def origins(self) -> list[Origin]:
        """The streams that it mirrors or sources."""
        return [*([self.mirror] if self.mirror is not None else ()), *(self.sources or ())]


class Stored(NamedTuple):
    """Subjects that a stream stores.

    Attributes:
        subject: the subject, with wildcards.
        unknown: the reason, in words, why the stream may store only some of them; empty if it stores all of them.
    """

    subject: str
    unknown: str = ""


def stored_subjects(config: StreamConfig, configs: Mapping[str, StreamConfig]) -> list[Stored]:
    """Return the subjects that a stream stores.

    Args:
        config: the stream's configuration.
        configs: the configurations of the streams that it may copy, by name, as far as they are known.
    """
    return list(dict.fromkeys(_stored_subjects(config, configs, frozenset({config.name}))))


def _stored_subjects(config: StreamConfig, configs: Mapping[str, StreamConfig], seen: frozenset[str]) -> list[Stored]:
    found = [Stored(subject) for subject in config.subjects or ()]
    for origin in config.origins:
        if origin.api:
            theirs = [Stored(">", f"the stream {origin.name} behind {origin.api}")]
        elif origin.name not in configs:
            theirs = [Stored(">", f"the stream {origin.name}")]
        elif origin.name in seen:
            continue
        else:
            theirs = _stored_subjects(configs[origin.name], configs, seen | {origin.name})
        found += [copied for each in theirs for copied in _copy(each, origin)]
    if config.subject_transform is not None:
        found = [renamed for each in found for renamed in _rename(each, config.subject_transform)]
    return found


def _copy(stored: Stored, origin: Origin) -> Iterator[Stored]:
    """Return the subjects that another stream copies of those of its origin."""
    transforms = origin.subject_transforms or [Transform(origin.filter_subject)]
    for each in transforms:
        if (renamed := _transform(stored, each)) is not None:
            yield renamed


def _rename(stored: Stored, transform: Transform) -> Iterator[Stored]:
    """Return the subjects after a stream's own transform, which keeps those that it does not match."""
    if (renamed := _transform(stored, transform)) is not None:
        yield renamed
    if not covers(transform.src or ">", stored.subject):
        yield stored


def _transform(stored: Stored, transform: Transform) -> Stored | None:
    """Return the subjects that a transform matches, under their new names; None if it matches none."""
    source = transform.src or ">"
    matched = intersect(stored.subject, source)
    if matched is None:
        return None
    if not transform.dest:
        return stored._replace(subject=matched)
    parts, places = matched.split("."), source.split(".")
    wildcards = [part for part, place in zip(parts, places, strict=False) if place == "*"]
    renamed: list[str] = []
    for part in transform.dest.split("."):
        wildcard = _WILDCARD.fullmatch(part)
        if wildcard is not None and 0 < int(wildcard[1] or wildcard[2]) <= len(wildcards):
            renamed.append(wildcards[int(wildcard[1] or wildcard[2]) - 1])
        elif part == ">":
            renamed += parts[len(places) - 1 :]
        elif _SEVERAL_TOKENS.match(part):
            return Stored(".".join([*renamed, ">"]), f"the transform to {transform.dest}")
        else:
            renamed.append("*" if part.startswith("{{") else part)
    return stored._replace(subject=".".join(renamed))


def intersect(left: str, right: str) -> str | None:
    """Return the subjects that two subjects with wildcards have in common; None if there are none."""
    ours, theirs = left.split("."), right.split(".")
    common: list[str] = []
    for index in range(max(len(ours), len(theirs))):
        if index >= len(ours) or index >= len(theirs):
            return None
        mine, other = ours[index], theirs[index]
        if ">" in (mine, other):
            return ".".join(common + (theirs if mine == ">" else ours)[index:])
        if mine != other and "*" not in (mine, other):
            return None
        common.append(other if mine == "*" else mine)
    return ".".join(common)


def relocated(stored: Iterable[Stored], subject: str) -> list[str]:
    """Return where a stream stores a subject under a prefix, as one that collects several sites does."""
    root = subject.partition(".")[0]
    found: dict[str, None] = {}
    for each in stored:
        parts = each.subject.split(".")
        for start in range(1, len(parts)):
            common = intersect(".".join(parts[start:]), subject) if parts[start] == root else None
            if common is not None:
                found[".".join([*parts[:start], common])] = None
    return list(found)
