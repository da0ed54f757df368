"""A real browser, headless, driven through its own debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
from contextlib import asynccontextmanager, suppress

import aiohttp

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# xterm.js draws on a canvas; this keeps hold of its terminals, so that what they show can be read as text.
_KEEP_TERMINALS = """
globalThis.terminals = [];
Object.defineProperty(Object.prototype, "_core", {
    configurable: true,
    set(core) {
        Object.defineProperty(this, "_core", {value: core, writable: true, configurable: true});
        if (this.buffer && this.rows) terminals.push(this);
    },
});
"""
_READ_TERMINAL = """(() => {
    const terminal = globalThis.terminals && terminals[0];
    if (!terminal) return "";
    const line = number => terminal.buffer.active.getLine(number)?.translateToString() ?? "";
    return Array.from({length: terminal.rows}, (_, number) => line(number)).join("\\n");
})()"""
_COUNT_COLOURS = """(async () => {
    const image = new Image();
    image.src = "data:image/png;base64,%s";
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    const pixels = new Uint32Array(canvas.getImageData(0, 0, image.width, image.height).data.buffer);
    return new Set(pixels).size;
})()"""


@asynccontextmanager
async def chromium(profile):
    """A browser with nothing in its profile; ended with everything that it started."""
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
        *("--remote-debugging-port=0", f"--user-data-dir={profile}", "--window-size=1000,640", "about:blank"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as session:
            port, path = (await _written(profile / "DevToolsActivePort")).split()
            async with session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as socket:
                yield Browser(socket)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _written(path):
    async with asyncio.timeout(60):
        while not (path.exists() and path.read_text().count("\n")):
            await asyncio.sleep(0.1)
    return path.read_text()


class BrowserError(Exception):
    """What the browser answers where it cannot do what it was asked for."""


class Browser:
    """The browser's end of the debugging socket; `heard` keeps what it reported."""

    def __init__(self, socket):
        self.socket, self.numbers, self.heard = socket, itertools.count(1), []

    async def ask(self, method, *, session=None, **parameters):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        await self.socket.send_json(message | ({"sessionId": session} if session else {}))
        async with asyncio.timeout(60):
            while True:
                answer = json.loads((await self.socket.receive()).data)
                if answer.get("id") == number:
                    if "error" in answer:
                        raise BrowserError(answer["error"]["message"])
                    return answer["result"]
                self.heard.append(answer)

    async def open(self, address):
        """A tab that shows the address."""
        target = (await self.ask("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.ask("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = Tab(self, session, target)
        for domain in ("Page", "Network", "Runtime", "Log"):
            await tab.ask(f"{domain}.enable")
        await tab.ask("Page.addScriptToEvaluateOnNewDocument", source=_KEEP_TERMINALS)
        await tab.ask("Page.navigate", url=address)
        return tab


class Tab:
    """One page."""

    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target

    async def ask(self, method, **parameters):
        return await self.browser.ask(method, session=self.session, **parameters)

    async def evaluate(self, expression):
        """The expression's value; None also while the page is being replaced by another."""
        try:
            result = await self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        except BrowserError:
            return None
        return result["result"].get("value")

    async def screen(self):
        """What the page's terminal shows, its lines as text."""
        return await self.evaluate(_READ_TERMINAL) or ""

    async def shows(self, *words, seconds=60):
        """Wait until the terminal shows all the words."""
        screen = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    screen = await self.screen()
                    if all(word in screen for word in words):
                        return screen
                    await asyncio.sleep(0.2)
        raise AssertionError(f"not all of {words} in\n{screen}")

    async def press(self, key):
        """Press and let go of a key."""
        await self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def picture(self):
        """What is seen, as the bytes of a PNG."""
        await self.ask("Page.bringToFront")
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])

    async def colours(self):
        """How many colours are seen."""
        picture = base64.b64encode(await self.picture()).decode()
        blank = await self.browser.open("about:blank")
        count = await blank.evaluate(_COUNT_COLOURS % picture)
        await blank.close()
        return count

    async def close(self):
        await self.browser.ask("Target.closeTarget", targetId=self.target)

    def heard(self, method):
        """What was reported of this page."""
        events = self.browser.heard
        return [
            event["params"] for event in events if (event["method"], event.get("sessionId")) == (method, self.session)
        ]
