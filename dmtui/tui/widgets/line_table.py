"""A table on the line API: cursor, sorting and filtering over thousands of rows; draws what is visible and changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.events import Click, Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from dmtui.thinpool.values import frozen
from dmtui.tui.actions import Scope, bindings
from dmtui.tui.copying import FULL_WIDTH, Entry, value_of
from dmtui.tui.figures import Density, Look
from dmtui.tui.lines import Align, Line, Span, crop, fit, width_of
from dmtui.tui.widgets.columns import fit_columns
from dmtui.tui.widgets.roles import strip_of

Row = TypeVar("Row")
_GUTTER = 2


@frozen
class Column(Generic[Row]):
    """A column of a table.

    Attributes:
        key: its name in the program.
        title: its header.
        width: cells; the least that it takes when it grows.
        paint: makes a row's cell in so many cells.
        sort: what rows are ordered by; None where ordering makes no sense.
        grows: takes what the others leave.
        needs: narrowest table that shows it.
        wide: from which table width on it takes how many cells instead.
        descending: whether sorting starts with the greatest.
    """

    key: str
    title: str
    width: int
    paint: Callable[[Row, Look, int], Line]
    sort: Callable[[Row], Any] | None = None
    align: Align = "left"
    grows: bool = False
    needs: int = 0
    wide: tuple[int, int] = (0, 0)
    descending: bool = False


class LineTable(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """Rows with a key each; the cursor stays on its key while rows come, go and change places."""

    BINDINGS = bindings(Scope.TABLE)
    COMPONENT_CLASSES: ClassVar[set[str]] = {"line-table--header", "line-table--cursor"}
    DEFAULT_CSS = """
    LineTable { width: 1fr; height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    """

    class Highlighted(Message):
        """The operator moved the cursor to a row; rows that come and go announce nothing."""

        def __init__(self, table: LineTable[Any], key: str) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LineTable[Any]:
            """The table."""
            return self.table

    class MarkWanted(Highlighted):
        """The operator clicked beside a row: it is to be marked or unmarked.

        Attributes:
            through: all rows from the cursor to it are to be marked.
        """

        def __init__(self, table: LineTable[Any], key: str, through: bool) -> None:
            super().__init__(table, key)
            self.through = through

    class Chosen(Highlighted):
        """The row under the cursor was chosen with enter."""

    def __init__(
        self,
        columns: Sequence[Column[Row]],
        key: Callable[[Row], str],
        search: Callable[[Row], str],
        *,
        name_of_rows: str,
        empty: str,
        id: str,  # noqa: A002 - Textual's word
        markable: bool = False,
        commands: Callable[[Row], Sequence[str]] | None = None,
    ) -> None:
        super().__init__(id=id)
        self._gutter = _GUTTER + markable
        self._commands = commands
        self._marks: frozenset[str] | None = frozenset() if markable else None
        self._all_columns = tuple(columns)
        self._columns: list[tuple[Column[Row], int]] = []
        self._key, self._search = key, search
        self._name_of_rows, self._empty = name_of_rows, empty
        self._look = Look()
        self._rows: Sequence[Row] = ()
        self._shown: list[Row] = []
        self._cursor_key: str | None = None
        self._cursor = 0
        self._filter = ""
        self._sort: Column[Row] | None = None
        self._reverse = False
        self._title = ""

    @property
    def cursor_key(self) -> str | None:
        """Key of the row under the cursor."""
        return self._key(self._shown[self._cursor]) if self._shown else None

    @property
    def shown_rows(self) -> Sequence[Row]:
        """The rows that pass the filter, in their order."""
        return self._shown

    @property
    def filter_text(self) -> str:
        """What rows must contain."""
        return self._filter

    @property
    def sort_title(self) -> str:
        """Header of the column that rows are ordered by; empty in the order they came."""
        return self._sort.title if self._sort else ""

    def show_rows(self, rows: Sequence[Row], look: Look) -> None:
        """Show these rows; draws nothing when they are the same as before."""
        same_look = look == self._look
        self._look = look
        if same_look and rows == self._rows and self._title:
            return
        self._rows = rows
        self._arrange(everything=not same_look)

    def _alone(self, row: Row) -> Row:
        """The row without what only its place among the others gives it."""
        return row

    def copied_entries(self) -> list[Entry]:
        """The values of the row under the cursor, in full, also those for which there is no column at present."""
        if not self._shown:
            return []
        row, entries = self._alone(self._shown[self._cursor]), list[Entry]()
        for column in self._all_columns:
            room = FULL_WIDTH if column.align == "left" else column.width
            text = value_of("".join(span.text for span in column.paint(row, self._look, room)), self._look.glyphs)
            if text not in ("", "-", "?"):
                entries.append(Entry(column.title.strip(), text))
        if self._commands is not None:
            entries += [Entry("command", command) for command in self._commands(row)]
        return entries

    def show_marks(self, keys: frozenset[str]) -> None:
        """Show the rows of these keys as marked."""
        if keys == self._marks:
            return
        changed, self._marks = keys ^ (self._marks or frozenset()), keys
        self._retitle()
        first = self.scroll_offset.y
        for index in range(first, min(len(self._shown), first + self.size.height)):
            if self._key(self._shown[index]) in changed:
                self.refresh_line(index + 1)

    def keys_through(self, key: str) -> list[str]:
        """Keys of the shown rows from the cursor to that row."""
        keys = [self._key(row) for row in self._shown]
        ends = sorted((self._cursor, keys.index(key)))
        return keys[ends[0] : ends[1] + 1]

    def say_when_empty(self, text: str) -> None:
        """What is said where there is no row."""
        if text != self._empty:
            self._empty = text
            self.refresh()

    def filter(self, text: str) -> None:
        """Show only rows that contain the text, whatever its case."""
        self._filter = text.casefold()
        self._arrange()

    def cycle_sort(self) -> None:
        """Order by the next column that can be ordered by; after the last one, as the rows came."""
        able: list[Column[Row] | None] = [None, *(c for c, _ in self._columns if c.sort is not None)]
        index = able.index(self._sort) if self._sort in able else 0
        self._order_by(able[(index + 1) % len(able)])

    @property
    def present_order(self) -> tuple[str, bool]:
        """Key of the column that rows are ordered by, empty in the order they came; and whether it is turned round."""
        return (self._sort.key, self._reverse) if self._sort else ("", False)

    def order(self, key: str, reverse: bool) -> None:
        """Order by the column of that key, if there is one."""
        column = next((each for each in self._all_columns if each.key == key and each.sort is not None), None)
        if column is not None:
            self._sort, self._reverse = column, reverse
            self._arrange(everything=True)

    def move_to(self, key: str | None) -> None:
        """Put the cursor on a row, if it is there."""
        for index, row in enumerate(self._shown):
            if self._key(row) == key:
                self._place(index, announce=False)
                return

    def action_cursor_down(self) -> None:
        """One row down."""
        self._place(self._cursor + 1)

    def action_cursor_up(self) -> None:
        """One row up."""
        self._place(self._cursor - 1)

    def action_page_down(self) -> None:
        """One page down."""
        self._place(self._cursor + max(1, self._page_rows))

    def action_page_up(self) -> None:
        """One page up."""
        self._place(self._cursor - max(1, self._page_rows))

    def action_first(self) -> None:
        """To the first row."""
        self._place(0)

    def action_last(self) -> None:
        """To the last row."""
        self._place(len(self._shown) - 1)

    def action_choose(self) -> None:
        """Choose the row under the cursor."""
        if self.cursor_key is not None:
            self.post_message(self.Chosen(self, self.cursor_key))

    def on_click(self, event: Click) -> None:
        """A click on a header orders by it, one on a row puts the cursor there."""
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y > 0:
            index = self.scroll_offset.y + offset.y - 1
            if index < len(self._shown):
                if self._marks is not None and (event.shift or event.ctrl or offset.x < self._gutter):
                    self.post_message(self.MarkWanted(self, self._key(self._shown[index]), event.shift))
                else:
                    self._place(index)
            return
        left = self._gutter
        for column, width in self._columns:
            if left <= offset.x < left + width and column.sort is not None:
                self._order_by(column)
            left += width + 1

    def on_resize(self, event: Resize) -> None:
        """Columns are fitted anew."""
        self._fit()

    def render_line(self, y: int) -> Strip:
        """Draw the header, a row, or what is said when there is none."""
        width = self.size.width
        if y == 0:
            return self._header(width)
        index = self.scroll_offset.y + y - 1
        if index < len(self._shown):
            return self._row(index, width)
        spans: Line = ()
        if y == 1 and not self._shown:
            text = f"no {self._name_of_rows} matches the filter" if self._rows and self._filter else self._empty
            spans = (Span(" " * self._gutter), Span(text, "muted"))
        return strip_of(self, crop(spans, width), width)

    @property
    def _page_rows(self) -> int:
        return self.size.height - 2

    def _order_by(self, column: Column[Row] | None) -> None:
        if column is not None and column is self._sort:
            self._reverse = not self._reverse
        else:
            self._reverse = column is not None and column.descending
        self._sort = column
        self._arrange(everything=True)

    def _arrange(self, everything: bool = False) -> None:
        before, key = self._shown, self.cursor_key
        rows = self._ordered(self._rows)
        self._shown = rows
        self._retitle()
        if key is not None and not (self._cursor < len(rows) and self._key(rows[self._cursor]) == key):
            found = next((index for index, row in enumerate(rows) if self._key(row) == key), None)
            self._cursor = min(self._cursor, max(0, len(rows) - 1)) if found is None else found
        if everything or len(before) != len(rows) or not self.size:  # while it is hidden all may become another
            self._fit()
        else:
            first = self.scroll_offset.y
            for index in range(first, min(len(rows), first + self.size.height)):
                if rows[index] != before[index]:
                    self.refresh_line(index + 1)

    def _ordered(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that pass the filter, in the order in which they are shown."""
        kept = [row for row in rows if self._filter in self._search(row).casefold()] if self._filter else [*rows]
        if self._sort is not None and self._sort.sort is not None:
            kept.sort(key=self._sort.sort, reverse=self._reverse)
        return kept

    def _fit(self) -> None:
        width = self.size.width
        self._columns = fit_columns(self._all_columns, width - self._gutter)
        self.virtual_size = Size(1, len(self._shown) + 1)  # never wider than it is: another width is no new layout
        self.refresh()

    def _retitle(self) -> None:
        total, shown = len(self._rows), len(self._shown)
        count = f"{shown} of {total}" if self._filter else str(total)
        title = f"{self._name_of_rows[0].upper()}{self._name_of_rows[1:]}s {count}{self._marked_words}"
        if self._look.density is Density.COMPACT:
            title = f" {title} "
        if title != self._title:
            self._title = title
            self.border_title = Content(title)

    @property
    def _marked_words(self) -> str:
        """How many rows are marked, for the title."""
        if not self._marks:
            return ""
        hidden = len(self._marks) - sum(self._key(row) in self._marks for row in self._shown)
        glyphs = self._look.glyphs
        return f" {glyphs.dot} {glyphs.mark} {len(self._marks)} marked" + (f", {hidden} not shown" if hidden else "")

    def _place(self, index: int, announce: bool = True) -> None:
        index = max(0, min(index, len(self._shown) - 1))
        if index == self._cursor or not self._shown:
            return
        self.refresh_line(self._cursor + 1)
        self.refresh_line(index + 1)
        self._cursor = index
        top, page = self.scroll_offset.y, max(1, self.size.height - 1)
        if index < top:
            self.scroll_to(y=index, animate=False)
        elif index >= top + page:
            self.scroll_to(y=index - page + 1, animate=False)
        if announce:
            self.post_message(self.Highlighted(self, self._key(self._shown[index])))

    def _header(self, width: int) -> Strip:
        style = self.get_component_rich_style("line-table--header")
        cells = " " * self._gutter
        for column, room in self._columns:
            title = column.title
            if column is self._sort:
                glyphs = self._look.glyphs
                title = f"{title[: room - 1]}{glyphs.down if self._reverse else glyphs.up}"
            cells += fit(title, room, column.align) + " "
        return Strip([Segment(cells, style)]).adjust_cell_length(width, style)

    def _row(self, index: int, width: int) -> Strip:
        here = index == self._cursor
        row, look = self._shown[index], self._look
        marked = self._marks is not None and self._key(row) in self._marks
        sign = (look.glyphs.mark if marked else " ") if self._marks is not None else ""
        spans: list[Span] = [Span(f"{look.glyphs.cursor if here else ' '}{sign} ", "accent")]
        for column, room in self._columns:
            cell = crop(column.paint(row, look, room), room, look.glyphs.ellipsis)
            gap = Span(" " * (room - width_of(cell)))
            spans += [gap, *cell, Span(" ")] if column.align == "right" else [*cell, gap, Span(" ")]
        if not here:
            return strip_of(self, tuple(spans), width, Style(bold=True) if marked else None)
        cursor = self.get_component_rich_style("line-table--cursor")
        return strip_of(
            self, tuple(spans), width, Style(bgcolor=cursor.bgcolor, reverse=cursor.reverse, bold=marked or None)
        )
