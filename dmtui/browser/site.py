"""The web application: the door, the page, and the socket behind which a dashboard runs."""

from __future__ import annotations

import asyncio
import html
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from weakref import WeakSet

from aiohttp import WSCloseCode, WSMsgType, web

from dmtui.browser.access import Access, is_same_origin
from dmtui.browser.child import BrowserChild, ChildStuckError
from dmtui.browser.messages import (
    LARGEST_MESSAGE_BYTES,
    Focused,
    GarbledMessageError,
    Pinged,
    Resized,
    Typed,
    read_message,
    read_size,
)

_PAGE = Path(__file__).parent / "page"
_HEARTBEAT_SECONDS = 20.0
_CLOSING_SECONDS = 2.0
_FREE_PLACE_SECONDS = 2.0
# Everything comes from this server; xterm.js writes its measures into style elements.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "private, no-cache",
    "Server": "dmtui",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """Serves dashboards, each a child process that is started with `words`, to at most `places` browsers at a time.

    `let_in` hears the address of each browser that has used the token, which is another one then.
    """

    def __init__(
        self, words: Sequence[str], access: Access, places: int, let_in: Callable[[str], None] = lambda _: None
    ) -> None:
        self._words, self._access, self._let_in = tuple(words), access, let_in
        self._places, self._free = places, asyncio.Semaphore(places)
        self._sockets: WeakSet[web.WebSocketResponse] = WeakSet()
        page = (_PAGE / "index.html").read_text(encoding="utf-8")
        self._page = page.replace("$host", html.escape(socket.gethostname()))

    def application(self) -> web.Application:
        """The application, to be run by aiohttp."""
        application = web.Application(middlewares=[self._guard])
        application.add_routes(
            (
                web.get("/", self._show_page),
                web.get("/ws", self._serve_browser),
                web.static("/page", _PAGE),
                web.static("/static", Path(str(files("textual_serve"))) / "static"),
            )
        )
        application.on_response_prepare.append(_harden)
        application.on_shutdown.append(self._close_sockets)
        return application

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let nothing through, not even a 404, that did not show token or cookie from a page of ours."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if not self._access.is_our_host(host):
            return _refused(403, "This is no name of this server; `dmtui serve --allow-host NAME` makes it one.")
        if origin is not None and not is_same_origin(origin, host):
            return _refused(403, "Pages of other servers are not let in.")
        known = self._access.knows_cookie(request.cookies.get(self._access.cookie_name, ""))
        token = request.query.get("token")
        if token is not None and request.path == "/":
            return _to_the_page() if known else self._exchange(request, token)
        if not known:
            return _refused(401, "Open the address that `dmtui serve` printed.", again=True)
        return await handler(request)

    def _exchange(self, request: web.Request, token: str) -> web.Response:
        if request.method != "GET" or not self._access.redeem(token):
            reason = "This token is wrong or was used: open the address that `dmtui serve` printed last."
            return _refused(401, reason, again=True)
        self._let_in(request.remote or "an unknown address")
        response = _to_the_page()
        name, value = self._access.cookie_name, self._access.cookie_value
        response.set_cookie(name, value, httponly=True, samesite="Strict", path="/")
        return response

    async def _show_page(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self._page, content_type="text/html")

    async def _serve_browser(self, request: web.Request) -> web.StreamResponse:
        # Browsers always say where a socket's page is from: who does not is none, and the guard saw nothing to judge.
        if "Origin" not in request.headers:
            return _refused(403, "A socket is opened by the page only.")
        browser = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_SECONDS, max_msg_size=LARGEST_MESSAGE_BYTES, timeout=_CLOSING_SECONDS, compress=False
        )
        if not browser.can_prepare(request).ok:
            return _refused(400, "This address is for the page's socket.")
        # A page that is loaded anew comes before the place of its last session is free.
        try:
            async with asyncio.timeout(_FREE_PLACE_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            await browser.prepare(request)
            reason = f"{self._places} browsers are served already; `dmtui serve --sessions N` allows more"
            await _turn_away(browser, reason)
            return browser
        try:
            await browser.prepare(request)
            self._sockets.add(browser)
            await self._run_dashboard(browser, read_size(request.query))
        finally:
            self._free.release()
        return browser

    async def _run_dashboard(self, browser: web.WebSocketResponse, size: tuple[int, int]) -> None:
        child = BrowserChild(
            self._words, write_bytes=browser.send_bytes, write_str=browser.send_str, close=browser.close
        )
        try:
            await child.start(*size)
            await _pass_on(browser, child)
        except OSError as error:
            print(f"dmtui: a browser's dashboard: cannot be started: {error.strerror or error}", file=sys.stderr)
            await _turn_away(browser, "the dashboard cannot be started; the server says why")
        finally:
            await child.stop()

    async def _close_sockets(self, _: web.Application) -> None:
        for browser in tuple(self._sockets):
            await browser.close(code=WSCloseCode.GOING_AWAY, message=b"the server ends")


async def _pass_on(browser: web.WebSocketResponse, child: BrowserChild) -> None:
    """Pass on what the browser says until it is gone or says what our page does not say."""
    try:
        async for message in browser:
            if message.type is not WSMsgType.TEXT:
                raise GarbledMessageError("is no text")
            match read_message(message.data):
                case Typed(data):
                    await child.send_bytes(data)
                case Resized(columns, rows):
                    await child.set_terminal_size(columns, rows)
                case Pinged(data):
                    await browser.send_json(["pong", data])
                case Focused(focused):
                    await (child.focus() if focused else child.blur())
    except GarbledMessageError as error:
        await browser.close(code=WSCloseCode.POLICY_VIOLATION, message=f"a message {error}".encode())
    except ChildStuckError:
        await _turn_away(browser, "the dashboard does not keep up; it is ended")
    except ConnectionError:
        pass  # the browser went while it was being answered


async def _turn_away(browser: web.WebSocketResponse, reason: str) -> None:
    """Say why in the page's terminal, and close."""
    with suppress(ConnectionError):
        await browser.send_bytes(f"\r\n dmtui: {reason}\r\n".encode())
        await browser.close(code=WSCloseCode.TRY_AGAIN_LATER)


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _to_the_page() -> web.Response:
    return web.Response(status=303, headers={"Location": "/"})


def _refused(status: int, reason: str, *, again: bool = False) -> web.Response:
    # A link from another site brings no strict cookie along; one from this page does.
    retry = '<p>You just did? <a href="/">Go on</a>.</p>' if again else ""
    page = f"<!DOCTYPE html><title>dmtui</title><h1>{status}</h1><p>{html.escape(reason)}</p>{retry}\n"
    return web.Response(status=status, text=page, content_type="text/html")
