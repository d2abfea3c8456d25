"""An asynchronous service, announced from an event loop."""

import asyncio

from choria_lifecycle import Service


async def main() -> None:
    async with Service("billing", "1.4.2"):
        await asyncio.Event().wait()  # the work of the service


asyncio.run(main())
