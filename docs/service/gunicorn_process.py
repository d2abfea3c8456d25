"""gunicorn.conf.py: one announcement per worker, as n1.example.net/4711."""

from typing import Any

from choria_lifecycle import Service

workers = 2


def post_worker_init(worker: Any) -> None:
    Service("billing", "1.4.2", per_process=True).start()
