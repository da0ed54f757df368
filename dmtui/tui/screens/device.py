"""The screen of one thin device: everything that is known of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.types import CSSPathType

from dmtui.monitor.alertrules import duration
from dmtui.monitor.events import Event
from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope, bindings
from dmtui.tui.devicerows import DeviceRow, Rows
from dmtui.tui.figures import DEVICE_THRESHOLDS, Level, Look, span_ends
from dmtui.tui.lines import Line, Span, crop
from dmtui.tui.look import stylesheet
from dmtui.tui.paint.chart import Guide
from dmtui.tui.paint.device import DeviceView, device_lines, event_lines, lineage_lines, mapped_lines, use_lines
from dmtui.tui.reaching import GROWING, grows, span_of
from dmtui.tui.screens.base import DashboardScreen, boxed, titled
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.chart import Chart, Series
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.scroll import Scroll

_MOST_EVENTS = 20
_GUIDES = (Guide(DEVICE_THRESHOLDS[1], Level.WARN), Guide(DEVICE_THRESHOLDS[2], Level.CRIT))


class DeviceScreen(DashboardScreen):
    """Shows the chosen device of the selected pool; lies above the table that it was chosen in."""

    SCOPE = Scope.DEVICE
    BINDINGS = bindings(Scope.DEVICE)
    AUTO_FOCUS = "#device-body"
    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("device.tcss")

    def __init__(self) -> None:
        super().__init__()
        self._rows = Rows()
        self._shown: DeviceRow | None = None
        self._events: tuple[tuple[int, str | None], tuple[Event, ...]] = ((-1, None), ())

    def compose_body(self) -> ComposeResult:
        """Every panel once; the stylesheet arranges them."""
        yield Panel(_gone_lines, id="device-gone")
        with Scroll(id="device-body"):
            with Container(id="device-figures"):
                with Container(classes="device-column"):
                    yield boxed(Panel(device_lines, id="device-facts"))
                with Container(classes="device-column"):
                    yield boxed(Panel(mapped_lines, id="device-space"))
                    yield boxed(Panel(use_lines, id="device-use"))
            yield boxed(Chart(id="device-chart"))
            with Container(id="device-relations"):
                yield boxed(Panel(lineage_lines, id="device-lineage"))
                yield boxed(Panel(event_lines, id="device-events"))

    @property
    def device_key(self) -> str | None:
        """Name of the device that is shown."""
        return self._shown.name if self._shown else None

    def show_body(self, state: DashboardState) -> None:
        """Show the chosen device; where it is gone, say so."""
        pool, sample, look = state.pool, state.sample, state.look
        rows: Sequence[DeviceRow] = self._rows.of(pool, sample.taken_at) if pool and sample else ()
        row = next((row for row in rows if row.name == state.device_name), None)
        self._shown = row
        self.set_class(row is None, "-gone")
        if row is None or pool is None:
            self.panel("device-gone").show(state.device_name or "", look)
            return
        view = DeviceView.of(pool, row, rows)
        for name, title, value in (
            ("device-facts", "Device", view),
            ("device-space", "Space", view),
            ("device-use", "Use", view),
            ("device-lineage", "Lineage", view),
            ("device-events", "Events", self._events_of(state, row)),
        ):
            self.panel(name).entitle(titled(title, look))
            self.panel(name).show(value, look)
        chart, span = self.query_one(Chart), span_of(GROWING, state.device_trail.known_seconds)
        known = ", all so far" if grows(GROWING, span) else ""
        chart.entitle(titled(f"Mapped {look.glyphs.dot} last {duration(span)}{known}", look))
        chart.show(self._series(state, row, span), look)

    def _series(self, state: DashboardState, row: DeviceRow, span: int) -> Series:
        trail, hold = state.device_trail, 3 * state.top.freshness.interval_seconds

        def read(count: int) -> Sequence[float | None]:
            return trail.columns(count, span, hold)

        at = trail.newest_at
        return Series((row.name, span, at, hold), "data", read, _GUIDES, span_ends(span, at))

    def _events_of(self, state: DashboardState, row: DeviceRow) -> tuple[Event, ...]:
        """What happened to it; looked for again only when something has happened."""
        timeline, key = state.memory.timeline, (state.memory.timeline.version, row.name)
        if self._events[0] != key:
            names = {row.name, row.display_name}
            word = re.compile("|".join(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])" for name in names))
            pool = state.pool.name if state.pool else ""
            found = timeline.newest(_MOST_EVENTS, lambda event: event.pool == pool and bool(word.search(event.text)))
            self._events = (key, found)
        return self._events[1]


def _gone_lines(name: str, look: Look, width: int) -> list[Line]:
    """What is said of a device that is not there (any more)."""
    text = f"{printable(name)} is gone: it was removed, or its pool is not there" if name else "no device was chosen"
    return [(), (), crop((Span("  "), Span(f"{text}; esc leads back", "muted")), width, look.glyphs.ellipsis)]
