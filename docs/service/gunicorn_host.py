"""gunicorn.conf.py: one announcement for all workers, by the process that starts them."""

from typing import Any

from choria_lifecycle import Service

workers = 2


def when_ready(server: Any) -> None:
    Service("billing", "1.4.2").start()
