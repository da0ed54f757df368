"""Demonstrations under a dashboard, for tests that press the keys of the story."""

from __future__ import annotations

from dmtui.lab.player import Player
from dmtui.lab.scenarios import find
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.recorded import RecordReader
from dmtui.tui.demonstration import DemonstrationApp
from dmtui.tui.lines import text_of
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples


def demonstration(name, directory, *, polls=True, speed=1.0, beats=False, **options) -> DemonstrationApp:
    """A dashboard over a scenario of that name at its beginning; without `beats` an act is done without pauses."""
    player = Player(find(name), directory)
    stage = player.stage
    if polls:
        records = RecordReader(stage.machine, stage.graph_directory)
        options["take"] = Discoverer(stage.machine, records=records).take
    options.setdefault("open_engine", stage.open_engine)
    app = DemonstrationApp(player, speed, interval_seconds=0.1 if polls else None, **options)
    app.player = player
    if not beats:
        stage.beat = lambda: None
    return app


def sample_of(app):
    """The machine of a demonstration as a sample of the fixed moment."""
    stage = app.player.stage
    records = RecordReader(stage.machine, stage.graph_directory)
    return Discoverer(stage.machine, now=lambda: samples.NOW, records=records).take()


def story(app) -> str:
    """What the panel says, without its line ends."""
    return " ".join(text_of(app.screen.query_one("#narration", Panel).lines).split())


async def until(pilot, condition, what="it") -> None:
    for _ in range(1000):
        await pilot.pause(0.02)
        if condition():
            return
    raise AssertionError(f"{what} did not come: {pilot.app.narration}")


async def step_on(pilot, pages=1) -> None:
    """So many pages on, each to its end."""
    for _ in range(pages):
        page = pilot.app.narration.page
        await pilot.press("full_stop")
        await until(pilot, lambda page=page: pilot.app.narration.page == page + 1, "the page")
        await settled(pilot)


async def settled(pilot) -> None:
    """Wait for what is under way."""
    await until(pilot, lambda: not pilot.app.narration.working, "the end of the act")
    await pilot.pause()
