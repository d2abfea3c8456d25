"""Which settings are in force and where they come from, and what is wrong with them, from files to brokers."""

from __future__ import annotations

from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.doctor.doctor import check_connection, effective_settings, iter_checks
from choria_lifecycle.doctor.effective import Setting

__all__ = ["Check", "Setting", "check_connection", "effective_settings", "iter_checks"]
