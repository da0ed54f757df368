"""What lies over a screen: it keeps its keys from it, and a new size of the terminal fits both."""

import dataclasses

import pytest
from textual._compositor import LayoutUpdate

from dmtui.tui.actions import ACTIONS, Scope
from dmtui.tui.lines import text_of
from dmtui.tui.screens.base import DashboardScreen, density_of
from dmtui.tui.screens.copy import CopyScreen
from dmtui.tui.screens.explain import ExplainScreen
from dmtui.tui.screens.help import HelpScreen
from dmtui.tui.screens.operation import OperationScreen
from dmtui.tui.screens.palette import PaletteScreen
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.farhosts import Hosts

LARGE, SMALL = (200, 60), (80, 24)
OVERLAYS = {"question_mark": HelpScreen, "i": ExplainScreen, "y": CopyScreen}
EVERY_OVERLAY = pytest.mark.parametrize(("key", "overlay"), OVERLAYS.items(), ids=OVERLAYS)
LEAVING = ("q", "ctrl+q", "ctrl+c")


def chosen(app):
    """What keys could have changed below."""
    return (
        [type(screen) for screen in app.screen_stack],
        app.theme,
        app._look.size_style,
        app.stream.paused,
        app.stream.interval_seconds,
        app._alarms.bell,
        [alert.acknowledged for alert in app.known.memory.alerts.alerts],
        app._changes._asked,
    )


def keys_of(*scopes, but=()):
    return sorted({key for action in ACTIONS if action.scope in scopes for key in action.keys} - {*LEAVING, *but})


@EVERY_OVERLAY
async def test_no_key_of_the_screen_or_the_dashboard_works_through_it(changing, key, overlay):
    app, pilot, site = changing
    failed = dataclasses.replace(site.sample().pools[0], mode="Fail")
    app.feed(samples.sample(failed, machine="emulated"))
    await pilot.press(key)
    await pilot.pause()
    assert isinstance(app.screen, overlay)
    own = {each for binding in overlay.BINDINGS for each in binding.key.split(",")}
    before = chosen(app)
    for pressed in keys_of(Scope.APP, Scope.OVERVIEW, but=own | {"enter"}):
        await pilot.press(pressed)
        assert chosen(app) == before, pressed
    await pilot.pause(0.1)
    assert chosen(app) == before


@EVERY_OVERLAY
async def test_the_screen_below_goes_on_and_only_what_is_another_is_drawn(dashboard, key, overlay):
    app = dashboard()
    pool = samples.docker_pool(0.4, count=6)
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(pool))
        await pilot.pause()
        await pilot.press(key)
        await pilot.pause(0.3)
        assert isinstance(app.screen, overlay)
        drawn, display = [], app._display
        app._display = lambda screen, update: (drawn.append(update), display(screen, update))
        for step in (1, 2, 3):
            more = dataclasses.replace(pool, data=dataclasses.replace(pool.data, used_bytes=step * samples.GIB))
            app.feed(samples.sample(more, at=samples.NOW + step))
            await pilot.pause(0.3)
            assert f"{step * samples.GIB / 1e9:.3f}" in text_of(app.screen_stack[0].query_one("#space", Panel).lines)
        assert drawn
        assert not [update for update in drawn if isinstance(update, LayoutUpdate)]


@pytest.mark.parametrize("key", LEAVING)
async def test_the_help_can_be_left_for_good(dashboard, key):
    app = dashboard()
    async with app.run_test() as pilot:
        await pilot.press("question_mark", key)
        assert app.return_code == 0


async def test_the_palette_does_not_open_over_a_form(changing):
    app, pilot, _ = changing
    await pilot.press("n")
    for _ in range(100):
        await pilot.pause(0.02)
        if isinstance(app.screen, OperationScreen):
            break
    await pilot.press("ctrl+p")
    await pilot.pause()
    assert isinstance(app.screen, OperationScreen)


async def test_a_key_that_would_change_another_host_says_nothing_under_the_help(clock):
    hosts = Hosts("web1", clock=clock)
    async with hosts.app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.pause()
        hosts.send("web1", samples.docker_pool())
        await pilot.press("question_mark", "x", "w")
        await pilot.pause()
        assert list(hosts.app._notifications) == []


async def test_a_click_on_the_top_of_an_overlay_does_not_lead_to_the_hosts(clock):
    hosts = Hosts("web1", clock=clock)
    async with hosts.app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        hosts.send("web1", samples.docker_pool())
        await pilot.press("i")
        await pilot.pause()
        await pilot.click("#sight #header")
        await pilot.pause()
        assert isinstance(hosts.app.screen, ExplainScreen)


def fits(screen, size) -> None:
    """Everything that a screen draws lies within it, and it is arranged for that size."""
    assert screen.has_class(f"-{density_of(*size).value}")
    boxes = [box for box in screen.query(".box") if box.display and box.region]
    assert boxes
    for box in boxes:
        assert box.region.right <= size[0], box
    assert screen.query_one("#keys").region.bottom == size[1]
    assert screen.query_one("#keys").region.width == size[0]


@pytest.mark.parametrize("first", [LARGE, SMALL], ids=["shrinks", "grows"])
@pytest.mark.parametrize("key", ["question_mark", "i", "y", "ctrl+p", "n"])
async def test_a_screen_follows_a_new_size_under_what_lies_over_it(changing, first, key):
    app, pilot, _ = changing
    second = SMALL if first is LARGE else LARGE
    await pilot.resize_terminal(*first)
    await pilot.pause()
    await pilot.press(key)
    for _ in range(100):
        await pilot.pause(0.02)
        if not isinstance(app.screen, DashboardScreen):
            break
    assert isinstance(app.screen, (*OVERLAYS.values(), PaletteScreen, OperationScreen))
    await pilot.resize_terminal(*second)
    await pilot.pause()
    below = app.screen_stack[-2]
    assert isinstance(below, DashboardScreen)
    if key != "question_mark":  # which covers all of it
        fits(below, second)
    await pilot.press("escape")
    await pilot.pause()
    await pilot.pause()
    assert app.screen is below
    fits(below, second)
