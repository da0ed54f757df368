"""The screen of one pool: how full it is and will be, what it is and stands on, what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container
from textual.types import CSSPathType

from dmtui.monitor.alertrules import duration
from dmtui.monitor.quantities import Quantity, host_backing
from dmtui.monitor.rings import RESOLUTIONS, Point
from dmtui.monitor.sample import Pool
from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope, bindings
from dmtui.tui.figures import Density, Look, span_ends
from dmtui.tui.look import stylesheet
from dmtui.tui.paint.alerts import alert_lines
from dmtui.tui.paint.capacity import capacity_lines
from dmtui.tui.paint.facts import facts_lines
from dmtui.tui.paint.footing import footing_lines
from dmtui.tui.paint.outlook import outlook_lines
from dmtui.tui.paint.poolview import PoolView, guides_of
from dmtui.tui.paint.welcome import welcome_lines
from dmtui.tui.reaching import grows, longer, shorter, span_of
from dmtui.tui.screens.base import DashboardScreen, boxed, titled
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.chart import Chart, Series
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.scroll import Scroll
from dmtui.tui.wrong import Wrong

_CHARTS = (
    ("data-chart", "Data", "data", Quantity.DATA_USED),
    ("metadata-chart", "Metadata above its reserve", "meta", Quantity.METADATA_LIVE),
    ("host-chart", "Host file system", "muted", Quantity.HOST_FREE),
)
_SLOTS_PER_SPAN = RESOLUTIONS[0].slots
_LATEST_SECONDS = 15
"""A chart of a long span waits no longer than this for its newest point."""
_FRAME_CELLS = 7
"""Of the alerts' lines: frame, padding and scrollbar."""
_CHART_ROWS = {Density.COMPACT: 6, Density.NORMAL: 9, Density.ROOMY: 9}
"""What charts need at least, with the frame of the alerts."""


class PoolScreen(DashboardScreen):
    """Arranges the panels of the selected pool by the terminal's size."""

    SCOPE = Scope.POOL
    BINDINGS = bindings(Scope.POOL)
    AUTO_FOCUS = "#pool-body"
    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("pool.tcss")
    _state: DashboardState | None = None

    def compose_body(self) -> ComposeResult:
        """Every panel once; the stylesheet arranges them."""
        yield Panel(welcome_lines, id="welcome")
        with Scroll(id="pool-body"):
            with Container(id="pool-figures"):
                with Container(classes="pool-column"):
                    yield boxed(Panel(capacity_lines, id="capacity"))
                    yield boxed(Panel(outlook_lines, id="outlook"))
                with Container(classes="pool-column"):
                    yield boxed(Panel(facts_lines, id="pool-facts"))
                    yield boxed(Panel(footing_lines, id="footing"))
            with Container(id="pool-past"):
                yield boxed(Panel(alert_lines, id="pool-alerts"))
                with Container(id="charts"):
                    for name, *_ in _CHARTS:
                        yield boxed(Chart(id=name))

    def show_body(self, state: DashboardState) -> None:
        """Show the selected pool; a welcome where there is none."""
        self._state = state
        pool, sample, look = state.pool, state.sample, state.look
        if sample is None or pool is None:
            self.panel("welcome").show(state.welcome, look)
            return
        memory = state.memory
        view = PoolView(
            pool,
            sample.waited_at,
            memory.thresholds,
            memory.forecasts.get(pool.name),
            memory.alerts.of(pool.name),
            memory.waits.by_pool.get(pool.name),
            state.min_free_percent,
        )
        pool_name = printable(pool.display_name)
        for name, title, value in (
            ("capacity", pool_name if look.density is Density.COMPACT else "Space", view),
            ("outlook", "Outlook", view),
            ("pool-facts", "Pool", pool),
            ("footing", "Stands on", pool),
            ("pool-alerts", _alerts_title(view), state.wrong),
        ):
            self.panel(name).entitle(titled(title, look))
            self.panel(name).show(value, look)
        self._keep_room(state.wrong, look)
        self._show_charts(state, view, look)

    def _keep_room(self, wrong: Wrong, look: Look) -> None:
        """What is to be done about alerts is never cut: where the charts leave no room for it the screen scrolls."""
        rows = len(alert_lines(wrong, look, self.app.size.width - _FRAME_CELLS))  # pyright: ignore[reportUnknownMemberType]
        past = self.query_one("#pool-past")
        least = rows + _CHART_ROWS[look.density]
        height = past.styles.min_height
        if height is None or height.value != least:
            past.styles.min_height = least

    def action_shorter_span(self) -> None:
        """Show less of the past, and finer."""
        self._choose_span(shorter)

    def action_longer_span(self) -> None:
        """Show more of the past."""
        self._choose_span(longer)

    def _choose_span(self, beside: Callable[[int], int]) -> None:
        if self._state is None or self._state.pool is None:
            return
        self._state.choices.span_seconds = beside(_span_of(self._state, self._state.pool))
        self.post_message(self.ViewWanted())

    def _show_charts(self, state: DashboardState, view: PoolView, look: Look) -> None:
        pool, span = view.pool, _span_of(state, view.pool)
        known = ", all so far" if grows(state.choices.span_seconds, span) else ""
        has_host = host_backing(pool) is not None and look.density is Density.ROOMY
        for name, title, role, quantity in _CHARTS:
            chart = self.query_one(f"#{name}", Chart)
            if quantity is Quantity.HOST_FREE:
                chart.display = has_host
                if not has_host:
                    continue
            short = title.split()[0] if look.density is Density.COMPACT else title
            chart.entitle(titled(f"{short} {look.glyphs.dot} last {duration(span)}{known}", look))
            chart.show(self._series(state, pool, quantity, role, span), look)

    def _series(self, state: DashboardState, pool: Pool, quantity: Quantity, role: str, span: int) -> Series:
        memory = state.memory
        newest_at = memory.history.newest_at or 0.0
        hold = 3 * state.top.freshness.interval_seconds
        every = min(_LATEST_SECONDS, span / _SLOTS_PER_SPAN)

        def read(count: int) -> Sequence[float | None]:
            points = memory.history.columns(pool.name, quantity, span, count, hold_seconds=hold)
            return [_share(point, quantity) for point in points]

        limits = memory.thresholds
        guides = {
            Quantity.DATA_USED: guides_of(limits.data_percent),
            Quantity.METADATA_LIVE: guides_of(limits.metadata_percent),
        }.get(quantity, ())
        key = (pool.name, quantity, span, math.floor(newest_at / every), hold)
        return Series(key, role, read, guides, span_ends(span, newest_at))


def _span_of(state: DashboardState, pool: Pool) -> int:
    """How much of the pool's past is shown."""
    return span_of(state.choices.span_seconds, state.memory.history.known_seconds(pool.name))


def _share(point: Point | None, quantity: Quantity) -> float | None:
    """The worst of a column as a share of the axis: the peak of what is used."""
    if point is None or not point.total:
        return None
    return 1 - point.low / point.total if quantity is Quantity.HOST_FREE else point.high / point.total


def _alerts_title(view: PoolView) -> str:
    return f"Alerts {len(view.alerts)}" if view.alerts else "Alerts"
