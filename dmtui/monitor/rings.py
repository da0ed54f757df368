"""Rings of fixed size: what a figure was, slot by slot, with low, mean and high; a slot without a sample is a gap."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator

from dmtui.thinpool.values import frozen

_UNKNOWN = math.nan


@frozen
class Resolution:
    """How fine a ring is and how far back it reaches."""

    step_seconds: int
    slots: int

    @property
    def span_seconds(self) -> int:
        """How far back it reaches."""
        return self.step_seconds * self.slots


RESOLUTIONS = (Resolution(1, 900), Resolution(15, 1440), Resolution(300, 2016))
"""15 minutes by the second, 6 hours by 15 seconds, 7 days by 5 minutes; finest first."""


@frozen
class Point:
    """A figure over one slot of time; sizes in bytes.

    Attributes:
        at: where the slot begins, seconds since the epoch.
        low: smallest of its samples.
        mean: their mean.
        high: largest of them.
        total: what there was in all, by the newest of them; None when unknown.
    """

    at: float
    low: float
    mean: float
    high: float
    total: float | None

    @property
    def fraction(self) -> float | None:
        """The mean out of the total, 0 to 1; None when the total is unknown or nothing."""
        return self.mean / self.total if self.total else None


class Ring:
    """One figure at one resolution; takes `Ring.bytes_of` bytes from the start and never more.

    Figures come in the order of time; whoever goes back in time calls `forget_after` first.
    """

    COLUMNS = 4

    def __init__(self, resolution: Resolution) -> None:
        self.resolution = resolution
        empty = array("d", [_UNKNOWN]) * resolution.slots
        self._low, self._mean, self._high, self._total = (array("d", empty) for _ in range(self.COLUMNS))
        self._newest: int | None = None
        self._count = 0

    @classmethod
    def bytes_of(cls, resolution: Resolution) -> int:
        """What the columns of a ring take in memory."""
        return cls.COLUMNS * array("d").itemsize * resolution.slots

    def add(self, at: float, value: float | None, total: float | None) -> None:
        """Take a figure in; an unknown one leaves its slot as it is."""
        index = math.floor(at / self.resolution.step_seconds)
        if self._newest is None or index > self._newest:
            self._clear(index if self._newest is None else self._newest + 1, index)
            self._newest, self._count = index, 0
        if value is None:
            return
        place = index % self.resolution.slots
        self._count += 1
        if self._count == 1:
            self._low[place] = self._mean[place] = self._high[place] = value
        else:
            self._low[place] = min(self._low[place], value)
            self._high[place] = max(self._high[place], value)
            self._mean[place] += (value - self._mean[place]) / self._count
        self._total[place] = _UNKNOWN if total is None else total

    def forget_after(self, at: float) -> None:
        """Forget the slot of that moment and everything later."""
        index = math.floor(at / self.resolution.step_seconds)
        if self._newest is not None and index <= self._newest:
            self._clear(index, self._newest)
            self._newest, self._count = index - 1, 0

    def points(self, since: float, until: float) -> Iterator[Point]:
        """The known slots that begin in [since, until], oldest first."""
        step, slots = self.resolution.step_seconds, self.resolution.slots
        if self._newest is None:
            return
        first = max(self._newest - slots + 1, math.ceil(since / step))
        for index in range(first, min(self._newest, math.floor(until / step)) + 1):
            place = index % slots
            if not math.isnan(self._mean[place]):
                total = self._total[place]
                known = None if math.isnan(total) else total
                yield Point(float(index * step), self._low[place], self._mean[place], self._high[place], known)

    def _clear(self, first: int, last: int) -> None:
        slots = self.resolution.slots
        for index in range(max(first, last - slots + 1), last + 1):
            place = index % slots
            self._low[place] = self._mean[place] = self._high[place] = self._total[place] = _UNKNOWN
