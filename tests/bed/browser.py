"""A headless Chromium, driven through its DevTools protocol.

with chromium() as browser:
    page = await browser.open("http://127.0.0.1:8080/")
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["Page", "chromium", "find_chromium"]

_SECONDS = 30.0

# Contrast as defined by WCAG 2, measured against the nearest background that is not transparent.
_PALE = """(() => {
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = parts(color).map((c) => linear(c / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        const color = getComputedStyle(element).backgroundColor;
        return (parts(color)[3] ?? 1) === 0 ? ground(element.parentElement) : color;
    };
    const contrast = (one, other) => {
        const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
        const style = getComputedStyle(element);
        const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        const [color, least] = element.matches("rect") ? [style.fill, 3] : [style.color, 4.5];
        if (!text && !element.matches("rect")) continue;
        const ratio = contrast(color, ground(element));
        const what = element.textContent.slice(0, 30) || element.nodeName;
        if (!(ratio >= least)) found.push(`${what}: ${ratio.toFixed(2)}`);
    }
    return [...new Set(found)];
})()"""


def find_chromium() -> str | None:
    """Return the path of Chromium, or None if it is not installed; CHROMIUM_BIN overrides the search."""
    for name in (os.environ.get("CHROMIUM_BIN", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return found
    return None


class Page:
    """A tab.

    Attributes:
        complaints: errors that the browser reported: script errors, violations of the content security policy, missing
            files.
        requests: the requested URLs.
        loaded: set once a page has loaded.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.loaded = asyncio.Event()
        self._number = 0

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol; RuntimeError if the browser reports an error."""
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async with asyncio.timeout(_SECONDS):
            return await answer

    async def load(self, url: str) -> None:
        """Open a URL and wait until everything on the page has loaded."""
        self.loaded.clear()
        await self.call("Page.navigate", url=url)
        async with asyncio.timeout(_SECONDS):
            await self.loaded.wait()

    async def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression, awaited."""
        done = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(json.dumps(done["exceptionDetails"]))
        return done["result"].get("value")

    async def until(self, condition: str) -> None:
        """Wait until an expression is true, checking after each change of the page; TimeoutError after 30 seconds."""
        await self.evaluate(f"""new Promise((resolve, reject) => {{
            const holds = () => {condition};
            if (holds()) return resolve();
            setTimeout(() => reject(new Error("timeout")), {_SECONDS * 1000 - 1000});
            new MutationObserver((_, observer) => {{ if (holds()) {{ observer.disconnect(); resolve(); }} }})
                .observe(document, {{subtree: true, childList: true, attributes: true, characterData: true}});
        }})""")

    async def emulate(self, width: int, height: int = 800, *, dark: bool = False, scale: float = 1) -> None:
        """Emulate a screen: its size in CSS pixels, a dark or light colour scheme, and reduced motion."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def low_contrast(self) -> list[str]:
        """Return the texts and bars whose contrast is below WCAG level AA: 4.5 and 3 to 1."""
        found: list[str] = await self.evaluate(_PALE)
        return found

    async def press(self, key: str, text: str = "") -> None:
        """Press and release a key.

        Args:
            key: its name, such as `Tab`.
            text: the text it types.
        """
        code = {"Tab": 9, "Enter": 13}[key]
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        await self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **pressed)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def screenshot(self, *, whole: bool = True) -> bytes:
        """Return a PNG of the visible part, or of the whole page."""
        taken = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(taken["data"])

    async def listen(self) -> None:
        """Handle the browser's messages until the connection closes."""
        async for message in self._socket:
            said = message.json()
            if "id" in said:
                answer = self._answers.pop(said["id"])
                if not answer.done():
                    if "error" in said:
                        answer.set_exception(RuntimeError(str(said["error"])))
                    else:
                        answer.set_result(said["result"])
            else:
                self._handle(said["method"], said["params"])

    def _handle(self, method: str, said: dict[str, Any]) -> None:
        match method:
            case "Page.loadEventFired":
                self.loaded.set()
            case "Network.requestWillBeSent":
                self.requests.append(said["request"]["url"])
            case "Log.entryAdded" if said["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(said["exceptionDetails"]))
            case "Page.javascriptDialogOpening":
                self.complaints.append(f"a dialog: {said['message']}")
            case "Runtime.consoleAPICalled":
                self.complaints.append(json.dumps(said["args"]))
            case "Audits.issueAdded":
                self.complaints.append(json.dumps(said["issue"]))


@asynccontextmanager
async def chromium() -> AsyncGenerator[Page]:
    """Run Chromium with one empty tab; on exit, end it and remove its files."""
    found = find_chromium()
    if found is None:
        raise FileNotFoundError("chromium is not installed")
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True))
        command = [found, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        command += ["--remote-debugging-port=0", f"--user-data-dir={home}", "--disable-background-networking"]
        command += ["--disable-component-update", "--disable-sync", "--mute-audio", "--hide-scrollbars", "--lang=en"]
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes as long as a fork does
            [*command, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
            env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home},
        )
        stack.callback(_end, process)
        assert process.stderr
        async with asyncio.timeout(_SECONDS):
            # Its first lines name the address; read on, or a full pipe would block it.
            address = await asyncio.to_thread(_address, process)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"http://{address}/json/list") as answer:
            [tab] = [each for each in await answer.json() if each["type"] == "page"]
        socket = await stack.enter_async_context(session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0))
        page = Page(socket)
        listening = asyncio.create_task(page.listen())
        stack.callback(listening.cancel)
        for domain in ("Page", "Runtime", "Log", "Network", "Audits", "Accessibility", "DOM"):
            await page.call(f"{domain}.enable")
        yield page


def _address(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr
    for line in process.stderr:
        if b"DevTools listening on ws://" in line:
            return line.decode().split("ws://")[1].split("/")[0]
    raise RuntimeError("chromium ended before it said where to talk to it")


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stderr
    process.stderr.close()
