"""The logger `choria_lifecycle`, which is silent unless the program configures logging."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["logger", "warn_visibly"]

logger: Final = logging.getLogger("choria_lifecycle")
logger.addHandler(logging.NullHandler())


def warn_visibly(text: str, *arguments: object) -> None:
    """Log a warning, on standard error if the program has not configured logging."""
    last = logging.lastResort if _is_unconfigured() else None
    if last is not None:
        logger.addHandler(last)
    try:
        logger.warning(text, *arguments)
    finally:
        if last is not None:
            logger.removeHandler(last)


def _is_unconfigured() -> bool:
    at: logging.Logger | None = logger
    while at is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in at.handlers):
            return False
        at = at.parent if at.propagate else None
    return True
