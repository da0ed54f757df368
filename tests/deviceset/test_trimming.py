"""Trimming: what file systems have free goes back to the pool, what an inactive pool has free to the host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.plan import Phase, PlanFailedError
from dmtui.deviceset.poollink import PoolUnusableError
from dmtui.machine.durable import InUseError
from dmtui.machine.errors import NoSpaceError
from dmtui.thinpool.errors import MissingError
from dmtui.thinpool.status import PoolMode
from dmtui.thinpool.table import PoolTable
from tests.deviceset.loops import loops_below
from tests.deviceset.processes import lives_through, patience_with
from tests.deviceset.troubles import fill_metadata, let_fail

MIB = 1024**2
OPTIONS = ("dm.loopdatasize=256M", "dm.loopmetadatasize=4M", "dm.basesize=64M", "dm.fs=ext4")
SIZE = 64 * MIB
EXT4 = ("-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0")


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


def write(machine, name: str, length_bytes: int) -> None:
    """Write to the beginning of a mapped device, past its file system."""
    if machine.kind == "emulated":
        machine.write(name, offset_bytes=0, length_bytes=length_bytes)
        return
    device = os.open(f"/dev/mapper/{name}", os.O_WRONLY)
    try:
        for offset in range(0, length_bytes, MIB):
            os.pwrite(device, bytes(MIB), offset)
        os.fsync(device)
    finally:
        os.close(device)


def with_free_blocks(engine, name: str) -> None:
    """A mounted device with every block mapped, though its file system has most of them free."""
    devices = engine.devices
    engine.run(engine.plans.create(name))
    engine.run(engine.plans.activate(name))
    write(devices.machine, devices.device(name), SIZE)
    devices.machine.filesystems.make(devices.node(name), "ext4", EXT4)
    engine.run(engine.plans.mount(name))


def used(engine) -> int:
    """Bytes of data in use, after a commit."""
    pool = engine.devices.pool
    pool.mapper.status_flush(pool.name)
    return pool.figures().data.used_blocks * pool.table().block_bytes


def said(engine, plan) -> str:
    """Run a plan; what it told meanwhile."""
    told: list[str] = []
    engine.run(plan, lambda progress: told.append(progress.text) if progress.phase is Phase.NOTED else None)
    return "\n".join(told)


def test_what_mounted_file_systems_have_free_goes_back_to_the_pool(engine):
    for name in ("one", "two"):
        with_free_blocks(engine, name)
    before = used(engine)
    engine.run(engine.plans.trim())
    assert used(engine) < before - SIZE
    assert all(engine.devices.mount(name) for name in ("one", "two"))


def test_it_tells_what_each_file_system_said_and_what_it_came_to_in_the_pool(engine):
    with_free_blocks(engine, "one")
    before = engine.devices.pool.figures().data
    told = said(engine, engine.plans.trim())
    assert f"{engine.devices.mount_point('one')}: " in told
    assert f"{before.used_blocks}/{before.total_blocks} blocks before, " in told


def test_the_plan_is_an_fstrim_for_each_mounted_device_and_one_commit(engine):
    for name in ("one", "two", "three"):
        engine.run(engine.plans.create(name))
    engine.run(engine.plans.mount("one"))
    engine.run(engine.plans.mount("three"))
    plan = engine.plans.trim()
    points = [engine.devices.mount_point(name) for name in ("one", "three")]
    pool = engine.devices.pool.name
    assert [step.command for step in plan.steps] == [*(f"fstrim {each}" for each in points), f"dmsetup status {pool}"]
    assert [step.slow for step in plan.steps] == [True, True, False]
    assert plan.notices == ("devices that are not mounted keep what they have: two",)


def test_without_a_mounted_device_there_is_nothing_to_do(engine):
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.activate("one"))
    plan = engine.plans.trim()
    assert plan.steps == ()
    assert "no device is mounted" in plan.notices[0]
    engine.run(plan)


def test_a_device_in_the_middle_of_its_trim_is_kept_from_others_who_work_on(machine, home, engine, monkeypatch):
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.mount("one"))
    done, trim = [], machine.filesystems.trim

    def meanwhile(directory):
        other = opened(machine, home)
        other.run(other.plans.create("two"))
        with pytest.raises(InUseError, match=r"device one: is in use .*: trim"):
            other.run(other.plans.unmount("one"))
        other.close()
        done.append(directory)
        return trim(directory)

    monkeypatch.setattr(machine.filesystems, "trim", meanwhile)
    engine.run(engine.plans.trim())
    assert done == [engine.devices.mount_point("one")]
    assert "two" in engine.plans.state.records


def test_what_somebody_unmounted_meanwhile_is_left_out(machine, engine, monkeypatch):
    """At its mount point there is the host's file system then."""
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.mount("one"))
    plan = engine.plans.trim()
    machine.filesystems.unmount(engine.devices.mount_point("one"))
    trim = let_fail(monkeypatch, machine, "filesystems", "trim")
    assert "is not mounted any more" in said(engine, plan)
    assert trim.made == 0


def test_a_file_system_that_cannot_be_trimmed_keeps_no_other_from_it(machine, engine, monkeypatch):
    for name in ("one", "two"):
        with_free_blocks(engine, name)
    before = used(engine)
    let_fail(monkeypatch, machine, "filesystems", "trim")
    with pytest.raises(PlanFailedError, match="was trimmed but for: the machine: does not want to"):
        engine.run(engine.plans.trim())
    assert used(engine) < before - SIZE // 2


def test_a_pool_out_of_metadata_is_refused_because_its_discards_do_nothing(machine, home):
    engine = opened(machine, home, "dm.loopmetadatasize=1M")
    engine.run(engine.plans.start("now"))
    fill_metadata(engine)
    with pytest.raises(PoolUnusableError, match="does nothing; extend its metadata first"):
        engine.plans.trim()
    engine.close()


def load(engine, *features: str) -> None:
    """Give the pool a table with other features."""
    pool = engine.devices.pool
    (target,) = pool.mapper.table(pool.name).targets
    table = pool.table()
    changed = PoolTable(table.metadata_device, table.data_device, table.block_sectors, 0, features)
    pool.mapper.load(pool.name, [changed.target(target.length_sectors)])
    pool.mapper.resume(pool.name)


def test_that_a_loop_file_will_not_shrink_is_told_where_the_pool_passes_no_discards_down(engine):
    load(engine, "no_discard_passdown")
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.mount("one"))
    plan = engine.plans.trim()
    assert any("does not pass discards down" in notice for notice in plan.notices)
    engine.run(plan)


def test_a_pool_that_ignores_discards_is_refused(machine, engine):
    devices = engine.devices
    machine.device_mapper.remove(devices.pool.name)
    data, metadata = (machine.loops.attach(path) for path in (devices.graph.data_file, devices.graph.metadata_file))
    table = PoolTable(metadata.path, data.path, 128, 0, ("ignore_discard",))
    machine.device_mapper.create(devices.pool.name, [table.target(256 * MIB // 512)])
    for loop in (data, metadata):
        machine.loops.release(loop)
    with pytest.raises(PoolUnusableError, match="ignores discards"):
        engine.plans.trim()


def with_free_space(engine) -> None:
    """An inactive pool with blocks that were used once."""
    devices = engine.devices
    load(engine, "no_discard_passdown")  # or the kernel would give them back at once
    engine.run(engine.plans.create("gone"))
    engine.run(engine.plans.activate("gone"))
    write(devices.machine, devices.device("gone"), SIZE)
    engine.run(engine.plans.deactivate("gone"))
    devices.pool.message(f"delete {devices.record('gone').device_id}")
    devices.machine.device_mapper.remove(devices.pool.name)
    assert loops_below(devices.machine, Path(devices.graph.directory)) == []


def taken(engine) -> int:
    """Bytes that the data file takes of the host's file system."""
    return engine.devices.machine.files.identify(engine.devices.graph.data_file).allocated_bytes


def test_an_inactive_pool_gives_the_host_back_what_it_has_free(machine, home, engine):
    with_free_space(engine)
    before = taken(engine)
    plan = engine.plans.trim()
    assert "gives the host's file system back" in plan.notices[0]
    told = said(engine, plan)
    assert taken(engine) <= before - SIZE // 2
    assert "of the host's file system before" in told
    assert loops_below(machine, home) == []
    assert not engine.devices.pool.exists()
    engine.run(engine.plans.start("now"))  # and what is used is all there


def test_while_an_inactive_pool_is_trimmed_nobody_activates_it(machine, home, engine, monkeypatch):
    with_free_space(engine)
    trim, done = machine.thin_tools.trim, []

    def meanwhile(metadata, data):
        other = opened(machine, home)
        with pytest.raises(InUseError, match=r"pool: is in use by process .*: trim"):
            other.run(other.plans.start("now"))
        other.close()
        done.append(metadata)
        trim(metadata, data)

    monkeypatch.setattr(machine.thin_tools, "trim", meanwhile)
    engine.run(engine.plans.trim())
    assert len(done) == 1


def test_a_trim_of_an_inactive_pool_that_fails_lets_go_of_the_loop_devices(machine, home, engine, monkeypatch):
    with_free_space(engine)
    let_fail(monkeypatch, machine, "thin_tools", "trim")
    with pytest.raises(PlanFailedError):
        engine.run(engine.plans.trim())
    assert loops_below(machine, home) == []


def test_a_pool_that_is_neither_active_nor_on_our_files_is_missing(machine, home):
    engine = opened(machine, home)
    with pytest.raises(MissingError, match="not on loop files"):
        engine.plans.trim()
    engine.close()


emulated = pytest.mark.parametrize("machine_kind", ["emulated"])


@emulated
def test_a_full_pool_takes_writes_again_after_the_commit(machine, engine):
    """Discards alone leave it full: nothing else commits on an idle pool."""
    with_free_blocks(engine, "one")
    engine.run(engine.plans.create("two", "", 512 * MIB))
    engine.run(engine.plans.activate("two"))
    with pytest.raises(NoSpaceError):
        write(machine, engine.devices.device("two"), 512 * MIB)
    assert engine.devices.pool.status().mode is PoolMode.OUT_OF_DATA_SPACE
    ((_, before),) = machine.queue.list_waiting()
    engine.run(engine.plans.trim())
    after = sum(io.bytes_left for _, io in machine.queue.list_waiting())
    assert after < before.bytes_left  # what waited has gone on


@emulated
def test_a_pool_that_failed_or_needs_a_check_is_refused(machine, engine):
    machine.faults.fail_metadata_operation(engine.devices.pool.name)
    with pytest.raises(PoolUnusableError, match="does nothing; mend its metadata"):
        engine.plans.trim()
    machine.faults.fail_pool(engine.devices.pool.name)
    with pytest.raises(PoolUnusableError, match="answers Fail"):
        engine.plans.trim()


@emulated
@pytest.mark.parametrize("active", [True, False], ids=["active", "inactive"])
def test_killed_at_any_call_a_trim_leaves_nothing_behind(machine, home, engine, active):
    if active:
        engine.run(engine.plans.create("one"))
        engine.run(engine.plans.mount("one"))
    else:
        machine.device_mapper.remove(engine.devices.pool.name)
    directory, options = engine.devices.graph.directory, engine.devices.options
    engine.close()
    for at in range(1, 200):
        alive = lives_through(home, directory, options, lambda process: process.run(process.plans.trim()), at)
        again = opened(machine, home)
        assert os.listdir(again.devices.intents.directory) == []
        assert again.devices.pool.exists() == active
        assert len(loops_below(machine, home, left=2)) == (2 if active else 0)
        again.close()
        if alive:
            assert at > 10, "the reaper counted no calls"
            return
    raise AssertionError("the trim never came to its end")
