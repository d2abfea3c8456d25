"""Findings for the tests of reports."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

import choria_lifecycle as lifecycle
from choria_lifecycle.wire.codes import CODES
from choria_lifecycle.wire.finding import Finding

if TYPE_CHECKING:
    from choria_lifecycle.wire.finding import FindingValue

_ODD: Final = "a/.:,=%&<>\r\n\x1b\x7f\x9b\u202e\u2028\"'\\é漢\U000e0041 \ud800\udcff\ufffe[]#"

NASTY: Final = st.text(st.sampled_from(_ODD))
"""Texts that break careless formats."""

NAMES: Final = NASTY.map(lambda text: os.fsdecode(text.encode("utf-8", "surrogatepass")))
"""Names as the operating system returns them."""

_DOCUMENTS: Final = st.dictionaries(
    st.sampled_from(["protocol", "id", "identity", "component", "timestamp", "version", "specversion", "data"]) | NASTY,
    NASTY | st.integers() | st.none() | st.lists(NASTY, max_size=2),
    max_size=6,
).map(json.dumps)

RANDOM_FINDINGS: Final = st.lists(_DOCUMENTS.map(lifecycle.validate), max_size=3)
"""The findings of up to three documents."""


def found(*codes: str, value: FindingValue = 5, message: str = "") -> list[Finding]:
    """Return a finding for each code, about the identity."""
    return [
        Finding(
            severity=CODES[code],
            code=code,
            path="$.identity",
            rule="rule",
            value=value,
            message=message or f"message of {code}",
        )
        for code in codes
    ]
