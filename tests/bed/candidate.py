"""A candidate that prints every hundredth of a second whether it leads: `candidate.py NAME URL ...`.

It resigns and exits when its stdin is closed.
"""

from __future__ import annotations

import asyncio
import json
import sys

import choria_lifecycle as lifecycle
from choria_lifecycle.election.campaign import Campaign
from choria_lifecycle.support.clock import steady


async def main(name: str, *urls: str) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    async with lifecycle.connect(list(urls)) as middleware:
        async with Campaign(middleware.bucket("ELECTION"), "TALLY", name, interval=0.2) as campaign:
            while not ended.done():
                at, leader, after = steady(), campaign.leader, steady()
                if after - at < 0.005:  # otherwise it was suspended in between, and cannot tell when it led
                    say(at, leader=leader, why=campaign.reason)
                await asyncio.sleep(0.01)
        say(steady(), leader=campaign.leader, wins=campaign.wins, losses=campaign.losses)


def say(at: float, *, leader: bool, **more: object) -> None:
    print(json.dumps({"at": at, "leader": leader, **more}), flush=True)


asyncio.run(main(*sys.argv[1:]))
