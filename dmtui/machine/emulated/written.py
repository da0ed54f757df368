"""Hears of writes to a file without looking at it: by the kernel's inotify, and by the clock where there is none."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ctypes import CDLL

_MODIFIED = 0x00000002
"""``IN_MODIFY`` of inotify(7)."""
_NOTES_BYTES = 1 << 16
LOOK_SECONDS = 0.12
"""How often somebody has to look where nothing is heard, and how often at the most while it is written all the time."""
_SETTLE_SECONDS = 0.01
"""SQLite writes its log first and says afterwards that the transaction is whole."""


class Writes:
    """Waits for writes to one file; to be used as a context, in which none is missed.

    Args:
        path: of the file.
        hearing: False: by the clock only, which needs nothing to be loaded.
    """

    def __init__(self, path: Path, *, hearing: bool = True) -> None:
        self._path, self._hearing = path, hearing
        self._notes: int | None = None
        self._heard = False
        self._returned = time.monotonic()

    def __enter__(self) -> Self:
        self._notes = _notes_of(self._path) if self._hearing else None
        return self

    def __exit__(self, *_: object) -> None:
        if self._notes is not None:
            os.close(self._notes)
            self._notes = None

    def wait(self, seconds: float) -> None:
        """Come back when it is time to look at the file: it was written, was just before, or the seconds are over."""
        if self._notes is None:
            time.sleep(min(seconds, LOOK_SECONDS))
            return
        # Whoever has looked may have been faster than the writer: then there is nothing more to be heard.
        patience = min(seconds, LOOK_SECONDS) if self._heard else seconds
        poll = select.poll()
        poll.register(self._notes, select.POLLIN)
        self._heard = bool(poll.poll(patience * 1000))
        if self._heard:
            os.read(self._notes, _NOTES_BYTES)
            since = time.monotonic() - self._returned
            time.sleep(min(seconds, max(_SETTLE_SECONDS, LOOK_SECONDS - since)))
        self._returned = time.monotonic()


def _notes_of(path: Path) -> int | None:
    """A descriptor of inotify that tells of writes to a file; None where there is no inotify, or no such file."""
    with suppress(OSError, AttributeError):  # the latter: a C library without it
        library = _library()
        notes: int = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if notes >= 0:
            if library.inotify_add_watch(notes, os.fsencode(path), _MODIFIED) >= 0:
                return notes
            os.close(notes)
    return None


@cache
def _library() -> CDLL:
    """The C library; read when somebody listens, which no start waits for."""
    from ctypes import CDLL  # noqa: PLC0415

    return CDLL(None)
