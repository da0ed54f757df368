"""One browser's dashboard: a child process, and the packets between it and the browser's socket.

textual-serve's own service starts its command through a shell and waits for its end without a limit; this one takes an
argument list and ends what does not end itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Literal

from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from dmtui.browser.attached import WEB_DRIVER
from dmtui.thinpool.text import printable

_READY = b"__GANGLION__\n"
_META: Final = b"M"
_DATA: Final = b"D"
_LARGEST_BACKLOG_BYTES = 1024 * 1024
_GRACE_SECONDS = 4.0
_KEPT_STDERR_BYTES = 4096


class ChildStuckError(Exception):
    """The child does not keep up with what it is told."""


def environment_of(inherited: Mapping[str, str], columns: int, rows: int) -> dict[str, str]:
    """The child's environment: the server's, and what its terminal, a page of xterm.js, can do."""
    return {
        **inherited,
        "TEXTUAL_DRIVER": WEB_DRIVER,
        "TEXTUAL_COLOR_SYSTEM": "truecolor",
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",  # a service may have been started without a locale; a browser always has Unicode
        "COLUMNS": str(columns),
        "ROWS": str(rows),
    }


class BrowserChild(AppService):
    """A dashboard for one browser."""

    def __init__(
        self,
        words: Sequence[str],
        *,
        write_bytes: Callable[[bytes], Awaitable[None]],
        write_str: Callable[[str], Awaitable[None]],
        close: Callable[[], Awaitable[object]],
    ) -> None:
        async def close_socket() -> None:
            await close()

        super().__init__(
            shlex.join(words),
            write_bytes=write_bytes,
            write_str=write_str,
            close=close_socket,
            download_manager=DownloadManager(),
        )
        self._words = tuple(words)
        self._child: Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def stdin(self) -> asyncio.StreamWriter:
        """The child's standard input."""
        if self._child is None or self._child.stdin is None:
            raise RuntimeError("not started")
        return self._child.stdin

    async def start(self, width: int, height: int) -> None:
        """Start the child and pass on what it draws.

        Raises:
            OSError: the system has no process left for it.
        """
        self._child = await asyncio.create_subprocess_exec(
            *self._words,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment_of(os.environ, width, height),
            start_new_session=True,  # ctrl+c is for the server, which ends its children in order
        )
        self._reading = asyncio.create_task(self.run())

    async def send_bytes(self, data: bytes) -> bool:
        """Pass on what was typed; whether there is somebody to take it.

        Raises:
            ChildStuckError: the child is too far behind.
        """
        return self._write(_DATA, data)

    async def send_meta(self, data: dict[str, str | int | bool | None]) -> bool:
        """Pass on what is no typing (sizes, focus, the end); whether there is somebody to take it.

        Raises:
            ChildStuckError: the child is too far behind.
        """
        return self._write(_META, json.dumps(data).encode())

    def _write(self, kind: Literal[b"D", b"M"], payload: bytes) -> bool:
        # Never waits for the child: that the browser has gone is heard only behind everything that it has said before.
        if self.stdin.is_closing():
            return False
        self.stdin.write(self.encode_packet(kind, payload))
        if self.stdin.transport.get_write_buffer_size() > _LARGEST_BACKLOG_BYTES:
            raise ChildStuckError
        return True

    async def run(self) -> None:
        """Pass on packets until the child ends, then close the socket; where the child failed, say why before."""
        child = self._child
        if child is None or child.stdout is None or child.stderr is None:
            raise RuntimeError("not started")
        told = asyncio.create_task(_last_words(child.stderr))
        # The browser may have gone before: packets are read all the same, or the child could not write and so not end.
        with suppress(asyncio.IncompleteReadError):
            await self._relay(child.stdout)
        status = await child.wait()
        if status > 0:
            await self._tell(await told)
        told.cancel()
        with suppress(ConnectionError):
            await self.remote_close()

    async def _relay(self, stdout: asyncio.StreamReader) -> None:
        while await stdout.readuntil(b"\n") != _READY:
            pass
        while True:
            kind, size = await stdout.readexactly(1), int.from_bytes(await stdout.readexactly(4), "big")
            payload = await stdout.readexactly(size)
            with suppress(ConnectionError):
                if kind == _DATA:
                    await self.on_data(payload)
                elif kind == _META:
                    await self.on_meta(payload)

    async def _tell(self, text: str) -> None:
        lines = [printable(line) for line in text.splitlines()] or ["the dashboard has failed and said nothing"]
        print(f"dmtui: a browser's dashboard: {lines[-1].removeprefix('dmtui: ')}", file=sys.stderr)
        with suppress(ConnectionError):
            await self.on_data("\r\n".join(("", *lines, "")).encode())

    async def stop(self) -> None:
        """End the child: asked first, killed when it does not end in time. Returns when it is gone."""
        child, reading = self._child, self._reading
        if child is None or reading is None:
            return
        try:
            with suppress(TimeoutError, ChildStuckError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await self.send_meta({"type": "quit"})
                    await asyncio.shield(reading)
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
        await reading


async def _last_words(stderr: asyncio.StreamReader) -> str:
    kept = b""
    while data := await stderr.read(_KEPT_STDERR_BYTES):
        kept = (kept + data)[-_KEPT_STDERR_BYTES:]
    return kept.decode("utf-8", "replace")
