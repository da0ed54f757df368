"""The samples of one machine, from its dmtui over ssh: connected again and again for as long as they are wanted.

A daemon thread of its own reads them and owns ssh; `stop` lets both end, `close` waits for that.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dmtui.monitor.poller import DEFAULT_INTERVAL_SECONDS, MAX_INTERVAL_SECONDS, MIN_INTERVAL_SECONDS, PollFailed
from dmtui.monitor.sample import Sample
from dmtui.remote.connection import Connection
from dmtui.remote.errors import RemoteError, ended
from dmtui.remote.ourtime import OurTime
from dmtui.remote.reach import Reach
from dmtui.remote.reader import SampleReader
from dmtui.remote.wake import Wake

PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Before another connection is tried, one after another; from the first again once a sample has come."""
LONG_PAUSE_SECONDS = 300.0
"""The same where only somebody can mend it: who knocks on a locked door every minute is shut out for it."""
_SETTLING_SECONDS = 0.5
"""A new interval needs a new connection; it waits until the operator has found the one that suits."""
_QUICKEST_SECONDS = MIN_INTERVAL_SECONDS / 2
"""Samples are taken no faster than this; whoever sends them faster has to wait."""


class Feed:
    """A `dmtui.monitor.source.Source` over ssh.

    Args:
        reach: how the machine is reached.
        deliver: takes each outcome, in the feed's thread.
        interval_seconds: between two samples.
        clock: seconds since the epoch.
        pauses_seconds: before the tries after one that failed.

    Attributes:
        error: why the newest try failed; None once a sample has come.
    """

    def __init__(
        self,
        reach: Reach,
        deliver: Callable[[Sample | PollFailed], None],
        interval_seconds: float = DEFAULT_INTERVAL_SECONDS,
        clock: Callable[[], float] = time.time,
        pauses_seconds: tuple[float, ...] = PAUSES_SECONDS,
    ) -> None:
        self.reach, self.error = reach, None
        self.error: RemoteError | None
        self._deliver, self._clock, self._pauses_seconds = deliver, clock, pauses_seconds
        self._interval_seconds = interval_seconds
        self._paused = self._stopped = self._once = self._anew = False
        self._due_at: float | None = None
        self._tried = 0
        self._our_time = OurTime()
        self._wake = Wake()
        self._answered = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"dmtui-feed-{reach.host}", daemon=True)

    @property
    def interval_seconds(self) -> float:
        """Seconds between two samples."""
        return self._interval_seconds

    @interval_seconds.setter
    def interval_seconds(self, seconds: float) -> None:
        self._interval_seconds = min(MAX_INTERVAL_SECONDS, max(MIN_INTERVAL_SECONDS, seconds))
        self._wake.ring()

    @property
    def paused(self) -> bool:
        """Whether it rests: then there is no connection."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        self._paused = paused
        self._wake.ring()

    @property
    def waiting_since(self) -> float | None:
        """Since when the next sample has been due (seconds since the epoch).

        None before that, while it rests, and while there is no connection: then a failure was delivered.
        """
        due_at = self._due_at
        return due_at if due_at is not None and due_at <= self._clock() else None

    def start(self) -> None:
        """Connect."""
        self._thread.start()

    def wait_for_first(self, seconds: float) -> None:
        """Wait until something was delivered, no longer than so many seconds."""
        self._answered.wait(seconds)

    def stop(self) -> None:
        """Let ssh end, and deliver nothing more; returns at once."""
        self._stopped = True
        self._wake.ring()

    def close(self, seconds: float) -> bool:
        """After `stop`: wait until ssh is gone, no longer than so many seconds; returns whether it is."""
        if self._thread.is_alive():
            self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        self._wake.close()
        return True

    def poll_now(self) -> None:
        """Connect anew for a sample; while it rests, for one alone."""
        self._once, self._anew = self._paused, True
        self._wake.ring()

    def _run(self) -> None:
        while self._wanted():
            self._anew, interval_seconds = False, self._interval_seconds
            self._due_at = self._clock() if self.error is None else None
            try:
                self._follow()
                pause = 0.0
            except RemoteError as error:
                pause = self._fail(error)
            except Exception as error:
                pause = self._fail(RemoteError(self.reach.host, f"{type(error).__name__}: {error}"))
            self._due_at = None
            self._rest(pause)
            if interval_seconds != self._interval_seconds:
                self._settle()

    def _wanted(self) -> bool:
        """Wait until there is to be a connection; False when there never is one again."""
        while not self._stopped and self._paused and not self._once:
            self._wake.wait(None)
        return not self._stopped

    def _follow(self) -> None:
        """Deliver what one connection brings; returns where it is no longer wanted.

        Raises:
            RemoteError: it is lost, or brings what is of no use.
        """
        interval_seconds = self._interval_seconds
        connection = Connection(self.reach.host, self.reach.watching(interval_seconds), self._wake)
        reader = SampleReader(self.reach, self._our_time)
        try:
            for line in connection.lines():
                if self._has_to_go(interval_seconds):
                    return
                sample = None if line is None else reader.take(line, self._clock())
                if sample is not None:
                    self._hand_over(sample)
            if not self._stopped:
                raise ended(self.reach, connection.ended(), connection.said or reader.chatter)
        finally:
            connection.end()

    def _has_to_go(self, interval_seconds: float) -> bool:
        rests = self._paused and not self._once
        return self._stopped or rests or self._anew or interval_seconds != self._interval_seconds

    def _hand_over(self, sample: Sample) -> None:
        self.error, self._tried, self._once = None, 0, False
        self._due_at = self._clock() + self._interval_seconds
        self._deliver(sample)
        self._answered.set()
        if self._paused:
            self._wake.ring()  # it was the one that was asked for
        time.sleep(_QUICKEST_SECONDS)

    def _fail(self, error: RemoteError) -> float:
        """Tell of a failure; returns how long to wait before the next try."""
        self.error, self._once = error, False
        pause = self._pauses_seconds[min(self._tried, len(self._pauses_seconds) - 1)]
        if error.lasting:
            pause = max(pause, LONG_PAUSE_SECONDS)
        self._tried += 1
        now = self._clock()
        if not self._stopped:
            self._deliver(PollFailed(now, str(error), now + pause))
            self._answered.set()
        return pause

    def _rest(self, pause_seconds: float) -> None:
        """Wait before the next try: as long as is due, or until the operator wants it now, or not at all."""
        until = time.monotonic() + pause_seconds
        while not (self._stopped or self._anew or self._paused) and (left := until - time.monotonic()) > 0:
            self._wake.wait(left)

    def _settle(self) -> None:
        """Wait until the interval stays what it is."""
        interval_seconds = 0.0
        while not self._stopped and interval_seconds != self._interval_seconds:
            interval_seconds = self._interval_seconds
            self._wake.wait(_SETTLING_SECONDS)
