"""How reports name files, and tell findings apart."""

from __future__ import annotations

import os
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from choria_lifecycle.validation.reports.protocol import OriginKind, as_text

if TYPE_CHECKING:
    from choria_lifecycle.validation.reports.protocol import Origin
    from choria_lifecycle.wire.finding import Finding

__all__ = ["Fingerprints", "absolute", "path_below", "place_of"]

# The number of different findings whose occurrences are counted.
_MAX_COUNTED: Final = 65_536


def absolute(name: str) -> Path:
    """Return an absolute path without `..`; unlike `resolve`, it keeps symbolic links."""
    return Path(os.path.abspath(name))  # noqa: PTH100 - there is no equivalent


def path_below(name: str, folder: str) -> str | None:
    """Return the path of a file relative to a folder, with slashes; None if the file is elsewhere."""
    try:
        return absolute(name).relative_to(folder).as_posix()
    except ValueError:
        return None


def place_of(origin: Origin, folder: str) -> str:
    """Return the name of an origin, which for a file in the folder is the same in every checkout."""
    path = path_below(origin.name, folder) if origin.kind is OriginKind.FILE else None
    return as_text(origin.name if path is None else path)


class Fingerprints:
    """Fingerprints of findings, unique within a report.

    A fingerprint depends on the place, code, path, rule and value of the finding, and on how many findings before it
    have these in common; so it stays when lines are inserted or messages are worded differently. In a report with very
    many different findings, those of the rest depend on the line too.
    """

    def __init__(self) -> None:
        self._counted: Counter[bytes] = Counter()

    def add(self, place: str, number: int, index: int, finding: Finding) -> str:
        """Return the fingerprint of the next finding, as 32 hexadecimal digits.

        Args:
            place: the origin of the document, as `place_of` returns it.
            number: the line or number of the document.
            index: the index of the finding in those of the document.
            finding: the finding.
        """
        value = msgspec.json.encode(finding.value).decode()
        return self.of(place, finding.code, finding.path, finding.rule, value, if_many=f"{number} {index}")

    def of(self, *parts: str, if_many: str = "") -> str:
        """Return the fingerprint of the next finding with these parts.

        Args:
            *parts: what identifies the finding.
            if_many: what else does, in a report with very many different findings.
        """
        content = "\0".join(parts).encode()
        key = blake2b(content, digest_size=16).digest()
        if key in self._counted or len(self._counted) < _MAX_COUNTED:
            occurrence = f"{self._counted[key]}"
            self._counted[key] += 1
        else:
            occurrence = if_many
        return blake2b(key + occurrence.encode(), digest_size=16).hexdigest()
