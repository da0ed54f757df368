"""Leaving while an operation is under way: asked once, safe either way."""

from __future__ import annotations

import pytest

from dmtui.tui.screens.leave import LeaveScreen
from tests.tui.operating import Gate, fill, opened, ready, until


@pytest.fixture
async def under_way(changing, monkeypatch):
    """A creation that waits in its step `grow`, its dialog closed."""
    app, pilot, site = changing
    gate = Gate(monkeypatch, site.machine.filesystems, "grow")
    await opened(pilot, "n")
    await fill(pilot, name="api", size="128M")
    await ready(pilot)
    await pilot.click("#run")
    await until(pilot, gate.reached.is_set)
    yield app, pilot, gate
    gate.open.set()


async def asked(app, pilot, key: str) -> str:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, LeaveScreen), "the question")
    await pilot.pause()
    return str(app.screen.query_one("#leave-what").render())


async def test_it_tells_what_is_under_way_and_what_leaving_means_and_stays_by_default(under_way):
    app, pilot, _ = under_way
    await pilot.press("escape")
    await pilot.pause()
    assert "Create a device api: under way for" in await asked(app, pilot, "q")
    assert "finishes it or undoes it" in str(app.screen.query_one("#leave-consequence").render())
    await pilot.press("enter")
    await pilot.pause()
    assert app.is_running
    assert not isinstance(app.screen, LeaveScreen)


async def test_the_key_that_quits_from_anywhere_asks_over_the_dialog_too_and_leaves_when_pressed_again(under_way):
    app, pilot, _ = under_way
    await asked(app, pilot, "ctrl+q")
    await pilot.press("ctrl+q")
    assert app.return_code == 0


async def test_leave_leaves(under_way):
    app, pilot, _ = under_way
    await pilot.press("escape")
    await pilot.pause()
    await asked(app, pilot, "q")
    await pilot.press("right", "enter")
    await pilot.pause()
    assert app.return_code == 0


async def test_an_operation_that_ends_meanwhile_is_told(under_way):
    app, pilot, gate = under_way
    await pilot.press("escape")
    await pilot.pause()
    await asked(app, pilot, "q")
    gate.open.set()
    await until(pilot, lambda: app._changes.performing is None, "the end")
    app.screen._tell()
    assert "has ended" in str(app.screen.query_one("#leave-what").render())
    assert not app.screen.query_one("#leave-consequence").display


async def test_without_an_operation_nothing_is_asked(changing):
    app, pilot, _ = changing
    await pilot.press("q")
    assert app.return_code == 0
