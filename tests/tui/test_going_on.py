"""What goes on while a dialog lies over a screen: the lines at the top, and the plan that the dialog shows."""

from __future__ import annotations

import copy
import dataclasses
import time

import pytest

from dmtui.tui.lines import text_of
from dmtui.tui.screens import operation
from dmtui.tui.widgets.panel import Panel
from tests.tui.operating import opened, plan, ready, until, verdict

MOVED = "The machine has moved and the plan with it"


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(operation, "REPLAN_SECONDS", 0.05)


def top(app, name: str) -> str:
    return text_of(app.screen.query_one(f"#{name}", Panel).lines)


async def test_the_moment_and_the_worst_alert_are_told_over_a_dialog(changing):
    app, pilot, site = changing
    await opened(pilot, "n")
    await pilot.pause()
    sample = site.sample()
    full = dataclasses.replace(
        sample, pools=tuple(dataclasses.replace(pool, mode="out_of_data_space") for pool in sample.pools)
    )
    assert "CRIT" not in top(app, "notice")
    app.feed(dataclasses.replace(full, taken_at=sample.taken_at + 3600))
    await pilot.pause()
    assert "CRIT" in top(app, "notice")
    hour = top(app, "moment")
    app.feed(dataclasses.replace(full, taken_at=sample.taken_at + 7200))
    await pilot.pause()
    assert top(app, "moment") != hour


async def test_a_machine_that_does_not_answer_is_told_over_a_dialog(changing):
    app, pilot, _ = changing
    await opened(pilot, "n")
    await pilot.pause()
    app.stream.pending_since = time.time() - 20
    app.show_newest()
    await pilot.pause()
    assert "no answer for 20 s" in top(app, "notice")
    assert "STALE" in top(app, "header")


async def test_in_a_small_terminal_the_dialog_leaves_no_room_for_the_second_line(site):
    site.set_up("web")
    app = site.app()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed(site.sample())
        await opened(pilot, "n")
        await until(pilot, lambda: "EMULATED" in top(app, "header"), "the top")
        assert not app.screen.query_one("#notice").display
        assert app.screen.query_one("#dialog").region.y == 1


@pytest.mark.parametrize("key", ["i", "y"])
async def test_a_sheet_over_a_screen_has_the_same_top(changing, key):
    app, pilot, _ = changing
    below = app.screen
    await pilot.press(key)
    await until(pilot, lambda: app.screen is not below and app.screen.is_mounted, "the sheet")
    await pilot.pause(0.2)
    assert "EMULATED" in top(app, "header")


async def test_a_plan_that_the_machine_has_made_another_is_told_and_held_for_a_moment(changing, monkeypatch):
    monkeypatch.setattr(operation, "HOLD_SECONDS", 0.6)
    app, pilot, site = changing
    await opened(pilot, "n")
    await pilot.press(*"api")
    await until(pilot, lambda: "create_snap 4 2" in plan(app))
    await ready(pilot)
    site.do(lambda plans: plans.create("other"))
    app.feed(site.sample())
    await until(pilot, lambda: "create_snap 5 2" in plan(app), "the other plan")
    assert MOVED in verdict(app)
    assert app.screen.query_one("#run").disabled
    await ready(pilot)
    assert MOVED in verdict(app)
    await pilot.press("backspace")
    await pilot.pause()
    assert MOVED not in verdict(app)


async def test_what_was_typed_to_confirm_another_plan_confirms_no_more(changing):
    app, pilot, site = changing
    await opened(pilot, "x")
    app.screen.query_one("#typed").focus()
    await pilot.press(*"web")
    await ready(pilot)
    site.do(lambda plans: plans.deactivate("web"))
    app.feed(site.sample())
    await until(pilot, lambda: MOVED in verdict(app), "the other plan")
    assert app.screen.query_one("#typed").value == ""
    assert app.screen.query_one("#run").disabled


async def test_a_machine_that_moves_without_touching_the_plan_changes_nothing(changing):
    app, pilot, site = changing
    await opened(pilot, "x")
    app.screen.query_one("#typed").focus()
    await pilot.press(*"web")
    await ready(pilot)
    asked, drawn, sample = counted(app), redrawn(app), site.sample()
    moved = tuple(dataclasses.replace(pool, open_count=pool.open_count + 1) for pool in sample.pools)
    app.feed(dataclasses.replace(sample, pools=moved))
    await until(pilot, lambda: asked, "another plan")
    await pilot.pause(0.3)
    assert not drawn
    assert not app.screen.query_one("#run").disabled
    assert app.screen.query_one("#typed").value == "web"


async def test_a_machine_that_stands_still_is_not_asked_for_another_plan(changing):
    app, pilot, _ = changing
    await opened(pilot, "n")
    await pilot.press(*"api")
    await ready(pilot)
    asked = counted(app)
    # The same machine told anew: asked again, an emulated one might meanwhile have committed its metadata.
    again = copy.deepcopy(app.known.sample)
    app.feed(dataclasses.replace(again, taken_at=again.taken_at + 1))
    await pilot.pause(0.3)
    assert not asked


def redrawn(app) -> list:
    """What of the dialog is drawn from now on."""
    drawn = []
    for widget in app.screen.query("#dialog, #dialog *"):
        widget.refresh = lambda *_, widget=widget, **__: drawn.append(widget)
    return drawn


def counted(app) -> list:
    """The previews that are asked for from now on."""
    asked, desk = [], app.screen._desk
    preview = desk.preview
    desk.preview = lambda request: (asked.append(request), preview(request))
    return asked
