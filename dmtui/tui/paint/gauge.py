"""Gauges and history lines on a fixed axis from 0 to 100, with the thresholds drawn in."""

from __future__ import annotations

from dmtui.tui.glyphs import Glyphs
from dmtui.tui.history import Trend
from dmtui.tui.lines import Line, Span
from dmtui.tui.paint.spans import merged


def bar(
    fraction: float | None,
    width: int,
    glyphs: Glyphs,
    role: str,
    *,
    thresholds: tuple[float, ...] = (),
    reserve: float = 0.0,
) -> Line:
    """A gauge in so many cells.

    Args:
        fraction: filled part of the whole axis, without the reserve; None draws an empty gauge of question marks.
        width: cells.
        glyphs: the set of signs.
        role: of the filled part.
        thresholds: marked while they are free, as parts of the axis that the reserve leaves.
        reserve: part of the axis at its end that is taken and can never be used.
    """
    if fraction is None:
        return (Span(glyphs.unknown * width, "faint"),)
    reserved = min(width, max(1, round(reserve * width))) if reserve > 0 else 0
    room = width - reserved
    full, part = _cells(min(fraction, 1.0 - reserve), width, room, glyphs)
    start = full + (1 if part else 0)
    marks = {int(threshold * room) for threshold in thresholds}
    free = "".join(glyphs.bar_mark if cell in marks else glyphs.bar_free for cell in range(start, room))
    spans = (Span(glyphs.bar_full * full + part, role), Span(free, "track"))
    return (*spans, Span(glyphs.bar_reserve * reserved, "reserve")) if reserved else spans


def _cells(fraction: float, width: int, room: int, glyphs: Glyphs) -> tuple[int, str]:
    steps = len(glyphs.bar_parts) + 1
    units = min(room * steps, int(fraction * width * steps))
    if units == 0 and fraction > 0 and room > 0:
        units = 1  # something is never drawn as nothing
    full, rest = divmod(units, steps)
    return full, glyphs.bar_parts[rest - 1] if rest else ""


def small_bar(fraction: float | None, width: int, glyphs: Glyphs, role: str) -> Line:
    """A thin gauge for a table's cell: rows of it do not run into each other."""
    if fraction is None:
        return (Span(glyphs.thin_free * width, "track"),)
    full = min(width, max(1 if fraction > 0 else 0, int(fraction * width)))
    return (Span(glyphs.thin_full * full, role), Span(glyphs.thin_free * (width - full), "track"))


def chart(
    trend: Trend, width: int, height: int, glyphs: Glyphs, role: str, *, guides: tuple[float, ...] = ()
) -> list[Line]:
    """A history of so many cells, newest at the right, with guides at the thresholds; a gap where nothing is known."""
    fractions = trend.newest(width).fractions
    points: list[float | None] = [None] * (width - len(fractions)) + list(fractions)
    steps = len(glyphs.levels)
    units = [None if p is None else max(1, min(height * steps, round(p * height * steps))) for p in points]
    rows: list[Line] = []
    for row in range(height - 1, -1, -1):
        guided = any(row == min(height - 1, int(threshold * height)) for threshold in guides)
        empty = Span(glyphs.guide, "track") if guided else Span(" ")
        above = [None if unit is None else unit - row * steps for unit in units]
        # The surface is bright and what lies below it is not: a full pool must not shout over its figures.
        rows.append(
            merged(
                empty
                if unit is None or unit <= 0
                else Span(glyphs.levels[min(unit, steps) - 1], f"{role}-area" if unit > steps else role)
                for unit in above
            )
        )
    return rows
