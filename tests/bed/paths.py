"""Folders of this repository."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["DATA", "DOCS", "EXAMPLES", "ROOT"]

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
DATA: Final = ROOT / "tests" / "data"
EXAMPLES: Final = ROOT / "tests" / "examples"
