"""The stream of samples that is shown: from a poller, another machine, a recording, or handed in; how fresh it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dmtui.monitor.poller import DEFAULT_INTERVAL_SECONDS, Poller, PollFailed
from dmtui.monitor.sample import Sample
from dmtui.monitor.source import Source
from dmtui.tui.freshness import Freshness, Position, judge

if TYPE_CHECKING:  # only a recording is replayed
    from dmtui.monitor.replay import Replay

PACES_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The steps between faster and slower."""
_LEAPS = 20
"""A leap goes over so manieth a part of a recording."""


class Stream:
    """Takes samples, rests, changes its pace, and steps through a recording.

    Args:
        take: takes a sample, in a thread of the poller; None where samples are handed in.
        deliver: takes what came, in that thread.
        interval_seconds: between two polls; None makes no poller.
        clock: seconds since the epoch.
        player: of the recording that is played; None where a machine is watched.
        source: makes what the samples come from, told where they go; by default a poller of `take`.
    """

    def __init__(
        self,
        take: Callable[[], Sample] | None,
        deliver: Callable[[Sample | PollFailed], None],
        interval_seconds: float | None,
        clock: Callable[[], float],
        player: Replay | None = None,
        *,
        source: Callable[[Callable[[Sample | PollFailed], None]], Source] | None = None,
    ) -> None:
        self._poller: Source | None = None if source is None else source(deliver)
        if take is not None and interval_seconds is not None:
            self._poller = Poller(take, deliver, interval_seconds)
        self._clock, self._player = clock, player
        self.interval_seconds = interval_seconds or DEFAULT_INTERVAL_SECONDS
        self._started = False
        self.paused = False
        self.sample: Sample | None = None
        self.failure: PollFailed | None = None
        self.pending_since: float | None = None
        """When the poll in flight began; for feeders without a poller."""

    @property
    def polls(self) -> bool:
        """Whether it asks by itself."""
        return self._poller is not None

    @property
    def replays(self) -> bool:
        """Whether it is a recording."""
        return self._player is not None

    @property
    def freshness(self) -> Freshness:
        """How fresh the newest sample is."""
        waiting_since = self._poller.waiting_since if self._poller else self.pending_since
        return judge(
            self._clock(),
            self.interval_seconds,
            sample=self.sample,
            failure=self.failure,
            waiting_since=None if self.replays else waiting_since,
            paused=self.paused,
            position=self._position(),
        )

    def start(self, patience_seconds: float = 0.0) -> None:
        """Begin to poll, if that has not begun: begun before the dashboard runs, its first picture has figures.

        Args:
            patience_seconds: how long to wait for them: a picture without figures would have to be made twice.
        """
        if self._poller is not None and not self._started:
            self._started = True
            self._poller.start()
            self._poller.wait_for_first(patience_seconds)

    def stop(self) -> None:
        """Let the poller go; a poll that hangs ends with the process."""
        if self._poller is not None:
            self._poller.stop()

    def take_in(self, outcome: Sample | PollFailed) -> tuple[Sample, ...]:
        """Take what came; returns the samples to remember, oldest first: behind a step in a recording its lead, too."""
        if isinstance(outcome, PollFailed):
            self.failure = outcome
            return ()
        self.failure, self.sample = None, outcome
        lead = self._player.lead_to(outcome) if self._player else ()
        return (*lead, outcome)

    def poll(self) -> None:
        """Poll once now."""
        if self._poller is not None:
            self._poller.poll_now()

    def heard(self) -> None:
        """The machine told of an event: poll at once, unless it is to rest."""
        if not self.paused:
            self.poll()

    def pause(self, paused: bool) -> None:
        """Rest, or go on; at the end of a recording going on means to begin again."""
        again = not paused and self._player is not None and self._player.ended
        if again and self._player is not None:
            self._player.seek(0)
        self.paused = paused
        if self._poller is not None:
            self._poller.paused = paused
        if again:
            self.poll()

    def slower(self) -> None:
        """The next longer interval."""
        self._set_interval(next((s for s in PACES_SECONDS if s > self.interval_seconds), PACES_SECONDS[-1]))

    def faster(self) -> None:
        """The next shorter interval."""
        self._set_interval(next((s for s in reversed(PACES_SECONDS) if s < self.interval_seconds), PACES_SECONDS[0]))

    def seek(self, way: str) -> None:
        """Stand still in the recording, going ``back``, ``on``, ``far_back``, ``far_on``, to ``begin`` or ``end``."""
        if self._player is None:
            return
        count, index = len(self._player.recording), self._player.index
        leap = max(1, count // _LEAPS)
        places = {"back": index - 1, "on": index + 1, "far_back": index - leap, "far_on": index + leap, "begin": 0}
        self.pause(True)
        self._player.seek(places.get(way, count - 1))
        self.poll()

    def _set_interval(self, seconds: float) -> None:
        self.interval_seconds = seconds
        if self._poller is not None:
            self._poller.interval_seconds = seconds

    def _position(self) -> Position | None:
        if self._player is None:
            return None
        recording = self._player.recording
        count = len(recording)
        return Position(self._player.index, count, recording.time(0), recording.time(count - 1))
