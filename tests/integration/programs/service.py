"""A service that tells when it starts and when it stops, also when it is asked to stop with SIGTERM."""

import asyncio
import signal

import choria_lifecycle as lifecycle

ME = {"identity": "n1.example.net", "component": "billing"}


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with lifecycle.connect() as middleware:
        await middleware.publish(lifecycle.startup(version="1.4.2", **ME))
        try:
            await stop.wait()  # the work of the service
        finally:
            await middleware.publish(lifecycle.shutdown(**ME))


asyncio.run(main())
