"""The tally's page in a real browser: layout, contrast, policy, updates."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from choria_lifecycle.tally.web.http import serve
from choria_lifecycle.tally.web.listening import bind, url
from tests.bed import tally_states
from tests.bed.browser import chromium, find_chromium
from tests.bed.paths import DOCS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from choria_lifecycle.tally.status import Status
    from tests.bed.browser import Page

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_chromium() is None, reason="chromium is not installed: the page was not seen in a browser"),
]

STATES = {
    make.__name__: make
    for make in (
        tally_states.typical,
        tally_states.huge,
        tally_states.empty,
        tally_states.hostile,
        tally_states.troubled,
        tally_states.degraded,
    )
}

# Waits for a running update, then starts another.
UPDATE = """(async () => {
    while (running) await new Promise((resolve) => setTimeout(resolve, 10));
    await update();
})()"""


class Source:
    """The served data."""

    def __init__(self) -> None:
        self.state: Status = tally_states.typical()

    def metrics(self) -> bytes:
        return b""

    def status(self) -> Status:
        return self.state

    def not_ready_reason(self) -> str:
        return ""


@asynccontextmanager
async def serving(port: int = 0) -> AsyncGenerator[tuple[Source, str]]:
    source = Source()
    [listening] = bind([f"127.0.0.1:{port}"])
    at = url(listening)
    async with serve(source, [listening]):
        yield source, at


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncGenerator[Page]:
    async with chromium() as page:
        yield page


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Page) -> AsyncGenerator[Page]:
    """The tab, cleared before a test, and without console messages after it."""
    browser.requests.clear()
    browser.complaints.clear()
    await browser.emulate(1280)
    yield browser
    await browser.load("about:blank")
    # A tab that outlives its server fails to connect; other errors are complaints.
    gone = ("net::ERR_CONNECTION_", "net::ERR_SOCKET_", "net::ERR_EMPTY_RESPONSE")
    assert [complaint for complaint in browser.complaints if not any(error in complaint for error in gone)] == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("state", STATES)
async def test_the_page_fits_and_has_contrast(state: str, width: int, dark: bool, page: Page) -> None:
    async with serving() as (source, at):
        source.state = STATES[state]()
        await page.emulate(width, dark=dark)
        await page.load(at)
        await page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await page.low_contrast() == []
        asked = {request.removeprefix(at).split(".")[0] for request in page.requests}
        assert {"", "static/page"} <= asked <= {"", "static/page", "static/icon"}


async def test_low_contrast_is_detected(page: Page) -> None:
    async with serving() as (_, at):
        await page.load(at)
        await page.evaluate("document.styleSheets[0].insertRule('dt { color: #aaa !important; }')")
        assert await page.low_contrast() == ["Nodes: 2.32", "Components: 2.32", "Versions: 2.32", "Last event: 2.32"]


async def test_violations_of_the_policy_are_detected(page: Page) -> None:
    async with serving() as (_, at):
        await page.load(at)
        await page.evaluate("document.body.setAttribute('style', 'color: red')")
        assert any("Content Security Policy" in complaint for complaint in page.complaints)
        page.complaints.clear()


async def test_the_page_refreshes_itself(page: Page) -> None:
    async with serving() as (source, at):
        await page.load(at)
        await page.evaluate("window.loaded = 'once'")
        source.state = tally_states.whole(
            tally_states.empty(components=[tally_states.component("server", **{"9.9": 7})])
        )
        await page.until("document.title === '7 nodes · Lifecycle tally'")
        assert await page.evaluate("window.loaded") == "once"
        assert "9.9" in await page.evaluate("document.querySelector('main').innerText")


async def test_a_refreshed_page_equals_a_new_one(page: Page) -> None:
    async with serving() as (source, at):
        await page.load(at)
        for state in [*STATES, *reversed(STATES)]:
            source.state = STATES[state]()
            same = await page.evaluate(f"""{UPDATE}.then(async () => {{
                const text = await (await fetch(location.pathname)).text();
                const fresh = new DOMParser().parseFromString(text, "text/html");
                return document.body.outerHTML === fresh.body.outerHTML && document.title === fresh.title;
            }})""")
            assert same, state


async def test_a_refresh_keeps_selection_focus_and_position(page: Page) -> None:
    async with serving() as (source, at):
        source.state = tally_states.huge()
        await page.emulate(375, 600)
        await page.load(at)
        await page.evaluate("""
            window.row = document.querySelectorAll('article[data-key] details')[3];
            row.open = true;
            row.querySelector('summary').focus();
            row.scrollIntoView();
            getSelection().selectAllChildren(row.querySelector('bdi'));
        """)
        before = await page.evaluate("[getSelection().toString(), row.getBoundingClientRect().top]")
        # The last component moves to the top, and all counts change.
        first, last = source.state["components"][0], source.state["components"][-1]
        for component in source.state["components"]:
            component["nodes"] += 5
        last["nodes"] = first["nodes"] + 1
        source.state["components"].sort(key=lambda each: -each["nodes"])
        source.state["now"] += 5
        await page.evaluate(UPDATE)
        assert await page.evaluate("document.activeElement === row.querySelector('summary')")
        assert await page.evaluate("row.isConnected && row.open")
        selected, top = await page.evaluate("[getSelection().toString(), row.getBoundingClientRect().top]")
        assert selected == before[0] != ""
        assert abs(top - before[1]) < 600


async def test_the_page_shows_when_the_tally_does_not_respond(page: Page) -> None:
    async with serving() as (_, at):
        await page.load(at)
        assert await page.evaluate("document.getElementById('live').textContent") == ""
    await page.evaluate(UPDATE)
    live = "document.getElementById('live').innerText"
    assert await page.evaluate(live) == "The tally does not respond. Last update: a moment ago."
    assert await page.evaluate("document.documentElement.className") == "lost"
    assert await page.low_contrast() == []
    async with serving(int(at.rstrip("/").rpartition(":")[2])):
        await page.evaluate(UPDATE)
        assert await page.evaluate(f"{live} + document.documentElement.className") == ""


async def test_a_hidden_tab_does_not_refresh(page: Page) -> None:
    async with serving() as (source, at):
        await page.load(at)
        await page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        page.requests.clear()
        await page.evaluate(UPDATE)
        assert at not in page.requests
        source.state = tally_states.empty()
        await page.evaluate("delete document.hidden, document.dispatchEvent(new Event('visibilitychange'))")
        await page.until("document.title === '0 nodes · Lifecycle tally'")


async def test_an_upgraded_tally_reloads_the_page(page: Page) -> None:
    async with serving() as (_, at):
        await page.load(at)
        await page.evaluate("document.documentElement.dataset.build = 'older', window.loaded = 'once'")
        page.loaded.clear()
        await page.evaluate("setTimeout(update)")
        async with asyncio.timeout(20):
            await page.loaded.wait()
        assert await page.evaluate("window.loaded") is None


async def test_the_page_is_complete_without_scripts(page: Page) -> None:
    async with serving() as (_, at):
        await page.call("Emulation.setScriptExecutionDisabled", value=True)
        try:
            await page.load(at)
            tree = await page.call("Accessibility.getFullAXTree")
        finally:
            await page.call("Emulation.setScriptExecutionDisabled", value=False)
    named = {(node["role"]["value"], node["name"]["value"]) for node in tree["nodes"] if not node["ignored"]}
    assert ("image", "Expired in each of the last 60 minutes: peak 3 a minute, 15 min ago") in named
    assert ("heading", "edge-gateway") in named
    assert ("rowheader", "0.30.2") in named
    assert ("columnheader", "Nodes") in named
    assert ("StaticText", "15,301") in named


async def test_the_page_works_from_the_keyboard(page: Page) -> None:
    async with serving() as (_, at):
        await page.load(at)
        reached: list[str] = []
        for _ in range(3):
            await page.press("Tab")
            reached.append(await page.evaluate("document.activeElement.innerText"))
        assert reached == ["5 more versions, 32 nodes", "Events since the start, by component and type", "JSON"]
        await page.evaluate("document.querySelector('summary').focus()")
        await page.press("Enter", "\r")
        assert await page.evaluate("document.querySelector('details').open")


async def test_the_picture_in_the_readme() -> None:
    picture = (DOCS / "tally.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 150_000
