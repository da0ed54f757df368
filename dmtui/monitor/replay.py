"""Plays a recording: hands out its samples as if they were taken now, with a clock that stands at their time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from dmtui.monitor.recorder import RecordingError
from dmtui.monitor.recording import Recording
from dmtui.monitor.sample import Sample

LEAD_SAMPLES = 20
"""A step leads in with so many samples, so that whoever concludes from several can: an alert is no older than these."""
MOST_WAIT_SECONDS = 5.0
"""Where the recording has no sample for longer than this, the next one comes at once."""


class Replay:
    """A position in a recording that moves on by the interval with every sample taken.

    So it plays at the recorded pace whatever the interval is, it rests while nobody takes, and it needs no clock.

    Args:
        recording: what is played; at least one sample.
        interval_seconds: how far a `take` goes on; asked each time.
        at_end: called whenever a `take` finds itself at the end.

    Raises:
        RecordingError: the recording has no samples.
    """

    def __init__(
        self, recording: Recording, interval_seconds: Callable[[], float], at_end: Callable[[], object] = lambda: None
    ) -> None:
        if not len(recording):
            raise RecordingError(recording.path, "has no samples", "make another recording")
        self.recording = recording
        self._interval_seconds = interval_seconds
        self._at_end = at_end
        self._index = 0
        self._sought: int | None = 0
        self._position = recording.time(0)
        self._leads = False
        self._lead: tuple[float, tuple[Sample, ...]] | None = None
        self._moving = threading.Lock()

    @property
    def index(self) -> int:
        """Number of the sample that is being played."""
        return self._index

    @property
    def ended(self) -> bool:
        """Whether the next `take` can bring nothing new."""
        return self._sought is None and self._index == len(self.recording) - 1

    def clock(self) -> float:
        """The moment that is being played, seconds since the epoch."""
        return self._position

    def seek(self, index: int) -> None:
        """Let the next `take` bring the sample of that number, or the nearest there is."""
        with self._moving:
            before = self._index
            self._index = self._sought = min(max(0, index), len(self.recording) - 1)
            self._position = self.recording.time(self._index)
            self._leads = self._leads or self._index != before + 1

    def lead_to(self, sample: Sample) -> tuple[Sample, ...]:
        """The samples before one that was sought, or those that were passed over in playing, once."""
        lead, self._lead = self._lead, None
        return lead[1] if lead is not None and lead[0] == sample.taken_at else ()

    def take(self) -> Sample:
        """Go on by the interval and take the sample that is nearest then; at the end the last one again and again.

        Raises:
            RecordingError: this sample is broken; the next call goes on behind it.
        """
        with self._moving:
            before = self._index
            if self._sought is not None:
                self._sought = None
            elif not self.ended:
                self._go_on()
            ended, index = self.ended, self._index
            if ended:
                self._position = self.recording.time(index)
            leads, self._leads = self._leads, False
        if ended:
            self._at_end()
        sample = self.recording.at(index)
        if leads or index > before + 1:
            first = max(0, index - LEAD_SAMPLES) if leads else before + 1
            self._lead = (sample.taken_at, self._between(first, index))
        return sample

    def _between(self, first: int, index: int) -> tuple[Sample, ...]:
        """The samples from one on to before another, those that can be read."""
        samples: list[Sample] = []
        for number in range(first, index):
            with suppress(RecordingError):
                samples.append(self.recording.at(number))
        return tuple(samples)

    def _go_on(self) -> None:
        interval_seconds, times = self._interval_seconds(), self.recording.time
        self._position += interval_seconds
        following = times(self._index + 1)
        if following - self._position > MOST_WAIT_SECONDS or following < times(self._index):
            # A gap is not waited for, and a clock that was set back begins anew.
            self._index, self._position = self._index + 1, following
            return
        nearest = self._position + interval_seconds / 2
        while not self.ended and times(self._index) <= times(self._index + 1) <= nearest:
            self._index += 1
