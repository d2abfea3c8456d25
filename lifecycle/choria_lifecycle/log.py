"""Where everything in this library logs to: the logger `choria_lifecycle`, silent unless the program configures it."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["logger"]

logger: Final = logging.getLogger("choria_lifecycle")
logger.addHandler(logging.NullHandler())
