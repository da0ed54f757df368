"""The dashboard: takes samples from a poller, keeps what the operator chose, and hands screens what they show."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.types import CSSPathType

from dmtui.monitor.poller import DEFAULT_INTERVAL_SECONDS, Poller, PollFailed
from dmtui.monitor.sample import Pool, Sample
from dmtui.thinpool.sizes import SizeStyle
from dmtui.thinpool.text import printable
from dmtui.tui.actions import ACTIONS, Scope, Situation, allowed, bindings, scope_of
from dmtui.tui.figures import Look
from dmtui.tui.freshness import Freshness, judge
from dmtui.tui.glyphs import ASCII, UNICODE, needs_ascii
from dmtui.tui.history import History
from dmtui.tui.look import THEME, stylesheet, variable_defaults
from dmtui.tui.paint.header import TopView
from dmtui.tui.paint.space import SpaceView
from dmtui.tui.screens.overview import OverviewScreen, OverviewView, density_of
from dmtui.tui.widgets.key_bar import KeyBar

PACES_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""The steps between faster and slower."""


class Polled(Message):
    """A poll came back; a newer one takes the place of one that has not been handled yet."""

    def __init__(self, outcome: Sample | PollFailed) -> None:
        super().__init__()
        self.outcome = outcome

    def can_replace(self, message: Message) -> bool:
        """Only the newest matters."""
        return isinstance(message, Polled)


class DashboardApp(App[None]):
    """The dashboard over anything that takes samples.

    Args:
        take: takes a sample; called in a thread of the poller.
        interval_seconds: between two polls; None makes no poller: samples come through `feed`.
        read_only: offer nothing that changes anything.
        banner: why this machine was chosen.
        ascii: draw with ASCII signs only.
        clock: seconds since the epoch.
        initial_pool: name of the pool that is shown first.
    """

    TITLE = "dmtui"
    CSS_PATH: ClassVar[CSSPathType | None] = [stylesheet(f"{name}.tcss") for name in ("dashboard", "overview", "help")]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.APP)
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        take: Callable[[], Sample] | None = None,
        *,
        interval_seconds: float | None = DEFAULT_INTERVAL_SECONDS,
        read_only: bool = False,
        banner: str = "",
        ascii: bool = False,  # noqa: A002 - the option's name
        clock: Callable[[], float] = time.time,
        initial_pool: str | None = None,
    ) -> None:
        no_color = "NO_COLOR" in os.environ
        super().__init__(ansi_color=True if no_color else None)
        self.register_theme(THEME)
        self.theme = "ansi-dark" if no_color else THEME.name
        self._clock, self._read_only, self._banner = clock, read_only, banner
        plain = ascii or needs_ascii(os.environ)
        self._ascii = plain
        self._look = Look(glyphs=ASCII if plain else UNICODE)
        self._poller: Poller | None = None
        if take is not None and interval_seconds is not None:
            self._poller = Poller(take, self._deliver, interval_seconds)
        self._interval_seconds = interval_seconds or DEFAULT_INTERVAL_SECONDS
        self._paused = False
        self._sample: Sample | None = None
        self._failure: PollFailed | None = None
        self._history = History()
        self._selected = initial_pool
        self.pending_since: float | None = None
        """When the poll in flight began; for feeders without a poller."""

    @property
    def selected_pool(self) -> str | None:
        """Name of the pool that is shown."""
        return self._selected

    @property
    def freshness(self) -> Freshness:
        """How fresh the figures on the screen are."""
        waiting_since = self._poller.waiting_since if self._poller else self.pending_since
        return judge(
            self._clock(),
            self._interval_seconds,
            sample=self._sample,
            failure=self._failure,
            waiting_since=waiting_since,
            paused=self._paused,
        )

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colour names, for themes that lack them."""
        return variable_defaults(self.current_theme)

    def get_default_screen(self) -> Screen[None]:
        """The overview."""
        # The classes that are right from the start need no second styling of the whole screen.
        classes = f"-empty -{density_of(*self.size).value}"
        return OverviewScreen(classes=f"{classes} -ascii" if self._ascii else classes)

    def on_mount(self) -> None:
        """Paint first, ask after."""
        if self._poller is not None:
            self._poller.start()
            self.set_interval(1.0, self.show_newest)
        self.show_newest()

    def on_unmount(self) -> None:
        """Let the poller go; a poll that hangs ends with the process."""
        if self._poller is not None:
            self._poller.stop()

    def feed(self, outcome: Sample | PollFailed) -> None:
        """Take in the outcome of a poll and show it."""
        if isinstance(outcome, PollFailed):
            self._failure = outcome
        else:
            self._failure, self._sample = None, outcome
            self._history.add(outcome)
            self._keep_selection(outcome)
        self.show_newest()

    def show_newest(self) -> None:
        """Show the newest sample and its age; under another screen nothing is drawn until it closes."""
        screen = self.screen
        if not isinstance(screen, OverviewScreen) or not screen.is_mounted:
            return
        with self.batch_update():
            screen.show(self._view(screen))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The registry decides."""
        return allowed(action, self._situation)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers the registry's actions and the themes."""
        for action in ACTIONS:
            if action.palette and action.scope is not Scope.TABLE and allowed(action.id, self._situation):
                title, text = action.title, f"{action.help} ({action.footer_key})"
                yield SystemCommand(title, text, lambda name=action.id: self.call_later(self._run, name))
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)

    def action_palette(self) -> None:
        """Open the palette."""
        self.action_command_palette()

    def action_help(self) -> None:
        """Open the help screen."""
        from dmtui.tui.screens.help import HelpScreen  # noqa: PLC0415 - read when it is asked for

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self._look), lambda _: self.show_newest())

    def action_pause(self) -> None:
        """Stop polling."""
        self._set_paused(True)

    def action_resume(self) -> None:
        """Poll again."""
        self._set_paused(False)

    def action_poll(self) -> None:
        """Poll once now."""
        if self._poller is not None:
            self._poller.poll_now()

    def action_slower(self) -> None:
        """The next longer interval."""
        self._set_interval(next((s for s in PACES_SECONDS if s > self._interval_seconds), PACES_SECONDS[-1]))

    def action_faster(self) -> None:
        """The next shorter interval."""
        self._set_interval(next((s for s in reversed(PACES_SECONDS) if s < self._interval_seconds), PACES_SECONDS[0]))

    def action_units(self) -> None:
        """Between decimal and binary sizes."""
        decimal = self._look.size_style is SizeStyle.SPACED
        self._look = replace(self._look, size_style=SizeStyle.BINARY if decimal else SizeStyle.SPACED)
        self.show_newest()

    def on_polled(self, message: Polled) -> None:
        """An outcome came from the poller's thread."""
        self.feed(message.outcome)

    async def on_key_bar_action_wanted(self, message: KeyBar.ActionWanted) -> None:
        """The operator clicked at the bottom."""
        await self._run(message.action_id)

    def on_overview_screen_view_wanted(self) -> None:
        """The overview has a new size."""
        self.show_newest()

    def on_overview_screen_pool_wanted(self, message: OverviewScreen.PoolWanted) -> None:
        """The operator chose a pool."""
        if self._sample is not None and self._sample.pool(message.name) and message.name != self._selected:
            self._selected = message.name
            self.show_newest()

    @property
    def _situation(self) -> Situation:
        return Situation(self._read_only, self._paused, True, bool(self._sample and self._sample.pools))

    async def _run(self, action_id: str) -> None:
        await self.run_action(action_id, self.screen if scope_of(action_id) is Scope.OVERVIEW else self)

    def _deliver(self, outcome: Sample | PollFailed) -> None:
        if self.is_running:
            self.post_message(Polled(outcome))

    def _keep_selection(self, sample: Sample) -> None:
        if self._selected is not None and sample.pool(self._selected):
            return
        if self._selected is not None:
            self.notify(f"pool {printable(self._selected)} is gone", severity="warning", markup=False)
        self._selected = sample.pools[0].name if sample.pools else None
        self.refresh_bindings()

    def _set_paused(self, paused: bool) -> None:
        self._paused = paused
        if self._poller is not None:
            self._poller.paused = paused
        self.refresh_bindings()
        self.show_newest()

    def _set_interval(self, seconds: float) -> None:
        self._interval_seconds = seconds
        if self._poller is not None:
            self._poller.interval_seconds = seconds
        self.show_newest()

    def _view(self, screen: OverviewScreen) -> OverviewView:
        sample = self._sample
        pool: Pool | None = sample.pool(self._selected) if sample and self._selected else None
        top = TopView(
            sample.machine if sample else "",
            sample.machine_description if sample else "",
            self._banner,
            self._read_only,
            self.freshness,
            sample.problems if sample else (),
        )
        look = replace(self._look, density=screen.density)
        shown = None
        if pool is not None:
            shown = SpaceView(pool, self._history.data(pool.name), self._history.metadata(pool.name))
        return OverviewView(sample, shown, top, look, self._situation)
