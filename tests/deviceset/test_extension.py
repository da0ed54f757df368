"""Extending a pool in use: it is larger afterwards, or all is as before, and it never stays suspended."""

from __future__ import annotations

import pytest

from dmtui.deviceset.poollink import PoolUnusableError
from dmtui.machine.errors import NoSpaceError
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError
from dmtui.thinpool.status import PoolMode
from dmtui.thinpool.units import MAX_METADATA_BLOCKS
from tests.deviceset.extending import BLOCK, DATA, METADATA, is_as_before, opened, runs, sizes, totals
from tests.deviceset.graphs import MIB, make_graph, make_pool
from tests.deviceset.troubles import fill_metadata


@pytest.fixture
def engine(machine, home):
    """A started device set on loop files."""
    engine = opened(machine, home)
    engine.run(engine.plans.start("now"))
    yield engine
    engine.close()


def test_the_data_of_a_pool_are_extended_with_their_file(engine):
    engine.run(engine.plans.extend(data_bytes=2 * DATA))
    assert totals(engine) == sizes(engine) == (2 * DATA, METADATA)
    assert runs(engine)


def test_the_metadata_of_a_pool_are_extended_with_their_file(engine):
    engine.run(engine.plans.extend(metadata_bytes=2 * METADATA))
    assert totals(engine) == sizes(engine) == (DATA, 2 * METADATA)
    assert runs(engine)


def test_both_are_extended_at_once_the_metadata_first_because_the_data_may_need_them(engine):
    plan = engine.plans.extend(2 * DATA, 2 * METADATA)
    grown = [step.text.split(" file ")[0] for step in plan.steps if step.text.startswith("grow")]
    assert grown == ["grow the metadata", "grow the data"]
    engine.run(plan)
    assert totals(engine) == sizes(engine) == (2 * DATA, 2 * METADATA)


def test_a_pool_is_extended_under_its_users(engine):
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.mount("one"))
    engine.run(engine.plans.extend(2 * DATA, 2 * METADATA))
    directory = engine.devices.mount_point("one")
    engine.devices.machine.filesystems.write_inside(directory, "after", "it")
    assert "after" in engine.devices.machine.filesystems.names_inside(directory)
    engine.run(engine.plans.unmount("one"))


def test_a_second_extension_goes_on_from_the_first(engine):
    for times in (2, 3):
        engine.run(engine.plans.extend(times * DATA, times * METADATA))
        assert totals(engine) == (times * DATA, times * METADATA)


def test_the_plan_names_the_operators_own_commands_and_changes_nothing(engine):
    plan = engine.plans.extend(data_bytes=2 * DATA)
    graph, pool = engine.devices.graph, engine.devices.pool.name
    (target,) = engine.devices.pool.mapper.table(pool).targets
    loop = next(each for each in engine.devices.machine.loops.list_bound() if each.backing_path == graph.data_file)
    assert [step.command for step in plan.steps] == [
        f"truncate --size {2 * DATA} {graph.data_file}",
        f"losetup -c {loop.path}",
        f"dmsetup load {pool} --table '0 {2 * DATA // 512} thin-pool {target.params.strip()}'",
        f"dmsetup suspend --noflush --nolockfs {pool}",
        f"dmsetup resume {pool}",
        f"dmsetup status --noflush {pool}",
    ]
    assert is_as_before(engine)


def test_the_pool_keeps_its_features_and_its_low_water_mark(engine):
    before = engine.devices.pool.table()
    engine.run(engine.plans.extend(data_bytes=2 * DATA))
    assert engine.devices.pool.table() == before


@pytest.mark.parametrize(("data", "metadata", "least"), [(DATA - 512, None, DATA), (None, METADATA - 4096, METADATA)])
def test_a_size_that_would_shrink_the_pool_is_refused_with_the_least(engine, data, metadata, least):
    with pytest.raises(BadUsageError, match=f"{least}.*never shrinks"):
        engine.plans.extend(data, metadata)


def test_a_size_below_that_of_a_file_grown_by_hand_is_refused_too(engine):
    engine.devices.machine.files.resize_file(engine.devices.graph.data_file, 3 * DATA)
    with pytest.raises(BadUsageError, match=f"{3 * DATA}"):
        engine.plans.extend(data_bytes=2 * DATA)
    engine.run(engine.plans.extend(data_bytes=3 * DATA))
    assert totals(engine)[0] == 3 * DATA


def test_the_present_sizes_are_nothing_to_do(engine):
    plan = engine.plans.extend(DATA, METADATA)
    assert plan.steps == ()
    assert plan.intents == ()
    assert [notice.split(":")[0] for notice in plan.notices] == [
        "nothing to do for the metadata",
        "nothing to do for the data",
    ]
    engine.run(plan)
    assert is_as_before(engine)


def test_a_size_that_makes_no_further_block_is_nothing_to_do(engine):
    assert engine.plans.extend(data_bytes=DATA + BLOCK // 2).steps == ()


def test_what_makes_no_whole_block_is_told(engine):
    plan = engine.plans.extend(data_bytes=2 * DATA + 512)
    assert "the last 512 bytes of the data stay unused: they make no whole block" in plan.notices
    engine.run(plan)
    assert totals(engine)[0] == 2 * DATA


@pytest.mark.parametrize(
    ("data", "metadata"),
    [(None, None), (2 * DATA + 100, None), (None, (MAX_METADATA_BLOCKS + 1) * 4096), (None, 2 * METADATA + 1)],
    ids=["none", "odd data", "useless metadata", "odd metadata"],
)
def test_a_size_that_cannot_be_is_refused(engine, data, metadata):
    with pytest.raises(BadUsageError):
        engine.plans.extend(data, metadata)


def test_a_file_system_too_small_for_the_sparse_file_is_told(engine):
    files = engine.devices.machine.files
    available = files.space(engine.devices.graph.data_file).available_bytes
    size = DATA + (available // MIB + 512) * MIB
    assert any("it may fill up" in notice for notice in engine.plans.extend(data_bytes=size).notices)
    assert not engine.plans.extend(data_bytes=DATA + MIB).notices


def test_a_pool_that_is_not_active_is_missing(machine, home, engine):
    machine.device_mapper.remove(engine.devices.pool.name)
    with pytest.raises(MissingError, match="is not active"):
        engine.plans.extend(2 * DATA)


class GivenDevices:
    """A device set on two block devices that were given."""

    def __init__(self, machine, home):
        self.machine = machine
        self.paths = [str(home / name) for name in ("a", "b")]
        machine.files.make_directory(str(home))
        for path, size in zip(self.paths, (DATA, METADATA), strict=True):
            machine.files.make_sparse_file(path, size)
        self.loops = [machine.loops.attach(path) for path in self.paths]
        self.options = [
            f"dm.{what}dev={loop.path}" for what, loop in zip(("data", "metadata"), self.loops, strict=True)
        ]

    def enlarge(self, number: int, size_bytes: int) -> None:
        """What ``lvextend`` would do."""
        self.machine.files.resize_file(self.paths[number], size_bytes)
        self.machine.loops.refresh_capacity(self.loops[number].path)


@pytest.fixture
def given(machine, home):
    given = GivenDevices(machine, home)
    engine = opened(machine, home, *given.options)
    engine.run(engine.plans.start("now"))
    engine.close()
    for loop in given.loops:
        machine.loops.release(loop)
    return given


def test_devices_that_were_given_are_taken_as_large_as_they_have_become(machine, home, given):
    given.enlarge(0, 2 * DATA)
    given.enlarge(1, 2 * METADATA)
    engine = opened(machine, home, *given.options)
    plan = engine.plans.extend()
    assert not any("truncate" in step.command for step in plan.steps)
    engine.run(plan)
    assert totals(engine) == (2 * DATA, 2 * METADATA)
    assert engine.plans.extend(2 * DATA, 2 * METADATA).steps == ()
    engine.close()


def test_a_device_that_was_given_is_not_made_larger_by_us(machine, home, given):
    engine = opened(machine, home, *given.options)
    with pytest.raises(BadUsageError, match=rf"has {DATA} bytes, not {2 * DATA}; .*lvextend"):
        engine.plans.extend(data_bytes=2 * DATA)
    engine.close()


def test_another_device_than_the_pool_s_is_refused(machine, home, given):
    other = [given.options[0].replace("datadev", "metadatadev"), given.options[1].replace("metadatadev", "datadev")]
    engine = opened(machine, home, *other)
    with pytest.raises(BadUsageError, match="is not the pool's metadata device"):
        engine.plans.extend()
    engine.close()


def test_a_pool_of_somebody_else_is_extended_with_its_owner_s_tools(machine, home):
    engine = opened(machine, home, "dm.thinpooldev=/dev/mapper/vg-my--pool")
    with pytest.raises(DmtuiError, match="lvextend -L SIZE vg/my-pool"):
        engine.plans.extend(2 * DATA)
    engine.close()


def test_a_pool_on_other_files_than_ours_is_refused_with_what_was_found(machine, home):
    graph = make_graph(machine, home)
    make_pool(machine, graph, data=str(home / "elsewhere"))
    engine = opened(machine, home)
    with pytest.raises(DmtuiError, match=r"data device of the pool is .*devicemapper/data does not exist"):
        engine.plans.extend(2 * DATA)
    engine.close()


def test_a_file_that_is_attached_twice_is_extended_and_told(engine):
    second = engine.devices.machine.loops.attach(engine.devices.graph.data_file, autoclear=False)
    plan = engine.plans.extend(2 * DATA)
    assert any("attached twice" in notice for notice in plan.notices)
    engine.run(plan)
    assert totals(engine)[0] == 2 * DATA
    engine.devices.machine.loops.detach(second.path)


def test_inf_the_loop_device_is_not_taken_for_the_backing_file(machine, home, engine):
    """Resize of the original's helper tool looks for a loop device on top of the one that was recognised, and fails."""
    engine.close()
    again = opened(machine, home)
    again.run(again.plans.start("now"))  # the pool is recognised: its data device is known as /dev/loopN
    again.run(again.plans.extend(2 * DATA, 2 * METADATA))
    assert totals(again) == sizes(again) == (2 * DATA, 2 * METADATA)
    again.close()


def test_a_pool_out_of_metadata_is_extended_by_metadata_only_and_writes_again(machine, home):
    engine = opened(machine, home, "dm.loopmetadatasize=1M")
    engine.run(engine.plans.start("now"))
    fill_metadata(engine)
    with pytest.raises(PoolUnusableError, match="out of metadata; extend the metadata"):
        engine.plans.extend(2 * DATA)
    engine.run(engine.plans.extend(2 * DATA, METADATA))
    assert totals(engine) == (2 * DATA, METADATA)
    assert engine.devices.pool.status().mode is PoolMode.READ_WRITE
    engine.close()


def test_more_data_than_the_metadata_can_count_are_refused_beforehand(engine):
    """The kernel would find out in the middle, and let nobody write until the metadata are checked."""
    with pytest.raises(PoolUnusableError, match=r"blocks, so much data takes [0-9]+ more; extend the metadata as"):
        engine.plans.extend(data_bytes=8 * 1024**4)
    with pytest.raises(PoolUnusableError, match="no metadata can count so much"):
        engine.plans.extend(data_bytes=8 * 1024**6)


def test_a_pool_that_somebody_suspended_is_refused(engine):
    mapper, pool = engine.devices.pool.mapper, engine.devices.pool.name
    mapper.suspend(pool, flush=False, lock_filesystem=False)
    with pytest.raises(PoolUnusableError, match=r"is suspended.*dmsetup resume"):
        engine.plans.extend(2 * DATA)
    mapper.resume(pool)


def test_a_table_that_somebody_loaded_is_not_made_live(engine):
    mapper, pool = engine.devices.pool.mapper, engine.devices.pool.name
    mapper.load(pool, mapper.table(pool).targets)
    with pytest.raises(PoolUnusableError, match="dmsetup clear"):
        engine.plans.extend(metadata_bytes=2 * METADATA)


emulated = pytest.mark.parametrize("machine_kind", ["emulated"])


@emulated
def test_a_pool_out_of_data_takes_writes_again_once_it_is_extended(machine, engine):
    engine.run(engine.plans.create("one", "", 4 * DATA))
    engine.run(engine.plans.activate("one"))
    with pytest.raises(NoSpaceError):
        machine.write(engine.devices.device("one"), offset_bytes=0, length_bytes=4 * DATA)
    assert engine.devices.pool.status().mode is PoolMode.OUT_OF_DATA_SPACE
    engine.run(engine.plans.extend(8 * DATA))
    assert engine.devices.pool.status().mode is PoolMode.READ_WRITE
    machine.write(engine.devices.device("one"), offset_bytes=0, length_bytes=4 * DATA)


@emulated
def test_a_pool_that_needs_a_check_is_refused_with_the_way_out(machine, engine):
    machine.faults.fail_metadata_operation(engine.devices.pool.name)
    with pytest.raises(
        PoolUnusableError, match="`dmtui pool remove`, `dmtui pool check --clear-needs-check`, `dmtui pool create`"
    ):
        engine.plans.extend(2 * DATA, 2 * METADATA)


@emulated
def test_a_failed_pool_is_refused(machine, engine):
    machine.faults.fail_pool(engine.devices.pool.name)
    with pytest.raises(PoolUnusableError, match="answers Fail"):
        engine.plans.extend(2 * DATA)
