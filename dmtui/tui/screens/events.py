"""The screen of events: the alerts that are on, and one timeline of kernel, alerts and operations."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.types import CSSPathType

from dmtui.monitor.events import Event
from dmtui.monitor.severity import Severity
from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope, bindings
from dmtui.tui.figures import Density, Look
from dmtui.tui.lines import Line, Span, crop
from dmtui.tui.look import stylesheet
from dmtui.tui.paint.events import SEVERITIES, SEVERITY_WORDS, rows_of
from dmtui.tui.screens.base import DashboardScreen, boxed
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.event_tables import AlertTable, EventTable
from dmtui.tui.widgets.filter_bar import FilterBar
from dmtui.tui.widgets.panel import Panel


def choice_lines(choice: tuple[str, str], look: Look, width: int) -> list[Line]:
    """What of the timeline is shown."""
    pool, severity = choice
    spans = (
        Span("  showing ", "muted"),
        Span(pool, "strong"),
        Span(f" {look.glyphs.dot} ", "muted"),
        Span(severity, "strong"),
        Span("   o: one pool or all   v: how bad at least", "faint"),
    )
    return [crop(spans, width, look.glyphs.ellipsis)]


class EventsScreen(DashboardScreen):
    """Arranges the two tables; what is shown of them is chosen here."""

    SCOPE = Scope.EVENTS
    BINDINGS = bindings(Scope.EVENTS)
    AUTO_FOCUS = "#events"
    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("events.tcss")

    def __init__(self) -> None:
        super().__init__()
        self._least = Severity.INFO
        self._one_pool = False
        self._shown: tuple[object, ...] = ()

    def compose_body(self) -> ComposeResult:
        """The alerts above, the timeline below."""
        with Container(id="events-body"):
            yield boxed(AlertTable())
            yield Panel(choice_lines, id="events-choice")
            yield boxed(EventTable())
        yield FilterBar("events that contain ...", self._filter, lambda: self.query_one(EventTable))

    def show_body(self, state: DashboardState) -> None:
        """Show alerts and events of the selected pool, or of all."""
        pool = state.pool.name if self._one_pool and state.pool else None
        alerts = state.memory.alerts.alerts if pool is None else state.memory.alerts.of(pool)
        self.query_one(AlertTable).show_rows(alerts, state.look)
        name = "all pools" if pool is None else printable(state.pool.display_name if state.pool else pool)
        self.panel("events-choice").show((name, SEVERITY_WORDS[self._least]), state.look)

        def wanted(event: Event) -> bool:
            return event.severity >= self._least and pool in (None, event.pool)

        shown = (state.memory.timeline.version, pool, self._least, state.look)
        if shown != self._shown:  # 2,000 events are not gone through again while nothing happens
            self._shown = shown
            self.query_one(EventTable).show_rows(rows_of(state.memory.timeline.newest(wanted=wanted)), state.look)
        self.query_one(AlertTable).styles.max_height = 7 if state.look.density is Density.COMPACT else 14

    def action_severity(self) -> None:
        """Show all, WARN and CRIT, or CRIT only."""
        self._least = SEVERITIES[(SEVERITIES.index(self._least) + 1) % len(SEVERITIES)]
        self.post_message(self.ViewWanted())

    def action_one_pool(self) -> None:
        """Show the selected pool's, or everything."""
        self._one_pool = not self._one_pool
        self.post_message(self.ViewWanted())

    async def action_filter_events(self) -> None:
        """Ask for a text that events must contain."""
        await self.query_one(FilterBar).open()

    async def action_unfilter_events(self) -> None:
        """Show all again; where all are shown, go back."""
        bar = self.query_one(FilterBar)
        if bar.has_class("-open"):
            bar.clear()
        else:
            await self.run_action("app.back")

    def action_sort_events(self) -> None:
        """Order the focused table by its next column."""
        alerts = self.query_one(AlertTable)
        (alerts if alerts.has_focus else self.query_one(EventTable)).cycle_sort()

    def _filter(self, text: str) -> None:
        self.query_one(EventTable).filter(text)
