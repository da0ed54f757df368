"""The short history of each pool: a bounded ring of how full its data and metadata were."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from dmtui.monitor.sample import Sample
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import metadata_live_fraction

KEPT_SAMPLES = 900
POINT_SECONDS = 5
"""A point of a short history stands for so long: one for each poll would cost bytes while nothing changes."""
KEPT_POOLS = 64


@frozen
class Trend:
    """How full something was over the newest samples, oldest first; None where it was unknown."""

    fractions: tuple[float | None, ...] = ()
    seconds: float = 0.0

    def newest(self, count: int) -> Trend:
        """The newest so many points, with the time that they span."""
        if len(self.fractions) <= count:
            return self
        return Trend(self.fractions[-count:], self.seconds * count / len(self.fractions))


@dataclass(slots=True)
class _Ring:
    times: deque[float] = field(default_factory=lambda: deque[float](maxlen=KEPT_SAMPLES))
    data: deque[float | None] = field(default_factory=lambda: deque[float | None](maxlen=KEPT_SAMPLES))
    metadata: deque[float | None] = field(default_factory=lambda: deque[float | None](maxlen=KEPT_SAMPLES))

    def add(self, at: float, data: float | None, metadata: float | None) -> None:
        """Remember figures; newer ones of the same few seconds take the place of the older."""
        if self.times and self.times[-1] // POINT_SECONDS == at // POINT_SECONDS:
            self.times[-1], self.data[-1], self.metadata[-1] = at, data, metadata
            return
        self.times.append(at)
        self.data.append(data)
        self.metadata.append(metadata)

    def forget_after(self, at: float) -> None:
        """A step into the past, or a clock that was set back: what came later is not history there."""
        while self.times and self.times[-1] >= at:
            self.times.pop()
            self.data.pop()
            self.metadata.pop()


@dataclass(slots=True)
class History:
    """The rings of all pools, by name; the pool that was seen longest ago goes first when there are too many."""

    _rings: dict[str, _Ring] = field(default_factory=dict[str, _Ring])

    def add(self, sample: Sample) -> None:
        """Remember a sample."""
        for pool in sample.pools:
            ring = self._rings.pop(pool.name, None) or _Ring()
            ring.forget_after(sample.taken_at)
            self._rings[pool.name] = ring
            ring.add(sample.taken_at, pool.data.used_fraction, metadata_live_fraction(pool))
        while len(self._rings) > KEPT_POOLS:
            del self._rings[next(iter(self._rings))]

    def data(self, pool_name: str) -> Trend:
        """How full the pool's data space was."""
        ring = self._rings.get(pool_name, _Ring())
        return Trend(tuple(ring.data), _span(ring))

    def metadata(self, pool_name: str) -> Trend:
        """How full the pool's metadata space was."""
        ring = self._rings.get(pool_name, _Ring())
        return Trend(tuple(ring.metadata), _span(ring))


def _span(ring: _Ring) -> float:
    return ring.times[-1] - ring.times[0] if ring.times else 0.0


class DeviceTrail:
    """How much of one thin device was mapped, from the moment on at which it was chosen."""

    def __init__(self) -> None:
        self._of: tuple[str, str] | None = None
        self._points = deque[tuple[float, float | None]](maxlen=KEPT_SAMPLES)

    @property
    def newest_at(self) -> float:
        """When its newest point was; 0 while it has none."""
        return self._points[-1][0] if self._points else 0.0

    @property
    def known_seconds(self) -> float:
        """How far back it reaches from its newest point."""
        return self._points[-1][0] - self._points[0][0] if self._points else 0.0

    def add(self, sample: Sample, pool_name: str | None, device_name: str | None) -> None:
        """Remember the device in a sample; another device, or a step back in time, begins anew."""
        if pool_name is None or device_name is None:
            return
        if self._of != (pool_name, device_name) or sample.taken_at < self.newest_at:
            self._of = (pool_name, device_name)
            self._points.clear()
        pool = sample.pool(pool_name)
        device = next((each for each in pool.devices if each.name == device_name), None) if pool else None
        if sample.taken_at > self.newest_at:
            fraction = None
            if device is not None and device.mapped_bytes is not None and device.size_bytes:
                fraction = device.mapped_bytes / device.size_bytes
            self._points.append((sample.taken_at, fraction))

    def columns(self, count: int, span_seconds: float, hold_seconds: float) -> tuple[float | None, ...]:
        """The last `span_seconds` in so many columns, oldest first.

        A point stands for `hold_seconds` after it, and for two columns at the least.
        """
        columns: list[float | None] = [None] * count
        width, end = span_seconds / count, self.newest_at
        hold_seconds = max(hold_seconds, 2 * width)
        for (at, fraction), (until, _) in zip(self._points, [*list(self._points)[1:], (end, None)], strict=True):
            first = math.floor((at - end) / width) + count - 1
            last = math.floor((min(until, at + hold_seconds) - end) / width) + count - 1
            for column in range(max(0, first), max(0, last + 1)):
                columns[column] = fraction
        return tuple(columns)
