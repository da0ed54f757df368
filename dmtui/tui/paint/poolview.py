"""What the panels of the pool screen show: one pool with what is concluded from its past."""

from __future__ import annotations

from dataclasses import field

from dmtui.monitor.alerts import Alert
from dmtui.monitor.forecast import PoolForecast
from dmtui.monitor.nospace import Wait
from dmtui.monitor.sample import Pool
from dmtui.monitor.thresholds import Thresholds
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Level, level_of
from dmtui.tui.paint.chart import Guide

GATED_OWNERS = ("dmtui", "docker")
"""Whose pools have the free-space gate: it is the engine's and the original driver's own rule."""


@frozen
class PoolView:
    """A pool at a moment.

    Attributes:
        waited_at: when it was so, seconds since the epoch by the clock that its writers' wait goes by.
        forecast: None before the first sample was taken in.
        wait: the countdown of its writers; None where they do not wait.
        min_free_percent: below so much free space nothing is created (``dm.min_free_space``).
    """

    pool: Pool
    waited_at: float
    thresholds: Thresholds = field(default_factory=Thresholds)
    forecast: PoolForecast | None = None
    alerts: tuple[Alert, ...] = ()
    wait: Wait | None = None
    min_free_percent: int = 10

    @property
    def gate(self) -> float | None:
        """The share of the data or metadata space above which nothing is created; None where there is no such rule."""
        gated = self.pool.owner in GATED_OWNERS and self.min_free_percent > 0
        return 1 - self.min_free_percent / 100 if gated else None

    @property
    def low_water(self) -> float | None:
        """The share of the data space at which the kernel sends its event; None where it never does."""
        total, mark = self.pool.data.total_bytes, self.pool.low_water_mark_blocks * self.pool.block_size_bytes
        return 1 - min(1.0, mark / total) if total and mark else None


def shares(percents: tuple[float, float, float]) -> tuple[float, float, float]:
    """Thresholds in percent as shares."""
    watch, warn, crit = percents
    return (watch / 100, warn / 100, crit / 100)


def level_at(fraction: float | None, percents: tuple[float, float, float]) -> Level | None:
    """The level of a share by thresholds in percent; None when it is unknown."""
    return level_of(fraction, shares(percents))


def guides_of(percents: tuple[float, float, float]) -> tuple[Guide, ...]:
    """The thresholds of a chart: WARN and CRIT."""
    _, warn, crit = shares(percents)
    return (Guide(warn, Level.WARN), Guide(crit, Level.CRIT))
