"""The faults that were read out of the original's code, each mended: one test named after each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.listing import list_views
from dmtui.deviceset.optionrules import rule
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.plan import PlanFailedError
from dmtui.deviceset.reaping import reap
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.store import Transaction
from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.table import PoolTable, ThinTable
from tests.deviceset.troubles import Holder, reaped_when_closed

MIB = 1024**2
OPTIONS = ("dm.loopdatasize=256M", "dm.loopmetadatasize=8M", "dm.basesize=64M", "dm.fs=ext4")


def opened(machine, home, *more: str):
    return open_engine(machine, str(home / "graph"), parse_options([*OPTIONS, *more]), making=True)


@pytest.fixture
def engine(machine, home):
    """A started device set."""
    engine = opened(machine, home)
    engine.run(engine.plans.start("now"))
    yield engine
    engine.close()


def own_loops(machine, home) -> list:
    return [loop for loop in machine.loops.list_bound() if (loop.backing_path or "").startswith(str(home))]


def test_a_graph_directory_with_another_prefix_gets_no_second_pool_over_the_same_files(machine, home):
    """Restored or moved, a directory has another inode; the old pool, still active, is under another name."""
    engine = opened(machine, home)
    files = engine.devices.graph
    machine.files.make_directory(f"{files.directory}/devicemapper")
    for path in (files.data_file, files.metadata_file):
        machine.files.make_sparse_file(path, 64 * MIB)
    data, metadata = machine.loops.attach(files.data_file), machine.loops.attach(files.metadata_file)
    table = PoolTable(metadata.path, data.path, 128, 0)
    machine.device_mapper.create("dmtui-test-old-prefix-pool", [table.target(64 * MIB // 512)])
    for loop in (data, metadata):
        machine.loops.release(loop)
    with pytest.raises(DmtuiError, match="dmtui-test-old-prefix-pool stands on"):
        engine.plans.start("now")
    engine.close()
    assert len(own_loops(machine, home)) == 2


def test_a_pool_made_on_given_devices_is_recognised_without_their_options(machine, home):
    """The original looks for loop files that were never made, and does not start."""
    machine.files.make_directory(str(home))
    for name in ("a", "b"):
        machine.files.make_sparse_file(str(home / name), 64 * MIB)
    data, metadata = (machine.loops.attach(str(home / name)) for name in ("a", "b"))
    given = opened(machine, home, f"dm.datadev={data.path}", f"dm.metadatadev={metadata.path}")
    given.run(given.plans.start("now"))
    for loop in (data, metadata):
        machine.loops.release(loop)
    given.close()
    again = opened(machine, home)
    plan = again.plans.start("now")
    assert any("data does not exist" in notice for notice in plan.notices)
    again.run(plan)
    again.run(again.plans.create("one"))
    again.close()


def test_a_gap_in_the_loop_numbering_hides_no_loop_device(machine, home):
    machine.files.make_directory(str(home))
    for name in ("first", "second"):
        machine.files.make_sparse_file(str(home / name), MIB)
    fillers = [machine.loops.attach(str(home / name), autoclear=False) for name in ("first", "second")]
    engine = opened(machine, home)
    engine.run(engine.plans.start("now"))
    for loop in fillers:
        machine.loops.detach(loop.path)
    plan = engine.plans.start("now")
    assert plan.notices[-1].endswith("is active already")  # and nothing else is odd
    engine.close()


def test_a_file_that_is_attached_twice_is_not_attached_again_but_told(machine, home, engine):
    second = machine.loops.attach(engine.devices.graph.data_file, autoclear=False)
    assert any("attached twice" in notice for notice in engine.plans.start("now").notices)
    machine.device_mapper.remove(engine.devices.pool.name)
    third = machine.loops.attach(engine.devices.graph.data_file, autoclear=False)
    with pytest.raises(DmtuiError, match="is attached twice"):
        engine.plans.start("now")
    for loop in (second, third):
        machine.loops.detach(loop.path)


def test_the_first_run_on_fresh_loop_files_deletes_what_was_busy(machine, home, engine):
    """The original has no deletion worker until its next start."""
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.mount("one"))
    holder = Holder(machine, engine.devices.device("one"))
    engine.run(engine.plans.unmount("one"))
    engine.run(engine.plans.remove("one"))
    assert engine.devices.record("one").deleted
    assert [result.gone for result in reap(engine)] == [False]
    holder.let_go()
    assert reaped_when_closed(engine) == [True]
    assert "one" not in engine.devices.state.records


def test_old_records_beside_fresh_loop_files_are_not_built_over(machine, home):
    """Started without its former device options, the original makes a second pool and fails on its base device."""
    records = home / "graph" / "metadata"
    engine = opened(machine, home)
    record = {"device_id": 1, "size": 64 * MIB, "transaction_id": 1, "initialized": True, "deleted": False}
    (records / "base").write_text(json.dumps(record))
    engine.close()
    again = opened(machine, home)
    with pytest.raises(DmtuiError, match=r"has records of 1 devices, but their pool's .* does not exist"):
        again.plans.start("now")
    again.close()
    assert own_loops(machine, home) == []


def test_a_base_that_could_not_grow_is_grown_at_the_next_start(machine, home, engine, monkeypatch):
    """The original records the new size first, and never tries again."""
    engine.close()

    def fail(*_):
        raise MachineError("resize2fs", "failed", "look")

    with monkeypatch.context() as broken:
        broken.setattr(machine.filesystems, "grow", fail)
        failing = opened(machine, home, "dm.basesize=96M")
        with pytest.raises(PlanFailedError):
            failing.run(failing.plans.start("now"))
        assert failing.devices.record("").size_bytes == 64 * MIB
        failing.close()
    again = opened(machine, home, "dm.basesize=96M")
    again.run(again.plans.start("now"))
    assert again.devices.record("").size_bytes == 96 * MIB
    again.run(again.plans.create("one"))
    again.run(again.plans.mount("one"))
    assert machine.files.space(again.devices.mount("one").directory).total_bytes > 80 * MIB
    again.run(again.plans.unmount("one"))
    again.close()


def test_a_rolled_back_device_can_be_created_again_at_once(machine, home, engine):
    """The original's entry stays in memory after the rollback: the name exists, until the next restart."""
    engine.run(engine.plans.create("one"))
    pool, number = engine.devices.pool, engine.devices.pool.transaction_id()
    engine.store.write_transaction(Transaction(number + 1, "one", engine.devices.record("one").device_id))
    engine.close()
    again = opened(machine, home)
    assert any("was rolled back" in note for note in again.recovered) or "one" not in again.devices.state.records
    again.run(again.plans.create("one"))
    assert pool.transaction_id() == number + 1
    again.close()


def test_an_id_that_is_busy_in_a_rollback_keeps_its_record_and_is_not_given_again(machine, home, engine):
    """The original removes the record and frees the id: the device stays in the pool for ever, an orphan."""
    engine.run(engine.plans.create("one"))
    thin_id = engine.devices.record("one").device_id
    engine.run(engine.plans.activate("one"))
    holder = Holder(machine, engine.devices.device("one"))
    engine.store.write_transaction(Transaction(engine.devices.pool.transaction_id() + 1, "one", thin_id))
    engine.close()
    again = opened(machine, home)
    assert again.devices.record("one").deleted
    again.run(again.plans.create("two"))
    assert again.devices.record("two").device_id != thin_id
    holder.let_go()
    assert [result.gone for result in reap(again)] == [True]
    again.close()


def test_a_device_whose_file_system_cannot_grow_is_undone(machine, engine, monkeypatch):
    """The original keeps the layer, of a size its file system does not have."""

    def fail(*_):
        raise MachineError("resize2fs", "failed", "look")

    monkeypatch.setattr(machine.filesystems, "grow", fail)
    used = engine.devices.pool.figures().data.used_blocks
    with pytest.raises(PlanFailedError) as caught:
        engine.run(engine.plans.create("large", size_bytes=96 * MIB))
    assert not caught.value.outcome.unfinished
    assert "large" not in engine.devices.state.records
    assert engine.plans.active("large") is None
    assert machine.filesystems.mounts() == () or engine.devices.mount("large") is None
    machine.device_mapper.status_flush(engine.devices.pool.name)
    assert engine.devices.pool.figures().data.used_blocks == used


def test_discard_on_delete_is_off_with_direct_lvm():
    options = parse_options(["dm.directlvm_device=/dev/sdz"])
    assert rule(options, deferred_removal_supported=True).discard_on_delete is False


def test_a_file_system_that_was_not_asked_for_is_no_reason_for_a_warning(machine, home, engine):
    """The original warns that dm.fs is ignored when it was not given, with an empty name."""
    engine.close()
    options = [option for option in OPTIONS if not option.startswith("dm.fs")]
    silent = open_engine(machine, str(home / "graph"), parse_options(options))
    assert not any("dm.fs" in notice for notice in silent.plans.start("now").notices)
    silent.close()
    asking = open_engine(machine, str(home / "graph"), parse_options([*options, "dm.fs=xfs"]))
    assert "dm.fs=xfs has no effect: the base device has ext4" in asking.plans.start("now").notices
    asking.close()


def test_an_active_device_with_nothing_mapped_is_listed_with_0_bytes_mapped(machine, home, engine):
    """The kernel prints a dash for its highest sector: the original cannot read it, and activates what it looks at."""
    engine.run(engine.plans.create("one"))
    pool, graph = engine.devices.pool, engine.devices.graph
    pool.message("create_thin 900")
    name = graph.prefix.device_name("empty")
    machine.device_mapper.create(name, [ThinTable(pool.path, 900).target(64 * MIB // 512)])
    engine.store.write_record(DeviceRecord("empty", 900, 64 * MIB, 1, False, False))
    views = {view.record.hash_name: view for view in list_views(machine, graph)}
    assert (views["empty"].active, views["empty"].mapped_bytes) == (True, 0)
    assert (views["one"].active, views["one"].mapped_bytes) == (False, None)
    assert engine.plans.active("one") is None
    machine.device_mapper.remove(name)


def test_a_pool_that_is_active_without_any_record_is_told_of_before_a_new_base_is_made(machine, home):
    """The original makes another base device and never speaks of what is lost in the pool."""
    first = opened(machine, home)
    first.run(first.plans.start("now"))
    first.close()
    for path in Path(first.devices.graph.records_directory).iterdir():
        path.unlink()
    again = opened(machine, home)
    plan = again.plans.start("now")
    assert any("what it holds nobody knows any more; `dmtui pool reconcile` lists it" in text for text in plan.notices)
    again.close()
