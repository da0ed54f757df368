"""The screen of all devices of a pool: a table to sort and filter, or a tree by parent; and one of them looked into."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Container
from textual.types import CSSPathType

from dmtui.tui.actions import Scope, allowed, bindings
from dmtui.tui.devicerows import Rows
from dmtui.tui.figures import Density
from dmtui.tui.look import stylesheet
from dmtui.tui.marks import Marks
from dmtui.tui.paint.device import DeviceView, device_lines, lineage_lines
from dmtui.tui.paint.devices import summary_lines, summary_of
from dmtui.tui.paint.welcome import welcome_lines
from dmtui.tui.screens.base import DashboardScreen, boxed, titled
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.all_devices import AllDevicesTable
from dmtui.tui.widgets.filter_bar import FilterBar
from dmtui.tui.widgets.line_table import LineTable
from dmtui.tui.widgets.panel import Panel

_TABLE = "all-devices"


class DevicesScreen(DashboardScreen):
    """Hands the table its rows; keeps the cursor on its device while rows come and go."""

    SCOPE = Scope.DEVICES
    BINDINGS = bindings(Scope.DEVICES)
    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("devices.tcss")
    MARKS = True
    AUTO_FOCUS = "#all-devices"
    _state: DashboardState | None = None

    def __init__(self) -> None:
        super().__init__()
        self._rows = Rows()
        self._placed = False

    def compose_body(self) -> ComposeResult:
        """A line of counts, the table, what is under its cursor, the filter."""
        yield Panel(welcome_lines, id="welcome")
        yield Panel(summary_lines, id="device-summary")
        with Container(id="devices-body"):
            yield boxed(AllDevicesTable())
            with Container(id="inspect"):
                yield boxed(Panel(device_lines, id="inspect-device"))
                yield boxed(Panel(lineage_lines, id="inspect-lineage"))
        yield FilterBar("devices that contain ...", self._filter, lambda: self._table)

    def show_body(self, state: DashboardState) -> None:
        """Show the devices of the selected pool."""
        self._state = state
        pool, sample = state.pool, state.sample
        if sample is None or pool is None:
            self.panel("welcome").show(state.welcome, state.look)
            return
        rows = self._rows.of(pool, sample.taken_at)
        tree = state.choices.tree
        recorded = pool.recorded is not None
        self.panel("device-summary").show(summary_of(rows, recorded=recorded, tree=tree), state.look)
        table = self._table
        table.show_tree(tree)
        table.show_rows(rows, state.look)
        table.show_marks(state.choices.marks.of(pool.name))
        if not self._placed:
            self._placed = True
            kept = state.choices.filters.get(_TABLE, "")
            self.call_next(self.query_one(FilterBar).resume, kept)
            table.filter(kept)
            table.move_to(state.device_name)
        self._inspect()

    @property
    def device_key(self) -> str | None:
        """Name of the device under the cursor."""
        return self._table.cursor_key

    async def action_filter_devices(self) -> None:
        """Ask for a text that devices must contain."""
        await self.query_one(FilterBar).open()

    async def action_unfilter_devices(self) -> None:
        """Show all devices again; where they are all shown, go back."""
        bar = self.query_one(FilterBar)
        if bar.has_class("-open"):
            bar.clear()
        else:
            await self.run_action("app.back")

    def action_sort_devices(self) -> None:
        """Order by the next column: in a tree, devices stand below their parents instead."""
        if self._table.is_tree:
            self.action_tree()
        self._table.cycle_sort()

    def action_tree(self) -> None:
        """Change between table and tree."""
        if self._state is not None:
            self._state.choices.tree = not self._state.choices.tree
            self.post_message(self.ViewWanted())
            self._table.show_tree(self._state.choices.tree)

    def action_mark(self) -> None:
        """Mark the device under the cursor, or unmark it, and go on to the next."""
        key = self._table.cursor_key
        if key is not None:
            self._marks.turn(self._pool_name, key)
            self._table.action_cursor_down()
            self._show_marks()

    def action_mark_shown(self) -> None:
        """Mark every device that is shown; where they are all marked, unmark them."""
        shown = {row.name for row in self._table.shown_rows}
        all_marked = shown <= self._marks.of(self._pool_name)
        (self._marks.unmark if all_marked else self._marks.mark)(self._pool_name, shown)
        self._show_marks()

    def action_unmark(self) -> None:
        """Unmark every device of the pool."""
        self._marks.unmark(self._pool_name, self._marks.of(self._pool_name))
        self._show_marks()

    def action_mark_down(self) -> None:
        """Mark the device and the one below."""
        self._mark_moving(self._table.action_cursor_down)

    def action_mark_up(self) -> None:
        """Mark the device and the one above."""
        self._mark_moving(self._table.action_cursor_up)

    @on(LineTable.MarkWanted, "#all-devices")
    def _mark_clicked(self, event: LineTable.MarkWanted) -> None:
        if self._state is None or not allowed("mark", self._state.situation):
            self._table.move_to(event.key)
            return
        if event.through:
            self._marks.mark(self._pool_name, self._table.keys_through(event.key))
        else:
            self._marks.turn(self._pool_name, event.key)
        self._table.move_to(event.key)
        self._show_marks()

    def _filter(self, text: str) -> None:
        if self._state is not None:
            self._state.choices.filters[_TABLE] = text
        self._table.filter(text)
        self._inspect()

    @on(LineTable.Highlighted, "#all-devices")
    def _highlighted(self, event: LineTable.Highlighted) -> None:
        self.post_message(self.DeviceWanted(event.key, opened=False))
        self._inspect()

    @on(LineTable.Chosen, "#all-devices")
    def _chosen(self, event: LineTable.Chosen) -> None:
        self.post_message(self.DeviceWanted(event.key, opened=True))

    def _mark_moving(self, move: Callable[[], None]) -> None:
        before = self._table.cursor_key
        move()
        self._marks.mark(self._pool_name, {key for key in (before, self._table.cursor_key) if key is not None})
        self._show_marks()

    def _show_marks(self) -> None:
        self._table.show_marks(self._marks.of(self._pool_name))
        self.post_message(self.ViewWanted())

    @property
    def _marks(self) -> Marks:
        return self._state.choices.marks if self._state is not None else Marks()

    @property
    def _pool_name(self) -> str:
        return self._state.pool.name if self._state is not None and self._state.pool is not None else ""

    @property
    def _table(self) -> AllDevicesTable:
        return self.query_one(AllDevicesTable)

    def _inspect(self) -> None:
        """Show the device under the cursor at the side, where there is room for it."""
        state = self._state
        if state is None or state.pool is None or state.sample is None or state.look.density is not Density.ROOMY:
            return
        key = self._table.cursor_key
        row = next((row for row in self._table.shown_rows if row.name == key), None)
        self.query_one("#inspect").display = row is not None
        if row is None:
            return
        view = DeviceView.of(state.pool, row, self._rows.of(state.pool, state.sample.taken_at))
        for name, title in (("inspect-device", "Device"), ("inspect-lineage", "Lineage")):
            self.panel(name).entitle(titled(title, state.look))
            self.panel(name).show(view, state.look)
