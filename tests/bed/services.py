"""What the tests of services share."""

from __future__ import annotations

import threading

NOWHERE = "nats://127.0.0.1:1"
ENVIRON: dict[str, str] = {}
WHO = ("billing", "1.4.2", "n1.example.net")
TYPES = ["startup", "shutdown"]


def ours() -> list[str]:
    """Return the names of the running threads of services."""
    return [thread.name for thread in threading.enumerate() if thread.name == "choria-lifecycle"]
