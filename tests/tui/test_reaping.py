"""The deletion worker in the dashboard: asked for, told of, and refused when nothing may change."""

from __future__ import annotations

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from dmtui.machine.emulated import EmulatedMachine
from dmtui.tui.lines import text_of
from dmtui.tui.widgets.panel import Panel
from tests.tui import samples

OPTIONS = parse_options(["dm.loopdatasize=256M", "dm.loopmetadatasize=8M", "dm.basesize=64M", "dm.fs=ext4"])


@pytest.fixture
def busy(tmp_path):
    """A machine whose device `one` was removed while somebody had it open, and the holder's pid."""
    machine = EmulatedMachine.open(tmp_path)
    graph = str(tmp_path / "devicemapper")
    engine = open_engine(machine, graph, OPTIONS, making=True)
    engine.run(engine.plans.start("now"))
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.activate("one"))
    pid = machine.leaks.begin(engine.devices.device("one"))
    engine.run(engine.plans.remove("one"))
    engine.close()
    yield machine, pid, lambda **_: open_engine(machine, graph, OPTIONS)
    machine.close()


def told(app) -> list[str]:
    return [f"{notification.title}: {notification.message}" for notification in app._notifications]


async def until(pilot, condition) -> None:
    for _ in range(200):
        await pilot.pause(0.02)
        if condition():
            return
    raise AssertionError("it did not come")


async def test_a_key_press_starts_the_worker_which_tells_what_waits_and_what_is_gone(dashboard, busy):
    machine, pid, open_it = busy
    app = dashboard(open_engine=open_it)
    async with app.run_test(size=(120, 40)) as pilot:
        app.feed(samples.sample(samples.docker_pool()))
        await pilot.press("w")
        await until(pilot, lambda: "one still waits: it is open once" in told(app))
        assert "Stop reaping" in text_of(app.screen.query_one("#keys", Panel).lines)
        machine.leaks.end(pid)
        app._reaper.worker.trigger()
        await until(pilot, lambda: "Reaped: one is deleted" in told(app))
        await pilot.press("w")
        assert "Stop reaping" not in text_of(app.screen.query_one("#keys", Panel).lines)
    engine = open_it()
    assert "one" not in engine.devices.state.records
    engine.close()


async def test_a_worker_that_cannot_open_the_device_set_says_why_once(dashboard, busy):
    _, _, open_it = busy
    holding = open_it()
    app = dashboard(open_engine=open_it)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("w")
        await until(pilot, lambda: any("is in use by process" in line for line in told(app)))
        app._reaper.worker.trigger()
        await pilot.pause(0.2)
        assert len(told(app)) == 1
    holding.close()


@pytest.mark.parametrize("options", [{"read_only": True}, {"open_engine": None}])
async def test_nothing_is_reaped_where_nothing_may_change_or_there_is_no_device_set(dashboard, busy, options):
    app = dashboard(**({"open_engine": busy[2]} | options))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("w")
        assert app._reaper.worker is None
