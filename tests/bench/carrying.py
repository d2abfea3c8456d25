"""A process that runs many services: `python -m tests.bench.carrying URL SERVICES SECONDS` prints their cost as JSON.

It starts them, idles for this many seconds, and stops them. `--no-aiohttp` hides aiohttp, as if it were not installed.
"""

import json
import sys
import time
from pathlib import Path

_PAGE = 4096


def main(url: str, count: int, seconds: float) -> dict[str, float]:
    """Run the services and print their cost."""
    bare = _resident()
    from choria_lifecycle import Service

    services = [
        Service(f"service{number}", "1.0.0", "n1.example.net", servers=url, environ={}) for number in range(count)
    ]
    for service in services:
        service.start()
    memory = _resident() - bare
    begin, used = time.monotonic(), time.process_time()
    time.sleep(seconds)
    cores = (time.process_time() - used) / max(1e-9, time.monotonic() - begin)
    for service in services:
        service.stop()
    return {
        "memory": memory,
        "cores": cores,
        "percent": cores * 100,
        "published": sum(service.counters.published for service in services),
        "failures": sum(service.counters.failures for service in services),
    }


def _resident() -> int:
    path = Path("/proc/self/statm")
    return int(path.read_text().split()[1]) * _PAGE if path.exists() else 0


if __name__ == "__main__":
    if "--no-aiohttp" in sys.argv:
        sys.modules["aiohttp"] = None  # type: ignore[assignment]
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
