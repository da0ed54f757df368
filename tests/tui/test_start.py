"""The start of the dashboard: the machine is asked while the screen is made, and nothing is read twice."""

import asyncio
import threading

from textual.css.stylesheet import Stylesheet

from dmtui.tui.app import DashboardApp
from dmtui.tui.kept import Keeper, Kept, save
from dmtui.tui.themes import PALETTES
from tests.tui import samples


async def test_a_sample_that_came_before_the_dashboard_ran_is_in_its_first_picture(clock):
    asked, count = threading.Event(), []

    def take():
        count.append(1)
        asked.set()
        return samples.sample(samples.docker_pool())

    app = DashboardApp(take, clock=clock, interval_seconds=60)
    app.stream.start()
    assert asked.wait(5)
    await asyncio.sleep(0.05)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert app.known.pool is not None
        assert not app.screen.has_class("-empty")
        app.stream.start()
        await asyncio.sleep(0.05)
        assert len(count) == 1, "begun once: the machine is asked by one thread"


async def test_stylesheets_are_read_once_at_the_start_whatever_theme_was_chosen(clock, tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    save(path, Kept(theme="dmtui-light"))
    reread = []
    monkeypatch.setattr(Stylesheet, "reparse", reread.append)
    app = DashboardApp(interval_seconds=None, clock=clock, keeper=Keeper(path))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert app.theme == "dmtui-light"
        assert app.screen.styles.background.hex.lower() == PALETTES["dmtui-light"].background
        assert not reread
