"""Archives: files of events in time order, one per line, like an export of a stream.

They are generated from the mixed corpus: each document is a template, and each line gets new identifiers, identities
and times. In damaged archives every hundredth template is invalid in a way that each validating peer detects.
"""

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from time import gmtime, strftime
from typing import NamedTuple

from . import corpus
from .corpus import PROTOCOL, TYPES, Document

BAD_EVERY = 100
"""One in this many lines of a damaged archive is invalid."""

MISSING, TYPE, CUT, VALUE, CONTRADICTION = "missing field", "wrong type", "cut off", "wrong value", "contradiction"

_TEMPLATES = 12_000
_BEGIN = 1_700_000_000  # in the past for every clock
_RATE = 24  # events per second: 2,000,000 per day
_LINE = 300  # above the average length of a line


class Sort(NamedTuple):
    """The sort of a line: event type, whether in the old spelling, and its defect ("" if valid)."""

    type: str
    is_old: bool
    bad: str = ""


class _Template(NamedTuple):
    text: str
    sort: Sort


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive file and its contents.

    Attributes:
        path: the file.
        sorts: the number of lines of each sort.
    """

    path: Path
    sorts: Counter[Sort]

    @property
    def size(self) -> int:
        """The number of lines."""
        return self.sorts.total()

    def passing(self, sees: frozenset[str], *, takes_old: bool = True) -> Counter[str]:
        """Return the number of lines of each type that pass a reader which detects only these defects."""
        passing: Counter[str] = Counter()
        for sort, number in self.sorts.items():
            if sort.bad not in sees and (takes_old or not sort.is_old):
                passing[sort.type] += number
        return passing


@cache
def make(folder: Path, size: int, *, bad: bool = False, old: bool = True) -> Archive:
    """Write an archive, once per folder.

    Args:
        folder: the destination.
        size: the number of lines.
        bad: damage every hundredth line.
        old: write some events in the old spelling of the protocol, as in the corpus, instead of all in the current one.
    """
    check_free_space(folder, size * _LINE)
    templates = _templates(bad=bad, old=old)
    path = folder / f"{size}{'-bad' * bad}{'' if old else '-current'}.ndjson"
    with path.open("w", encoding="utf-8", newline="\n", buffering=1 << 20) as file:
        file.writelines(_lines(templates, size))
    return Archive(path, Counter(template.sort for template in islice(cycle(templates), size)))


def check_free_space(folder: Path, size: int) -> None:
    """Ensure that the disk has room for twice this many bytes.

    Raises:
        OSError: it does not.
    """
    free = shutil.disk_usage(folder).free
    if free < 2 * size:
        raise OSError(f"{free:,} bytes are free for temporary files, {2 * size:,} are needed")


def _lines(templates: list[_Template], size: int) -> Iterator[str]:
    bits = random.Random(3).getrandbits
    second, clock = 0, ""
    for number, template in enumerate(islice(cycle(templates), size)):
        digits = f"{bits(128):032x}"
        if second != _BEGIN + number // _RATE:
            second = _BEGIN + number // _RATE
            clock = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(second))
        yield template.text % {
            "id": f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",
            "identity": f"web{number % 100_000:05}.dc{number % 7}.example.net",
            "timestamp": second,
            "time": clock,
        }


def _templates(*, bad: bool, old: bool) -> list[_Template]:
    rng = random.Random(4)
    documents = corpus.mixed(_TEMPLATES)
    rng.shuffle(documents)  # the types alternate
    templates = [_template(document) for document in documents]
    if not old:
        templates = [_Template(_current(text), sort._replace(is_old=False)) for text, sort in templates]
    if bad:
        kinds = cycle(_SPOILS.items())
        for start, (kind, (fits, spoil)) in zip(range(0, _TEMPLATES, BAD_EVERY), kinds, strict=False):
            # The old spelling stays: peers that refuse it must refuse the same number of lines as before.
            block = range(start, start + BAD_EVERY)
            place = rng.choice([at for at in block if not templates[at].sort.is_old and fits(templates[at].text)])
            text, sort = templates[place]
            templates[place] = _Template(spoil(text.removesuffix("\n")) + "\n", sort._replace(bad=kind))
    return templates


def _template(document: Document) -> _Template:
    text, fields = document.data.decode() + "\n", document.fields
    for name in "id", "identity":
        text = text.replace(fields[name], f"%({name})s")
    text = text.replace(str(fields["timestamp"]), "%(timestamp)d")
    if document.envelope is not None:
        text = text.replace(document.envelope["time"], "%(time)s")
    return _Template(text, Sort(corpus.event_type(fields), fields["protocol"].startswith("choria:")))


def _current(text: str) -> str:
    return re.sub("choria:lifecycle:([a-z]+):1", rf"{PROTOCOL}\1", text)


def _is_governor(text: str) -> bool:
    return f"{PROTOCOL}governor" in text


def _is_wrapped(text: str) -> bool:
    return text.startswith('{"specversion"')


def _contradict(text: str) -> str:
    """Change the type in the envelope, so that it contradicts the data."""
    head, claim, rest = text.partition(f'"type":"{PROTOCOL}')
    name = rest.partition('"')[0]
    return head + claim + TYPES[(TYPES.index(name) + 1) % len(TYPES)] + rest.removeprefix(name)


_SPOILS: dict[str, tuple[Callable[[str], bool], Callable[[str], str]]] = {
    MISSING: (bool, lambda text: text.replace('"identity":"%(identity)s",', "")),
    TYPE: (bool, lambda text: text.replace("%(timestamp)d", '"soon"')),
    CUT: (bool, lambda text: text.partition("%(timestamp)d")[0]),
    VALUE: (_is_governor, lambda text: re.sub('("event_type":)"[a-z]+"', r'\1"sometimes"', text)),
    CONTRADICTION: (_is_wrapped, _contradict),
}
