"""Listening: where, what the operator is told of it, and how it ends."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web

from dmtui.browser.access import Access, names_of
from dmtui.browser.site import Site
from dmtui.thinpool.errors import BadUsageError, DmtuiError, NotPermittedError
from dmtui.thinpool.values import frozen

_ENDING_SECONDS = 10.0


@frozen
class Place:
    """Where is served, and for whom.

    Attributes:
        host: name or address to listen on.
        port: TCP port; 0 lets the system choose.
        allowed_hosts: further names by which browsers may call this server.
        sessions: how many browsers at a time.
    """

    host: str
    port: int
    allowed_hosts: tuple[str, ...]
    sessions: int


class CannotListenError(DmtuiError):
    """The address cannot be listened on."""


def serve(place: Place, words: Sequence[str], manner: str) -> None:
    """Serve dashboards, each started with `words`, until SIGINT, SIGTERM or SIGHUP; `manner` says what they may do.

    Raises:
        BadUsageError: there is no such address here.
        CannotListenError: somebody else listens there.
        NotPermittedError: the system does not let us listen there.
    """
    asyncio.run(_serve(place, words, manner))


async def _serve(place: Place, words: Sequence[str], manner: str) -> None:
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, over.set)
    exposed = not await _is_loopback(place)
    access = Access(names_of(place.host, place.allowed_hosts))

    def let_in(browser: str) -> None:
        # Whoever read us may have gone, as `head -1` does: those who were let in stay.
        with suppress(BrokenPipeError):
            print(f"dmtui: a browser at {browser} was let in; the next one's address:", file=sys.stderr)
            _print_address(place, runner, access)

    # No access log: it would hold the token.
    site = Site(words, access, place.sessions, let_in).application()
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=_ENDING_SECONDS)
    await runner.setup()
    try:
        await _listen(runner, place)
        _announce(place, runner, manner, exposed=exposed)
        _print_address(place, runner, access)
        await over.wait()
    finally:
        await runner.cleanup()


async def _is_loopback(place: Place) -> bool:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _no_such_address(place) from error
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


async def _listen(runner: web.AppRunner, place: Place) -> None:
    try:
        await web.TCPSite(runner, place.host, place.port).start()
    except OSError as error:
        subject = f"port {place.port} of {place.host}"
        if error.errno == errno.EADDRINUSE:
            next_step = "end what listens there, or choose another one with --port"
            raise CannotListenError(subject, "is in use", next_step) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            next_step = "choose one from 1024 with --port, or be root"
            raise NotPermittedError(subject, "is not ours to listen on", next_step) from error
        raise _no_such_address(place) from error


def _no_such_address(place: Place) -> BadUsageError:
    return BadUsageError(f"host {place.host}", "is no address of this machine", "`ip address` lists what there is")


def _announce(place: Place, runner: web.AppRunner, manner: str, *, exposed: bool) -> None:
    port = runner.addresses[0][1]
    if exposed:
        print(
            f"dmtui: WARNING: other machines reach {place.host}, and there is NO TLS: token, screens and keys cross "
            f"the network in clear text; safer: listen on 127.0.0.1, come in through `ssh -L {port}:127.0.0.1:{port}`",
            file=sys.stderr,
        )
    print(
        f"dmtui: serving {manner}, {place.sessions} browsers at most; this address lets in one, once; ctrl+c ends it",
        file=sys.stderr,
    )


def _print_address(place: Place, runner: web.AppRunner, access: Access) -> None:
    print(f"http://{_called(place.host)}:{runner.addresses[0][1]}/?token={access.token}", flush=True)


def _called(host: str) -> str:
    """How a browser calls the host; one that means every address is none to be called by."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return socket.gethostname()
    return f"[{address}]" if address.version == 6 else host
