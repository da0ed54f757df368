"""What the pools' figures were: for each pool three figures at three resolutions, in memory that is bounded.

Samples come in the order of time. One that is older than the newest means that the clock was set back, or that
somebody steps through the past: then everything later is forgotten, so that a history never knows its own future.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from dmtui.monitor.quantities import Quantity, measure
from dmtui.monitor.rings import RESOLUTIONS, Point, Resolution, Ring
from dmtui.monitor.sample import Pool, Sample

KEPT_POOLS = 64
"""A pool beyond these has no history until one of them has been gone long enough, or has made room by vanishing."""
KEPT_AFTER_VANISHING_SECONDS = 86400.0
"""How long the history of a pool that is gone is kept, counted by the samples' own times."""
BYTES_PER_POOL = len(Quantity) * sum(Ring.bytes_of(resolution) for resolution in RESOLUTIONS)
"""What a pool's history takes from its first sample on: 418,176 bytes; 26.8 MB for `KEPT_POOLS`."""


class _Track:
    """The rings of one pool."""

    def __init__(self, identity: tuple[str, ...]) -> None:
        self.identity = identity
        self.first_at, self.seen_at = math.inf, -math.inf
        self.rings = {quantity: tuple(Ring(resolution) for resolution in RESOLUTIONS) for quantity in Quantity}

    def add(self, at: float, pool: Pool) -> None:
        self.first_at, self.seen_at = min(self.first_at, at), at
        for quantity, rings in self.rings.items():
            now = measure(pool, quantity)
            for ring in rings:
                ring.add(at, now.value_bytes, now.total_bytes)

    def forget_after(self, at: float) -> None:
        if at <= self.first_at:
            self.first_at = math.inf
        self.seen_at = min(self.seen_at, at)
        for rings in self.rings.values():
            for ring in rings:
                ring.forget_after(at)


@dataclass(slots=True)
class History:
    """The rings of all pools, by the name of the pool.

    Attributes:
        newest_at: when the newest sample was taken, seconds since the epoch; None before the first.
    """

    newest_at: float | None = None
    _tracks: dict[str, _Track] = field(default_factory=dict[str, _Track])

    def add(self, sample: Sample) -> None:
        """Remember a sample."""
        at = sample.taken_at
        if self.newest_at is not None and at < self.newest_at:
            self.forget_after(at)
        self.newest_at = at
        for name in [name for name, track in self._tracks.items() if at - track.seen_at > KEPT_AFTER_VANISHING_SECONDS]:
            del self._tracks[name]
        present = {pool.name for pool in sample.pools}
        for pool in sample.pools:
            track = self._track(pool, present)
            if track is not None:
                track.add(at, pool)

    def forget_after(self, at: float) -> None:
        """Forget what the history knows of that moment and of everything later."""
        for track in self._tracks.values():
            track.forget_after(at)
        if self.newest_at is not None:
            self.newest_at = min(self.newest_at, at)

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of the pools with a history, also of such as are gone."""
        return tuple(self._tracks)

    def known_seconds(self, pool_name: str) -> float:
        """How far back the history of a pool reaches from the newest sample; 0 without one."""
        track = self._tracks.get(pool_name)
        return 0.0 if track is None or self.newest_at is None else max(0.0, self.newest_at - track.first_at)

    def points(
        self, pool_name: str, quantity: Quantity, span_seconds: float, until: float | None = None
    ) -> tuple[Point, ...]:
        """What is known of the last `span_seconds` before `until` (default: the newest sample), oldest first.

        They come from the finest ring that reaches so far back from the newest sample; gaps have no point.
        """
        ring, end = self._ring(pool_name, quantity, span_seconds, until)
        return () if ring is None else tuple(ring.points(end - span_seconds, end))

    def columns(
        self,
        pool_name: str,
        quantity: Quantity,
        span_seconds: float,
        count: int,
        *,
        until: float | None = None,
        hold_seconds: float = 0.0,
    ) -> tuple[Point | None, ...]:
        """The last `span_seconds` as exactly `count` columns for a chart, oldest first; None is a gap.

        Columns begin at whole multiples of their width, so that a chart moves by columns and does not shimmer.

        Args:
            pool_name: whose.
            quantity: which figure.
            span_seconds: how far back.
            count: how many columns, at least 1.
            until: the moment within the last column; default: the newest sample.
            hold_seconds: how long a point stands for what comes after it: the interval of the samples, for a span
                whose columns are narrower than that.
        """
        ring, end = self._ring(pool_name, quantity, span_seconds, until)
        if ring is None:
            return (None,) * count
        width = span_seconds / count
        # A column narrower than a slot shows the slot that it lies in.
        hold = max(hold_seconds, ring.resolution.step_seconds if width < ring.resolution.step_seconds else 0.0)
        last = math.floor(end / width)
        first = last - count + 1
        known = dict(_by_column(ring.points(first * width - hold, end), width))
        held = next((known[column] for column in sorted(known, reverse=True) if column < first), None)
        return _held([known.get(column) for column in range(first, last + 1)], first, width, hold, held)

    def _ring(
        self, pool_name: str, quantity: Quantity, span_seconds: float, until: float | None
    ) -> tuple[Ring | None, float]:
        """The ring to read a span from, and the moment at which the span ends."""
        newest, track = self.newest_at, self._tracks.get(pool_name)
        if newest is None or track is None:
            return None, 0.0
        end = newest if until is None else until
        resolution = resolution_for(span_seconds + max(0.0, newest - end))
        return track.rings[quantity][RESOLUTIONS.index(resolution)], end

    def _track(self, pool: Pool, present: set[str]) -> _Track | None:
        track, identity = self._tracks.get(pool.name), identity_of(pool)
        if track is not None and track.identity == identity:
            return track
        if track is None and len(self._tracks) >= KEPT_POOLS and not self._make_room(present):
            return None
        track = self._tracks[pool.name] = _Track(identity)
        return track

    def _make_room(self, present: set[str]) -> bool:
        """Forget the pool that has been gone for longest; a pool that is there keeps its history."""
        gone = {name: track.seen_at for name, track in self._tracks.items() if name not in present}
        if gone:
            del self._tracks[min(gone, key=lambda name: gone[name])]
        return bool(gone)


def resolution_for(span_seconds: float) -> Resolution:
    """The finest resolution that reaches so far back; the coarsest where none does."""
    return next((each for each in RESOLUTIONS if each.span_seconds >= span_seconds), RESOLUTIONS[-1])


def identity_of(pool: Pool) -> tuple[str, ...]:
    """What a pool is made of: another pool of the same name begins a history of its own."""
    if pool.uuid:
        return (pool.uuid,)
    backing = pool.data_backing
    return (backing.loop_file,) if backing.loop_file else backing.disks or (backing.dev,)


def _by_column(points: Iterable[Point], width: float) -> list[tuple[int, Point]]:
    """Points joined by the column in which they begin."""
    joined: list[tuple[int, Point]] = []
    counts = 1
    for point in points:
        column = math.floor(point.at / width)
        if joined and joined[-1][0] == column:
            before, counts = joined[-1][1], counts + 1
            mean = before.mean + (point.mean - before.mean) / counts
            low, high = min(before.low, point.low), max(before.high, point.high)
            joined[-1] = (column, Point(before.at, low, mean, high, point.total))
        else:
            joined.append((column, point))
            counts = 1
    return joined


def _held(
    columns: list[Point | None], first: int, width: float, hold_seconds: float, held: Point | None
) -> tuple[Point | None, ...]:
    """Columns with the gaps closed that a point still stands for."""
    closed: list[Point | None] = []
    for place, point in enumerate(columns):
        held = point or held
        begins = (first + place) * width
        holds = held is not None and begins - held.at <= hold_seconds
        closed.append(point or (held if holds else None))
    return tuple(closed)
