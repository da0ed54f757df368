"""Whoever looks at an emulated machine is told so, wherever he looks."""

import pytest

from dmtui.tui.actions import SCREENS
from tests.tui.operating import opened, until


def everything(app) -> str:
    """All that stands on the terminal."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)[: (width + 1) * height]


@pytest.mark.parametrize("key, scope", [(key, scope) for _, key, scope, _ in SCREENS], ids=str)
async def test_every_screen_says_emulated(changing, key, scope):
    app, pilot, _ = changing
    await pilot.press(key)
    await pilot.pause()
    assert app.screen.SCOPE is scope
    assert "EMULATED" in everything(app)


async def test_the_screen_of_one_device_says_it(changing):
    app, pilot, _ = changing
    await pilot.press("3", "down", "enter")
    await pilot.pause()
    assert app.screen.SCOPE.value == "device"
    assert "EMULATED" in everything(app)


async def test_the_help_says_it(changing):
    app, pilot, _ = changing
    await pilot.press("question_mark")
    await pilot.pause()
    assert "EMULATED" in everything(app)


@pytest.mark.parametrize("key", ["n", "P"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_a_dialog_leaves_it_in_sight(site, key, size):
    site.set_up("web", active=("web",))
    app = site.app()
    async with app.run_test(size=size) as pilot:
        app.feed(site.sample())
        await pilot.pause()
        await opened(pilot, key)
        # A dialog lies over its screen: what it does not cover is that screen's.
        await until(pilot, lambda: app.screen.query_one("#dialog").size.height > 0)
        assert app.screen.query_one("#dialog").region.y > 0
        header = app.screen_stack[-2].query_one("#header")
        assert header.region.y == 0
        assert "EMULATED" in "".join(segment.text for segment in header.render_line(0))


@pytest.mark.parametrize(("key", "sheet"), [("i", "#explain"), ("y", "#values")], ids=["explanation", "copying"])
async def test_a_sheet_leaves_it_in_sight(changing, key, sheet):
    app, pilot, _ = changing
    await pilot.press(key)
    await pilot.pause()
    # As with a dialog: what the sheet does not cover is its screen's, seen through a veil.
    assert app.screen.query_one(sheet).region.y > 0
    assert app.screen.styles.background.a < 1
    assert "EMULATED" in "".join(segment.text for segment in app.screen_stack[-2].query_one("#header").render_line(0))
