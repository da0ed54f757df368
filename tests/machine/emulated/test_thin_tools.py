"""The emulated thin-provisioning-tools, where the contract leaves room: what they say, and of what moment."""

import errno

import pytest

from dmtui.machine.errors import DeviceBusyError, FileMissingError, MachineError, PoolRefusesError
from dmtui.machine.tools import ThinEntry
from tests.machine.emulated.bench import BLOCK


def deactivate(bench) -> None:
    for entry in bench.mapper.list_devices():
        if entry.name != "p":
            bench.mapper.remove(entry.name)
    bench.mapper.remove("p")


@pytest.fixture
def tools(emulated):
    return emulated.thin_tools


def test_a_held_snapshot_tells_of_a_thin_that_was_deleted_since(bench, tools):
    bench.thin(1)
    bench.write("t1", 0, 1)
    bench.msg("reserve_metadata_snap")
    bench.mapper.remove("t1")
    bench.msg("delete 1")
    assert tools.list_thins(bench.meta, snapshot=True) == (ThinEntry(1, 2, 0, 0, 0),)


def test_a_released_snapshot_tells_nothing(bench, tools):
    bench.msg("reserve_metadata_snap")
    bench.msg("release_metadata_snap")
    with pytest.raises(MachineError, match="no metadata snapshot"):
        tools.list_thins(bench.meta, snapshot=True)


def test_a_snapshot_taken_again_tells_of_the_new_moment(bench, tools):
    bench.msg("reserve_metadata_snap")
    bench.msg("release_metadata_snap")
    bench.msg("create_thin 4")
    bench.msg("reserve_metadata_snap")
    assert [thin.thin_id for thin in tools.list_thins(bench.meta, snapshot=True)] == [4]


def test_device_and_file_are_the_same_metadata(bench, tools):
    bench.thin(3)
    deactivate(bench)
    by_file = tools.list_thins("/b/meta", snapshot=False)
    assert by_file == tools.list_thins(bench.meta, snapshot=False) == (ThinEntry(3, 0, 0, 0, 0),)


def test_the_file_of_an_active_pools_metadata_is_refused_too(bench, tools):
    with pytest.raises(DeviceBusyError, match="active pool"):
        tools.list_thins("/b/meta", snapshot=False)


def test_a_held_snapshot_can_be_read_when_the_pool_is_down(bench, tools):
    bench.msg("create_thin 1")
    bench.msg("reserve_metadata_snap")
    deactivate(bench)
    assert [thin.thin_id for thin in tools.list_thins(bench.meta, snapshot=True)] == [1]


def test_metadata_that_need_a_check_pass_it(bench, tools):
    bench.machine.faults.fail_metadata_operation("p")
    deactivate(bench)
    result = tools.check("/b/meta", snapshot=False)
    assert result.sound
    assert result.output.startswith("examining superblock")


def test_a_failed_pools_metadata_are_not_sound(bench, tools):
    bench.msg("reserve_metadata_snap")
    bench.machine.faults.fail_pool("p")
    assert not tools.check(bench.meta, snapshot=True).sound
    with pytest.raises(MachineError):
        tools.list_thins(bench.meta, snapshot=True)


def test_blank_metadata_have_no_thins_to_list(emulated, tools):
    emulated.files.make_directory("/b")
    emulated.files.make_sparse_file("/b/blank", 4 << 20)
    with pytest.raises(MachineError, match="bad checksum"):
        tools.list_thins("/b/blank", snapshot=False)


def test_a_trim_punches_the_holes_between_used_blocks(make_bench, tools):
    bench = make_bench(words="0 1 no_discard_passdown")
    bench.thin(1)
    bench.write("t1", *range(20))
    for block in range(1, 20, 2):
        bench.discard("t1", block, 1)
    deactivate(bench)
    assert bench.machine.files.identify("/b/data").allocated_bytes == 20 * BLOCK
    tools.trim("/b/meta", bench.data)
    assert bench.machine.files.identify("/b/data").allocated_bytes == 10 * BLOCK


def test_a_data_file_that_no_loop_device_presents_is_not_trimmed(bench, tools):
    deactivate(bench)
    with pytest.raises(MachineError) as caught:
        tools.trim(bench.meta, "/b/data")
    assert caught.value.errno == errno.ENOTBLK


def test_a_data_device_that_another_uses_is_not_trimmed(bench, tools):
    deactivate(bench)
    bench.mapper.create("user", [bench.table().__class__(0, 8, "linear", f"{bench.data} 0")])
    with pytest.raises(DeviceBusyError):
        tools.trim(bench.meta, bench.data)


def test_a_data_device_that_does_not_discard_is_not_trimmed(bench, tools):
    deactivate(bench)
    bench.mapper.create("zeroes", [bench.table().__class__(0, 1024 * 128, "zero", "")])
    with pytest.raises(PoolRefusesError):
        tools.trim(bench.meta, "/dev/mapper/zeroes")


def test_a_program_that_the_machine_plays_itself_is_there_but_not_to_be_run(emulated):
    assert emulated.programs.missing(["mkfs.xfs", "lvs"]) == ("lvs",)
    with pytest.raises(MachineError) as caught:
        emulated.programs.run(["mkfs.xfs", "/dev/loop0"])
    assert not isinstance(caught.value, FileMissingError)
