"""The dashboard: takes samples from a poller, keeps what the operator chose, and hands screens what they show."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import SystemCommand
from textual.binding import BindingType
from textual.notifications import Notify
from textual.screen import Screen
from textual.types import CSSPathType

from dmtui.monitor.poller import DEFAULT_INTERVAL_SECONDS, PollFailed
from dmtui.monitor.sample import Sample
from dmtui.monitor.thresholds import Thresholds
from dmtui.thinpool.text import printable
from dmtui.tui.actions import Scope, Situation, allowed, bindings, bound, call_of, called, offered, scope_of
from dmtui.tui.ageing import Ageing
from dmtui.tui.alarms import Alarms
from dmtui.tui.changes import Changes, Delivered
from dmtui.tui.commanded import CommandedApp
from dmtui.tui.facts import FactsCame, Inquiry
from dmtui.tui.figures import DEFAULT_THRESHOLDS, Density, Look
from dmtui.tui.glyphs import ASCII, UNICODE, needs_ascii
from dmtui.tui.kept import Keeper
from dmtui.tui.known import Known
from dmtui.tui.logbook import Logbook, Noted
from dmtui.tui.look import stylesheet, variable_defaults
from dmtui.tui.navigation import back, covered_screen, go, scope_shown
from dmtui.tui.overlays import lay_over
from dmtui.tui.paint.header import TopView
from dmtui.tui.polled import Polled
from dmtui.tui.reaper import Reaped, Reaper
from dmtui.tui.screens.base import DashboardScreen, density_of
from dmtui.tui.screens.overview import OverviewScreen
from dmtui.tui.state import Choices, DashboardState
from dmtui.tui.stream import Stream
from dmtui.tui.themes import THEMES, begin_with_theme, next_theme
from dmtui.tui.toasts import Toasts
from dmtui.tui.widgets.key_bar import KeyBar
from dmtui.tui.widgets.roles import ROLE_CLASSES, Roles
from dmtui.tui.widgets.top import Top

if TYPE_CHECKING:  # loaded when they are asked for
    from dmtui.monitor.machinefacts import MachineFacts
    from dmtui.monitor.replay import Replay
    from dmtui.tui.deliveries import OpenEngine

STYLESHEETS = tuple(stylesheet(f"{name}.tcss") for name in ("dashboard", "overview"))


class DashboardApp(CommandedApp):
    """The dashboard over anything that takes samples.

    Args:
        take: takes a sample; called in a thread of the poller.
        interval_seconds: between two polls; None makes no poller: samples come through `feed`.
        read_only: offer nothing that changes anything.
        banner: why this machine was chosen.
        ascii: draw with ASCII signs only.
        clock: seconds since the epoch.
        initial_pool: name of the pool that is shown first.
        min_free_percent: of a pool's space must be free for something to be created.
        open_engine: opens the device set that operations and the deletion worker change; None offers none.
        graph_directory: where that device set keeps its files, its audit log among them.
        thresholds: from where on a figure is watched, WARN and CRIT.
        bell: ring when something becomes CRIT.
        player: of the recording that `take` plays; None where a machine is watched.
        ask_facts: asks what the machine is made of; called in a thread of its own.
        keeper: loads and saves what the operator chose; None keeps nothing.
    """

    TITLE = "dmtui"
    COMPONENT_CLASSES: ClassVar[set[str]] = ROLE_CLASSES
    CSS_PATH: ClassVar[CSSPathType | None] = list(STYLESHEETS)
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.APP)

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
        open_engine: OpenEngine | None = None,
        graph_directory: str = "",
        min_free_percent: int = 10,
        thresholds: Thresholds = DEFAULT_THRESHOLDS,
        bell: bool = True,
        player: Replay | None = None,
        ask_facts: Callable[[], MachineFacts] | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        no_color = "NO_COLOR" in os.environ
        plain = ascii or needs_ascii(os.environ)
        self.roles = Roles(self)
        super().__init__(ansi_color=True if no_color else None)
        if plain:  # by far the most terminals have Unicode and need not read it
            self.css_path = [*self.css_path, stylesheet("ascii.tcss")]
        for theme in THEMES:
            self.register_theme(theme)
        self._keeper = keeper or Keeper()
        begin_with_theme(self, "ansi-dark" if no_color else self._keeper.theme(self.available_themes))
        self._clock, self._read_only, self._banner = clock, read_only, banner
        self._ascii = plain
        self._look = Look(self._keeper.size_style, ASCII if plain else UNICODE, thresholds=thresholds)
        self.stream = Stream(take, self._deliver, interval_seconds, clock, player)
        self.known = Known(self.stream, thresholds, Choices(self._keeper.kept.span_seconds), initial_pool)
        self._alarms = Alarms(bell and self._keeper.kept.bell)
        self._toasts, self._min_free_percent = Toasts(), min_free_percent
        worker_opens = None if open_engine is None else partial(open_engine, recovering=True, making=False)
        self._reaper = Reaper(worker_opens, self.post_message)
        self._changes = Changes(self, open_engine, clock, self.show_newest, self.action_poll)
        self._logbook = Logbook(graph_directory, self.post_message)
        self._inquiry = Inquiry(ask_facts, self.post_message, clock)
        self._ageing = Ageing(lambda: self.call_later(self.show_newest))
        self._early: Sample | PollFailed | None = None

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own colour names, for themes that lack them."""
        return variable_defaults(self.current_theme)

    def notify_style_update(self) -> None:
        """The roles have other styles."""
        super().notify_style_update()
        self.roles.forget()

    def get_default_screen(self) -> Screen[None]:
        """The overview."""
        # The classes that are right from the start need no second styling of the whole screen.
        classes = f"-{density_of(*self.size).value}"
        if not (isinstance(self._early, Sample) and self._early.pools):
            classes += " -empty"
        return OverviewScreen(classes=f"{classes} -ascii" if self._ascii else classes)

    def on_mount(self) -> None:
        """Paint first, ask after."""
        if self._keeper.note:
            self.notify(printable(self._keeper.note), severity="warning", markup=False)
        if self.stream.polls:
            self.stream.start()
            self._ageing.begin()
        self.show_newest() if self._early is None else self.feed(self._early)

    def on_unmount(self) -> None:
        """Let the poller go; a poll that hangs ends with the process."""
        self.stream.stop()
        self._ageing.stop()
        self._reaper.stop()
        self._alarms.close()
        self._keeper.close()

    def feed(self, outcome: Sample | PollFailed) -> None:
        """Take in the outcome of a poll and show it."""
        self._ageing.outcome_came()
        changes = self.known.take_in(outcome)
        if isinstance(outcome, Sample):
            self._alarms.tell(self, changes, self.known.memory.alerts.worst, self._look.glyphs)
            other, gone = self.known.keep_selection(outcome)
            if gone and self._alarms.pops_up and not self._changes.took_down(gone):
                self.notify(f"pool {printable(gone)} is gone", severity="warning", markup=False)
            if other:
                self.refresh_bindings()
            self._changes.follow(outcome)
        self.show_newest()

    def show_newest(self) -> None:
        """Show the newest sample and its age, on the screen and on one that lies under another."""
        screen = self.screen if self.is_running else None
        if screen is None or not screen.is_mounted:
            return
        with self.batch_update():
            if isinstance(screen, DashboardScreen):
                self._keeper.restore(screen)
                self.fill(screen)
            else:
                below = covered_screen(self)
                if below is not None and below.is_mounted:
                    self.fill(below)
                for top in screen.query(Top):
                    top.show(self._top, replace(self._look, density=density_of(*self.size)))
        self._keep_choices()

    def fill(self, screen: DashboardScreen) -> None:
        """Hand a screen what there is to show at present."""
        screen.show(self._state(screen))

    def _keep_choices(self) -> None:
        """Keep what was chosen on the screen."""
        if isinstance(self.screen, DashboardScreen):
            self._keeper.keep(self.screen, self.theme, self._look, self._alarms.bell, self.known.choices.span_seconds)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The registry decides; what lies over a screen keeps its keys from it, all but those that leave."""
        if action != "quit" and bound(action) and covered_screen(self) is not None:
            return False
        return allowed(called(action, parameters), self._situation)

    def on_resize(self) -> None:
        """The terminal has another size; Textual lays a covered screen out anew, but does not tell it."""
        if covered_screen(self) is not None:
            self.call_later(self.show_newest)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette offers the registry's actions and the themes."""
        for action in offered(self._situation):
            text = f"{action.footer_key:<7} {action.help}"
            yield SystemCommand(action.title, text, lambda name=action.id: self.call_later(self._run, name))
        yield SystemCommand("Colours: choose a theme", f"{'':<7} All themes, by name.", self.search_themes)

    async def action_go(self, place: str) -> None:
        """Show the screen of a scope."""
        self._keep_choices()
        await go(self, Scope(place), "-ascii" if self._ascii else "")
        self._refresh_actions()

    async def action_back(self) -> None:
        """Show the screen before."""
        self._keep_choices()
        await back(self)
        self._refresh_actions()

    def action_operate(self, operation_id: str) -> None:
        """Open the dialog of an operation, or say why it cannot be done."""
        screen = self.screen if isinstance(self.screen, DashboardScreen) else None
        key, marks = (screen.device_key, screen.MARKS) if screen else (None, False)
        self._changes.begin(operation_id, self.known.target(key, self._look, marks=marks))

    def on_notify(self, event: Notify) -> None:
        """A note is to pop up: make room for it."""
        if not self._toasts.admit(self, event.notification, small=density_of(*self.size) is Density.COMPACT):
            event.prevent_default()

    def on_delivered(self, message: Delivered) -> None:
        """Something came from the threads that plan and perform."""
        self._changes.take_in(message.delivery)

    def on_noted(self, message: Noted) -> None:
        """The audit log has grown."""
        self.known.memory.note(self._logbook.take_in(message.entries, self.stream.sample))
        self.show_newest()

    def on_machine_screen_facts_wanted(self) -> None:
        """Ask what the machine is made of."""
        self._inquiry.begin()

    def on_facts_came(self, message: FactsCame) -> None:
        """The machine has told it."""
        self._inquiry.take_in(message)
        self.show_newest()

    async def action_quit(self) -> None:
        """Leave; while an operation is under way, only after asking."""
        self._changes.leave(self.exit, self._ascii)

    def action_help(self) -> None:
        """Open the help screen."""
        from dmtui.tui.screens.help import HelpScreen  # noqa: PLC0415 - read when it is asked for

        if not isinstance(self.screen, HelpScreen):
            machine = self.stream.sample.machine if self.stream.sample else ""
            lay_over(self, HelpScreen(self._look, self._situation, machine))

    def action_pause(self) -> None:
        """Stop polling."""
        self.stream.pause(True)
        self._refresh_actions()

    def action_resume(self) -> None:
        """Poll again."""
        self.stream.pause(False)
        self._refresh_actions()

    def action_poll(self) -> None:
        """Poll once now."""
        self.stream.poll()

    def action_slower(self) -> None:
        """The next longer interval."""
        self.stream.slower()
        self.show_newest()

    def action_faster(self) -> None:
        """The next shorter interval."""
        self.stream.faster()
        self.show_newest()

    def action_seek(self, way: str) -> None:
        """Go back or on in the recording."""
        self.stream.seek(way)
        self._refresh_actions()

    def action_units(self) -> None:
        """Between decimal and binary sizes."""
        self._look = self._look.in_other_units()
        self.show_newest()

    def action_acknowledge(self) -> None:
        """Note that the alerts of the selected pool are seen."""
        self.known.acknowledge(self._clock())
        self._refresh_actions()

    def action_silence(self) -> None:
        """Silence the bell, or let it ring again."""
        self._alarms.switch_bell(self)

    def action_colours(self) -> None:
        """The next of our themes."""
        self.theme = next_theme(self.theme)
        self.show_newest()

    def action_reap(self) -> None:
        """Start the deletion worker."""
        self._reaper.start()
        self._refresh_actions()

    def action_stop_reaping(self) -> None:
        """Stop the deletion worker."""
        self._reaper.stop()
        self._refresh_actions()

    def on_reaped(self, message: Reaped) -> None:
        """Tell what is new."""
        self._reaper.tell(self, message.state)

    def on_polled(self, message: Polled) -> None:
        """An outcome came from the poller's thread."""
        self.feed(message.outcome)

    async def on_key_bar_action_wanted(self, message: KeyBar.ActionWanted) -> None:
        """The operator clicked at the bottom."""
        await self._run(message.action_id)

    def on_dashboard_screen_overlay_wanted(self, message: DashboardScreen.OverlayWanted) -> None:
        """The screen wants something shown above it."""
        lay_over(self, message.overlay)

    async def on_dashboard_screen_device_wanted(self, message: DashboardScreen.DeviceWanted) -> None:
        """The operator chose a device."""
        self.known.choose_device(message.name)
        if message.opened:
            await self.action_go(Scope.DEVICE.value)

    def on_dashboard_screen_view_wanted(self) -> None:
        """The screen has a new size, or a top over it is new."""
        self.show_newest()

    on_top_wanted = on_dashboard_screen_view_wanted

    def on_overview_screen_pool_wanted(self, message: OverviewScreen.PoolWanted) -> None:
        """The operator chose a pool."""
        if self.known.choose_pool(message.name):
            self.show_newest()

    @property
    def _situation(self) -> Situation:
        reaping = self._reaper.worker is not None
        return self.known.situation(
            read_only=self._read_only, can_reap=self._reaper.able, reaping=reaping, screen=scope_shown(self)
        )

    @property
    def _top(self) -> TopView:
        return self.known.top(self._banner, self._read_only, can_change=self._reaper.able and not self._read_only)

    async def _run(self, action_id: str) -> None:
        await self.run_action(call_of(action_id), self if scope_of(action_id) is Scope.APP else self.screen)

    def _deliver(self, outcome: Sample | PollFailed) -> None:
        if not self.is_running:
            self._early = outcome
            return
        self.post_message(Polled(outcome))
        self._logbook.read()

    def _refresh_actions(self) -> None:
        self.refresh_bindings()
        self.show_newest()

    def _state(self, screen: DashboardScreen) -> DashboardState:
        return self.known.state(
            self._top,
            replace(self._look, density=screen.density),
            self._situation,
            min_free_percent=self._min_free_percent,
            performing=self._changes.performing,
            finished=self._changes.finished,
            logged=self._logbook.entries,
            log_problem=self._logbook.problem,
            now=self._clock(),
            inquiry=self._inquiry,
        )
