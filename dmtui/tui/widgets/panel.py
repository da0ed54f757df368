"""A panel: draws the lines of one painter on the line API and repaints only the lines that changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Generic, TypeVar

from textual.content import Content
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from dmtui.tui.copying import FULL_WIDTH, Entry, entries_of
from dmtui.tui.figures import Density, Look
from dmtui.tui.lines import Line, changed_cells
from dmtui.tui.widgets.roles import strip_of

Value = TypeVar("Value")
Painter = Callable[[Value, Look, int], list[Line]]


class Panel(Widget, Generic[Value]):
    """Shows one value through its painter; its height follows the number of lines."""

    DEFAULT_CSS = """
    Panel { height: auto; width: 1fr; }
    """

    def __init__(self, paint: Painter[Value], *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._paint = paint
        self._value: Value | None = None
        self._look = Look()
        self._lines: list[Line] = []
        self._painted_width = -1
        """For which the lines are; -1 where they are not of the present value."""

    @property
    def lines(self) -> list[Line]:
        """The lines at present, for tests."""
        return self._lines

    @property
    def value(self) -> Value | None:
        """What is shown."""
        return self._value

    def show(self, value: Value, look: Look) -> None:
        """Show a value; paints nothing when its lines are the same as before."""
        width = self.content_size.width
        # Not laid out at present: painted when it is drawn, and not as it was drawn last.
        stale = width <= 0 and (value != self._value or look != self._look)
        self._value, self._look, self._painted_width = value, look, -1
        if stale:
            self.refresh()
        if width <= 0:
            return
        before = self._lines
        self._repaint(width)
        if len(before) != len(self._lines):
            self.refresh(layout=True)
            return
        changed = [y for y, spans in enumerate(self._lines) if spans != before[y]]
        if changed:
            self.refresh(*(self._changed_region(y, before[y]) for y in changed))

    def copied_entries(self) -> list[Entry]:
        """The values that are shown, in full, a line each."""
        if self._value is None:
            return []
        look = replace(self._look, density=Density.ROOMY)
        return entries_of(self._paint(self._value, look, FULL_WIDTH), self._title.strip(), look.glyphs)

    def entitle(self, title: str) -> None:
        """Put a title into the border, as text: a name in it is never read as markup."""
        if self._title != title:
            self._title = title
            self.border_title = Content(title)

    _title = ""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many rows as there are lines."""
        self._repaint(width)
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        width = self.content_size.width
        self._repaint(width)
        spans: Line = self._lines[y] if y < len(self._lines) else ()
        return strip_of(self, spans, width)

    def _changed_region(self, y: int, before: Line) -> Region:
        start, count = changed_cells(before, self._lines[y])
        return Region(start, y, count, 1)

    def _repaint(self, width: int) -> None:
        if width == self._painted_width:
            return
        self._painted_width = width
        self._lines = [] if self._value is None or width <= 0 else self._paint(self._value, self._look, width)
