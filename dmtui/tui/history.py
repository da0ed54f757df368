"""The short history of each pool: a bounded ring of how full its data and metadata were."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dmtui.monitor.sample import Sample

KEPT_SAMPLES = 900
KEPT_POOLS = 64


@dataclass(frozen=True, slots=True)
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


@dataclass(slots=True)
class History:
    """The rings of all pools, by name; the pool that was seen longest ago goes first when there are too many."""

    _rings: dict[str, _Ring] = field(default_factory=dict[str, _Ring])

    def add(self, sample: Sample) -> None:
        """Remember a sample."""
        for pool in sample.pools:
            ring = self._rings.pop(pool.name, None) or _Ring()
            self._rings[pool.name] = ring
            ring.times.append(sample.taken_at)
            ring.data.append(pool.data.used_fraction)
            ring.metadata.append(pool.metadata.used_fraction)
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
