"""Typing in bursts: keys that nobody waits between do what they do one by one."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.events import Key
from textual.widgets import Button, Input

from dmtui.tui.widgets.entry import Entry


class Form(App):
    """Two entries and a button."""

    def __init__(self):
        super().__init__()
        self.submitted, self.pressed = [], 0

    def compose(self):
        yield Entry("old", id="one", select_on_focus=False)
        yield Entry(id="two")
        yield Button("go")

    def on_button_pressed(self):
        self.pressed += 1

    def on_input_submitted(self, event):
        self.submitted.append(event.value)


def burst(app, *keys):
    """As the driver hands over what was read at once."""
    for key in keys:
        app.post_message(Key(key, {"space": " "}.get(key, key if len(key) == 1 else None)))


BURSTS = [
    (("ctrl+u", "n", "e", "w"), ("new", "")),
    (("a", "backspace", "b"), ("oldb", "")),
    (("home", "x", "end", "y"), ("xoldy", "")),
    (("left", "left", "X"), ("oXld", "")),
    (("1", "tab", "2", "3"), ("old1", "23")),
    (("tab", "2", "ctrl+u", "3", "shift+tab", "ctrl+u", "1"), ("1", "3")),
    (("ctrl+u", "a", "space", "b", "ctrl+w", "c"), ("a c", "")),
]


@pytest.mark.parametrize(("keys", "values"), BURSTS, ids=[" ".join(keys) for keys, _ in BURSTS])
async def test_a_burst_comes_in_its_order(keys, values):
    app = Form()
    async with app.run_test() as pilot:
        app.query_one("#one").focus()
        await pilot.pause()
        burst(app, *keys)
        for _ in range(3):
            await pilot.pause()
        assert tuple(app.query_one(f"#{name}", Input).value for name in ("one", "two")) == values


async def test_enter_submits_what_was_typed_before_it_only():
    app = Form()
    async with app.run_test() as pilot:
        app.query_one("#one").focus()
        await pilot.pause()
        burst(app, "a", "enter", "b")
        await pilot.pause()
        assert app.submitted == ["olda"]
        assert app.query_one("#one", Input).value == "oldab"


async def test_what_is_typed_after_the_last_entry_was_left_goes_where_the_focus_went():
    app = Form()
    async with app.run_test() as pilot:
        app.query_one("#two").focus()
        await pilot.pause()
        burst(app, "a", "tab", "enter")
        for _ in range(3):
            await pilot.pause()
        assert app.query_one("#two", Input).value == "a"
        assert app.pressed == 1


async def test_nothing_blinks():
    app = Form()
    async with app.run_test():
        assert not app.query_one("#one", Input).cursor_blink
