"""A visitor without a browser: aiohttp's client, and what the tests of the server have in common."""

import asyncio
import os
import re
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import psutil
from aiohttp import web

from dmtui.browser.access import Access
from dmtui.browser.site import Site

STANDIN = (sys.executable, str(Path(__file__).with_name("standin.py")))


def visitor():
    """A client with its own cookies, which it keeps for addresses, too."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        timeout=aiohttp.ClientTimeout(total=60),
    )


class Served:
    """A site that listens."""

    def __init__(self, base, access, guests):
        self.base, self.access, self.guests = base, access, guests

    @property
    def address(self):
        return f"{self.base}/?token={self.access.token}"

    @property
    def socket(self):
        return f"{self.base.replace('http', 'ws', 1)}/ws"

    @asynccontextmanager
    async def guest(self):
        """A visitor who was let in."""
        async with visitor() as client:
            async with client.get(self.address) as answer:
                assert answer.status == 200
            yield client

    def connect(self, client, query="", **options):
        """A socket as the page opens it."""
        return client.ws_connect(self.socket + query, **{"origin": self.base, **options})


@asynccontextmanager
async def served(words=STANDIN, *, places=8):
    """A site on a free port, whose dashboards are started with the words."""
    access, guests = Access(("localhost",)), []
    runner = web.AppRunner(Site(words, access, places, guests.append).application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}", access, guests)
    finally:
        await runner.cleanup()


async def started(socket):
    """The process behind a socket, once it says that it has started."""
    return psutil.Process(int(re.match(rb"started (\d+)", (await socket.receive(timeout=30)).data)[1]))


async def hears(socket, text):
    """Wait until the stand-in says that it has heard the text."""
    while text not in (await socket.receive(timeout=30)).data:
        pass


async def gone(process, seconds=15):
    """Wait until a process has ended."""
    deadline = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"{process} is still there"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(*words, environment=()):
    """The command itself in a process of its own; gives it with the address that it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "dmtui", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **dict(environment)},
    )
    try:
        async with asyncio.timeout(60):
            address = (await process.stdout.readline()).decode().strip()
        assert address, (await process.stderr.read()).decode()
        yield process, address
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def children(process):
    """The dashboards that a server has started."""
    return psutil.Process(process.pid).children(recursive=True)
