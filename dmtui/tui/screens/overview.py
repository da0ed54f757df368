"""The first screen: the machine's pools, one of them in detail, and its thin devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.events import Resize
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Label

from dmtui.monitor.sample import Backing, Sample
from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope, Situation, bindings
from dmtui.tui.figures import Density, Look
from dmtui.tui.freshness import Flow
from dmtui.tui.paint.backing import backing_lines
from dmtui.tui.paint.facts import facts_lines, findings_lines
from dmtui.tui.paint.header import TopView, header_lines, moment_lines, notice_lines
from dmtui.tui.paint.space import SpaceView, space_lines
from dmtui.tui.paint.welcome import welcome_lines
from dmtui.tui.widgets.key_bar import KeyBar
from dmtui.tui.widgets.line_table import LineTable
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.roles import ROLE_CLASSES
from dmtui.tui.widgets.tables import DeviceTable, PoolTable

_ROOMY = (180, 58)
_NORMAL = (110, 34)


def density_of(width: int, height: int) -> Density:
    """The arrangement that suits a terminal."""
    if width >= _ROOMY[0] and height >= _ROOMY[1]:
        return Density.ROOMY
    return Density.NORMAL if width >= _NORMAL[0] and height >= _NORMAL[1] else Density.COMPACT


@dataclass(frozen=True, slots=True)
class OverviewView:
    """What the screen shows.

    Attributes:
        pool: the selected pool with its history; None when there is none.
    """

    sample: Sample | None
    pool: SpaceView | None
    top: TopView
    look: Look
    situation: Situation


class OverviewScreen(Screen[None]):
    """Arranges the panels by the terminal's size and hands each its part of the view."""

    COMPONENT_CLASSES: ClassVar[set[str]] = ROLE_CLASSES
    BINDINGS = bindings(Scope.OVERVIEW)
    AUTO_FOCUS = "#devices"

    class PoolWanted(Message):
        """The operator chose a pool."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class ViewWanted(Message):
        """The size has changed: what is shown must be handed over again."""

    def compose(self) -> ComposeResult:
        """Every panel once; the stylesheet arranges them."""
        with Container(id="top"):
            yield Panel(header_lines, id="header")
            yield Panel(moment_lines, id="moment")
        yield Panel(notice_lines, id="notice")
        yield Panel(welcome_lines, id="welcome")
        with Container(id="body"):
            yield _boxed(PoolTable())
            with VerticalScroll(id="detail", can_focus=False):
                yield _boxed(Panel(findings_lines, id="findings"))
                with Container(id="facts-and-space"):
                    yield _boxed(Panel(facts_lines, id="facts"))
                    yield _boxed(Panel(space_lines, id="space"))
                with Container(id="backings"):
                    yield _boxed(Panel(backing_lines, id="data-backing", classes="backing"))
                    yield _boxed(Panel(backing_lines, id="metadata-backing", classes="backing"))
            yield _boxed(DeviceTable())
        with Container(id="filter-bar"):
            yield Label(" Filter  ", id="filter-label")
            yield Input(placeholder="devices that contain ...", id="filter", compact=True)
            yield Label(" enter keeps it, esc clears it ")
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        """Nothing blinks: a blinking cursor costs bytes for ever."""
        self._filter.cursor_blink = False

    def on_resize(self, event: Resize) -> None:
        """What is shown depends on the size."""
        self.post_message(self.ViewWanted())

    @property
    def density(self) -> Density:
        """How much room there is at present."""
        return density_of(*self.size)

    def show(self, view: OverviewView) -> None:
        """Show the view; panels paint only what differs from before."""
        fresh = view.top.freshness
        classes = {f"-{density.value}": density is view.look.density for density in Density}
        classes |= {"-stale": fresh.stale, "-paused": fresh.flow is Flow.PAUSED, "-empty": view.pool is None}
        self.update_classes(classes)  # all at once: each change of a class styles the whole screen anew
        for name in ("header", "moment", "notice"):
            self._panel(name).show(view.top, view.look)
        self.query_one(KeyBar).show(view.situation, view.look)
        if view.sample is None or view.pool is None:
            self._panel("welcome").show(view.top, view.look)
            return
        self.query_one(PoolTable).show_rows(view.sample.pools, view.look)
        self.query_one(PoolTable).move_to(view.pool.pool.name)
        self._show_pool(view.pool, view.look)

    def action_filter(self) -> None:
        """Ask for a text that devices must contain."""
        self.query_one("#filter-bar").add_class("-open")
        self._filter.focus()

    def action_unfilter(self) -> None:
        """Show all devices again."""
        self._filter.value = ""
        self._close_filter()

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

    @on(Input.Changed, "#filter")
    def _filter_as_typed(self, event: Input.Changed) -> None:
        self.query_one(DeviceTable).filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_done(self) -> None:
        self._close_filter()

    @on(LineTable.Highlighted, "#pools")
    def _pool_highlighted(self, event: LineTable.Highlighted) -> None:
        self.post_message(self.PoolWanted(event.key))

    @on(LineTable.Chosen, "#pools")
    def _pool_chosen(self, event: LineTable.Chosen) -> None:
        self.query_one(DeviceTable).focus()

    @property
    def _filter(self) -> Input:
        return self.query_one("#filter", Input)

    def _panel(self, name: str) -> Panel[Any]:
        return cast("Panel[Any]", self.query_one(f"#{name}"))

    def _close_filter(self) -> None:
        self.query_one(DeviceTable).focus()
        self.query_one("#filter-bar").set_class(bool(self._filter.value), "-open")

    def _show_pool(self, view: SpaceView, look: Look) -> None:
        pool = view.pool
        findings = self._panel("findings")
        findings.display = bool(pool.findings)
        findings.entitle(_title(f"Findings {len(pool.findings)}", look))
        findings.show(pool.findings, look)
        self._panel("facts").entitle(
            _title(printable(pool.display_name) if look.density is Density.COMPACT else "Pool", look)
        )
        self._panel("facts").show(pool, look)
        self._panel("space").entitle("Space")
        self._panel("space").show(view, look)
        self._show_backing("data-backing", "Data", pool.data_backing, look)
        self._show_backing("metadata-backing", "Metadata", pool.metadata_backing, look)
        self.query_one(DeviceTable).show_rows(pool.devices, look)

    def _show_backing(self, name: str, title: str, backing: Backing, look: Look) -> None:
        self._panel(name).entitle(f"{title} device")
        self._panel(name).show((title, backing), look)


def _boxed(widget: Widget) -> Widget:
    widget.add_class("box")
    return widget


def _title(text: str, look: Look) -> str:
    """A rule has no corners that keep the title away from it."""
    return f" {text} " if look.density is Density.COMPACT else text
