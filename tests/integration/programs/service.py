"""A service that publishes its startup and shutdown itself, and handles SIGTERM and SIGINT."""

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
