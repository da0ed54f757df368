"""The space of a pool: data and metadata as gauges, their figures, and their short history."""

from __future__ import annotations

from dmtui.monitor.quantities import Quantity, measure
from dmtui.monitor.sample import Pool, Space
from dmtui.thinpool.sizes import format_share
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import (
    Density,
    Level,
    Look,
    age,
    data_level,
    metadata_level,
    shares,
)
from dmtui.tui.history import Trend
from dmtui.tui.lines import Line, Span, crop, line, spread, width_of
from dmtui.tui.paint.gauge import bar, chart

_LABEL_WIDTH = 10
_ROOMY_CHART_ROWS = 6
_AXIS_WIDTH = 5
_COMPACT_TREND_WIDTH = 24
_COMPACT_FIGURES_WIDTH = 49
_RESERVE_FROM_WIDTH = 90


@frozen
class SpaceView:
    """What the panel shows."""

    pool: Pool
    data_trend: Trend
    metadata_trend: Trend


@frozen
class _Gauge:
    """What is drawn of data, or of metadata above their reserve."""

    title: str
    space: Space
    level: Level | None
    trend: Trend
    role: str
    thresholds: tuple[float, ...]
    reserve_bytes: int = 0

    @property
    def reserve(self) -> float:
        """The share of the bar that the reserve takes."""
        total = self.space.total_bytes
        return self.reserve_bytes / (total + self.reserve_bytes) if total else 0.0

    @property
    def filled(self) -> float | None:
        """The share of the bar that is used."""
        used = self.space.used_fraction
        return None if used is None else used * (1 - self.reserve)

    @property
    def fill_role(self) -> str:
        return self.role if self.level in (None, Level.OK) else self.level.role


def space_lines(view: SpaceView, look: Look, width: int) -> list[Line]:
    """The panel's lines: two a gauge in a compact screen, four in a normal one, a chart in a roomy one."""
    pool, limits = view.pool, look.thresholds
    gauges = (
        _Gauge("Data", pool.data, data_level(pool, limits), view.data_trend, "data", shares(limits.data_percent)),
        _Gauge(
            "Metadata",
            _above_reserve(pool),
            metadata_level(pool, limits),
            view.metadata_trend,
            "meta",
            shares(limits.metadata_percent),
            pool.metadata_reserve_bytes or 0,
        ),
    )
    if look.density is Density.COMPACT:
        return [spans for gauge in gauges for spans in _compact(gauge, look, width)]
    first, second = (_full(gauge, look, width) for gauge in gauges)
    return [*first, (), *second]


def _above_reserve(pool: Pool) -> Space:
    """The metadata space without the reserve that the kernel hides from its users and counts as used."""
    above = measure(pool, Quantity.METADATA_LIVE)
    return Space(above.value_bytes, above.total_bytes, pool.metadata.available_bytes)


def _verdict(gauge: _Gauge, look: Look) -> Line:
    share = Span(f"{format_share(gauge.space.used_fraction):>7}", "strong")
    if gauge.level is None:
        return (share, Span("  "), Span(f"{look.glyphs.unknown} unknown", "warn"))
    word = f"{gauge.level.sign(look.glyphs)} {gauge.level.word:<5}"
    return (share, Span("  "), Span(word, gauge.level.role))


def _amount(gauge: _Gauge, look: Look) -> Line:
    space = gauge.space
    return line(
        Span(look.size(space.used_bytes), "strong"),
        Span(" used of ", "muted"),
        Span(look.size(space.total_bytes)),
    )


def _available(gauge: _Gauge, look: Look) -> Line:
    return line(Span(look.size(gauge.space.available_bytes), "strong"), Span(" available", "muted"))


def _bar(gauge: _Gauge, look: Look, width: int) -> Line:
    return bar(gauge.filled, width, look.glyphs, gauge.fill_role, thresholds=gauge.thresholds, reserve=gauge.reserve)


def _compact(gauge: _Gauge, look: Look, width: int) -> list[Line]:
    verdict = _verdict(gauge, look)
    label = Span(f"{gauge.title:<{_LABEL_WIDTH}}", "accent")
    bar_width = max(8, width - _LABEL_WIDTH - width_of(verdict) - 1)
    head = (label, *_bar(gauge, look, bar_width), Span(" "), *verdict)
    figures = [Span(" " * _LABEL_WIDTH), *_amount(gauge, look), Span("  "), *_available(gauge, look)]
    if gauge.reserve_bytes and width >= _RESERVE_FROM_WIDTH:
        figures += [Span(f"  {look.glyphs.bar_reserve} {look.size(gauge.reserve_bytes)} reserve", "reserve")]
    # Always as wide, whatever the figures: a history that changes its place cannot be compared.
    room = min(_COMPACT_TREND_WIDTH, width - _LABEL_WIDTH - _COMPACT_FIGURES_WIDTH, width - width_of(figures) - 2)
    trend = chart(gauge.trend, room, 1, look.glyphs, f"{gauge.fill_role}-area")[0] if room > 4 else ()
    return [crop(head, width, look.glyphs.ellipsis), spread(figures, trend, width, look.glyphs.ellipsis)]


def _full(gauge: _Gauge, look: Look, width: int) -> list[Line]:
    title = [Span(gauge.title, "accent")]
    if gauge.reserve_bytes:
        reserve = f"{look.glyphs.bar_reserve} {look.size(gauge.reserve_bytes)} reserve"
        title += [Span(" above its ", "muted"), Span(reserve, "reserve")]
    lines = [
        spread(title, _verdict(gauge, look), width, look.glyphs.ellipsis),
        _bar(gauge, look, width),
        spread(_amount(gauge, look), _available(gauge, look), width, look.glyphs.ellipsis),
    ]
    if look.density is Density.ROOMY:
        return lines + _history(gauge, look, width)
    label = f"  {_span(gauge.trend, width - 14)}"
    trend = chart(gauge.trend, max(1, width - 14), 1, look.glyphs, f"{gauge.fill_role}-area")[0]
    return [*lines, crop((*trend, Span(f"{label:>14}", "faint")), width)]


def _history(gauge: _Gauge, look: Look, width: int) -> list[Line]:
    room, guides = max(1, width - _AXIS_WIDTH), gauge.thresholds[1:]
    rows = chart(gauge.trend, room, _ROOMY_CHART_ROWS, look.glyphs, gauge.fill_role, guides=guides)
    labels = ["100", *[""] * (_ROOMY_CHART_ROWS - 2), "0"]
    lines: list[Line] = [
        (Span(f"{label:>{_AXIS_WIDTH - 1}} ", "faint"), *row) for label, row in zip(labels, rows, strict=True)
    ]
    right = Span(f"% of all, {_span(gauge.trend, width - _AXIS_WIDTH)}", "faint")
    return [*lines, spread((), (right,), width)]


def _span(trend: Trend, width: int) -> str:
    """The time that the drawn points span, coarse, so that it does not change with every sample."""
    shown = trend.newest(max(1, width))
    if all(fraction is None for fraction in shown.fractions):
        return "no history"
    seconds = shown.seconds
    if seconds < 60:
        return "last minute"
    return f"last {age(seconds // 60 * 60)}"
