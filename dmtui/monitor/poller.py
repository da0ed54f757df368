"""The poller: samples a machine from a daemon thread, one poll in flight, never piling up, never blocking its user.

A poll that hangs (a stuck pool can hang anything) holds only its own daemon thread: `waiting_since` tells the user
how long, and the process can still quit at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dmtui.monitor.sample import Sample
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

DEFAULT_INTERVAL_SECONDS = 1.0
MIN_INTERVAL_SECONDS = 0.1
MAX_INTERVAL_SECONDS = 60.0


@frozen
class PollFailed:
    """A poll that brought an error instead of a sample.

    Attributes:
        retry_at: when it is tried again, seconds since the epoch; None where that is with the next poll.
    """

    at: float
    message: str
    retry_at: float | None = None


class Poller:
    """Polls `take` every `interval_seconds` and hands each outcome to `deliver`, in the poller's thread.

    The interval is counted from start to start; a poll longer than it drops ticks.
    """

    def __init__(
        self,
        take: Callable[[], Sample],
        deliver: Callable[[Sample | PollFailed], None],
        interval_seconds: float = DEFAULT_INTERVAL_SECONDS,
    ) -> None:
        self._take = take
        self._deliver = deliver
        self._interval_seconds = interval_seconds
        self._paused = False
        self._stopped = False
        self._poll_now = False
        self._waiting_since: float | None = None
        self._changed = threading.Condition()
        self._answered = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def interval_seconds(self) -> float:
        """Seconds from the start of one poll to the start of the next."""
        return self._interval_seconds

    @interval_seconds.setter
    def interval_seconds(self, seconds: float) -> None:
        with self._changed:
            self._interval_seconds = min(MAX_INTERVAL_SECONDS, max(MIN_INTERVAL_SECONDS, seconds))
            self._changed.notify()

    @property
    def paused(self) -> bool:
        """Whether polling rests."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        with self._changed:
            self._paused = paused
            self._changed.notify()

    @property
    def waiting_since(self) -> float | None:
        """When the poll in flight began (seconds since the epoch); None while none is."""
        return self._waiting_since

    def start(self) -> None:
        """Start polling; the first poll begins at once."""
        self._thread = threading.Thread(target=self._run, name="dmtui-poller", daemon=True)
        self._thread.start()

    def wait_for_first(self, seconds: float) -> None:
        """Wait until the first poll is answered and delivered, no longer than so many seconds."""
        self._answered.wait(seconds)

    def stop(self) -> None:
        """Stop polling; returns at once, even while a poll hangs."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def poll_now(self) -> None:
        """Poll once without waiting for the interval, also while paused."""
        with self._changed:
            self._poll_now = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            started = time.monotonic()
            self._poll()
            if not self._wait_for_turn(started):
                return

    def _poll(self) -> None:
        self._waiting_since = time.time()
        try:
            outcome: Sample | PollFailed = self._take()
        except DmtuiError as error:
            outcome = PollFailed(time.time(), str(error))
        except Exception as error:
            outcome = PollFailed(time.time(), f"poll: {type(error).__name__}: {error}")
        self._waiting_since = None
        if not self._stopped:
            self._deliver(outcome)
        self._answered.set()

    def _wait_for_turn(self, started: float) -> bool:
        with self._changed:
            while not self._stopped and not self._poll_now:
                remaining = started + self._interval_seconds - time.monotonic()
                if self._paused:
                    self._changed.wait()
                elif remaining > 0:
                    self._changed.wait(remaining)
                else:
                    break
            self._poll_now = False
            return not self._stopped
