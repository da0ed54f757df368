"""Waits that end: how often a busy device is tried again, and what is being waited for, said aloud.

Source: the original tries a removal 200 times and the cancelling of a deferred one 100 times, 100 ms apart, silently.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dmtui.machine.errors import DeviceBusyError

PAUSE_SECONDS = 0.1
BUSY_SECONDS = 20.0
"""How long a busy device is tried, by the original's default."""
LOCK_SECONDS = 60.0


def _silent(_: str) -> None:
    """Nobody listens."""


@dataclass(slots=True)
class Patience:
    """How long to wait for what is busy.

    Attributes:
        busy_seconds: how long a busy device is tried; half of it for the cancelling of a deferred removal.
        lock_seconds: how long to wait for the graph directory's lock in the middle of an operation.
        tell: told once a second what is waited for.
    """

    busy_seconds: float = BUSY_SECONDS
    lock_seconds: float = LOCK_SECONDS
    sleep: Callable[[float], None] = time.sleep
    tell: Callable[[str], None] = _silent

    def retry(self, act: Callable[[], None], waiting_for: Callable[[], str], *, share: float = 1.0) -> None:
        """Do something until the device is not busy, or patience (that share of it) is at its end.

        Raises:
            DeviceBusyError: it was busy to the end; the error says what was waited for.
        """
        attempts = max(1, round(self.busy_seconds * share / PAUSE_SECONDS))
        for attempt in range(1, attempts + 1):
            try:
                act()
            except DeviceBusyError as error:
                what = waiting_for()
                if attempt == attempts:
                    waited = f"waited {attempts * PAUSE_SECONDS:g} s for {what}"
                    raise DeviceBusyError(
                        error.subject, f"{error.happened}; {waited}", error.next_step, error.errno
                    ) from None
                if attempt % 10 == 1:
                    self.tell(f"waiting for {what}, try {attempt} of {attempts}")
                self.sleep(PAUSE_SECONDS)
            else:
                return

    def until(self, take: Callable[[], bool], waiting_for: str) -> bool:
        """Try to take a lock for `lock_seconds`; whether that was reached."""
        attempts = max(1, round(self.lock_seconds / PAUSE_SECONDS))
        for attempt in range(1, attempts + 1):
            if take():
                return True
            if attempt % 10 == 1:
                self.tell(f"waiting for {waiting_for}, try {attempt} of {attempts}")
            self.sleep(PAUSE_SECONDS)
        return False
