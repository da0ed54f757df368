"""The screen of the hosts: how it stands with each, and which one the other screens show."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.events import Click
from textual.message import Message
from textual.types import CSSPathType

from dmtui.tui.actions import Scope, bindings
from dmtui.tui.look import stylesheet
from dmtui.tui.paint import hosts
from dmtui.tui.screens.base import DashboardScreen, boxed, titled
from dmtui.tui.standing import Standing, worst_first
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.line_table import Column, LineTable
from dmtui.tui.widgets.panel import Panel

COLUMNS: tuple[Column[Standing], ...] = (
    Column("host", "  HOST", 14, hosts.host_name, lambda row: row.host, wide=(100, 24)),
    Column("state", "STATE", 12, hosts.host_state, lambda row: -row.urgency),
    Column("age", "FIGURES", 11, hosts.host_age, lambda row: row.freshness.age_seconds, "right", descending=True),
    Column("pools", "POOLS", 5, hosts.host_pools, lambda row: row.pools or 0, "right", descending=True),
    Column(
        "worst", "WORST", 7, hosts.host_level, lambda row: int(row.alert.severity) if row.alert else 0, descending=True
    ),
    Column("text", "WHAT", 16, hosts.host_text, grows=True),
)


class HostTable(LineTable[Standing]):
    """The hosts, the worst first until they are ordered by a column."""

    def __init__(self) -> None:
        super().__init__(
            COLUMNS,
            lambda row: row.host,
            lambda row: f"{row.host} {row.word} {row.description}",
            name_of_rows="host",
            empty="no host",
            id="hosts",
            commands=lambda row: (row.shell,),
        )

    def on_click(self, event: Click) -> None:
        """A second click on a row is what enter is."""
        if event.chain > 1 and event.get_content_offset(self) is not None:
            self.action_choose()


class HostsScreen(DashboardScreen):
    """Arranges the table, and below it everything about the host under the cursor."""

    SCOPE = Scope.HOSTS
    BINDINGS = bindings(Scope.HOSTS)
    AUTO_FOCUS = "#hosts"
    COMMANDS_THERE = False
    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("hosts.tcss")

    class HostWanted(Message):
        """The operator chose a host."""

        def __init__(self, host: str) -> None:
            super().__init__()
            self.host = host

    class HostTried(Message):
        """The operator wants a host to be connected to at once."""

        def __init__(self, host: str) -> None:
            super().__init__()
            self.host = host

    _at_shown = False

    def compose_body(self) -> ComposeResult:
        """The table above, one of them below."""
        yield boxed(HostTable())
        yield boxed(Panel(hosts.host_lines, id="host"))

    def show_body(self, state: DashboardState) -> None:
        """Show them; at first the cursor is on the one that is shown."""
        table = self.query_one(HostTable)
        table.show_rows(worst_first(state.hosts), state.look)
        if not self._at_shown:
            self._at_shown = True
            table.move_to(next((row.host for row in state.hosts if row.shown), None))
        row = next((row for row in state.hosts if row.host == table.cursor_key), None)
        title = "" if row is None else f"{row.host}, which is shown" if row.shown else row.host
        self.panel("host").entitle(titled(title, state.look))
        self.panel("host").show(row, state.look)

    def action_show_host(self) -> None:
        """Show the host under the cursor."""
        self.query_one(HostTable).action_choose()

    def action_try_host(self) -> None:
        """Connect to the host under the cursor."""
        host = self.query_one(HostTable).cursor_key
        if host is not None:
            self.post_message(self.HostTried(host))

    def action_sort_hosts(self) -> None:
        """Order by the next column."""
        self.query_one(HostTable).cycle_sort()

    @on(LineTable.Highlighted, "#hosts")
    def _moved(self) -> None:
        self.post_message(self.ViewWanted())

    @on(LineTable.Chosen, "#hosts")
    def _chosen(self, event: LineTable.Chosen) -> None:
        self.post_message(self.HostWanted(event.key))
