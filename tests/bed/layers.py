"""The import contracts in pyproject.toml."""

from __future__ import annotations

import tomllib
from typing import Any, Final

from tests.bed.paths import ROOT

__all__ = ["CONTRACTS", "PACKAGES"]

CONTRACTS: Final[list[dict[str, Any]]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
    "importlinter"
]["contracts"]

[_layers] = [contract for contract in CONTRACTS if contract["type"] == "layers"]

PACKAGES: Final[list[list[str]]] = [row.split(" | ") for row in _layers["layers"]]
"""The rows of packages from the top; each may import from the rows below it."""
