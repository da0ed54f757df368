"""Devices that are marked: how they are chosen, and how one operation is done to all of them."""

from __future__ import annotations

import dataclasses

import pytest

from dmtui.machine.emulated.mapper import EmulatedDeviceMapper
from dmtui.machine.errors import MachineError
from dmtui.tui.lines import text_of
from dmtui.tui.marks import Marks
from dmtui.tui.widgets.all_devices import AllDevicesTable
from tests.tui import samples
from tests.tui.operating import is_open, opened, plan, ready, until, verdict

SIZE = (120, 40)
POOL = "pool"


def table(app) -> AllDevicesTable:
    return next(screen for screen in reversed(app.screen_stack) if screen.query(AllDevicesTable)).query_one(
        AllDevicesTable
    )


def marked(app) -> set[str]:
    names = app.known.choices.marks.of(app.known.pool_name)
    return {row.display_name for row in table(app).shown_rows if row.name in names}


class TestMarks:
    def test_a_device_is_marked_and_unmarked(self):
        marks = Marks()
        marks.turn(POOL, "a")
        assert marks.of(POOL) == {"a"}
        marks.turn(POOL, "a")
        assert not marks.of(POOL)

    def test_each_pool_has_its_own(self):
        marks = Marks()
        marks.mark(POOL, ("a", "b"))
        assert not marks.of("other")

    def test_they_go_with_their_device_and_do_not_come_back_with_its_name(self):
        pool = samples.recorded_pool(4)
        marks = Marks()
        marks.mark(pool.name, (record.name for record in pool.recorded[:3]))
        less = dataclasses.replace(pool, recorded=pool.recorded[1:])
        marks.take_in(samples.sample(less))
        assert len(marks.of(pool.name)) == 2
        marks.take_in(samples.sample(pool))
        assert len(marks.of(pool.name)) == 2

    def test_they_go_with_their_pool(self):
        marks = Marks()
        marks.mark(POOL, ("a",))
        marks.take_in(samples.sample())
        assert not marks.of(POOL)


@pytest.fixture
async def running(dashboard):
    """The devices screen over a pool with records."""
    app = dashboard(open_engine=lambda **_: None)
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.recorded_pool()))
        await pilot.press("3")
        await pilot.pause()
        yield app, pilot


class TestMarking:
    async def test_space_marks_and_goes_on_and_says_so_without_colours(self, running):
        app, pilot = running
        await pilot.press("space", "space")
        await pilot.pause()
        assert marked(app) == {"base", "web-frontend-00"}
        assert table(app).render_line(1).text.startswith(" ✓ base")
        assert table(app).render_line(3).text.startswith("▶  ")
        assert str(table(app).border_title) == "Devices 15 · ✓ 2 marked"
        await pilot.press("up", "space")
        assert marked(app) == {"base"}

    async def test_space_does_not_pause_there(self, running):
        app, pilot = running
        await pilot.press("space")
        assert not app.stream.paused

    @pytest.mark.parametrize("options", [{"read_only": True, "open_engine": lambda **_: None}, {}])
    async def test_where_nothing_may_change_there_are_no_marks_and_space_pauses(self, dashboard, options):
        app = dashboard(**options)
        async with app.run_test(size=SIZE) as pilot:
            app.feed(samples.sample(samples.recorded_pool()))
            await pilot.press("3", "asterisk", "space")
            await pilot.click(AllDevicesTable, offset=(2, 3))
            await pilot.pause()
            assert app.stream.paused
            assert not marked(app)
            assert "Mark" not in text_of(app.screen.query_one("#keys").lines)

    async def test_all_that_are_shown_are_marked_and_unmarked_by_one_key(self, running):
        app, pilot = running
        await pilot.press("asterisk")
        assert len(marked(app)) == 15
        await pilot.press("asterisk")
        assert not marked(app)

    async def test_a_filter_says_how_many_marks_it_hides_and_all_are_unmarked_by_another_key(self, running):
        app, pilot = running
        await pilot.press("space", "slash", *"inactive", "enter", "asterisk")
        await pilot.pause()
        assert "✓ 6 marked" in str(table(app).border_title)
        await pilot.press("slash", *[*["backspace"] * 8, *"mounted"], "enter")
        await pilot.pause()
        assert "✓ 6 marked, 6 not shown" in str(table(app).border_title)
        await pilot.press("backslash")
        await pilot.pause()
        assert "marked" not in str(table(app).border_title)

    async def test_shift_and_an_arrow_mark_a_range(self, running):
        app, pilot = running
        await pilot.press("shift+down", "J")
        assert marked(app) == {"base", "web-frontend-00", "web-cache-01"}
        await pilot.press("end", "shift+up")
        assert len(marked(app)) == 5

    async def test_a_click_beside_the_name_marks_and_one_with_shift_marks_all_between(self, running):
        app, pilot = running
        await pilot.click(AllDevicesTable, offset=(2, 3))
        await pilot.pause()
        assert marked(app) == {"web-frontend-00"}
        await pilot.click(AllDevicesTable, offset=(10, 6), shift=True)
        await pilot.pause()
        assert len(marked(app)) == 4
        await pilot.click(AllDevicesTable, offset=(10, 6), control=True)
        await pilot.pause()
        assert len(marked(app)) == 3

    async def test_marks_survive_a_refresh_and_leaving_the_screen_and_go_with_their_device(self, running):
        app, pilot = running
        await pilot.press("space", "space", "1", "3")
        app.feed(samples.sample(samples.recorded_pool(), at=samples.NOW + 1))
        await pilot.pause()
        assert marked(app) == {"base", "web-frontend-00"}
        pool = samples.recorded_pool()
        gone = dataclasses.replace(pool, recorded=(pool.recorded[0], *pool.recorded[2:]), devices=pool.devices[1:])
        app.feed(samples.sample(gone, at=samples.NOW + 2))
        await pilot.pause()
        assert marked(app) == {"base"}
        assert "✓ 1 marked" in str(table(app).border_title)


@pytest.fixture
async def three(site):
    """The devices screen over a machine with `one` and `two` (active) and `three`, of which these are marked."""
    site.set_up("one", "two", "three", active=("one", "two"))
    app = site.app()
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        app.feed(site.sample())
        await pilot.press("3", "down", "space", "space", "space")
        await pilot.pause()
        yield app, pilot, site


async def run(pilot) -> None:
    pilot.app.screen.query_one("#run").focus()
    await pilot.press("enter")
    await ended(pilot)


async def ended(pilot) -> None:
    await until(pilot, lambda: " done " in verdict(pilot.app) or "failed" in verdict(pilot.app), "the end")


def last(site, count: int) -> list[tuple[str, str, str]]:
    return [(line["operation"], line["object"], line["result"]) for line in site.audit[-count:]]


class TestOneOperationForAll:
    async def test_remove_lists_all_in_one_plan_and_wants_the_count_typed(self, three):
        app, pilot, site = three
        await opened(pilot, "x")
        await until(pilot, lambda: "This cannot be undone" in verdict(app))
        assert str(app.screen.query_one("#dialog").border_title) == "Remove 3 devices: DESTROYS"
        assert "for 3 devices" in verdict(app)
        assert [name for name in ("one", "two", "three") if f"remove {name}" in plan(app)] == ["one", "two", "three"]
        assert app.focused.id == "typed"
        await pilot.press(*"one two three", "enter")
        assert len(site.recorded) == 4
        await pilot.press(*["backspace"] * 13, *"remove 3", "enter")
        await ended(pilot)
        assert site.recorded == {"base"}
        assert "all 3" in verdict(app)
        assert last(site, 3) == [("remove", "one", "done"), ("remove", "two", "done"), ("remove", "three", "done")]
        app.feed(site.sample())
        assert not app.known.choices.marks.of(app.known.pool_name)

    async def test_what_cannot_be_for_one_is_refused_for_it_alone(self, three):
        app, pilot, site = three
        await opened(pilot, "u")
        await until(pilot, lambda: "is not mounted" in verdict(app))
        assert app.screen.query_one("#run").disabled
        await pilot.press("escape")
        site.do(lambda plans: plans.mount("three"))
        await opened(pilot, "u")
        await ready(pilot)
        assert "for 1 of 3 devices: 2 are refused, as told below" in verdict(app)
        assert "is not mounted" in plan(app)
        assert "▲ refused" in plan(app)
        await run(pilot)
        assert verdict(app).startswith("▲ 1 of 3 done in")
        assert last(site, 1) == [("unmount", "three", "done")]

    async def test_one_that_fails_stops_and_hides_no_other(self, three):
        app, pilot, site = three
        engine = site.open(recovering=False)
        site.machine.leaks.begin(engine.devices.device("one"))
        await pilot.press("space")
        await opened(pilot, "d")
        await ready(pilot)
        await run(pilot)
        assert verdict(app).startswith("▲ 1 of 2 done in")
        assert "✖ one: " in verdict(app)
        assert "Device or resource busy" in verdict(app)
        assert site.active("one")
        assert not site.active("two")
        assert last(site, 2) == [("deactivate", "one", "failed"), ("deactivate", "two", "done")]
        headings = [line for line in plan(app).splitlines() if line.startswith("deactivate ")]
        assert [line.split()[-1] for line in headings] == ["failed", "done"]
        await pilot.press("escape", "5")
        await pilot.pause()
        assert "partly done" in app.screen.query_one("#past").render_line(1).text

    async def test_one_that_stays_unfinished_is_finished_before_the_next(self, three, monkeypatch):
        app, pilot, site = three
        original, failed = EmulatedDeviceMapper.message, []

        def message(self, name, text):
            if text.startswith("set_transaction_id") and not failed:
                failed.append(text)
                raise MachineError("the kernel", "refuses", "look at dmesg")
            return original(self, name, text)

        monkeypatch.setattr(EmulatedDeviceMapper, "message", message)
        await opened(pilot, "x")
        app.screen.query_one("#typed").focus()
        await pilot.press(*"remove 3")
        await ready(pilot)
        await run(pilot)
        assert "2 of 3 done" in verdict(app)
        assert site.recorded == {"base"}

    async def test_activate_and_undo_for_those_that_were_done(self, three):
        app, pilot, site = three
        site.do(lambda plans: plans.deactivate("two"))
        await opened(pilot, "a")
        await ready(pilot)
        assert "for 3 devices" in verdict(app)
        await run(pilot)
        assert all(site.active(name) for name in ("one", "two", "three"))
        await pilot.press("u")
        await until(pilot, lambda: is_open(app) and "Deactivate" in str(app.screen.query_one("#dialog").border_title))
        assert app.screen.query_one("#field-name").value == "two three"

    async def test_marks_of_the_devices_screen_are_no_target_elsewhere(self, three):
        app, pilot, _ = three
        await pilot.press("1")
        await opened(pilot, "d")
        assert " " not in app.screen.query_one("#field-name").value.strip()


class TestSeveralNewOnes:
    async def test_a_number_makes_so_many_and_undo_removes_them(self, changing):
        app, pilot, site = changing
        await opened(pilot, "n")
        await pilot.press(*"ci")
        app.screen.query_one("#field-count").focus()
        await pilot.press("3")
        await ready(pilot)
        await run(pilot)
        assert {"ci-1", "ci-2", "ci-3"} <= site.recorded
        assert [line[:2] for line in last(site, 3)] == [("create", "ci-1"), ("create", "ci-2"), ("create", "ci-3")]
        await pilot.press("u")
        await until(pilot, lambda: is_open(app) and app.screen.query_one("#confirm").display)
        assert app.screen.query_one("#field-name").value == "ci-1 ci-2 ci-3"

    @pytest.mark.parametrize("number", ["0", "-1", "1001", "many", "³"])
    async def test_what_is_no_number_is_refused(self, changing, number):
        app, pilot, _ = changing
        await opened(pilot, "n")
        await pilot.press(*"ci")
        app.screen.query_one("#field-count").value = number
        await until(pilot, lambda: "give a number from 1 to 1000" in verdict(app))

    async def test_a_name_that_is_taken_is_refused_and_the_others_are_made(self, changing):
        app, pilot, site = changing
        site.do(lambda plans: plans.create("ci-2"))
        await opened(pilot, "n")
        await pilot.press(*"ci")
        app.screen.query_one("#field-count").value = "3"
        await until(pilot, lambda: "1 is refused" in verdict(app))
        await ready(pilot)
        await run(pilot)
        assert {"ci-1", "ci-3"} <= site.recorded
        assert "2 of 3 done" in verdict(app)
