"""The programs of docs/engines.md."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.bed.paths import DOCS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FILES", "PAGE", "write_programs"]

PAGE: Final = (DOCS / "engines.md").read_text("utf-8")
FILES: Final[dict[str, str]] = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
"""The text of each program by the name in its first line."""


def write_programs(folder: Path) -> None:
    """Write the programs into a folder."""
    for name, text in FILES.items():
        folder.joinpath(name).write_text(text, "utf-8")
