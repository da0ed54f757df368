"""The dashboard in a real browser, headless: what it shows, what it does with a key, and what it keeps to itself."""

import asyncio

import pytest

from tests.browser.chromium import CHROMIUM, chromium
from tests.browser.visiting import children, gone, serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]


@pytest.fixture
def options():
    """What `dmtui serve` is told beside where to serve."""
    return ()


@pytest.fixture
async def server(tmp_path, options):
    """`dmtui serve` over an emulated machine with a pool and devices."""
    words = ("--machine", "emulated", "--emulated-dir", str(tmp_path / "machine"), "serve", "--port", "0", *options)
    settings = {name: str(tmp_path / name) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    async with serving(*words, environment=settings) as process_and_address:
        yield process_and_address


@pytest.fixture
async def browser(tmp_path):
    async with chromium(tmp_path / "profile") as browser:
        yield browser


async def test_the_dashboard_is_drawn(server, browser):
    tab = await browser.open(server[1])
    screen = await tab.shows("READ-ONLY", "EMULATED", "Thin devices 3", "worker", "q Quit")
    assert "█" in screen  # a gauge
    assert await tab.colours() > 100  # letters have smooth edges; an empty page has one colour


async def test_keys_reach_it_without_a_click_and_are_answered(server, browser):
    tab = await browser.open(server[1])
    await tab.shows("worker", "q Quit")
    await tab.press("?")
    await tab.shows("Show only devices that contain a", "What the figures mean")


@pytest.mark.parametrize("options", [("--allow-changes",)])
async def test_where_changes_are_allowed_a_key_opens_the_dialog_of_one(server, browser):
    tab = await browser.open(server[1])
    assert "n a d m u x Device" in await tab.shows("worker", "q Quit")
    await tab.press("n")
    await tab.shows("Create a device", "whose snapshot it becomes")


async def test_otherwise_that_key_does_nothing(server, browser):
    tab = await browser.open(server[1])
    assert "n a d m u x Device" not in await tab.shows("worker", "q Quit")
    await tab.press("n")
    await tab.press("?")
    await tab.shows("What the figures mean")
    await tab.press("\x1b")
    assert "Create a device" not in await tab.shows("worker", "q Quit")


async def test_it_follows_the_size_of_the_window(server, browser):
    tab = await browser.open(server[1])
    before = await tab.shows("worker", "q Quit")
    await tab.ask("Emulation.setDeviceMetricsOverride", width=1600, height=900, deviceScaleFactor=1, mobile=False)
    async with asyncio.timeout(30):
        while len((await tab.screen()).splitlines()[0]) <= len(before.splitlines()[0]):
            await asyncio.sleep(0.2)
    await tab.shows("worker", "q Quit", "LIVE")


async def test_the_token_is_neither_in_the_address_bar_nor_readable_by_scripts(server, browser):
    tab = await browser.open(server[1])
    await tab.shows("worker")
    assert await tab.evaluate("location.href") == server[1].partition("?")[0]
    assert await tab.evaluate("document.cookie") == ""


async def test_a_second_browser_without_the_token_gets_nothing_also_with_the_address_in_the_first_one_s_history(
    server, browser, tmp_path
):
    process, address = server
    await (await browser.open(address)).shows("worker")
    async with chromium(tmp_path / "other profile") as other:
        for tried in (address.partition("?")[0], address):
            tab = await other.open(tried)
            async with asyncio.timeout(30):
                while "401" not in (await tab.evaluate("document.body?.innerText") or ""):
                    await asyncio.sleep(0.1)
            assert await tab.screen() == ""
    assert len(children(process)) == 1


async def test_a_page_of_another_server_cannot_open_the_socket_with_the_operator_s_cookie(server, browser):
    process, address = server
    await (await browser.open(address)).shows("worker")
    ours = address.partition("/?")[0].replace("http", "ws")
    # Another port of this machine: the same site for cookies, another origin.
    other = await asyncio.start_server(_say_hello, "127.0.0.1", 0)
    async with other:
        tab = await browser.open(f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}/")
        tried = (
            f"new Promise(done => {{ const s = new WebSocket('{ours}/ws'); s.onopen = s.onclose = e => done(e.type) }})"
        )
        async with asyncio.timeout(30):
            while await tab.evaluate("document.body?.innerText") != "hello":
                await asyncio.sleep(0.1)
        assert await tab.evaluate(tried) == "close"
    assert len(children(process)) == 1


async def _say_hello(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    await writer.drain()
    writer.close()


async def test_nothing_is_loaded_from_anywhere_else_and_nothing_breaks(server, browser):
    tab = await browser.open(server[1])
    await tab.shows("worker")
    base = server[1].partition("?")[0]
    asked = [event["request"]["url"] for event in tab.heard("Network.requestWillBeSent")]
    assert f"{base}static/js/textual.js" in asked
    assert [url for url in asked if not url.startswith(base)] == []
    assert tab.heard("Runtime.exceptionThrown") == []
    assert [told for told in tab.heard("Log.entryAdded") if told["entry"]["level"] == "error"] == []


async def test_closing_the_page_ends_its_dashboard(server, browser):
    tab = await browser.open(server[1])
    await tab.shows("worker")
    (child,) = children(server[0])
    await tab.close()
    await gone(child)


async def test_after_quitting_enter_starts_anew(server, browser):
    tab = await browser.open(server[1])
    await tab.shows("worker")
    await tab.press("q")
    async with asyncio.timeout(30):
        while await tab.evaluate("document.activeElement.id") != "again":
            await asyncio.sleep(0.1)
    await tab.press("\r")
    async with asyncio.timeout(30):
        while "-closed" in await tab.evaluate("document.body?.className ?? '-closed'"):
            await asyncio.sleep(0.1)
    await tab.shows("worker")
