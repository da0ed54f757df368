"""The dialog of an operation: from a key press to the changed machine and its audit line, and what it offers then."""

from __future__ import annotations

import dataclasses

import pytest

from dmtui.deviceset.operations import OPERATIONS
from dmtui.deviceset.operations import Risk as EngineRisk
from dmtui.machine.emulated.mapper import EmulatedDeviceMapper
from dmtui.machine.errors import MachineError
from dmtui.tui.actions import ACTIONS
from dmtui.tui.screens.operation import OperationScreen
from dmtui.tui.screens.overview import OverviewScreen
from tests.tui import samples
from tests.tui.operating import SIZE, Gate, ended, fill, is_open, opened, performed, plan, ready, told, until, verdict


class TestEveryOperation:
    async def test_create_a_device_as_a_snapshot_of_the_selected_one(self, changing):
        app, pilot, site = changing
        await opened(pilot, "n")
        assert app.screen.query_one("#field-parent").value == "web"
        await pilot.press(*"api")
        await until(pilot, lambda: "create api" in plan(app))
        assert "create_snap 4 2" in plan(app)
        await pilot.press("enter", "enter", "enter", "enter")
        await ended(pilot)
        assert verdict(app).startswith("● done in")
        assert "api" in site.recorded
        assert (site.audit[-1]["operation"], site.audit[-1]["object"]) == ("create", "api")
        assert site.audit[-1]["result"] == "done"

    async def test_create_several_at_once_from_the_base(self, changing):
        app, pilot, site = changing
        await performed(pilot, "n", name="one two", parent="")
        assert {"one", "two"} <= site.recorded
        assert [line["object"] for line in site.audit[-2:]] == ["one", "two"]
        assert "create two" in plan(app)
        assert "create_snap 4 1" in plan(app)
        assert "create_snap 5 1" not in plan(app)

    async def test_activate(self, changing):
        _, pilot, site = changing
        await performed(pilot, "a", name="db")
        assert site.active("db")
        assert site.audit[-1]["operation"] == "activate"

    async def test_deactivate_the_selected_one(self, changing):
        app, pilot, site = changing
        await opened(pilot, "d")
        await ready(pilot)
        await pilot.press("enter", "enter")
        await ended(pilot)
        assert not site.active("web")
        assert site.audit[-1]["operation"] == "deactivate"
        assert "dmsetup remove" in plan(app)

    async def test_deactivate_as_soon_as_nobody_has_it_open(self, changing):
        app, pilot, site = changing
        await opened(pilot, "d")
        await pilot.press("tab", "space")
        await until(pilot, lambda: "--deferred" in plan(app))
        await pilot.press("enter")
        await ended(pilot)
        assert not site.active("web")

    async def test_mount_and_unmount(self, changing):
        _, pilot, site = changing
        await performed(pilot, "m", name="db")
        assert site.audit[-1]["operation"] == "mount"
        await pilot.press("escape")
        await pilot.pause()
        await performed(pilot, "u", name="db")
        assert site.audit[-1]["operation"] == "unmount"
        assert not site.active("db")

    async def test_remove_begins_where_its_name_is_to_be_typed(self, changing):
        app, pilot, site = changing
        await opened(pilot, "x")
        await until(pilot, lambda: "This cannot be undone" in verdict(app))
        assert app.focused.id == "typed"
        await pilot.press("enter", "enter")
        assert "web" in site.recorded
        for letter in "we":
            await pilot.press(letter)
            assert app.screen.query_one("#run").disabled
        await pilot.press("enter")
        assert "web" in site.recorded
        await pilot.press("b", "enter")
        await ended(pilot)
        assert "web" not in site.recorded
        assert site.audit[-1]["operation"] == "remove"

    async def test_the_hint_says_what_enter_does_where_the_focus_is(self, changing):
        app, pilot, _ = changing
        await opened(pilot, "X")
        await ready(pilot)
        dialog = app.screen.query_one("#dialog")
        assert app.focused.id == "cancel"
        assert "enter or esc cancels" in str(dialog.border_subtitle)
        await pilot.press("tab")
        await until(pilot, lambda: app.focused.id == "run")
        await until(pilot, lambda: "enter runs" in str(dialog.border_subtitle))

    async def test_remove_several(self, changing):
        _, pilot, site = changing
        await performed(pilot, "x", confirm="remove 2", name="web  db")
        assert site.recorded == {"base"}

    async def test_extend(self, changing):
        _, pilot, site = changing
        await performed(pilot, "E", data="512M")
        assert site.sample().pools[0].data.total_bytes == 512 * 1024**2
        assert site.audit[-1]["operation"] == "extend pool"

    async def test_trim(self, changing):
        app, pilot, site = changing
        await performed(pilot, "m", name="db")
        await pilot.press("escape")
        await opened(pilot, "T")
        await until(pilot, lambda: app.focused.id == "run", "the focus on what is to be pressed")
        await pilot.press("enter")
        await ended(pilot)
        assert site.audit[-1]["operation"] == "trim"

    async def test_check_tells_what_was_found(self, changing):
        _, pilot, site = changing
        assert "the metadata are sound" in await performed(pilot, "C")
        assert site.audit[-1]["operation"] == "check pool"

    async def test_reap_once(self, site):
        site.set_up("web", active=("web",))
        engine = site.open()
        pid = site.machine.leaks.begin(engine.devices.device("web"))
        engine.run(engine.plans.remove("web"))
        engine.close()
        site.machine.leaks.end(pid)
        app = site.app()
        async with app.run_test(size=SIZE) as pilot:
            app.feed(site.sample())
            assert "no device waits any more" in await performed(pilot, "W")
        assert site.recorded == {"base"}

    async def test_take_the_pool_down_and_put_it_up_again(self, changing):
        app, pilot, site = changing
        await opened(pilot, "X")
        await until(pilot, lambda: app.focused.id == "cancel")
        await pilot.press("escape")
        await performed(pilot, "X")
        assert site.sample().pools == ()
        app.feed(site.sample())
        assert not any("is gone" in line for line in told(app))
        await pilot.press("u")
        await until(
            pilot, lambda: is_open(app) and "Create or activate" in str(app.screen.query_one("#dialog").border_title)
        )
        await ready(pilot)
        await until(pilot, lambda: app.focused and app.focused.id == "run")
        await pilot.press("enter")
        await ended(pilot)
        assert site.audit[-2]["operation"] == "remove pool"
        assert len(site.sample().pools) == 1

    async def test_where_there_is_nothing_yet_the_pool_is_made(self, site):
        app = site.app()
        async with app.run_test(size=SIZE) as pilot:
            app.feed(samples.sample(machine="emulated"))
            await pilot.pause()
            await performed(pilot, "P")
        assert len(site.sample().pools) == 1
        assert site.recorded == {"base"}


class TestAfterwards:
    @pytest.mark.parametrize(
        ("key", "name", "undo", "operation"),
        [
            ("a", "db", "Deactivate", "deactivate"),
            ("d", "web", "Activate", "activate"),
            ("m", "db", "Unmount", "unmount"),
        ],
    )
    async def test_what_has_an_opposite_offers_it(self, changing, key, name, undo, operation):
        app, pilot, site = changing
        await performed(pilot, key, name=name)
        button = app.screen.query_one("#undo")
        assert button.display
        assert str(button.label) == f"Undo: {undo}"
        await pilot.click("#undo")
        await until(pilot, lambda: is_open(app) and app.screen.query_one("#form").display)
        assert app.screen.query_one("#field-name").value == name
        await ready(pilot)
        await pilot.click("#run")
        await ended(pilot)
        assert site.audit[-1]["operation"] == operation

    async def test_a_creation_is_undone_by_a_removal_that_wants_the_name(self, changing):
        app, pilot, _ = changing
        await performed(pilot, "n", name="api")
        await pilot.press("u")
        await until(pilot, lambda: is_open(app) and app.screen.query_one("#confirm").display)
        assert app.focused.id == "typed"

    async def test_what_destroys_has_no_opposite(self, changing):
        app, pilot, _ = changing
        await performed(pilot, "x", confirm="db", name="db")
        assert not app.screen.query_one("#undo").display

    async def test_the_machine_is_polled_at_once(self, site):
        site.set_up("db")
        from dmtui.tui.app import DashboardApp

        app = DashboardApp(site.sample, interval_seconds=60, open_engine=site.open, graph_directory=site.graph)
        async with app.run_test(size=SIZE) as pilot:
            await until(pilot, lambda: app.stream.sample is not None)
            await performed(pilot, "a", name="db")
            await until(pilot, lambda: bool(app.stream.sample.pools[0].devices))
            await until(pilot, lambda: any("activate db" in event.text for event in app.known.memory.timeline.newest()))


class TestUnderWay:
    async def test_esc_closes_the_dialog_and_the_operation_goes_on(self, changing, monkeypatch):
        app, pilot, site = changing
        gate = Gate(monkeypatch, site.machine.filesystems, "grow")
        await opened(pilot, "n")
        await fill(pilot, name="api", size="128M")
        await ready(pilot)
        await pilot.click("#run")
        await until(pilot, gate.reached.is_set)
        await until(pilot, lambda: "under way" in verdict(app))
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, OverviewScreen)
        assert any("goes on" in line for line in told(app))
        await pilot.press("a")
        await pilot.pause()
        assert any("is under way: one operation at a time" in line for line in told(app))
        gate.open.set()
        await until(pilot, lambda: any("done in" in line for line in told(app)))
        assert "api" in site.recorded

    async def test_a_failure_shows_which_step_failed_and_what_was_undone(self, changing, monkeypatch):
        app, pilot, site = changing

        def fail(*_):
            raise MachineError("resize2fs", "failed", "look at dmesg")

        monkeypatch.setattr(site.machine.filesystems, "grow", fail)
        await performed(pilot, "n", name="api", size="128M")
        assert "✖ failed: resize2fs: failed" in verdict(app)
        assert "What was done before is undone" in verdict(app)
        assert "failed" in plan(app)
        assert "undone" in plan(app)
        assert "api" not in site.recorded
        assert site.audit[-1]["result"] == "failed"
        assert not app.screen.query_one("#undo").display

    async def test_what_cannot_be_undone_now_is_left_to_the_next_command(self, changing, monkeypatch):
        app, pilot, _ = changing
        original = EmulatedDeviceMapper.message

        def message(self, name, text):
            if text.startswith(("set_transaction_id", "delete")):
                raise MachineError("the kernel", "refuses", "look at dmesg")
            return original(self, name, text)

        monkeypatch.setattr(EmulatedDeviceMapper, "message", message)
        await performed(pilot, "n", name="api")
        assert "What is left is finished by the next command" in verdict(app)


class TestTheForm:
    async def test_recorded_names_are_suggested_word_by_word(self, changing):
        app, pilot, _ = changing
        await opened(pilot, "a")
        await pilot.press(*"web d")
        await until(pilot, lambda: app.screen.query_one("#field-name")._suggestion == "web db")
        await pilot.press("right")
        assert app.screen.query_one("#field-name").value == "web db"

    async def test_nothing_blinks(self, changing):
        app, pilot, _ = changing
        await opened(pilot, "x")
        assert not [field for field in app.screen.query("Input") if field.cursor_blink]

    async def test_the_palette_opens_it(self, changing):
        app, pilot, _ = changing
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*"create a dev")
        await pilot.pause(0.6)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OperationScreen))


def test_every_operation_of_the_engine_has_an_action_of_its_risk():
    actions = {action.operation: action for action in ACTIONS if action.operation}
    assert set(actions) == {operation.id for operation in OPERATIONS}
    for operation in OPERATIONS:
        assert actions[operation.id].risk.name == operation.risk.name
    assert {risk.name for risk in EngineRisk} < {action.risk.name for action in ACTIONS}
    assert dataclasses.is_dataclass(OPERATIONS[0])
