"""Defaults that the tally, its command and the documents share; importing them loads nothing else."""

from __future__ import annotations

from typing import Final

__all__ = ["DEFAULT_HOST", "DEFAULT_PORT", "DEFAULT_REPLAY", "EXPIRY", "METRICS_PATH", "METRIC_PREFIX"]

EXPIRY: Final = 80 * 60.0
"""Default seconds of silence after which a node expires."""

DEFAULT_REPLAY: Final = EXPIRY
"""Default replay window in seconds: as long as nodes are kept."""

METRIC_PREFIX: Final = "lifecycle_tally"
"""Default prefix of the metrics' names."""

METRICS_PATH: Final = "/metrics"
"""Default path of the metrics."""

DEFAULT_HOST: Final = "127.0.0.1"
"""Default address. Local, because the page shows a network's nodes without authentication."""

DEFAULT_PORT: Final = 8080
"""Default port to listen on."""
