"""When a pool's data, its metadata and the file system of its loop files are full, by what each window of time tells.

A window foretells no further than `REACH` times its own length: ten minutes know nothing of tomorrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from dmtui.monitor.history import History, identity_of
from dmtui.monitor.quantities import Measure, Quantity, measure
from dmtui.monitor.rings import Point
from dmtui.monitor.sample import Pool, Sample
from dmtui.monitor.trend import Motion, Trend, fit
from dmtui.thinpool.values import frozen

REACH = 24
"""How many times its own length a window foretells."""
_BINS = 48
"""A window is looked at in so many parts; it is judged anew when another part begins."""
LEAST_COVERED = 0.5
"""The share of a window that its points must span."""


class Window(Enum):
    """How far back a rate is taken from."""

    TEN_MINUTES = (600, "10 min")
    HOUR = (3600, "1 h")
    SIX_HOURS = (21600, "6 h")
    DAY = (86400, "24 h")

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.value[0]

    @property
    def label(self) -> str:
        """Its length in words."""
        return self.value[1]


@frozen
class Estimate:
    """When something is full if it goes on as in a window, in seconds from the sample on.

    Attributes:
        soonest_seconds: by the upper bound of the rate.
        likely_seconds: by the likely rate.
        latest_seconds: by the lower bound.
    """

    window: Window
    soonest_seconds: float
    likely_seconds: float
    latest_seconds: float

    @property
    def within_reach(self) -> bool:
        """Whether the window is long enough to foretell that far."""
        return self.likely_seconds <= REACH * self.window.seconds


@frozen
class Forecast:
    """One quantity of a pool, foretold.

    Attributes:
        quantity: which.
        free_bytes: what is left now; None when unknown: then there are no estimates.
        trends: of what is used (of the host: of what is used there), window by window, also where it falls.
        estimates: for the windows in which it rises.
    """

    quantity: Quantity
    free_bytes: int | None
    trends: tuple[tuple[Window, Trend], ...]
    estimates: tuple[Estimate, ...]

    @property
    def worst(self) -> Estimate | None:
        """The soonest end of those within reach, else the soonest of all; None where nothing rises."""
        near = [estimate for estimate in self.estimates if estimate.within_reach]
        return min(near or self.estimates, key=lambda estimate: estimate.likely_seconds, default=None)

    def trend(self, window: Window) -> Trend:
        """The trend in one window."""
        return dict(self.trends)[window]


@frozen
class PoolForecast:
    """A pool, foretold."""

    data: Forecast
    metadata: Forecast
    host: Forecast

    def of(self, quantity: Quantity) -> Forecast:
        """The forecast of one quantity."""
        return {
            Quantity.DATA_USED: self.data,
            Quantity.METADATA_LIVE: self.metadata,
            Quantity.HOST_FREE: self.host,
        }[quantity]


_Key = tuple[str, tuple[str, ...], Quantity, Window]
"""A pool's name, what it is made of, and what of it is foretold by which window."""


@dataclass(slots=True)
class Forecaster:
    """Makes forecasts from a history; remembers trends until a window has moved on by one of its parts."""

    history: History
    _trends: dict[_Key, tuple[int, Trend]] = field(default_factory=dict[_Key, tuple[int, Trend]])

    def forecast(self, sample: Sample) -> dict[str, PoolForecast]:
        """Forecasts for the pools of a sample that the history has taken in, by the name of the pool."""
        made = {pool.name: self._pool(pool, sample.taken_at) for pool in sample.pools}
        self._trends = {key: kept for key, kept in self._trends.items() if key[0] in made}
        return made

    def _pool(self, pool: Pool, now: float) -> PoolForecast:
        data, metadata, host = (self._quantity(pool, quantity, now) for quantity in Quantity)
        return PoolForecast(data, metadata, host)

    def _quantity(self, pool: Pool, quantity: Quantity, now: float) -> Forecast:
        trends = tuple((window, self._trend(pool, quantity, window, now)) for window in Window)
        free_bytes = _free_bytes(quantity, measure(pool, quantity))
        if free_bytes is None:
            return Forecast(quantity, None, trends, ())
        estimates = (_estimate(window, trend, free_bytes) for window, trend in trends)
        return Forecast(quantity, free_bytes, trends, tuple(each for each in estimates if each is not None))

    def _trend(self, pool: Pool, quantity: Quantity, window: Window, now: float) -> Trend:
        part = math.floor(now / (window.seconds / _BINS))
        key = (pool.name, identity_of(pool), quantity, window)
        kept = self._trends.get(key)
        if kept is not None and kept[0] == part:
            return kept[1]
        trend = trend_of(self.history.points(pool.name, quantity, window.seconds), window)
        if quantity is Quantity.HOST_FREE:
            trend = trend.reversed
        self._trends[key] = (part, trend)
        return trend


def trend_of(points: Sequence[Point], window: Window) -> Trend:
    """The trend of the points of a window."""
    if not points or points[-1].at - points[0].at < LEAST_COVERED * window.seconds:
        return Trend(Motion.TOO_FEW)
    return fit(_thinned(points, window.seconds / _BINS))


def _thinned(points: Sequence[Point], width_seconds: float) -> list[tuple[float, float]]:
    """One point for each part of a window, at the mean of time and value: few enough to compare each with each."""
    parts: dict[int, list[Point]] = {}
    for point in points:
        parts.setdefault(math.floor(point.at / width_seconds), []).append(point)
    return [
        (sum(point.at for point in part) / len(part), sum(point.mean for point in part) / len(part))
        for part in parts.values()
    ]


def _free_bytes(quantity: Quantity, now: Measure) -> int | None:
    if quantity is Quantity.HOST_FREE:
        return now.value_bytes
    if now.value_bytes is None or now.total_bytes is None:
        return None
    return max(0, now.total_bytes - now.value_bytes)


def _estimate(window: Window, trend: Trend, free_bytes: int) -> Estimate | None:
    if trend.motion is not Motion.RISING:
        return None
    return Estimate(window, free_bytes / trend.high_rate, free_bytes / trend.rate, free_bytes / trend.low_rate)
