"""The syntax trees of Python sources, for tests that check how code is written."""

from __future__ import annotations

import ast
import gc
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse", "tree"]


def parse(text: str) -> ast.Module:
    """Parse a source text, with no finalizer run meanwhile.

    Up to Python 3.11.7 and 3.12.1, `ast.parse` fails with a SystemError if another one runs within it. What an earlier
    test left behind does that: its finalizer reports it with a traceback, which Python marks up with `ast.parse`.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if enabled:
            gc.enable()


@cache
def tree(path: Path) -> ast.Module:
    """Parse a source file, once for all tests, which must not change the tree."""
    return parse(path.read_text("utf-8"))
