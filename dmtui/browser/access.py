"""Who may come in: a token, the cookie it is exchanged for, and the names and origins that are ours.

A token lets in once, because browsers keep the addresses they were given, also those that were only redirected.

Three dangers: somebody who reaches the port without having been invited (token); a page of somebody else that lets the
operator's browser connect (Origin); and such a page whose own name was made to point at us (Host, DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

_TOKEN_BYTES = 32


class Access:
    """What one run of the server lets in; its secrets are made anew for each and are kept in memory only.

    Attributes:
        token: what the printed address carries; another one as soon as it was used.
        cookie_name: differs from run to run, because browsers share cookies between all ports of a host name.
        cookie_value: what the token is exchanged for.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.token = _secret()
        self.cookie_name = f"dmtui_{secrets.token_hex(4)}"
        self.cookie_value = _secret()
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    def redeem(self, given: str) -> bool:
        """Whether it is the token, which is used up by that; how long the answer takes tells nothing about it."""
        if not _same(given, self.token):
            return False
        self.token = _secret()
        return True

    def knows_cookie(self, given: str) -> bool:
        """Whether it is the cookie's value; how long the answer takes tells nothing about it."""
        return _same(given, self.cookie_value)

    def is_our_host(self, host_header: str) -> bool:
        """Whether a ``Host`` header names us.

        An address is always ours: a page that was rebound to us still carries its own name. The port is not compared,
        so that a tunnel may begin at another one.
        """
        host = _split(host_header)
        if host is None or host.hostname is None:
            return False
        return _is_address(host.hostname) or host.hostname.rstrip(".") in self._names


def is_same_origin(origin_header: str, host_header: str) -> bool:
    """Whether a page of this very server asks: its ``Origin`` is what it calls us in ``Host``, port included."""
    scheme, separator, rest = origin_header.partition("://")
    return bool(separator) and scheme in ("http", "https") and rest.lower() == host_header.lower() != ""


def names_of(host: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """The names under which browsers may ask: this machine's, the one listened on, and those `allowed` beside them."""
    return ("localhost", socket.gethostname(), host, *allowed)


def _secret() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _same(given: str, right: str) -> bool:
    # As bytes, because the comparison of texts refuses what is not ASCII.
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())


def _split(host_header: str) -> SplitResult | None:
    if any(sign in host_header for sign in "/?#@\\"):
        return None
    try:
        split = urlsplit(f"//{host_header}")
        _ = split.port  # a port that is none raises when it is read
    except ValueError:
        return None
    return split


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
