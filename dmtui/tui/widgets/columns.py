"""Fitting columns into a width: what does not fit goes, what may grow takes the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Fitted(Protocol):
    """What fitting asks of a column."""

    @property
    def width(self) -> int:
        """Cells that it takes at the least."""
        ...

    @property
    def wide(self) -> tuple[int, int]:
        """From which table width on it takes how many cells."""
        ...

    @property
    def grows(self) -> bool:
        """Whether it takes what the others leave."""
        ...

    @property
    def needs(self) -> int:
        """Narrowest table that shows it."""
        ...


AColumn = TypeVar("AColumn", bound=Fitted)


def fit_columns(columns: Sequence[AColumn], width: int) -> list[tuple[AColumn, int]]:
    """The columns that a table of that width shows, each with its cells; one cell stays free between two."""
    kept = [column for column in columns if column.needs <= width]
    widths = [column.wide[1] if 0 < column.wide[0] <= width else column.width for column in kept]
    free = width - sum(widths) - len(kept)
    growing = sum(column.grows for column in kept)
    fitted: list[tuple[AColumn, int]] = []
    for column, room in zip(kept, widths, strict=True):
        extra = max(0, free) // growing if column.grows else 0
        fitted.append((column, room + extra))
    return fitted
