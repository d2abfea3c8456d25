"""gunicorn.conf.py: one announcement for all workers, from the master."""

from typing import Any

from choria_lifecycle import Service

workers = 2


def when_ready(server: Any) -> None:
    Service("billing", "1.4.2").start()
