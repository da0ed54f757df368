"""The gauges of a pool: data, metadata above its hidden reserve, and the file system under the loop files."""

from __future__ import annotations

from dmtui.monitor.commitment import HostDebt, host_debts
from dmtui.monitor.quantities import Quantity, host_backing, measure
from dmtui.thinpool.sizes import format_share
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Density, Level, Look
from dmtui.tui.lines import Line, Span, crop, spread, width_of
from dmtui.tui.paint.gauge import bar
from dmtui.tui.paint.outlook import outlook_words
from dmtui.tui.paint.poolview import PoolView, level_at, shares
from dmtui.tui.paint.spans import overlaid

_LABEL_WIDTH = 10
_INDENT = 2


@frozen
class _Mark:
    """Something drawn into a gauge: where (a share of the whole axis), its sign, and what it means."""

    at: float
    sign: str
    role: str
    words: str


@frozen
class _Gauge:
    """One gauge; shares are of the whole axis.

    Attributes:
        used: filled; None when unknown.
        share: what is printed, which leaves the reserve out.
        reserve: taken for ever, at the end of the axis.
        owed: free and promised already.
        notes: below the gauge, with the signs that they explain.
    """

    title: str
    role: str
    level: Level | None
    used: float | None
    share: float | None
    amounts: tuple[str, str, str]
    quantity: Quantity
    thresholds: tuple[float, ...] = ()
    reserve: float = 0.0
    owed: float = 0.0
    marks: tuple[_Mark, ...] = ()
    notes: tuple[Span, ...] = ()
    known: bool = True


def capacity_lines(view: PoolView, look: Look, width: int) -> list[Line]:
    """The panel's lines: two a gauge in a compact screen, with the forecast; four in all others."""
    gauges = (_data(view, look), _metadata(view, look), _host(view, look))
    if look.density is Density.COMPACT:
        return [spans for gauge in gauges for spans in _compact(gauge, view, look, width)]
    lines: list[Line] = []
    for gauge in gauges:
        lines += [(), *_full(gauge, look, width)] if lines else _full(gauge, look, width)
    return lines


def _data(view: PoolView, look: Look) -> _Gauge:
    space, glyphs = view.pool.data, look.glyphs
    total = space.total_bytes or 0
    marks: list[_Mark] = []
    if view.gate is not None:
        words = f"gate {look.size(int(total * (1 - view.gate)))} free"
        marks.append(_Mark(view.gate, glyphs.gate, "accent", words))
    if view.low_water is not None:
        mark_bytes = view.pool.low_water_mark_blocks * view.pool.block_size_bytes
        marks.append(_Mark(view.low_water, glyphs.low_water, "warn", f"low water {look.size(mark_bytes)}"))
    return _Gauge(
        "Data",
        "data",
        level_at(space.used_fraction, view.thresholds.data_percent),
        space.used_fraction,
        space.used_fraction,
        (look.size(space.used_bytes), look.size(space.total_bytes), look.size(space.available_bytes)),
        Quantity.DATA_USED,
        shares(view.thresholds.data_percent),
        marks=tuple(marks) if total else (),
    )


def _metadata(view: PoolView, look: Look) -> _Gauge:
    pool, glyphs = view.pool, look.glyphs
    live = measure(pool, Quantity.METADATA_LIVE)
    total = pool.metadata.total_bytes or 0
    reserve_bytes = pool.metadata_reserve_bytes or 0
    reserve = reserve_bytes / total if total else 0.0
    marks: tuple[_Mark, ...] = ()
    if view.gate is not None and total:
        free = f"gate {look.size(int(total * (1 - view.gate)))} free"
        marks = (_Mark(max(0.0, view.gate - reserve), glyphs.gate, "accent", free),)
    notes = (Span(f"{glyphs.bar_reserve} reserve {look.size(reserve_bytes)}", "reserve"),) if reserve_bytes else ()
    fraction = live.fraction
    return _Gauge(
        "Metadata",
        "meta",
        level_at(fraction, view.thresholds.metadata_percent),
        None if fraction is None else fraction * (1 - reserve),
        fraction,
        (look.size(live.value_bytes), look.size(live.total_bytes), look.size(pool.metadata.available_bytes)),
        Quantity.METADATA_LIVE,
        shares(view.thresholds.metadata_percent),
        reserve=reserve,
        marks=marks,
        notes=notes,
    )


def _host(view: PoolView, look: Look) -> _Gauge:
    backing = host_backing(view.pool)
    if backing is None:
        on = ", ".join(view.pool.data_backing.disks)
        words = "no loop file" if view.pool.data_backing.loop_file is None and on else "not known"
        note = (Span(words, "muted"),)
        return _Gauge("Host fs", "text", None, None, None, ("?", "?", "?"), Quantity.HOST_FREE, notes=note, known=False)
    free, total = backing.host_free_bytes, backing.host_total_bytes
    used_bytes = None if free is None or total is None else total - free
    used = used_bytes / total if used_bytes is not None and total else None
    debts = host_debts(view.pool)
    debt = next((each for each in debts if each.free_bytes == free), None)
    return _Gauge(
        "Host fs",
        "muted",
        _debt_level(view, debt),
        used,
        used,
        (look.size(used_bytes), look.size(total), look.size(free)),
        Quantity.HOST_FREE,
        owed=debt.owed_bytes / total if debt and total else 0.0,
        notes=_debt_words(debt, look),
    )


def _debt_level(view: PoolView, debt: HostDebt | None) -> Level | None:
    if debt is None:
        return None
    watch, warn, crit = view.thresholds.host_missing_percent
    missing = 100 * debt.missing_fraction
    return Level(sum(missing > 0 and missing >= at for at in (watch, warn, crit)))


def _debt_words(debt: HostDebt | None, look: Look) -> tuple[Span, ...]:
    if debt is None:
        return ()
    words = (Span(f"{look.glyphs.bar_owed} promised to loop files {look.size(debt.owed_bytes)}", "reserve"),)
    if debt.owed_bytes > debt.free_bytes:
        missing = look.size(debt.owed_bytes - debt.free_bytes)
        return (*words, Span(f"  {look.glyphs.warn} {missing} short", "warn"))
    return words


def _verdict(gauge: _Gauge, look: Look) -> Line:
    if not gauge.known:
        return gauge.notes
    share = Span(f"{format_share(gauge.share):>7}", "strong")
    if gauge.level is None:
        return (share, Span("  "), Span(f"{look.glyphs.unknown} unknown", "warn"))
    return (share, Span("  "), Span(f"{gauge.level.sign(look.glyphs)} {gauge.level.word:<5}", gauge.level.role))


def _bar(gauge: _Gauge, look: Look, width: int) -> Line:
    if not gauge.known:
        return (Span(look.glyphs.bar_free * width, "faint"),)
    role = gauge.role if gauge.level in (None, Level.OK) else gauge.level.role
    drawn = bar(gauge.used, width, look.glyphs, role, thresholds=gauge.thresholds, reserve=gauge.reserve)
    if gauge.used is None:
        return drawn
    begin = width_of([span for span in drawn if span.role == role])
    for cell in range(begin, min(width, begin + round(gauge.owed * width))):
        drawn = overlaid(drawn, cell, Span(look.glyphs.bar_owed, "reserve"))
    for mark in gauge.marks:
        drawn = overlaid(drawn, min(width - 1, int(mark.at * width)), Span(mark.sign, mark.role))
    return drawn


def _amounts(gauge: _Gauge) -> Line:
    used, total, _ = gauge.amounts
    return (Span(used, "strong"), Span(" used of ", "muted"), Span(total))


def _full(gauge: _Gauge, look: Look, width: int) -> list[Line]:
    head = (Span(gauge.title, "accent"), *_aside(gauge))
    lines = [spread(head, _verdict(gauge, look), width, look.glyphs.ellipsis), _bar(gauge, look, width)]
    if not gauge.known:
        return lines
    available = (Span(gauge.amounts[2], "strong"), Span(" available", "muted"))
    lines.append(spread(_amounts(gauge), available, width, look.glyphs.ellipsis))
    legend: list[Span] = [*gauge.notes]
    for mark in gauge.marks:
        legend += [Span("   ") if legend else Span(""), Span(mark.sign, mark.role), Span(f" {mark.words}", "muted")]
    if legend:
        lines.append(crop(legend, width, look.glyphs.ellipsis))
    return lines


def _aside(gauge: _Gauge) -> Line:
    return (Span("  above its reserve", "faint"),) if gauge.reserve else ()


def _compact(gauge: _Gauge, view: PoolView, look: Look, width: int) -> list[Line]:
    verdict = _verdict(gauge, look)
    label = Span(f"{gauge.title:<{_LABEL_WIDTH}}", "accent")
    drawn = _bar(gauge, look, max(8, width - _LABEL_WIDTH - width_of(verdict) - 1))
    head = crop((label, *drawn, Span(" "), *verdict), width, look.glyphs.ellipsis)
    if not gauge.known:
        return [head]
    left = (
        Span(" " * _INDENT),
        *_amounts(gauge),
        Span("  "),
        Span(gauge.amounts[2], "strong"),
        Span(" available", "muted"),
    )
    room = width - width_of(left) - 2
    right = next((words for words in outlook_words(view, gauge.quantity, look) if width_of(words) <= room), ())
    return [head, spread(left, right, width, look.glyphs.ellipsis)]
