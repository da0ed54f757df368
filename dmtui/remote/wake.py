"""Wakes a thread that waits for what another program sends."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress


class Wake:
    """A bell that can be waited for beside pipes. It stays rung until it is heard."""

    def __init__(self) -> None:
        self._hears, self._rings = socket.socketpair()
        self._hears.setblocking(False)
        self._rings.setblocking(False)

    def fileno(self) -> int:
        """What to wait for."""
        return self._hears.fileno()

    def ring(self) -> None:
        """Wake the thread, if it is still there; from any thread."""
        with suppress(OSError):  # it is rung already, often; or nobody is there any more
            self._rings.send(b"\0")

    def hear(self) -> None:
        """Let the next wait wait."""
        with suppress(BlockingIOError):
            while self._hears.recv(4096):
                pass

    def wait(self, seconds: float | None) -> bool:
        """Wait until it rings, no longer than so many seconds (None: for ever); returns whether it did."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._hears, selectors.EVENT_READ)
            rung = bool(selector.select(seconds))
        self.hear()
        return rung

    def close(self) -> None:
        """Nobody waits any more."""
        self._hears.close()
        self._rings.close()
