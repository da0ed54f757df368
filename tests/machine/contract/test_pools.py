"""What a pool is on any machine: its table, its status, its messages."""

import errno
from dataclasses import replace

import pytest

from dmtui.machine.errors import (
    DeviceBusyError,
    ExistsError,
    InvalidError,
    MachineError,
    NoSuchThinIdError,
    PoolRefusesError,
)
from dmtui.thinpool.status import PoolMode, PoolStatus
from dmtui.thinpool.table import PoolTable

MIB = 1 << 20
EMPTY = "0 131072 thin-pool 0 111/1024 0/1024 - rw discard_passdown queue_if_no_space - 256 "


def test_an_empty_pool_says_what_the_kernel_says(rig):
    assert rig.committed(rig.pool()) == EMPTY


def test_a_status_without_a_commit_says_the_same_of_a_quiet_pool(rig):
    (target,) = rig.mapper.status(rig.pool()).targets
    assert str(target) == EMPTY


def test_a_pool_table_is_read_back_with_device_numbers_and_a_feature_count(rig):
    pool = rig.pool(low_water=7)
    (target,) = rig.mapper.table(pool).targets
    assert str(target) == f"0 131072 thin-pool {rig.metadata.dev} {rig.data.dev} 128 7 0 "


def test_features_are_read_back_in_the_kernel_s_order(rig):
    pool = rig.pool(features=("error_if_no_space", "skip_block_zeroing"))
    assert rig.mapper.table(pool).targets[0].params.endswith("128 0 2 skip_block_zeroing error_if_no_space ")


def test_features_show_in_the_status(rig):
    pool = rig.pool(features=("ignore_discard", "error_if_no_space"))
    assert rig.committed(pool) == "0 131072 thin-pool 0 111/1024 0/1024 - rw ignore_discard error_if_no_space - 256 "


def test_a_pool_may_be_named_by_the_paths_of_its_devices(rig):
    data, metadata = rig.loop("data", 64 * MIB), rig.loop("metadata", 4 * MIB)
    table = PoolTable(metadata.path, data.path, 128, 0)
    rig.mapper.create("dmtui-test-pool", [table.target(131072)])
    assert rig.pool_table().data_device == str(data.dev)


def test_a_uuid_is_set_at_creation(rig):
    pool = rig.pool(uuid="DMTUI-contract")
    assert rig.mapper.info(pool).uuid == "DMTUI-contract"


def test_a_pool_stands_on_its_data_and_metadata_device(rig):
    pool = rig.pool()
    assert set(rig.mapper.dependencies(pool)) == {rig.data.dev, rig.metadata.dev}


@pytest.mark.parametrize("sectors", [0, 64, 127, 129, 2097280])
def test_a_block_size_that_is_none_is_refused_and_nothing_stays_behind(rig, sectors):
    data, metadata = rig.loop("data", 64 * MIB), rig.loop("metadata", 4 * MIB)
    table = PoolTable(str(metadata.dev), str(data.dev), sectors, 0)
    with pytest.raises(InvalidError):
        rig.mapper.create("dmtui-test-pool", [table.target(131072)])
    assert rig.names() == set()


def test_a_pool_larger_than_its_data_device_is_refused(rig):
    data, metadata = rig.loop("data", MIB), rig.loop("metadata", 4 * MIB)
    with pytest.raises(MachineError):
        rig.mapper.create("dmtui-test-pool", [PoolTable(str(metadata.dev), str(data.dev), 128, 0).target(131072)])
    assert rig.names() == set()


def test_a_name_can_be_taken_once(rig):
    pool = rig.pool()
    with pytest.raises(DeviceBusyError):
        rig.mapper.create(pool, rig.mapper.table(pool).targets)
    assert rig.committed(pool) == EMPTY


def test_a_thin_id_can_be_created_once(rig):
    pool = rig.pool()
    assert rig.mapper.message(pool, "create_thin 0") == ""
    with pytest.raises(ExistsError):
        rig.mapper.message(pool, "create_thin 0")


def test_a_snapshot_of_an_unknown_id_is_refused(rig):
    pool = rig.pool()
    with pytest.raises(NoSuchThinIdError):
        rig.mapper.message(pool, "create_snap 1 99")


def test_a_snapshot_into_a_taken_id_is_refused(rig):
    pool = rig.pool()
    rig.mapper.message(pool, "create_thin 0")
    with pytest.raises(ExistsError):
        rig.mapper.message(pool, "create_snap 0 0")


def test_deleting_an_unknown_id_is_refused(rig):
    with pytest.raises(NoSuchThinIdError):
        rig.mapper.message(rig.pool(), "delete 99")


def test_deleting_an_active_id_is_refused(rig):
    pool = rig.pool()
    rig.thin(1)
    with pytest.raises(DeviceBusyError):
        rig.mapper.message(pool, "delete 1")


def test_an_id_can_be_deleted_once_it_is_inactive(rig):
    pool = rig.pool()
    rig.mapper.remove(rig.thin(1))
    rig.mapper.message(pool, "delete 1")
    assert rig.committed(pool) == EMPTY


@pytest.mark.parametrize(
    "text", ["bogus", "create_thin", "create_thin x", "create_thin 16777216", "delete -1", "create_snap 1", "@bogus"]
)
def test_a_message_that_makes_no_sense_is_refused(rig, text):
    with pytest.raises(InvalidError):
        rig.mapper.message(rig.pool(), text)


def test_the_largest_thin_id_has_24_bits(rig):
    pool = rig.pool()
    rig.mapper.message(pool, "create_thin 16777215")
    assert rig.committed(pool).startswith("0 131072 thin-pool 0 112/1024 ")


def test_a_thin_device_takes_no_messages(rig):
    rig.pool()
    with pytest.raises(InvalidError):
        rig.mapper.message(rig.thin(1), "create_thin 2")


def test_a_pool_cannot_be_made_read_only_on_metadata_that_is_still_blank(rig):
    with pytest.raises(MachineError) as refused:
        rig.pool(features=("read_only",))
    assert refused.value.errno == errno.EPERM
    assert rig.names() == set()


def test_a_read_only_pool_takes_no_messages(rig):
    pool = rig.pool()
    table = replace(rig.pool_table(), features=("read_only",))
    rig.mapper.load(pool, [table.target(131072)])
    rig.mapper.resume(pool)
    assert PoolStatus.parse(rig.mapper.status(pool).targets[0].params).mode is PoolMode.READ_ONLY
    with pytest.raises(PoolRefusesError):
        rig.mapper.message(pool, "create_thin 0")


def test_the_transaction_id_changes_only_from_what_it_is(rig):
    pool = rig.pool()
    rig.mapper.message(pool, "set_transaction_id 0 7")
    with pytest.raises(InvalidError):
        rig.mapper.message(pool, "set_transaction_id 0 8")
    assert rig.committed(pool).startswith("0 131072 thin-pool 7 ")


def test_the_transaction_id_may_be_any_64_bit_number(rig):
    pool = rig.pool()
    rig.mapper.message(pool, f"set_transaction_id 0 {2**64 - 1}")
    assert rig.committed(pool).startswith(f"0 131072 thin-pool {2**64 - 1} ")


def test_the_transaction_id_and_the_ids_survive_deactivation(rig):
    pool = rig.pool()
    rig.mapper.message(pool, "create_thin 5")
    rig.mapper.message(pool, "set_transaction_id 0 3")
    targets = rig.mapper.table(pool).targets
    paths = [str(rig.home / name) for name in ("metadata", "data")]
    rig.mapper.remove(pool)  # its loop devices go with it
    metadata, data = (rig.machine.loops.attach(path) for path in paths)
    table = PoolTable(str(metadata.dev), str(data.dev), 128, 0)
    rig.mapper.create(pool, [table.target(targets[0].length_sectors)])
    assert rig.committed(pool).startswith("0 131072 thin-pool 3 112/1024 ")
    with pytest.raises(ExistsError):
        rig.mapper.message(pool, "create_thin 5")


def test_one_metadata_snapshot_can_be_held(rig):
    pool = rig.pool()
    rig.mapper.message(pool, "reserve_metadata_snap")
    with pytest.raises(DeviceBusyError):
        rig.mapper.message(pool, "reserve_metadata_snap")
    held = PoolStatus.parse(rig.mapper.status_flush(pool).targets[0].params).figures.held_root_block
    assert held is not None
    rig.mapper.message(pool, "release_metadata_snap")
    assert rig.committed(pool) == EMPTY


def test_releasing_a_metadata_snapshot_that_nobody_holds_is_refused(rig):
    with pytest.raises(InvalidError):
        rig.mapper.message(rig.pool(), "release_metadata_snap")


def test_a_pool_with_active_devices_cannot_be_removed(rig):
    pool = rig.pool()
    rig.thin(1)
    with pytest.raises(DeviceBusyError):
        rig.mapper.remove(pool)


def test_the_open_count_of_a_pool_is_its_active_devices(rig):
    pool = rig.pool()
    rig.thin(1)
    rig.thin(2)
    assert rig.mapper.info(pool).open_count == 2


def test_a_pool_grows_by_a_longer_table_and_a_resume(rig):
    pool = rig.pool()
    table = rig.pool_table()
    rig.machine.files.resize_file(str(rig.home / "data"), 96 * MIB)
    rig.machine.loops.refresh_capacity(rig.data.path)
    rig.mapper.load(pool, [table.target(196608)])
    assert "0/1024" in rig.committed(pool)
    rig.mapper.resume(pool)
    assert "0/1536" in rig.committed(pool)


def test_metadata_grows_by_a_larger_device_and_a_resume_alone(rig):
    pool = rig.pool()
    rig.machine.files.resize_file(str(rig.home / "metadata"), 8 * MIB)
    rig.machine.loops.refresh_capacity(rig.metadata.path)
    rig.mapper.suspend(pool)
    rig.mapper.resume(pool)
    assert rig.committed(pool) == "0 131072 thin-pool 0 213/2048 0/1024 - rw discard_passdown queue_if_no_space - 512 "


def test_a_standstill_ends_with_any_change_or_is_never_told(rig):
    pool = rig.pool()
    before = rig.machine.standstill()
    rig.mapper.status(pool)
    assert rig.machine.standstill() == before
    rig.thin(1)
    assert before is None or rig.machine.standstill() != before
