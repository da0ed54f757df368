"""The start of the dashboard: the machine is asked while the screen is made, and nothing is read twice."""

import asyncio
import threading
import time

import pytest
from textual.css.stylesheet import Stylesheet

from dmtui.cli.parser import build_parser
from dmtui.thinpool.errors import BadUsageError
from dmtui.tui.app import DashboardApp
from dmtui.tui.kept import Keeper, Kept, save
from dmtui.tui.stream import Stream
from dmtui.tui.themes import PALETTES
from dmtui.tui.widgets.panel import Panel
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


def stream(take, came):
    return Stream(take, came.append, 60.0, lambda: samples.NOW)


def test_the_start_waits_for_the_first_figures():
    came = []
    slow = stream(lambda: time.sleep(0.1) or samples.sample(samples.docker_pool()), came)
    slow.start(patience_seconds=5.0)
    slow.stop()
    assert len(came) == 1


def test_the_start_does_not_wait_for_a_machine_that_hangs():
    answer, came = threading.Event(), []
    hanging = stream(answer.wait, came)
    began = time.monotonic()
    hanging.start(patience_seconds=0.1)
    assert time.monotonic() - began < 2.0
    assert not came
    hanging.stop()
    answer.set()


async def test_the_first_picture_is_laid_out_once_with_the_figures_in_it(clock, monkeypatch):
    heights = []
    counted = Panel.get_content_height

    def height(panel, *sizes):
        if panel.id == "space":
            heights.append(counted(panel, *sizes))
        return counted(panel, *sizes)

    monkeypatch.setattr(Panel, "get_content_height", height)
    app = DashboardApp(lambda: samples.sample(samples.docker_pool()), clock=clock, interval_seconds=60)
    app.stream.start(patience_seconds=5.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert set(heights) == {9}


@pytest.mark.parametrize("plain", [True, False])
async def test_the_ascii_stylesheet_is_read_where_it_is_needed(plain):
    app = DashboardApp(interval_seconds=None, ascii=plain)
    assert ("ascii.tcss" in [path.name for path in app.css_path]) is plain


def test_verbs_are_made_for_the_command_that_is_called():
    words = ["device", "create", "web", "--dry-run"]
    assert build_parser(words).parse_args(words).name == "web"
    assert build_parser(["pools"]).parse_args(["pools"]).command.place == "reading.pools"
    with pytest.raises(BadUsageError):
        build_parser(["pools"]).parse_args(words)


@pytest.mark.parametrize("paused", [False, True])
def test_an_event_is_answered_by_a_poll_unless_the_stream_rests(paused):
    polled = threading.Semaphore(0)
    hearing = Stream(polled.release, lambda _: None, 60.0, lambda: samples.NOW)
    hearing.start(patience_seconds=5.0)
    assert polled.acquire(timeout=5)
    hearing.pause(paused)
    hearing.heard()
    assert polled.acquire(timeout=0.3) is not paused
    hearing.stop()
