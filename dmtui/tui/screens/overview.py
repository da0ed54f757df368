"""The first screen: the machine's pools, one of them in detail, and its thin devices."""

from __future__ import annotations

from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.message import Message

from dmtui.monitor.sample import Backing, Pool
from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope, bindings
from dmtui.tui.alarms import worst_first
from dmtui.tui.figures import Density, Look
from dmtui.tui.paint.backing import backing_lines
from dmtui.tui.paint.facts import facts_lines, findings_lines
from dmtui.tui.paint.space import SpaceView, space_lines
from dmtui.tui.paint.welcome import welcome_lines
from dmtui.tui.screens.base import DashboardScreen, boxed
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.filter_bar import FilterBar
from dmtui.tui.widgets.line_table import LineTable
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.tables import DeviceTable, PoolTable


class OverviewScreen(DashboardScreen):
    """Arranges the panels by the terminal's size and hands each its part of the state."""

    BINDINGS = bindings(Scope.OVERVIEW)
    AUTO_FOCUS = "#devices"

    class PoolWanted(Message):
        """The operator chose a pool."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def compose_body(self) -> ComposeResult:
        """Every panel once; the stylesheet arranges them."""
        yield Panel(welcome_lines, id="welcome")
        with Container(id="body"):
            yield boxed(PoolTable())
            with VerticalScroll(id="detail", can_focus=False):
                yield boxed(Panel(findings_lines, id="findings"))
                with Container(id="facts-and-space"):
                    yield boxed(Panel(facts_lines, id="facts"))
                    yield boxed(Panel(space_lines, id="space"))
                with Container(id="backings"):
                    yield boxed(Panel(backing_lines, id="data-backing", classes="backing"))
                    yield boxed(Panel(backing_lines, id="metadata-backing", classes="backing"))
            yield boxed(DeviceTable())
        yield FilterBar("devices that contain ...", self._filter, lambda: self.query_one(DeviceTable))

    def show_body(self, state: DashboardState) -> None:
        """Show the pools, the selected one and its devices; a welcome where there is none."""
        if state.sample is None or state.pool is None:
            self.panel("welcome").show(state.welcome, state.look)
            return
        pools = self.query_one(PoolTable)
        pools.show_rows(worst_first(state.sample.pools, state.memory.alerts, state.look.thresholds), state.look)
        pools.move_to(state.pool.name)
        # Where rows are scarce a table of one pool would tell nothing that is not told below.
        pools.display = len(state.sample.pools) > 1 or not (self._narrated and state.look.density is Density.COMPACT)
        trail = SpaceView(state.pool, state.trail.data(state.pool.name), state.trail.metadata(state.pool.name))
        self._show_pool(trail, state.look)
        self.query_one(DeviceTable).show_rows(state.pool.devices, state.look)

    @property
    def _narrated(self) -> bool:
        """Whether a story is told below, which leaves half of the rows."""
        return self.has_class("-narrated")

    @property
    def device_key(self) -> str | None:
        """Name of the device under the cursor."""
        return self.query_one(DeviceTable).cursor_key

    async def action_filter(self) -> None:
        """Ask for a text that devices must contain."""
        await self.query_one(FilterBar).open()

    def action_unfilter(self) -> None:
        """Show all devices again."""
        self.query_one(FilterBar).clear()

    def action_sort(self) -> None:
        """Order the focused table, else the devices, by its next column."""
        pools = self.query_one(PoolTable)
        (pools if pools.has_focus else self.query_one(DeviceTable)).cycle_sort()

    def action_next_panel(self) -> None:
        """Focus the next panel."""
        self.focus_next()

    def action_previous_panel(self) -> None:
        """Focus the panel before."""
        self.focus_previous()

    def _filter(self, text: str) -> None:
        self.query_one(DeviceTable).filter(text)

    @on(LineTable.Highlighted, "#pools")
    def _pool_highlighted(self, event: LineTable.Highlighted) -> None:
        self.post_message(self.PoolWanted(event.key))

    @on(LineTable.Chosen, "#pools")
    def _pool_chosen(self, event: LineTable.Chosen) -> None:
        self.query_one(DeviceTable).focus()

    @on(LineTable.Highlighted, "#devices")
    def _device_highlighted(self, event: LineTable.Highlighted) -> None:
        self.post_message(self.DeviceWanted(event.key, opened=False))

    @on(LineTable.Chosen, "#devices")
    def _device_chosen(self, event: LineTable.Chosen) -> None:
        self.post_message(self.DeviceWanted(event.key, opened=True))

    def _show_pool(self, view: SpaceView, look: Look) -> None:
        pool = view.pool
        findings = self.panel("findings")
        findings.display = bool(pool.findings)
        findings.entitle(_title(f"Findings {len(pool.findings)}", look))
        findings.show(pool.findings, look)
        title = _title(printable(pool.display_name) if look.density is Density.COMPACT else "Pool", look)
        self.panel("facts").entitle(title)
        self.panel("facts").show(pool, look)
        self.panel("space").entitle("Space")
        self.panel("space").show(view, look)
        self._show_backings(pool, look)

    def _show_backings(self, pool: Pool, look: Look) -> None:
        framed = self._narrated and look.density is not Density.COMPACT
        backings = self.query_one("#backings")
        if framed is not backings.has_class("-framed"):
            backings.set_class(framed, "-framed")
            backings.border_title = "Stands on"
        look = replace(look, density=Density.COMPACT) if framed else look
        self._show_backing("data-backing", "Data", pool.data_backing, look)
        self._show_backing("metadata-backing", "Metadata", pool.metadata_backing, look)

    def _show_backing(self, name: str, title: str, backing: Backing, look: Look) -> None:
        self.panel(name).entitle(f"{title} device")
        self.panel(name).show((title, backing), look)


def _title(text: str, look: Look) -> str:
    """A rule has no corners that keep the title away from it."""
    return f" {text} " if look.density is Density.COMPACT else text
