"""The dashboard over a demonstration: its screens as always, a panel that tells the story, and the story's keys."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from textual.types import CSSPathType

from dmtui.deviceset.options import parse_options
from dmtui.lab.player import Player
from dmtui.lab.scenario import Scenario, Step
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.machinefacts import ask_machine
from dmtui.monitor.recorded import RecordReader
from dmtui.settings import Settings
from dmtui.thinpool.values import frozen
from dmtui.tui.actions import Situation
from dmtui.tui.app import STYLESHEETS, DashboardApp
from dmtui.tui.kept import Keeper, state_path
from dmtui.tui.look import stylesheet
from dmtui.tui.narrator import Narrator, Settled
from dmtui.tui.navigation import covered_screen
from dmtui.tui.paint.narration import Narration, narration_lines, next_part
from dmtui.tui.screens.base import DashboardScreen, titled
from dmtui.tui.widgets.panel import Panel

BANNER = "a demonstration, on an emulated machine of its own: nothing real is touched"
_OTHER_ROWS = 8
"""What even an unfolded story leaves: the top, the keys, its own frame and head, and a bit of the screen."""
_TICK_SECONDS = 0.25
_POLL_SECONDS = 0.5


class DemonstrationApp(DashboardApp):
    """The dashboard over the machine of a demonstration, which goes on while the operator looks around.

    Args:
        player: plays the steps.
        speed: how many times as fast as normal.
        options: what the dashboard takes.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = [*STYLESHEETS, stylesheet("demonstration.tcss")]

    def __init__(self, player: Player, speed: float = 1.0, **options: Any) -> None:  # noqa: ANN401 - the dashboard's
        self._player = player
        self._narrator = Narrator(player, self.post_message, speed)
        super().__init__(banner=BANNER, **options)
        self._part = 0
        self._alarms.pops_up = False  # the story tells what changes, and a toast would cover it

    @property
    def narration(self) -> Narration:
        """Where the story is."""
        room = max(1, self.size.height - _OTHER_ROWS)
        return replace(self._narrator.narration, part=self._part, room=room)

    def on_mount(self) -> None:
        """Let the story go on by itself."""
        self.set_interval(_TICK_SECONDS, self._advance)

    def on_unmount(self) -> None:
        """Leave the machine in peace."""
        self._narrator.stop()

    def fill(self, screen: DashboardScreen) -> None:
        """Show the newest sample, and the story below it."""
        if not screen.query("#narration"):
            screen.add_class("-narrated")
            screen.mount(Panel(narration_lines, id="narration", classes="box"), before="#keys")
        super().fill(screen)
        panel, look = screen.panel("narration"), replace(self._look, density=screen.density)
        panel.entitle(titled(f"Demonstration: {self._player.scenario.title}", look))
        panel.show(self.narration, look)

    async def action_demo(self, way: str) -> None:
        """Move the story: ``on``, ``back``, ``restart``, ``hold``, ``play``, ``slower``, ``faster``; ``more`` of it."""
        moves: dict[str, Callable[[], None]] = {
            "on": self._narrator.on,
            "back": self._narrator.back,
            "restart": self._narrator.restart,
            "hold": self._narrator.hold,
            "play": self._narrator.play,
            "slower": self._narrator.slower,
            "faster": self._narrator.faster,
            "more": self._show_more,
        }
        page = self.narration.page
        moves[way]()
        if self.narration.page != page:
            self._part = 0
            if self.narration.step is not None:
                await self._go_to(self.narration.step)
        self._refresh_actions()

    def _show_more(self) -> None:
        """The next part of all that the page tells; what it told at first after the last."""
        if isinstance(self.screen, DashboardScreen):
            self._part = next_part(self.narration, self.screen.panel("narration").content_size.width)

    def on_beat(self) -> None:
        """Figures have moved."""
        self.action_poll()

    def on_settled(self, message: Settled) -> None:
        """An act is done."""
        self._narrator.settle(message.problem)
        if not self.is_running:
            return
        if self.narration.page == 0:
            self.known.forget()  # it begins anew, and so does all that is drawn of its past
        self.action_poll()
        self._refresh_actions()

    @property
    def _situation(self) -> Situation:
        return replace(super()._situation, demonstrates=True, plays=self._narrator.playing)

    async def _advance(self) -> None:
        """Go on when the page was shown long enough; who reads something else is waited for."""
        reads = covered_screen(self) is not None or self._part > 0
        if self.is_running and self._narrator.is_due() and not reads:
            await self.action_demo("on")

    async def _go_to(self, step: Step) -> None:
        """Show what the step is about, unless the operator has a dialog open."""
        if not isinstance(self.screen, DashboardScreen):
            return
        if step.device:
            wanted = DashboardScreen.DeviceWanted(self._player.stage.device(step.device), opened=False)
            await self.on_dashboard_screen_device_wanted(wanted)
        await self.action_go(step.place.value)


@frozen
class Showing:
    """How demonstrations are shown.

    Attributes:
        directory: makes the directory of a machine, and clears it away afterwards.
    """

    settings: Settings
    speed: float
    ascii: bool
    directory: Callable[[Scenario], AbstractContextManager[Path]]


def show(scenario: Scenario | None, showing: Showing) -> int:
    """Show a demonstration, or let one be chosen after another; returns the exit status."""
    if scenario is not None:
        return _show_one(scenario, showing)
    from dmtui.tui.chooser import ChooserApp  # noqa: PLC0415 - where none was named

    last = ""
    while True:
        chosen = ChooserApp(last, ascii=showing.ascii).run()
        if chosen is None:
            return 0
        last = chosen.name
        status = _show_one(chosen, showing)
        if status:
            return status


def _show_one(scenario: Scenario, showing: Showing) -> int:
    with showing.directory(scenario) as directory:
        player = Player(scenario, directory, frozen_at=None)
        try:
            app = DemonstrationApp(player, showing.speed, **_options(player, showing))
            app.stream.start()
            app.run()
        finally:
            player.close()
    return app.return_code or 0


def _options(player: Player, showing: Showing) -> dict[str, Any]:
    stage, settings = player.stage, showing.settings
    options = parse_options(player.scenario.options)
    records = RecordReader(stage.machine, stage.graph_directory)
    return {
        "take": Discoverer(stage.machine, records=records).take,
        "interval_seconds": _POLL_SECONDS,
        "read_only": settings.read_only,
        "ascii": showing.ascii,
        "open_engine": stage.open_engine,
        "graph_directory": stage.graph_directory,
        "min_free_percent": options.min_free_percent,
        "thresholds": settings.alerts,
        "bell": settings.bell,
        "keeper": Keeper(state_path(os.environ)),
        "ask_facts": partial(ask_machine, stage.machine, stage.graph_directory, options, BANNER, time.time()),
    }
