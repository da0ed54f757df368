"""Files that back a pool, on any machine: sparse, private, told by device and inode."""

import errno

import pytest

from dmtui.machine.errors import FileMissingError, MachineError
from dmtui.thinpool.devno import DeviceNumber

MIB = 1 << 20


def test_a_sparse_file_has_its_size_and_takes_nothing(rig):
    identity = rig.machine.files.identify(rig.file("f", 5 * MIB))
    assert (identity.size_bytes, identity.allocated_bytes) == (5 * MIB, 0)
    assert not identity.is_directory
    assert not identity.is_block_device


def test_a_file_that_exists_is_not_made_again(rig):
    path = rig.file("f", MIB)
    with pytest.raises(MachineError):
        rig.machine.files.make_sparse_file(path, 2 * MIB)
    assert rig.machine.files.identify(path).size_bytes == MIB


def test_a_file_takes_another_size(rig):
    path = rig.file("f", MIB)
    before = rig.machine.files.identify(path)
    rig.machine.files.resize_file(path, 3 * MIB)
    after = rig.machine.files.identify(path)
    assert after.size_bytes == 3 * MIB
    assert (after.dev, after.inode) == (before.dev, before.inode)


def test_a_removed_file_is_missing(rig):
    path = rig.file("f")
    rig.machine.files.remove_file(path)
    with pytest.raises(FileMissingError):
        rig.machine.files.identify(path)


@pytest.mark.parametrize(
    "use",
    [
        lambda files, path: files.identify(path),
        lambda files, path: files.resize_file(path, MIB),
        lambda files, path: files.remove_file(path),
    ],
    ids=["identify", "resize", "remove"],
)
def test_a_missing_file_is_told_as_missing(rig, use):
    with pytest.raises(FileMissingError):
        use(rig.machine.files, str(rig.home / "none"))


def test_a_directory_is_made_with_what_is_missing_above_it(rig):
    path = str(rig.home / "a" / "b" / "c")
    made = rig.machine.files.make_directory(path)
    assert made.is_directory
    assert rig.machine.files.identify(str(rig.home / "a" / "b")).is_directory


def test_an_existing_directory_is_fine(rig):
    path = str(rig.home / "a")
    first = rig.machine.files.make_directory(path)
    assert rig.machine.files.make_directory(path) == first


def test_a_directory_may_have_another_mode(rig):
    assert rig.machine.files.make_directory(str(rig.home / "a"), 0o755).is_directory


def test_a_file_in_the_way_is_no_directory(rig):
    with pytest.raises(MachineError):
        rig.machine.files.make_directory(rig.file("f"))


def test_a_removed_directory_is_missing(rig):
    path = rig.directory("a")
    rig.machine.files.remove_directory(path)
    with pytest.raises(FileMissingError):
        rig.machine.files.identify(path)


def test_a_directory_that_is_not_there_cannot_be_removed(rig):
    with pytest.raises(FileMissingError):
        rig.machine.files.remove_directory(str(rig.home / "none"))


def test_a_directory_with_something_in_it_is_not_removed(rig):
    rig.directory("a/b")
    with pytest.raises(MachineError) as refused:
        rig.machine.files.remove_directory(str(rig.home / "a"))
    assert refused.value.errno == errno.ENOTEMPTY
    assert rig.machine.files.identify(str(rig.home / "a" / "b")).is_directory


def test_a_file_is_not_removed_as_a_directory(rig):
    path = rig.file("f")
    with pytest.raises(MachineError):
        rig.machine.files.remove_directory(path)
    assert rig.machine.files.identify(path).size_bytes == MIB


def test_a_file_system_has_room(rig):
    space = rig.machine.files.space(str(rig.home))
    assert 0 < space.available_bytes <= space.free_bytes <= space.total_bytes


def test_a_loop_device_is_a_block_device_of_its_number(rig):
    loop = rig.loop("f", autoclear=False)
    assert rig.machine.files.device_path(loop.dev) == loop.path


def test_a_mapped_device_has_its_name_as_its_path(rig):
    pool = rig.pool()
    assert rig.machine.files.device_path(rig.mapper.info(pool).dev) == f"/dev/mapper/{pool}"


def test_a_node_tells_the_device_that_it_is_of(rig):
    pool, loop = rig.pool(), rig.loop("f", autoclear=False)
    for path, dev in ((f"/dev/mapper/{pool}", rig.mapper.info(pool).dev), (loop.path, loop.dev)):
        identity = rig.machine.files.identify(path)
        assert identity.is_block_device
        assert identity.rdev == dev


def test_a_file_is_the_node_of_nothing(rig):
    assert rig.machine.files.identify(rig.file("f")).rdev is None


def test_a_block_device_has_its_size(rig):
    pool, loop = rig.pool(), rig.loop("f", 3 * MIB, autoclear=False)
    assert rig.machine.files.device_size_bytes(rig.mapper.info(pool).dev) == 64 * MIB
    assert rig.machine.files.device_size_bytes(loop.dev) == 3 * MIB


def test_a_thin_device_is_as_large_as_its_table(rig):
    rig.pool()
    thin = rig.thin(1, size_bytes=1024 * MIB)
    assert rig.machine.files.device_size_bytes(rig.mapper.info(thin).dev) == 1024 * MIB


def test_a_device_number_of_nothing_has_no_size(rig):
    assert rig.machine.files.device_size_bytes(DeviceNumber(4000, 77)) is None


def test_a_device_number_of_nothing_has_no_path(rig):
    assert rig.machine.files.device_path(DeviceNumber(4000, 77)) is None


def test_writing_into_a_pool_takes_room_in_its_file(rig, io):
    rig.pool()
    io.write(rig.thin(1), 0, MIB)
    assert rig.machine.files.identify(str(rig.home / "data")).allocated_bytes >= MIB
