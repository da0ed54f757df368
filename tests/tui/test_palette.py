"""The palette: what is offered, how it is narrowed, and keys that come faster than anything is drawn."""

import pytest
from textual.app import SystemCommand
from textual.events import Key
from textual.widgets import OptionList

from dmtui.tui.actions import Scope, bindings
from dmtui.tui.commanded import CommandedApp
from dmtui.tui.look import variable_defaults
from dmtui.tui.screens.palette import PaletteEntry, PaletteScreen
from tests.tui import samples
from tests.tui.pictures import EVERY_SIZE, looks_right

__all__ = ["looks_right"]
NAMES = {":": "colon", "\r": "enter", " ": "space"}


class Offering(CommandedApp):
    """An app with four commands that notes which one was done, and what reached the screen below."""

    BINDINGS = bindings(Scope.APP)

    def __init__(self):
        super().__init__()
        self.done, self.leaked = [], []

    def get_theme_variable_defaults(self):
        return variable_defaults(self.current_theme)

    def get_system_commands(self, screen):
        for name in ("Overview", "Events", "Even more", "Remove"):
            yield SystemCommand(name, f"does {name}", lambda name=name: self.done.append(name))

    def on_key(self, event):
        if not isinstance(self.screen, PaletteScreen):
            self.leaked.append(event.key)


def burst(app, *keys):
    """As the driver hands over what was read at once."""
    for key in keys:
        app.post_message(Key(NAMES.get(key, key), key if len(key) == 1 and key != "\r" else None))


async def settled(pilot):
    for _ in range(4):
        await pilot.pause()


@pytest.mark.parametrize(
    ("keys", "done"),
    [
        ((*":events", "enter"), ["Events"]),
        ((*":ev", "down", "enter"), ["Even more"]),
        ((*":remove", "ctrl+u", *"over", "enter"), ["Overview"]),
        ((*":evx", "backspace", "enter"), ["Events"]),
        ((*":events", "escape"), []),
        ((":", "enter"), ["Overview"]),
        ((*":nothing", "enter"), []),
        (("ctrl+p", *"rem", "enter"), ["Remove"]),
    ],
)
async def test_a_burst_does_what_the_same_keys_do_one_by_one(keys, done):
    app = Offering()
    async with app.run_test() as pilot:
        burst(app, *keys)
        await settled(pilot)
        assert app.done == done
        assert app.leaked == []


async def test_a_burst_lands_on_its_screen_every_time(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.pause()
        for _ in range(8):
            burst(app, *":events", "enter")
            await settled(pilot)
            assert app.screen.SCOPE is Scope.EVENTS
            burst(app, *":overview", "enter")
            await settled(pilot)
            assert app.screen.SCOPE is Scope.OVERVIEW


async def test_a_colon_is_typed_where_something_is_typed(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("slash")
        await pilot.pause()
        await pilot.press("a", "colon")
        await pilot.pause()
        assert app.focused.value == "a:"


async def test_it_shows_all_in_their_order_and_narrows_while_typed():
    app = Offering()
    async with app.run_test() as pilot:
        await pilot.press("colon")
        shown = app.screen.query_one(OptionList)
        assert [str(option.prompt).split("  ")[0] for option in shown.options] == [
            "Overview",
            "Events",
            "Even more",
            "Remove",
        ]
        await pilot.press(*"even")
        await pilot.pause()
        assert [str(option.prompt).split("  ")[0] for option in shown.options] == ["Events", "Even more"]
        await pilot.press(*"zzz")
        await pilot.pause()
        assert [str(option.prompt) for option in shown.options] == ["nothing has such a name"]


async def test_a_click_does_it():
    app = Offering()
    async with app.run_test() as pilot:
        await pilot.press("colon")
        await pilot.pause()
        await pilot.click("#commands", offset=(3, 1))
        await settled(pilot)
        assert app.done == ["Events"]


async def test_a_theme_is_found_by_its_name(dashboard):
    app = dashboard()
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        burst(app, *":theme", "enter")
        await settled(pilot)
        assert isinstance(app.screen, PaletteScreen)
        assert app.screen.query_one(PaletteEntry).has_focus
        burst(app, *"dmtui-light", "enter")
        await settled(pilot)
        assert app.theme == "dmtui-light"


@EVERY_SIZE
def test_narrowed(looks_right, size):
    looks_right(samples.sample(samples.docker_pool()), size=size, press=["colon", *"po"])


def test_ascii(looks_right):
    looks_right(samples.sample(samples.docker_pool()), press=["colon"], ascii=True)
