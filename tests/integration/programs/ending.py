"""Publish a shutdown event, and end in the way that the argument names."""

import asyncio
import sys

import choria_lifecycle as lifecycle


async def main(way: str) -> None:
    async with lifecycle.connect() as middleware:
        await middleware.publish(lifecycle.shutdown(identity="n1.example.net", component="billing"))
        if way == "exception":
            raise ValueError("on purpose")
        if way == "exit":
            sys.exit(7)
        if way == "interrupt":
            raise KeyboardInterrupt


asyncio.run(main(sys.argv[1]))
