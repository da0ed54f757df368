"""A chart on the line API: fetches its points when there are new ones and repaints only the lines that changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import field

from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Look
from dmtui.tui.lines import Line, changed_cells
from dmtui.tui.paint.chart import Guide, Picture, chart_lines, columns_of
from dmtui.tui.widgets.roles import strip_of


@frozen
class Series:
    """What a chart draws.

    Attributes:
        key: the same as long as `read` would give the same points.
        role: of what is drawn below all thresholds.
        read: gives so many fractions, oldest first; None is a gap.
        guides: the thresholds, mildest first.
        times: words below the axis.
    """

    key: Hashable
    role: str
    read: Callable[[int], Sequence[float | None]] = field(compare=False)
    guides: tuple[Guide, ...] = ()
    times: tuple[str, str, str] = ("", "", "")


class Chart(Widget):
    """Shows one series over its whole size."""

    DEFAULT_CSS = """
    Chart { width: 1fr; height: 1fr; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._series: Series | None = None
        self._look = Look()
        self._lines: list[Line] = []
        self._painted: Hashable = None
        self._fractions: tuple[Hashable, Sequence[float | None]] = (None, ())
        self._title = ""

    @property
    def lines(self) -> list[Line]:
        """The lines at present, for tests."""
        return self._lines

    def show(self, series: Series, look: Look) -> None:
        """Show a series; paints nothing where its picture is the same as before."""
        self._series, self._look = series, look
        before = self._lines
        if not self._repaint():
            if not self.content_size:  # hidden: not to be drawn as it was drawn last when it comes back
                self.refresh()
            return
        if len(before) != len(self._lines):
            self.refresh()
            return
        changed = [y for y, spans in enumerate(self._lines) if spans != before[y]]
        if changed:
            self.refresh(*(self._region(y, before[y]) for y in changed))

    def entitle(self, title: str) -> None:
        """Put a title into the border, as text."""
        if self._title != title:
            self._title = title
            self.border_title = Content(title)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        self._repaint()
        spans: Line = self._lines[y] if y < len(self._lines) else ()
        return strip_of(self, spans, self.content_size.width)

    def _region(self, y: int, before: Line) -> Region:
        start, count = changed_cells(before, self._lines[y])
        return Region(start, y, count, 1)

    def _repaint(self) -> bool:
        """Make the lines anew where anything that they depend on has changed; returns whether it has."""
        width, height = self.content_size
        wanted = (self._series, self._look.glyphs, width, height)
        if wanted == self._painted or self._series is None or width <= 0 or height <= 0:
            return False
        self._painted = wanted
        series, glyphs = self._series, self._look.glyphs
        count = columns_of(width, series.guides, glyphs)
        read = (series.key, count)
        if self._fractions[0] != read:
            self._fractions = (read, series.read(count))
        picture = Picture(self._fractions[1], series.role, series.guides, series.times)
        self._lines = chart_lines(picture, glyphs, width, height)
        return True
