"""Publish a shutdown event after main has ended: `python late.py CALL WHEN ASYNCIO END`.

CALL is `publish_once`, `connect` or `service`. WHEN is `atexit`, or `thread` for a thread that outlives main. ASYNCIO
is when it is imported: `before` WHEN is set up, `after` it, or only by the `call`; `used` means before, and that its
default executor was used. END is how main ends: `return`, `exit` or `exception`.
"""

import atexit
import sys
import threading

CALL, WHEN, ASYNCIO, END = sys.argv[1:]
ME = {"identity": "n1.example.net", "component": "billing"}


def publish() -> None:
    import choria_lifecycle as lifecycle

    if CALL == "publish_once":
        lifecycle.publish_once(lifecycle.shutdown(**ME))
    elif CALL == "connect":
        import asyncio

        async def main() -> None:
            async with lifecycle.connect() as middleware:
                await middleware.publish(lifecycle.shutdown(**ME))

        asyncio.run(main())
    else:
        with lifecycle.Service(**ME, version="1.4.2", strict=True, timeout=10):
            pass


def outlive() -> None:
    threading.main_thread().join()
    publish()


if ASYNCIO in {"before", "used"}:
    import asyncio
if ASYNCIO == "used":
    asyncio.run(asyncio.to_thread(int))
if WHEN == "atexit":
    atexit.register(publish)
else:
    threading.Thread(target=outlive).start()
if ASYNCIO == "after":
    import asyncio
if END == "exit":
    sys.exit(7)
if END == "exception":
    raise ValueError("on purpose")
