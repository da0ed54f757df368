"""The filter's line takes keys in their order: a burst does what the same keys do one by one."""

import pytest
from textual.events import Key
from textual.widgets import Input

from dmtui.tui.widgets.line_table import LineTable
from tests.tui import samples

NAMES = {"/": "slash", "\r": "enter", "\x1b": "escape"}


def burst(app, keys: str) -> None:
    """As the driver hands over what was read at once."""
    for key in keys:
        app.post_message(Key(NAMES.get(key, key), None if key in "\r\x1b" else key))


async def settled(pilot) -> None:
    for _ in range(4):
        await pilot.pause()


def standing(app, table: str) -> tuple:
    """What the keys have led to."""
    typed = [entry.value for entry in app.screen.query(Input)]
    if not app.screen.query(table):
        return type(app.screen), app.known.device_name, typed
    rows = app.screen.query_one(table, LineTable)
    return type(app.screen), len(rows.shown_rows), rows.filter_text, rows.sort_title, rows.has_focus, typed


KEYS = [
    "/red",
    "/red\r",
    "/q\rs",
    "/red\x1bs",
    "/nothing of it\r",
    "/aXqp?\x1b",
    "/red\r\r",
    "/red\r\x1bs",
]


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize(("screen", "table"), [("1", "#devices"), ("3", "#all-devices"), ("4", "#events")])
async def test_a_burst_does_what_the_same_keys_do_one_by_one(dashboard, screen, table, keys):
    came_to = []
    for at_once in (False, True):
        app = dashboard()
        async with app.run_test(size=(120, 40)) as pilot:
            app.feed(samples.sample(samples.recorded_pool()))
            await pilot.press(screen)
            await settled(pilot)
            if at_once:
                burst(app, keys)
            else:
                for key in keys:
                    burst(app, key)
                    await settled(pilot)
            await settled(pilot)
            came_to.append(standing(app, table))
    assert came_to[0] == came_to[1]


async def test_of_a_burst_nothing_acts_on_the_screen_below(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.pause()
        burst(app, "/redis")
        await settled(pilot)
        assert app.focused.value == "redis"
        assert not app.stream.paused
        assert [device.display_name for device in app.screen.query_one("#devices").shown_rows] == ["redis-04"]
