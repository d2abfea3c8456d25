"""Where everything in this library logs to: the logger `choria_lifecycle`, silent unless the program configures it."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["logger", "warn_visibly"]

logger: Final = logging.getLogger("choria_lifecycle")
logger.addHandler(logging.NullHandler())


def warn_visibly(text: str, *arguments: object) -> None:
    """Warn; on standard error where the program has not configured its log."""
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
