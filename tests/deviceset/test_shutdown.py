"""Taking a device set down: all of it goes, or all of it stays; by force as much as can go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.plan import Phase, PlanFailedError
from dmtui.deviceset.poollink import PoolUnusableError
from dmtui.machine.durable import InUseError
from dmtui.machine.errors import DeviceBusyError
from dmtui.thinpool.errors import DmtuiError, MissingError
from dmtui.thinpool.table import PoolTable, ThinTable
from tests.deviceset.loops import loops_below
from tests.deviceset.processes import lives_through, patience_with
from tests.deviceset.troubles import Holder, let_fail

MIB = 1024**2
DATA, METADATA = 256 * MIB, 4 * MIB
OPTIONS = ("dm.loopdatasize=256M", "dm.loopmetadatasize=4M", "dm.basesize=64M", "dm.fs=ext4")


def opened(machine, home, *more: str):
    options = parse_options([*OPTIONS, *more])
    return open_engine(machine, str(home / "graph"), options, making=True, patience=patience_with(machine))


@pytest.fixture
def engine(machine, home):
    """A started device set on loop files."""
    engine = opened(machine, home)
    engine.run(engine.plans.start("now"))
    yield engine
    engine.close()


@pytest.fixture
def busy(engine):
    """The same in full use: `one` mounted twice, `two` mounted, `three` active, and so is the base device."""
    build_up(engine)
    return engine


def build_up(engine) -> None:
    for name in ("one", "two", "three"):
        if name not in engine.plans.state.records:
            engine.run(engine.plans.create(name))
    for name in ("one", "one", "two"):
        engine.run(engine.plans.mount(name))
    engine.run(engine.plans.activate("three"))
    engine.run(engine.plans.activate(""))


def picture(engine) -> dict:
    """What is up: devices with their tables, mounted ones with their counts, mount points, the pool."""
    devices = engine.devices
    mapper = devices.machine.device_mapper
    counts = devices.store.read_mount_counts()
    mounts = {name: devices.mount(name) for name in devices.active_names()}
    points = Path(devices.graph.directory, "mnt")
    return {
        "pool": devices.pool.exists(),
        "devices": {name: mapper.table(devices.device(name)).targets for name in devices.active_names()},
        "uuids": {name: mapper.info(devices.device(name)).uuid for name in devices.active_names()},
        "counts": {name: counts[name].count for name, mount in mounts.items() if mount is not None},
        "valid": [name for name, mount in mounts.items() if mount and mount.mount_id == counts[name].mount_id],
        "points": sorted(path.name for path in points.iterdir()) if points.is_dir() else [],
    }


DOWN = {"pool": False, "devices": {}, "uuids": {}, "counts": {}, "valid": [], "points": []}


def is_down(machine, home, engine) -> bool:
    return picture(engine) == DOWN and loops_below(machine, home) == [] and engine.store.read_mount_counts() == {}


def test_everything_is_taken_down_and_no_file_and_no_record_goes(machine, home, busy):
    graph = busy.devices.graph
    busy.devices.machine.filesystems.write_inside(busy.devices.mount_point("one"), "kept", "text")
    busy.run(busy.plans.remove_pool())
    assert is_down(machine, home, busy)
    assert [machine.files.identify(path).size_bytes for path in (graph.data_file, graph.metadata_file)] == [
        DATA,
        METADATA,
    ]
    assert set(busy.plans.state.records) == {"", "one", "two", "three"}
    busy.run(busy.plans.start("now"))
    busy.run(busy.plans.mount("one"))
    assert "kept" in machine.filesystems.names_inside(busy.devices.mount_point("one"))


def test_an_active_device_without_a_record_goes_too(machine, home, engine):
    devices = engine.devices
    devices.pool.message("create_thin 77")
    table = ThinTable(devices.pool.path, 77).target(MIB // 512)
    machine.device_mapper.create(devices.device("nobodys"), [table])
    engine.run(engine.plans.remove_pool())
    assert is_down(machine, home, engine)


def test_the_plan_is_the_operators_own_commands_and_changes_nothing(busy):
    before = picture(busy)
    devices, mapper = busy.devices, "dmsetup remove"
    assert [step.command for step in busy.plans.remove_pool().steps] == [
        *(
            line
            for name in ("one", "two")
            for line in (
                f"umount --lazy {devices.mount_point(name)}",
                f"rmdir {devices.mount_point(name)}",
                f"{mapper} {devices.device(name)}",
            )
        ),
        f"{mapper} {devices.device('three')}",
        f"{mapper} {devices.device('')}",
        f"{mapper} {devices.pool.name}",
    ]
    assert picture(busy) == before


def test_what_is_unmounted_under_its_users_is_told(busy):
    assert "unmounted under their users: one, two" in busy.plans.remove_pool().notices


@pytest.mark.parametrize("what", ["data", "metadata"])
def test_a_pool_whose_file_was_deleted_is_not_taken_down_unasked(machine, home, busy, what):
    graph, before = busy.devices.graph, picture(busy)
    path = {"data": graph.data_file, "metadata": graph.metadata_file}[what]
    machine.files.remove_file(path)
    with pytest.raises(DmtuiError, match=rf"{path}.*: was deleted.*would be lost.*dd if=/dev/loop.*--force"):
        busy.plans.remove_pool()
    assert picture(busy) == before
    plan = busy.plans.remove_pool(force=True)
    assert any("ALL ITS DATA ARE LOST" in notice for notice in plan.notices)
    assert not any("no file and no record goes" in notice for notice in plan.notices)
    busy.run(plan)
    assert is_down(machine, home, busy)


def test_what_does_not_come_back_by_itself_is_told(busy, engine):
    notice = "when it comes back these stay inactive until they are activated: one, two, three, the base device"
    assert notice in busy.plans.remove_pool().notices


def test_a_pool_comes_back_as_large_as_it_was_where_no_size_is_given(machine, home, engine):
    graph, pool = engine.devices.graph, engine.devices.pool
    engine.run(engine.plans.extend(DATA + MIB, METADATA + MIB))
    before = pool.table()
    sizes = [machine.files.identify(path).size_bytes for path in (graph.data_file, graph.metadata_file)]
    engine.run(engine.plans.remove_pool())
    engine.close()
    options = parse_options(["dm.basesize=64M", "dm.fs=ext4"])
    another = open_engine(machine, str(home / "graph"), options, making=True, patience=patience_with(machine))
    plan = another.plans.start("now")
    assert not [step.text for step in plan.steps if step.text.startswith("grow")]
    assert not [notice for notice in plan.notices if "was asked for" in notice]
    another.run(plan)
    assert another.devices.pool.table() == before
    assert sizes == [machine.files.identify(path).size_bytes for path in (graph.data_file, graph.metadata_file)]
    another.close()


def test_a_device_set_that_is_down_has_nothing_to_take_down(machine, home, engine):
    engine.run(engine.plans.remove_pool())
    with pytest.raises(MissingError, match="is not active"):
        engine.plans.remove_pool()


def attach_for_good(machine, engine) -> list:
    """Stand the pool on loop devices that do not go by themselves."""
    graph, pool = engine.devices.graph, engine.devices.pool.name
    machine.device_mapper.remove(pool)
    assert loops_below(machine, Path(graph.directory)) == []
    loops = [machine.loops.attach(path, autoclear=False) for path in (graph.data_file, graph.metadata_file)]
    table = PoolTable(loops[1].path, loops[0].path, 128, 0, ("skip_block_zeroing",))
    machine.device_mapper.create(pool, [table.target(DATA // 512)])
    return loops


def test_loop_devices_that_do_not_go_by_themselves_are_detached(machine, home, engine):
    loops = attach_for_good(machine, engine)
    plan = engine.plans.remove_pool()
    assert [step.command for step in plan.steps][-2:] == [f"losetup -d {loop.path}" for loop in loops]
    engine.run(plan)
    assert is_down(machine, home, engine)


def test_loop_devices_that_a_pool_left_attached_are_detached_although_it_is_gone(machine, home, engine):
    attach_for_good(machine, engine)
    machine.device_mapper.remove(engine.devices.pool.name)
    engine.run(engine.plans.remove_pool())
    assert is_down(machine, home, engine)


def test_a_loop_device_that_something_else_stands_on_stays(machine, home, engine):
    loops = attach_for_good(machine, engine)
    plan = engine.plans.remove_pool()
    machine.device_mapper.remove(engine.devices.pool.name)
    table = PoolTable(loops[1].path, loops[0].path, 128, 0)
    machine.device_mapper.create("dmtui-test-another-pool", [table.target(DATA // 512)])
    engine.run(plan)
    assert {loop.path for loop in loops_below(machine, home, left=2)} == {loop.path for loop in loops}


def test_a_device_that_others_hold_is_named_before_anything_is_taken_down(machine, busy):
    before = picture(busy)
    holder = Holder(machine, busy.devices.device("two"))
    with pytest.raises(
        DeviceBusyError, match=rf"{busy.devices.device('two')} \(\d+:\d+\) is open .* by others.*--force"
    ):
        busy.plans.remove_pool()
    assert picture(busy) == before
    holder.let_go()
    busy.run(busy.plans.remove_pool())


def test_a_device_that_is_mounted_elsewhere_too_is_named(machine, home, busy):
    elsewhere = str(home / "elsewhere")
    machine.files.make_directory(elsewhere)
    machine.filesystems.mount(busy.devices.node("three"), elsewhere, "ext4", [])
    with pytest.raises(DeviceBusyError, match=rf"{busy.devices.device('three')} \(\d+:\d+\) is mounted at .*elsewhere"):
        busy.plans.remove_pool()
    machine.filesystems.unmount(elsewhere)


def test_a_device_of_others_on_the_pool_is_named(machine, busy):
    busy.devices.pool.message("create_thin 77")
    machine.device_mapper.create("dmtui-test-guest", [ThinTable(busy.devices.pool.path, 77).target(MIB // 512)])
    with pytest.raises(DeviceBusyError, match="dmtui-test-guest stands on it"):
        busy.plans.remove_pool()
    machine.device_mapper.remove("dmtui-test-guest")


def test_an_open_pool_is_told(machine, engine):
    holder = Holder(machine, engine.devices.pool.name)
    with pytest.raises(DeviceBusyError, match="the pool itself is open"):
        engine.plans.remove_pool()
    holder.let_go()


def test_a_suspended_pool_is_refused_because_its_devices_would_hang(engine):
    engine.devices.pool.mapper.suspend(engine.devices.pool.name, flush=False, lock_filesystem=False)
    for force in (False, True):
        with pytest.raises(PoolUnusableError, match="dmsetup resume"):
            engine.plans.remove_pool(force=force)
    engine.devices.pool.mapper.resume(engine.devices.pool.name)


def test_a_device_in_work_is_told_with_its_process(busy):
    claim = busy.devices.intents.claim(Intent("two", "create"), "noon")
    with pytest.raises(InUseError, match=r"device two: is in use by process .* since noon: create"):
        busy.run(busy.plans.remove_pool())
    busy.devices.intents.drop(claim)


@pytest.mark.parametrize(
    ("part", "method", "turn"),
    [
        ("filesystems", "unmount", 1),
        ("filesystems", "unmount", 2),
        *(("device_mapper", "remove", turn) for turn in range(1, 6)),
    ],
)
def test_when_a_call_fails_everything_is_up_as_before(machine, busy, monkeypatch, part, method, turn):
    before = picture(busy)
    let_fail(monkeypatch, machine, part, method, turn)
    with pytest.raises(PlanFailedError, match="does not want to") as caught:
        busy.run(busy.plans.remove_pool())
    assert not caught.value.outcome.unfinished
    assert picture(busy) == before
    busy.run(busy.plans.remove_pool())


@pytest.mark.parametrize(("part", "method"), [("filesystems", "unmount"), ("device_mapper", "remove")])
def test_what_was_done_without_an_answer_is_looked_at_and_counts_as_done(
    machine, home, busy, monkeypatch, part, method
):
    """udev may take its time over a device that has gone."""
    let_fail(monkeypatch, machine, part, method, 1, 2, unanswered=True)
    busy.run(busy.plans.remove_pool())
    assert is_down(machine, home, busy)


def test_a_pool_that_stays_busy_is_told_with_who_stands_on_it_and_all_is_put_back(machine, busy):
    before = picture(busy)
    busy.devices.pool.message("create_thin 77")

    def come_as_a_guest(progress):
        if progress.text.startswith("remove the pool") and progress.phase is Phase.BEGUN:
            table = ThinTable(busy.devices.pool.path, 77).target(MIB // 512)
            machine.device_mapper.create("dmtui-test-guest", [table])

    with pytest.raises(PlanFailedError, match=r"is still in use by dmtui-test-guest \(open"):
        busy.run(busy.plans.remove_pool(), come_as_a_guest)
    assert picture(busy) == before
    machine.device_mapper.remove("dmtui-test-guest")


def test_by_force_everything_goes_that_nobody_holds(machine, home, busy):
    busy.run(busy.plans.remove_pool(force=True))
    assert is_down(machine, home, busy)


def test_by_force_what_is_held_goes_with_its_last_user_and_the_pool_is_found_again(machine, home, busy):
    holder = Holder(machine, busy.devices.device("two"))
    plan = busy.plans.remove_pool(force=True)
    (notice,) = [each for each in plan.notices if each.startswith(busy.devices.device("two"))]
    assert notice.endswith("by others: it goes with the last of them")
    with pytest.raises(
        PlanFailedError, match=rf"by {busy.devices.device('two')} \(open .*\); .*finds it again"
    ) as raised:
        busy.run(plan)
    assert isinstance(raised.value.cause, DeviceBusyError)
    assert not raised.value.outcome.unfinished
    left = picture(busy)
    assert list(left["devices"]) == ["two"]
    assert (left["pool"], left["counts"], left["points"]) == (True, {}, [])
    busy.close()

    again = opened(machine, home)
    assert again.recovered == ()
    assert any("is active already" in notice for notice in again.plans.start("now").notices)
    holder.let_go()
    again.run(again.plans.remove_pool())
    assert is_down(machine, home, again)
    again.close()


def test_by_force_without_deferred_removal_what_is_held_stays_active(machine, home, busy):
    busy.close()
    holder = Holder(machine, busy.devices.device("three"))
    plain = opened(machine, home, "dm.use_deferred_removal=false", "dm.use_deferred_deletion=false")
    plan = plain.plans.remove_pool(force=True)
    assert any(notice.endswith("it stays active") for notice in plan.notices)
    told: list[str] = []
    with pytest.raises(PlanFailedError):
        plain.run(plan, lambda progress: told.append(progress.text))
    assert any("three stays active" in text for text in told)
    assert list(picture(plain)["devices"]) == ["three"]
    holder.let_go()
    plain.close()


@pytest.mark.parametrize(("part", "method"), [("filesystems", "unmount"), ("device_mapper", "remove")])
def test_by_force_one_failure_keeps_nothing_else_up(machine, busy, monkeypatch, part, method):
    let_fail(monkeypatch, machine, part, method)
    with pytest.raises(PlanFailedError, match="finds it again"):
        busy.run(busy.plans.remove_pool(force=True))
    assert list(picture(busy)["devices"]) == ["one"]


def test_of_a_pool_of_somebody_else_only_the_devices_go(machine, home):
    machine.files.make_directory(str(home))
    for name, size in (("data", DATA), ("metadata", METADATA)):
        machine.files.make_sparse_file(str(home / name), size)
    data, metadata = (machine.loops.attach(str(home / name)) for name in ("data", "metadata"))
    pool = "dmtui-test-vg-pool"
    machine.device_mapper.create(pool, [PoolTable(metadata.path, data.path, 128, 0).target(DATA // 512)])
    for loop in (data, metadata):
        machine.loops.release(loop)
    engine = opened(machine, home, f"dm.thinpooldev=/dev/mapper/{pool}")
    engine.run(engine.plans.start("now"))
    build_up(engine)
    plan = engine.plans.remove_pool()
    assert f"pool {pool} is not made of our tables: it stays active, only its devices here go" in plan.notices
    engine.run(plan)
    assert picture(engine) == {**DOWN, "pool": True}
    assert engine.plans.remove_pool().steps == ()
    engine.close()


emulated = pytest.mark.parametrize("machine_kind", ["emulated"])


@emulated
def test_a_failed_pool_is_taken_down(machine, home, busy):
    machine.faults.fail_pool(busy.devices.pool.name)
    busy.run(busy.plans.remove_pool())
    assert is_down(machine, home, busy)


@emulated
@pytest.mark.parametrize("force", [False, True], ids=["plain", "force"])
def test_killed_at_any_call_a_removal_is_whole_or_has_not_begun(machine, home, busy, force):
    before = picture(busy)
    directory, options = busy.devices.graph.directory, busy.devices.options
    busy.close()
    for at in range(1, 300):
        alive = lives_through(
            home, directory, options, lambda process: process.run(process.plans.remove_pool(force=force)), at
        )
        again = opened(machine, home)
        assert os.listdir(again.devices.intents.directory) == []
        assert picture(again) == before or is_down(machine, home, again)
        if alive:
            assert is_down(machine, home, again)
            assert at > 30, "the reaper counted no calls"
            return
        if not again.devices.pool.exists():
            again.run(again.plans.start("now"))
            build_up(again)
        again.close()
    raise AssertionError("the removal never came to its end")


@emulated
def test_what_is_held_since_a_removal_was_killed_stays_and_is_told(machine, home, busy):
    directory, options = busy.devices.graph.directory, busy.devices.options
    busy.close()
    for at in range(1, 300):
        lives_through(home, directory, options, lambda process: process.run(process.plans.remove_pool()), at)
        if busy.devices.mount("one") is None:
            break
        again = opened(machine, home)
        if not again.devices.pool.exists():
            again.run(again.plans.start("now"))
            build_up(again)
        again.close()
    holder = Holder(machine, busy.devices.device("two"))
    again = opened(machine, home)
    assert "was given up" in again.recovered[0]
    assert busy.devices.device("two") in again.recovered[0]
    left = picture(again)
    assert list(left["devices"]) == ["two"]
    assert left["counts"] == {"two": 1}
    assert os.listdir(again.devices.intents.directory) == []
    holder.let_go()
    again.run(again.plans.remove_pool())
    assert is_down(machine, home, again)
    again.close()
