"""What lies ahead of a pool: when it is full, with its range; what it has promised; how long its writers still wait."""

from __future__ import annotations

import math
from collections.abc import Callable

from dmtui.monitor.alertrules import Rule, duration
from dmtui.monitor.commitment import Commitment, commitment
from dmtui.monitor.forecast import LEAST_COVERED, REACH, Estimate, Forecast, Window
from dmtui.monitor.quantities import Quantity, host_backing
from dmtui.monitor.trend import Motion, Trend
from dmtui.tui.figures import Density, Level, Look
from dmtui.tui.lines import Line, Span, crop
from dmtui.tui.paint.poolview import PoolView

_KEY_WIDTH = 10
_FAR_SECONDS = 2 * 365 * 86400.0
_RULES = {
    Quantity.DATA_USED: Rule.DATA_END,
    Quantity.METADATA_LIVE: Rule.METADATA_END,
    Quantity.HOST_FREE: Rule.HOST_END,
}
_TITLES = {Quantity.DATA_USED: "data", Quantity.METADATA_LIVE: "metadata", Quantity.HOST_FREE: "host fs"}


def outlook_lines(view: PoolView, look: Look, width: int) -> list[Line]:
    """The panel's lines: in a compact screen only what the gauges do not say there."""
    rows: list[tuple[str, Line]] = []
    if view.wait is not None:
        texts = (view.wait.text(view.waited_at, brief) for brief in (False, True))
        words = tuple((Span(f"{look.glyphs.crit} {text}", "crit"),) for text in texts)
        rows.append(("writers", _fitting(words, width - _KEY_WIDTH)))
    if look.density is not Density.COMPACT:
        for quantity, title in _TITLES.items():
            if quantity is not Quantity.HOST_FREE or host_backing(view.pool) is not None:
                rows.append((title, _fitting(outlook_words(view, quantity, look), width - _KEY_WIDTH)))
    rows.append(("promised", _promised(view, look)))
    return [crop((Span(f"{key:<{_KEY_WIDTH}}", "muted"), *value), width, look.glyphs.ellipsis) for key, value in rows]


def outlook_words(view: PoolView, quantity: Quantity, look: Look) -> tuple[Line, ...]:
    """When a quantity is full, in several lengths, longest first."""
    forecast = view.forecast.of(quantity) if view.forecast else None
    if forecast is None:
        return ((Span("no trend yet", "muted"),),)
    if forecast.free_bytes == 0:
        return ((Span(f"{look.glyphs.crit} full", "crit"),),)
    worst = forecast.worst
    if worst is None:
        motion = _motion(forecast)
        return ((Span(motion, "muted"),), (Span("no trend", "muted"),))
    rate = Span(f"   {_rate(forecast.trend(worst.window), look)}", "muted")
    by = Span(f", last {worst.window.label}", "muted")
    if not worst.within_reach:
        far = Span(f"not full within {duration(REACH * worst.window.seconds)}", "muted")
        return ((far, by, rate), (far, by), (far,))
    level = _level(view, worst, quantity)
    head = Span(f"{level.sign(look.glyphs)} full in {duration(worst.likely_seconds)}", level.role)
    between = Span(f" ({_range(worst)})")
    return ((head, between, by, rate), (head, between, by), (head, between), (head,))


def _level(view: PoolView, worst: Estimate, quantity: Quantity) -> Level:
    """As its alert has it, which does not end at the first better figure; else by the figure."""
    alert = next((alert for alert in view.alerts if alert.rule is _RULES[quantity]), None)
    if alert is not None:
        return Level(int(alert.severity))
    warn_hours, crit_hours = view.thresholds.hours_to_full
    hours = worst.likely_seconds / 3600
    return Level.CRIT if hours < crit_hours else Level.WARN if hours < warn_hours else Level.OK


def _range(worst: Estimate) -> str:
    """The bounds in whole units, the lower one rounded down, the upper one up."""
    low, high = _coarse(worst.soonest_seconds, math.floor), _coarse(worst.latest_seconds, math.ceil)
    if low.split()[-1:] == high.split()[-1:] and low != high:
        low = low.split()[0]
    return f"{low} to {high}"


def _coarse(seconds: float, whole: Callable[[float], int]) -> str:
    if seconds >= _FAR_SECONDS:
        return "years"
    unit, name = next(
        ((unit, name) for unit, name in ((86400, "d"), (3600, "h"), (60, "min")) if seconds >= 2 * unit), (1, "s")
    )
    return f"{whole(seconds / unit)} {name}"


def _motion(forecast: Forecast) -> str:
    """What the longest window that knows anything says."""
    for window in reversed(Window):
        trend = forecast.trend(window)
        if trend.motion is Motion.FALLING:
            return f"falling by the last {window.label}"
        if trend.motion is not Motion.TOO_FEW:
            return f"no trend in the last {window.label}"
    return f"no trend yet, needs {duration(LEAST_COVERED * min(window.seconds for window in Window))}"


def _rate(trend: Trend, look: Look) -> str:
    return f"+{look.size(round(trend.rate * 3600))}/h"


def _promised(view: PoolView, look: Look) -> Line:
    made: Commitment = commitment(view.pool)
    count = len(view.pool.devices)
    words = [
        Span(look.size(made.virtual_bytes), "strong"),
        Span(f" to {count} active", "muted"),
    ]
    if made.ratio is None:
        return tuple(words)
    over = made.ratio > 1
    ratio = f"{made.ratio:.2f} x the pool" if made.ratio < 10 else f"{made.ratio:.0f} x the pool"
    sign = f"{look.glyphs.warn} " if over else ""
    return (*words, Span("  "), Span(f"{sign}{ratio}", "warn" if over else "text"))


def _fitting(variants: tuple[Line, ...], room: int) -> Line:
    return next((words for words in variants if sum(len(span.text) for span in words) <= room), variants[-1])
