"""A generator for the README's picture of the tally page: python -m tests.bed.picture."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from choria_lifecycle.tally.web.http import serve
from choria_lifecycle.tally.web.listening import bind, url
from tests.bed import tally_states
from tests.bed.browser import chromium
from tests.bed.paths import DOCS

if TYPE_CHECKING:
    from choria_lifecycle.tally.status import Status

PICTURE = DOCS / "tally.png"


class _Source:
    def metrics(self) -> bytes:
        return b""

    def status(self) -> Status:
        return tally_states.typical()

    def not_ready_reason(self) -> str:
        return ""


async def main() -> None:
    sockets = bind(["127.0.0.1:0"])
    async with serve(_Source(), sockets), chromium() as page:
        await page.emulate(1120, 880)
        await page.load(url(sockets[0]))
        PICTURE.write_bytes(await page.screenshot(whole=False))


if __name__ == "__main__":
    asyncio.run(main())
