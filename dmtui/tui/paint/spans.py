"""Spans put together: neighbours of one role as one, and one sign laid over a line."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from dmtui.tui.lines import Line, Span


def merged(spans: Iterable[Span]) -> Line:
    """Neighbours of one role as one span: fewer bytes for the terminal."""
    return tuple(Span("".join(span.text for span in same), role) for role, same in groupby(spans, lambda s: s.role))


def overlaid(line: Line, cell: int, sign: Span) -> Line:
    """The line with one of its cells replaced; every sign of it must be one cell wide."""
    cells = [Span(char, span.role) for span in line for char in span.text]
    if 0 <= cell < len(cells):
        cells[cell] = sign
    return merged(cells)
