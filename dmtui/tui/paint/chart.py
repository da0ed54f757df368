"""A history as a chart on a fixed axis from 0 to 100 %, with the thresholds drawn in, in braille, blocks or ASCII."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Level
from dmtui.tui.glyphs import Glyphs
from dmtui.tui.lines import ROLES, Line, Span
from dmtui.tui.paint.spans import merged

AXIS_WIDTH = 5
_WORDS_FROM_WIDTH = 46
_WORDS_WIDTH = 8
_NUMBERS_WIDTH = 3
_HALF_FROM_ROWS = 5
_DOT_ROWS = 4
_LEFT_DOTS = (0x00, 0x40, 0x44, 0x46, 0x47)
"""Braille dots of the left half of a cell that is filled from below by so many."""
_RIGHT_DOTS = (0x00, 0x80, 0xA0, 0xB0, 0xB8)


@frozen
class Guide:
    """A threshold: where on the axis (0 to 1) it lies, and what begins there."""

    at: float
    level: Level


@frozen
class Picture:
    """What a chart shows.

    Attributes:
        fractions: one for each column, oldest first; None is a gap.
        role: of what is drawn below all thresholds.
        guides: the thresholds, mildest first.
        times: words below the axis: its beginning, its middle, its end.
    """

    fractions: Sequence[float | None]
    role: str
    guides: tuple[Guide, ...] = ()
    times: tuple[str, str, str] = ("", "", "")


def margin_of(width: int, guides: tuple[Guide, ...]) -> int:
    """Cells at the right that name the thresholds."""
    if not guides:
        return 0
    return _WORDS_WIDTH if width >= _WORDS_FROM_WIDTH else _NUMBERS_WIDTH


def columns_of(width: int, guides: tuple[Guide, ...], glyphs: Glyphs) -> int:
    """How many points a chart of so many cells shows."""
    cells = max(1, width - AXIS_WIDTH - margin_of(width, guides))
    return cells * 2 if glyphs.dots else cells


def chart_lines(picture: Picture, glyphs: Glyphs, width: int, height: int) -> list[Line]:
    """The chart in exactly so many rows: the plot, and below it the times where there is room for both."""
    rows = height - 1 if height >= 3 else height
    margin = margin_of(width, picture.guides)
    cells = max(1, width - AXIS_WIDTH - margin)
    plot = _plot(picture, glyphs, cells, rows)
    if all(fraction is None for fraction in picture.fractions):
        plot[(rows - 1) // 2] = _said("nothing known of this span", cells)
    labels = _labels(rows)
    lines: list[Line] = []
    for index, spans in enumerate(plot):
        row = rows - 1 - index
        axis = Span(f"{labels.get(row, ''):>{AXIS_WIDTH - 2}} {glyphs.axis}", "faint")
        lines.append((axis, *spans, *_margin(picture.guides, glyphs, row, rows, margin)))
    if rows < height:
        lines.append(_times(picture.times, glyphs, cells))
    return lines


def _plot(picture: Picture, glyphs: Glyphs, cells: int, rows: int) -> list[Line]:
    per_cell, steps = (2, _DOT_ROWS) if glyphs.dots else (1, len(glyphs.levels))
    count = cells * per_cell
    fractions: list[float | None] = list(picture.fractions)[-count:]
    fractions = [None] * (count - len(fractions)) + fractions
    units = [None if f is None else max(1, min(rows * steps, round(f * rows * steps))) for f in fractions]
    guided = {_row_of(guide.at, rows): guide.level for guide in picture.guides}
    lines: list[Line] = []
    for row in range(rows - 1, -1, -1):
        level = guided.get(row)
        empty = Span(" ") if level is None else Span(glyphs.guide, level.role)
        spans: list[Span] = []
        for cell in range(cells):
            heights = [_within(units[cell * per_cell + part], row, steps) for part in range(per_cell)]
            if not any(heights):
                spans.append(empty)
                continue
            below = all(unit is None or unit > (row + 1) * steps for unit in units[cell * per_cell :][:per_cell])
            parts = fractions[cell * per_cell :][:per_cell]
            role = _role_at(picture, min((row + 1) / rows, max(part for part in parts if part is not None)))
            spans.append(Span(_sign(heights, glyphs), _area(role) if below else role))
        lines.append(merged(spans))
    return lines


def _area(role: str) -> str:
    """What lies below the surface is darker: a full pool must not shout over its figures."""
    area = f"{role}-area"
    return area if area in ROLES else "faint"


def _within(unit: int | None, row: int, steps: int) -> int:
    """How many steps of a row are filled."""
    return 0 if unit is None else max(0, min(steps, unit - row * steps))


def _sign(heights: Sequence[int], glyphs: Glyphs) -> str:
    if glyphs.dots:
        return chr(0x2800 + _LEFT_DOTS[heights[0]] + _RIGHT_DOTS[heights[1]])
    return glyphs.levels[heights[0] - 1]


def _role_at(picture: Picture, fraction: float) -> str:
    reached = [guide.level.role for guide in picture.guides if guide.at <= fraction]
    return reached[-1] if reached else picture.role


def _row_of(fraction: float, rows: int) -> int:
    return min(rows - 1, math.floor(fraction * rows))


def _labels(rows: int) -> dict[int, str]:
    labels = {rows - 1: "100", 0: "0"}
    if rows >= _HALF_FROM_ROWS:
        labels.setdefault(rows // 2, "50")
    return labels


def _margin(guides: tuple[Guide, ...], glyphs: Glyphs, row: int, rows: int, width: int) -> Line:
    """The name of the worst threshold of a row."""
    if width == 0:
        return ()
    named = [guide for guide in guides if _row_of(guide.at, rows) == row]
    if not named:
        return (Span(" " * width),)
    worst = named[-1]
    number = f" {round(100 * worst.at):>2}"
    text = number if width < _WORDS_WIDTH else f"{number} {worst.level.word}"
    return (Span(f"{text:<{width}}"[:width], worst.level.role),)


def _times(times: tuple[str, str, str], glyphs: Glyphs, cells: int) -> Line:
    """The words below the axis; the middle one only where it has room."""
    first, middle, last = times
    room = cells - len(first) - len(last)
    start = cells // 2 - len(middle) // 2 - len(first)
    if middle and start >= 2 and room - start - len(middle) >= 2:
        between = " " * start + middle + " " * (room - start - len(middle))
    else:
        between = " " * max(1, room)
    corner = " " * (AXIS_WIDTH - 1) + glyphs.corner
    return (Span(corner, "faint"), Span(first + between + last, "muted"))


def _said(text: str, cells: int) -> Line:
    text = text[:cells]
    left = (cells - len(text)) // 2
    return (Span(" " * left), Span(text, "faint"), Span(" " * (cells - left - len(text))))
