"""Another machine's moments by the clock here: its own may be wrong, and an old figure must never look fresh."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

from dmtui.monitor.sample import Sample

_REMEMBERED = 10
"""Samples. One that was held up on its way looks old beside these; when all look old, the clock there was set back."""

_SET_BACK_SECONDS = 5.0


@dataclass(slots=True)
class OurTime:
    """What its clock is ahead of ours or behind it, from when its samples arrive."""

    _delays: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _newest: float = 0.0

    def restated(self, sample: Sample, arrived_at: float) -> Sample:
        """The sample as if it had been taken by our clock; never older than the one before it.

        The quickest of the last samples is taken to have come at once, so its age is right but for what that one took.
        """
        self._delays.append(arrived_at - sample.taken_at)
        taken_at = sample.taken_at + min(self._delays)
        if self._newest < arrived_at + _SET_BACK_SECONDS:  # otherwise it is our clock that was set back
            taken_at = max(self._newest, taken_at)
        self._newest = taken_at
        return replace(sample, taken_at=taken_at)
