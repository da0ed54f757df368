"""What is refused before anything is done: in a toast, or in the dialog on the spot, in the engine's own words."""

from __future__ import annotations

import threading

import pytest

from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import NotPermittedError
from dmtui.tui.actions import ACTIONS
from dmtui.tui.lines import text_of
from dmtui.tui.screens.overview import OverviewScreen
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples
from tests.tui.operating import SIZE, ended, fill, is_open, opened, performed, plan, ready, told, until, verdict


@pytest.mark.parametrize("key", [action.keys[0] for action in ACTIONS if action.operation])
@pytest.mark.parametrize("options", [{"read_only": True}, {"open_engine": None}], ids=["read-only", "no engine"])
async def test_where_nothing_may_change_there_is_no_dialog(dashboard, key, options):
    app = dashboard(**({"open_engine": lambda **_: None} | options))
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.pause()
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert not titles & {action.title for action in ACTIONS if action.operation}
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, OverviewScreen)


@pytest.mark.parametrize(
    ("pool", "key", "command"),
    [
        (samples.docker_pool(), "x", "`docker rm CONTAINER`"),
        (samples.containerd_pool(), "x", "`ctr snapshots rm KEY`"),
        (samples.lvm_pool(), "x", "`lvremove vg0/home`"),
        (samples.lvm_pool(), "E", "`lvextend --size +SIZE vg0/thin`"),
    ],
)
async def test_a_pool_of_somebody_else_is_not_changed_but_its_owner_s_command_shown(site, pool, key, command):
    site.set_up()
    app = site.app(initial_pool=pool.name)
    async with app.run_test(size=SIZE) as pilot:
        own = site.sample().pools[0]
        app.feed(samples.sample(pool, own))
        await pilot.pause()
        await pilot.press(key)
        await until(pilot, lambda: any(command in line for line in told(app)))
        assert any(own.name in line for line in told(app))
        assert isinstance(app.screen, OverviewScreen)


async def test_a_second_pool_is_not_made_beside_an_active_one(site):
    site.set_up()
    app = site.app(initial_pool=samples.lvm_pool().name)
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(samples.lvm_pool(), site.sample().pools[0]))
        await pilot.pause()
        await pilot.press("P")
        await until(pilot, lambda: any("is active already" in line for line in told(app)))


async def test_without_a_graph_directory_the_reason_is_told(site):
    app = site.app()
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(machine="emulated"))
        await pilot.press("n")
        await until(pilot, lambda: any("does not exist, so it has no pool" in line for line in told(app)))
        assert not is_open(app)


async def test_without_permission_the_reason_is_told(site):
    def refuse(**_):
        raise NotPermittedError("graph directory", "cannot be read", "run as root")

    app = site.app(open_engine=refuse)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: any("run as root" in line for line in told(app)))


async def test_a_machine_that_does_not_answer_is_told_of(site):
    answer = threading.Event()

    def hang(**_):
        answer.wait(20)
        raise MachineError("it", "hung")

    app = site.app(open_engine=hang)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: any("has not answered yet" in line for line in told(app)))
        answer.set()


@pytest.mark.parametrize(
    ("key", "values", "words"),
    [
        ("a", {"name": "nobody"}, "is not recorded"),
        ("n", {"name": "base"}, "is reserved"),
        ("n", {"name": "a/b"}, "mangles"),
        ("n", {"name": "api", "size": "much"}, "much"),
        ("n", {"name": "api", "size": "1M"}, "size"),
        ("n", {"name": "api", "parent": "nobody"}, "is not recorded"),
        ("E", {"data": "1M"}, "a pool never shrinks"),
        ("u", {"name": "db"}, "is not mounted"),
    ],
)
async def test_what_cannot_be_is_refused_on_the_spot_in_the_engine_s_words(changing, key, values, words):
    app, pilot, site = changing
    before = len(site.audit)
    await opened(pilot, key)
    await fill(pilot, **values)
    await until(pilot, lambda: verdict(app).startswith("✖"))
    assert words in verdict(app)
    assert app.screen.query_one("#run").disabled
    await pilot.press("enter", "enter", "enter")
    assert len(site.audit) == before


@pytest.mark.parametrize(
    ("key", "words"),
    [("n", "give a new device's name"), ("E", "give more data than 256 MiB, more metadata than 8 MiB, or both")],
)
async def test_what_has_still_to_be_said_is_asked_for_and_is_no_error(changing, key, words):
    app, pilot, site = changing
    before = len(site.audit)
    await opened(pilot, key)
    await until(pilot, lambda: words in verdict(app))
    assert verdict(app).startswith("▶")
    assert app.screen.query_one("#run").disabled
    await pilot.press("enter", "enter", "enter")
    assert len(site.audit) == before


async def test_a_device_that_somebody_has_open_stays(changing):
    app, pilot, site = changing
    engine = site.open(recovering=False)
    site.machine.leaks.begin(engine.devices.device("web"))
    await opened(pilot, "d")
    await ready(pilot)
    await pilot.press("enter", "enter")
    await ended(pilot)
    assert "Device or resource busy" in verdict(app)
    assert site.active("web")


async def test_another_process_that_has_the_lock_is_told_of(changing):
    app, pilot, site = changing
    holding = site.open()
    await performed(pilot, "a", name="db")
    assert "is in use by process" in verdict(app)
    assert "Nothing was changed" in verdict(app)
    holding.close()
    await pilot.click("#back")
    await ready(pilot)
    assert app.screen.query_one("#field-name").value == "db"


async def test_a_plan_that_is_another_by_now_is_shown_anew_and_confirmed_again(changing):
    app, pilot, site = changing
    await opened(pilot, "n")
    await pilot.press(*"api")
    await ready(pilot)
    site.do(lambda plans: plans.create("other"))
    app.screen.query_one("#run").focus()
    await pilot.press("enter")
    await until(pilot, lambda: "The plan has changed meanwhile" in verdict(app))
    assert "api" not in site.recorded
    await until(pilot, lambda: "create_snap 5 2" in plan(app))
    await ready(pilot)
    await pilot.click("#run")
    await ended(pilot)
    assert "api" in site.recorded


@pytest.mark.parametrize("options", [{}, {"read_only": True}], ids=["writable", "read-only"])
async def test_where_there_is_no_pool_the_welcome_offers_one_unless_nothing_may_change(site, options):
    app = site.app(**options)
    async with app.run_test(size=SIZE) as pilot:
        app.feed(samples.sample(machine="emulated"))
        await pilot.pause()
        lines = text_of(app.screen.query_one("#welcome", Panel).lines)
        assert ("P makes the pool of the graph directory" in lines) is not bool(options)


async def test_below_the_free_space_gate_nothing_is_made_and_the_way_out_is_told(changing):
    app, pilot, site = changing
    device = next(device for device in site.sample().pools[0].devices if device.display_name == "web")
    site.machine.write(device.name, offset_bytes=0, length_bytes=60 * 1024**2)
    site.do(lambda plans: plans.create("big", "", 1024**3))
    site.do(lambda plans: plans.activate("big"))
    big = next(device for device in site.sample().pools[0].devices if device.display_name == "big")
    site.machine.write(big.name, offset_bytes=64 * 1024**2, length_bytes=130 * 1024**2)
    await opened(pilot, "n")
    await fill(pilot, name="api")
    await until(pilot, lambda: verdict(app).startswith("✖"))
    assert "dm.min_free_space" in verdict(app)
    assert app.screen.query_one("#run").disabled


@pytest.mark.parametrize(
    ("key", "values"), [("n", {"name": "api"}), ("x", {"name": "web"}), ("E", {"data": "512M"}), ("C", {})]
)
async def test_a_pool_that_failed_is_not_changed_and_the_audit_log_has_no_done(changing, key, values):
    app, pilot, site = changing
    site.machine.faults.fail_pool(site.sample().pools[0].name)
    before = len(site.audit)
    await opened(pilot, key)
    await fill(pilot, **values)
    if values.get("name") == "web":
        app.screen.query_one("#typed").focus()
        await pilot.press(*"web")
    await until(pilot, lambda: verdict(app).startswith("✖") or not app.screen.query_one("#run").disabled)
    if not app.screen.query_one("#run").disabled:
        app.screen.query_one("#run").focus()
        await pilot.press("enter")
        await until(pilot, lambda: "failed" in verdict(app))
    assert verdict(app).startswith("✖")
    assert not any(line["result"] == "done" for line in site.audit[before:])


async def test_many_are_refused_together_when_none_can_be(changing):
    app, pilot, site = changing
    before = len(site.audit)
    await opened(pilot, "u")
    await fill(pilot, name="web db nobody other somebody")
    await until(pilot, lambda: "and 2 more are refused" in verdict(app))
    assert app.screen.query_one("#run").disabled
    assert len(site.audit) == before
