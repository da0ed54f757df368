"""The host's file system: inodes, holes, a set size; and what a reboot leaves."""

import errno
import os
import stat

import pytest

from dmtui.machine.errors import FileMissingError, MachineError
from tests.machine.emulated.bench import BLOCK

GIB = 1 << 30


def test_a_new_machine_has_40_gib_free_of_64(emulated):
    space = emulated.host_space
    assert space.total_bytes == 64 * GIB
    assert 40 * GIB - space.free_bytes < MIB


MIB = 1 << 20


def test_inodes_are_the_same_in_every_new_machine(emulated):
    emulated.files.make_directory("/a")
    first = emulated.files.make_sparse_file("/a/f", 1)
    second = emulated.files.make_sparse_file("/a/g", 1)
    assert second.inode == first.inode + 1
    assert str(first.dev) == "8:1"


def test_a_path_that_is_not_in_the_store_is_missing_even_where_it_is_real(emulated):
    with pytest.raises(FileMissingError):
        emulated.files.identify("/etc/passwd")


def test_nothing_is_made_outside_the_machines_directory(emulated, tmp_path):
    emulated.files.make_directory(str(tmp_path / "outside"))
    assert not (tmp_path / "outside").exists()
    assert emulated.files.identify(str(tmp_path / "outside")).is_directory


def test_a_directory_inside_it_is_made_for_real_and_private(emulated, tmp_path):
    path = tmp_path / "machine" / "graph" / "metadata"
    emulated.files.make_directory(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_dots_do_not_lead_out_of_it(emulated, tmp_path):
    emulated.files.make_directory(str(tmp_path / "machine" / ".." / "outside"))
    assert not (tmp_path / "outside").exists()


def test_a_sparse_file_takes_no_space_until_it_is_written(bench):
    files = bench.machine.files
    assert files.identify("/b/data").allocated_bytes == 0
    bench.thin(1)
    bench.write("t1", *range(32))
    assert files.identify("/b/data").allocated_bytes == 32 * BLOCK
    bench.discard("t1", 0, 8)
    assert files.identify("/b/data").allocated_bytes == 24 * BLOCK


def test_without_passdown_the_space_stays_taken(make_bench):
    bench = make_bench(words="0 1 no_discard_passdown")
    bench.thin(1)
    bench.write("t1", *range(4))
    bench.discard("t1", 0, 1)
    assert bench.figures.startswith("3/")
    assert bench.machine.files.identify("/b/data").allocated_bytes == 4 * BLOCK


def test_a_full_host_fails_what_needs_a_new_block_and_loses_what_could_not_be_zeroed(bench):
    bench.thin(1)
    bench.write("t1", 0)
    bench.machine.set_host_space(2 * BLOCK)
    assert bench.machine.host_space.free_bytes == 2 * BLOCK
    with pytest.raises(MachineError) as caught:
        bench.machine.write("t1", offset_bytes=BLOCK, length_bytes=10 * BLOCK)
    assert caught.value.errno == errno.EIO
    bench.write("t1", 0)
    assert bench.line("t1").split()[3] == str(3 * 128)
    assert bench.figures == "11/1024 rw queue_if_no_space"
    bench.machine.set_host_space(GIB)
    bench.write("t1", 9)


def test_without_zeroing_what_a_full_host_does_not_take_is_mapped_all_the_same(make_bench):
    bench = make_bench(words="0 1 skip_block_zeroing")
    bench.thin(1)
    bench.machine.set_host_space(2 * BLOCK)
    with pytest.raises(MachineError) as caught:
        bench.machine.write("t1", offset_bytes=BLOCK, length_bytes=10 * BLOCK)
    assert caught.value.errno == errno.EIO
    assert bench.line("t1").split()[3] == str(10 * 128)
    assert bench.figures == "10/1024 rw queue_if_no_space"


def test_what_another_user_takes_can_be_given_back(emulated):
    emulated.set_host_space(MIB)
    emulated.set_host_space(100 * GIB)
    assert emulated.host_space.free_bytes == 100 * GIB


def test_a_shrunken_file_gives_back_its_space(bench):
    bench.thin(1)
    bench.write("t1", *range(10))
    bench.machine.files.resize_file("/b/data", 4 * BLOCK)
    assert bench.machine.files.identify("/b/data").allocated_bytes == 4 * BLOCK


def test_a_reboot_forgets_devices_and_loops_and_keeps_files_and_pools(bench):
    bench.thin(1)
    bench.write("t1", *range(5))
    bench.machine.reboot()
    assert bench.mapper.list_devices() == ()
    assert bench.machine.loops.list_bound() == ()
    assert bench.machine.files.identify("/b/data").size_bytes == 1024 * BLOCK
    bench.data = bench.machine.loops.attach("/b/data", autoclear=False).path
    bench.meta = bench.machine.loops.attach("/b/meta", autoclear=False).path
    bench.mapper.create("p", [bench.table()])
    bench.activate(1)
    assert bench.figures.startswith("5/1024")
    assert bench.line("t1") == "0 128000 thin 640 639"


def test_a_new_file_in_the_place_of_the_metadata_is_an_empty_pool(bench):
    bench.msg("create_thin 1")
    bench.machine.reboot()
    bench.machine.files.remove_file("/b/meta")
    bench.machine.files.make_sparse_file("/b/meta", 4 << 20)
    bench.data = bench.machine.loops.attach("/b/data", autoclear=False).path
    bench.meta = bench.machine.loops.attach("/b/meta", autoclear=False).path
    bench.mapper.create("p", [bench.table()])
    assert bench.line().split()[4] == "111/1024"


def test_devices_have_their_nodes(bench):
    from dmtui.thinpool.devno import DeviceNumber

    bench.thin(1)
    path = bench.machine.files.device_path
    assert path(DeviceNumber(7, 0)) == "/dev/loop0"
    assert path(DeviceNumber(254, 1)) == "/dev/mapper/t1"
    assert path(DeviceNumber(254, 9)) is None
    assert bench.machine.files.identify("/dev/mapper/t1").is_block_device


def test_a_host_without_room_for_metadata_breaks_the_pool_until_it_is_checked(bench):
    bench.machine.set_host_space(0)
    # The kernel carries the message out and ignores that the commit behind it fails.
    bench.msg("create_thin 1")
    assert (
        bench.line() == "0 131072 thin-pool 0 111/1024 0/1024 - ro discard_passdown queue_if_no_space needs_check 256 "
    )
    bench.machine.set_host_space(GIB)
    bench.reload()
    assert bench.line().split()[7:] == ["ro", "discard_passdown", "queue_if_no_space", "needs_check", "256"]


def test_a_directory_made_for_real_has_its_mode_whatever_the_umask(emulated, tmp_path):
    path = tmp_path / "machine" / "graph" / "mnt" / "a"
    before = os.umask(0o077)
    try:
        emulated.files.make_directory(str(path), 0o755)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o755
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_existing_directory_keeps_its_mode(emulated, tmp_path):
    path = tmp_path / "machine" / "a"
    emulated.files.make_directory(str(path))
    emulated.files.make_directory(str(path), 0o755)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_removed_directory_is_removed_for_real(emulated, tmp_path):
    path = tmp_path / "machine" / "a"
    emulated.files.make_directory(str(path))
    emulated.files.remove_directory(str(path))
    assert not path.exists()
    emulated.files.make_directory(str(path))
    assert path.is_dir()


def test_a_directory_with_a_real_file_in_it_is_not_removed(emulated, tmp_path):
    path = tmp_path / "machine" / "a"
    emulated.files.make_directory(str(path))
    (path / "record").write_text("{}")
    with pytest.raises(MachineError) as caught:
        emulated.files.remove_directory(str(path))
    assert caught.value.errno == errno.ENOTEMPTY
    assert emulated.files.identify(str(path)).is_directory


def test_a_directory_outside_that_is_real_stays(emulated, tmp_path):
    (tmp_path / "outside").mkdir()
    emulated.files.make_directory(str(tmp_path / "outside"))
    emulated.files.remove_directory(str(tmp_path / "outside"))
    assert (tmp_path / "outside").is_dir()


def test_the_root_is_not_removed(emulated):
    with pytest.raises(MachineError) as caught:
        emulated.files.remove_directory("/")
    assert caught.value.errno == errno.EBUSY


def test_a_name_that_begins_like_a_directory_is_not_in_it(emulated):
    emulated.files.make_directory("/a")
    emulated.files.make_directory("/a-b/c")
    emulated.files.remove_directory("/a")
    assert emulated.files.identify("/a-b/c").is_directory


def test_every_node_of_a_device_tells_its_number_and_size(bench):
    from dmtui.thinpool.devno import DeviceNumber

    files = bench.machine.files
    bench.thin(1, blocks=100)
    assert files.identify("/dev/mapper/t1").rdev == files.identify("/dev/dm-1").rdev == DeviceNumber(254, 1)
    assert files.identify("/dev/loop0").rdev == DeviceNumber(7, 0)
    assert files.device_size_bytes(DeviceNumber(254, 1)) == 100 * BLOCK
    assert files.device_size_bytes(DeviceNumber(8, 1)) == 64 * GIB
    assert files.device_size_bytes(DeviceNumber(7, 99)) is None
