"""A diagnosis of the connection: the settings in force and their origins, and all problems, from files to brokers."""

from __future__ import annotations

from choria_lifecycle.doctor.checks import Check
from choria_lifecycle.doctor.doctor import check_connection, effective_settings, iter_checks
from choria_lifecycle.doctor.effective import Setting

__all__ = ["Check", "Setting", "check_connection", "effective_settings", "iter_checks"]
