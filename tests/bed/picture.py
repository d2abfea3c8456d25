"""Makes the picture of the tally's page in the README: python -m tests.bed.picture."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from choria_lifecycle.tally.http import serve
from choria_lifecycle.tally.listening import bind, url
from tests.bed.browser import chromium
from tests.lifecycle.tally import samples

if TYPE_CHECKING:
    from choria_lifecycle.tally.status import Status

PICTURE = Path(__file__).parents[2] / "docs" / "tally.png"


class _Source:
    def metrics(self) -> bytes:
        return b""

    def status(self) -> Status:
        return samples.typical()

    def unready(self) -> str:
        return ""


async def main() -> None:
    sockets = bind(["127.0.0.1:0"])
    async with serve(_Source(), sockets), chromium() as page:
        await page.look(1120, 880)
        await page.load(url(sockets[0]))
        PICTURE.write_bytes(await page.screenshot(whole=False))


if __name__ == "__main__":
    asyncio.run(main())
