"""File systems of the emulated machine: what they map, whose they are, what is refused, what a reboot leaves."""

import errno
from contextlib import suppress

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.emulated.mountoptions import printed
from dmtui.machine.errors import (
    DeviceBusyError,
    FileMissingError,
    InvalidError,
    MachineError,
    MachineNotPermittedError,
    NoSpaceError,
    PoolRefusesError,
    TimedOutError,
)
from dmtui.machine.mountwords import split_words as split
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import BLOCK, Bench

MIB = 1 << 20
GIB = 1 << 30
EAGER = ("-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0")
PER_GIB = GIB // BLOCK


class Desk(Bench):
    """A bench with room for file systems and short names for them."""

    def __init__(self, machine):
        super().__init__(machine, blocks=16 * PER_GIB, metadata=64 * MIB, words="0 1 error_if_no_space")
        self.filesystems = machine.filesystems

    def make(self, thin_id: int, kind: str, mib: int = 512, arguments=()) -> str:
        """A thin device of that id with a file system; its node."""
        node = f"/dev/mapper/{self.thin(thin_id, mib * MIB // BLOCK)}"
        self.filesystems.make(node, kind, arguments)
        return node

    def mount(self, node: str, at: str = "/mnt/a", kind: str = "xfs", options=()) -> str:
        self.machine.files.make_directory(at)
        self.filesystems.mount(node, at, kind, options)
        return at

    def mapped(self, node: str) -> int:
        """Data blocks that a thin device has mapped."""
        return int(self.line(node.rpartition("/")[2]).split()[3]) // 128


@pytest.fixture
def desk(emulated):
    return Desk(emulated)


def errno_of(act, *words) -> int:
    with pytest.raises(MachineError) as caught:
        act(*words)
    return caught.value.errno


@pytest.mark.parametrize(
    ("kind", "mib", "arguments", "blocks"),
    [  # counted on the real programs' system calls, in blocks of 64 KiB
        ("ext4", 1024, EAGER, 783),
        ("ext4", 10240, EAGER, 3664),
        ("xfs", 300, ("-K",), 1031),
        ("xfs", 10240, ("-K",), 1031),
    ],
)
def test_a_new_file_system_maps_as_many_blocks_as_the_real_one(desk, kind, mib, arguments, blocks):
    assert abs(desk.mapped(desk.make(1, kind, mib, arguments)) - blocks) <= 1


def test_ext4_leaves_its_inode_tables_for_later_unless_told_not_to(desk):
    lazy, eager = desk.make(1, "ext4", 1024), desk.make(2, "ext4", 1024, EAGER)
    assert desk.mapped(eager) - desk.mapped(lazy) == 8 * 2 * MIB // BLOCK  # of 8 block groups


@pytest.mark.parametrize(("kind", "bytes_"), [("xfs", 300 * MIB - BLOCK), ("ext4", BLOCK)])
def test_a_device_that_is_too_small_is_refused_in_the_words_of_mkfs(desk, kind, bytes_):
    name = desk.thin(1, bytes_ // BLOCK)
    with pytest.raises(MachineError, match=r"300MB|Illegal inode"):
        desk.filesystems.make(f"/dev/mapper/{name}", kind, EAGER if kind == "ext4" else ())
    assert desk.mapped(f"/dev/mapper/{name}") == 0


@pytest.mark.parametrize("kind", ["xfs", "ext4"])
def test_an_option_that_mkfs_does_not_know_is_refused(desk, kind):
    with pytest.raises(MachineError, match="invalid option"):
        desk.make(1, kind, arguments=["-Z"])


def test_mkfs_xfs_overwrites_a_file_system_only_when_forced(desk):
    node = desk.make(1, "xfs")
    before = desk.filesystems.probe(node)
    with pytest.raises(MachineError, match="existing filesystem"):
        desk.filesystems.make(node, "xfs", [])
    desk.filesystems.make(node, "xfs", ["-f"])
    assert desk.filesystems.probe(node).uuid != before.uuid


@pytest.mark.parametrize(("kind", "keep", "rest"), [("ext4", EAGER, 1), ("xfs", ("-K",), 1), ("xfs", (), 0)])
def test_mkfs_discards_what_was_there_unless_told_not_to(desk, kind, keep, rest):
    node = f"/dev/mapper/{desk.thin(1, 512 * MIB // BLOCK)}"
    desk.write("t1", 7500)
    desk.filesystems.make(node, kind, keep)
    assert desk.mapped(node) == desk.mapped(desk.make(2, kind, arguments=keep)) + rest


def test_a_full_pool_lets_mkfs_fail_half_way_and_leaves_no_file_system(make_bench):
    bench = make_bench(blocks=100, words="0 1 error_if_no_space")
    bench.thin(1, 512 * MIB // BLOCK)
    with pytest.raises(NoSpaceError):
        bench.machine.filesystems.make("/dev/mapper/t1", "xfs", [])
    assert bench.figures == "100/100 out_of_data_space error_if_no_space"
    assert bench.machine.filesystems.probe("/dev/mapper/t1") is None


def test_a_pool_that_queues_says_that_mkfs_would_wait(make_bench):
    bench = make_bench(blocks=100)
    bench.thin(1, 512 * MIB // BLOCK)
    with pytest.raises(NoSpaceError, match="would wait"):
        bench.machine.filesystems.make("/dev/mapper/t1", "xfs", [])


def test_a_full_host_lets_mkfs_fail(desk):
    desk.machine.set_host_space(MIB)
    assert errno_of(desk.make, 1, "xfs") == errno.EIO


def test_a_failed_pool_cannot_be_read(desk):
    node = desk.make(1, "xfs")
    desk.machine.faults.fail_pool("p")
    assert errno_of(desk.filesystems.probe, node) == errno.EIO
    assert errno_of(desk.mount, node) == errno.EIO


def test_a_suspended_pool_lets_a_probe_wait(desk):
    node = desk.make(1, "xfs")
    desk.mapper.suspend("p")
    with pytest.raises(TimedOutError):
        desk.filesystems.probe(node)


def test_a_pool_itself_has_no_file_system(desk):
    assert desk.filesystems.probe("/dev/mapper/p") is None


def test_a_file_is_no_device(desk):
    assert errno_of(desk.filesystems.probe, "/b/data") == errno.ENOTBLK


def test_a_deleted_thin_takes_its_file_system_with_it(desk):
    desk.make(1, "xfs")
    desk.mapper.remove("t1")
    desk.msg("delete 1")
    desk.thin(1, 512 * MIB // BLOCK)
    assert desk.filesystems.probe("/dev/mapper/t1") is None


def test_a_snapshot_keeps_its_file_system_when_the_origin_is_deleted(desk):
    found = desk.filesystems.probe(desk.make(1, "xfs"))
    desk.msg("create_snap 2 1")
    desk.mapper.remove("t1")
    desk.msg("delete 1")
    assert desk.filesystems.probe(f"/dev/mapper/{desk.activate(2, 8192)}") == found


def test_new_metadata_know_no_file_system_of_the_old(desk):
    desk.make(1, "xfs")
    desk.machine.reboot()
    desk.machine.files.remove_file("/b/meta")
    desk.machine.files.make_sparse_file("/b/meta", 64 * MIB)
    desk.data, desk.meta = (desk.machine.loops.attach(f"/b/{name}", autoclear=False).path for name in ("data", "meta"))
    desk.mapper.create("p", [desk.table()])
    desk.thin(1, 8192)
    assert desk.filesystems.probe("/dev/mapper/t1") is None


def test_a_snapshot_that_could_not_be_committed_has_no_file_system(desk):
    desk.make(1, "xfs")
    for thin_id in range(100, 140):  # what makes the details need one more block than the host has room for
        desk.msg(f"create_thin {thin_id}")
    desk.machine.set_host_space(0)
    for thin_id in range(2, 90):
        with suppress(PoolRefusesError):
            desk.msg(f"create_snap {thin_id} 1")
    with desk.machine._store.read() as connection:
        having = {row[0] for row in connection.execute("SELECT thin_id FROM filesystems")}
        known = {row[0] for row in connection.execute("SELECT thin_id FROM thins")}
    assert desk.line().split()[7] == "ro"
    assert having <= known
    assert 1 in having


def test_a_reboot_forgets_mounts_and_keeps_file_systems_and_what_is_in_them(desk):
    node = desk.make(1, "xfs")
    desk.filesystems.write_inside(desk.mount(node), "id", "x")
    found = desk.filesystems.probe(node)
    desk.machine.reboot()
    assert desk.filesystems.mounts() == ()
    desk.data, desk.meta = (desk.machine.loops.attach(f"/b/{name}", autoclear=False).path for name in ("data", "meta"))
    desk.mapper.create("p", [desk.table()])
    desk.activate(1, 8192)
    assert desk.filesystems.probe(node) == found
    assert desk.filesystems.names_inside(desk.mount(node)) == ("id",)


def test_a_mount_after_a_reboot_has_a_number_never_used_before(desk):
    node = desk.make(1, "xfs")
    for _ in range(2):
        desk.mount(node)
        desk.filesystems.unmount("/mnt/a")
    desk.mount(node)
    assert desk.filesystems.mounts()[0].mount_id == 3


def test_another_process_sees_the_mount(desk, tmp_path):
    desk.mount(desk.make(1, "xfs"))
    other = EmulatedMachine.open(tmp_path / "machine")
    assert other.filesystems.mounts() == desk.filesystems.mounts()
    other.filesystems.unmount("/mnt/a")
    other.close()
    assert desk.filesystems.mounts() == ()
    assert desk.mapper.info("t1").open_count == 0


def test_mounting_a_snapshot_breaks_the_sharing_of_its_log(desk):
    desk.make(1, "xfs")
    desk.msg("create_snap 2 1")
    before = int(desk.figures.partition("/")[0])
    desk.mount(f"/dev/mapper/{desk.activate(2, 8192)}")
    assert int(desk.figures.partition("/")[0]) == before + 1


def test_a_snapshot_is_not_mounted_for_writing_where_the_pool_is_full(desk):
    desk.make(1, "xfs")
    desk.msg("create_snap 2 1")
    node = f"/dev/mapper/{desk.activate(2, 8192)}"
    desk.thin(3, 20 * PER_GIB)
    with pytest.raises(NoSpaceError):
        desk.machine.write("t3", offset_bytes=0, length_bytes=17 * GIB)
    with pytest.raises(NoSpaceError):
        desk.mount(node)
    assert (desk.filesystems.mounts(), desk.mapper.info("t2").open_count) == ((), 0)
    desk.mount(node, options=["ro"])


def test_a_read_only_device_is_mounted_read_only_or_not_at_all(desk):
    desk.make(1, "xfs")
    desk.mapper.remove("t1")
    desk.mapper.create("t1", [Target(0, 8192 * 128, "thin", "/dev/mapper/p 1")], read_only=True)
    with pytest.raises(MachineNotPermittedError):
        desk.mount("/dev/mapper/t1")
    desk.mount("/dev/mapper/t1", options=["ro", "norecovery"])


def test_a_file_system_larger_than_its_device_is_not_mounted(desk):
    node = desk.make(1, "xfs")
    desk.mapper.remove("t1")
    desk.activate(1, 4096)
    with pytest.raises(InvalidError, match="exceeds its device"):
        desk.mount(node)


def test_the_second_mount_of_a_device_at_the_same_directory_is_refused(desk):
    node = desk.make(1, "xfs")
    desk.mount(node)
    with pytest.raises(DeviceBusyError):
        desk.mount(node)


def test_the_second_mount_of_a_device_has_the_access_of_the_first(desk):
    node = desk.make(1, "xfs")
    desk.mount(node)
    with pytest.raises(DeviceBusyError):
        desk.mount(node, "/mnt/b", options=["ro"])


def test_a_mount_hides_an_older_one_until_it_is_unmounted(desk):
    first, second = desk.make(1, "xfs"), desk.make(2, "xfs")
    desk.filesystems.write_inside(desk.mount(first), "first", "")
    desk.filesystems.write_inside(desk.mount(second), "second", "")
    assert desk.filesystems.names_inside("/mnt/a") == ("second",)
    desk.filesystems.unmount("/mnt/a")
    assert desk.filesystems.names_inside("/mnt/a") == ("first",)


def test_what_is_mounted_inside_goes_with_the_outer_mount(desk):
    outer, inner = desk.make(1, "xfs"), desk.make(2, "xfs")
    desk.filesystems.make_inside(desk.mount(outer), "rootfs", 0o755)
    desk.filesystems.mount(inner, "/mnt/a/rootfs", "xfs", [])
    desk.filesystems.unmount("/mnt/a")
    assert desk.filesystems.mounts() == ()
    assert {desk.mapper.info(name).open_count for name in ("t1", "t2")} == {0}


def test_a_device_marked_for_removal_goes_with_its_unmount(desk):
    desk.mount(desk.make(1, "xfs"))
    desk.mapper.remove("t1", deferred=True)
    desk.filesystems.unmount("/mnt/a")
    assert [entry.name for entry in desk.mapper.list_devices()] == ["p"]


def test_a_leak_keeps_the_device_open_after_the_unmount(desk):
    desk.mount(desk.make(1, "xfs"))
    pid = desk.machine.leaks.begin("t1")
    desk.filesystems.unmount("/mnt/a")
    assert desk.mapper.info("t1").open_count == 1
    desk.machine.leaks.end(pid)
    assert desk.mapper.info("t1").open_count == 0


def test_paths_below_a_mount_are_its_own(desk):
    files = desk.machine.files
    at = desk.mount(desk.make(1, "xfs"))
    desk.filesystems.write_inside(at, "id", "3f2a")
    assert files.identify(at).dev == DeviceNumber(254, 1)
    assert files.identify(f"{at}/id").size_bytes == 4
    with pytest.raises(FileMissingError):
        files.identify(f"{at}/none")
    with pytest.raises(FileMissingError):
        files.space(f"{at}/none")
    assert errno_of(files.make_sparse_file, f"{at}/file", 1) == errno.EROFS


def test_an_existing_directory_inside_is_left_as_it_is(desk):
    at = desk.mount(desk.make(1, "xfs"))
    desk.filesystems.make_inside(at, "rootfs", 0o755)
    assert desk.machine.files.make_directory(f"{at}/rootfs").is_directory
    assert errno_of(desk.machine.files.make_directory, f"{at}/other") == errno.EROFS


def test_a_mount_whose_device_was_wiped_is_still_one_and_can_be_ended(desk):
    at = desk.mount(desk.make(1, "xfs"))
    desk.mapper.load("t1", [Target(0, 8192 * 128, "error", "")])
    desk.mapper.resume("t1")
    assert desk.filesystems.mounts()[0].filesystem == "xfs"
    assert errno_of(desk.filesystems.make_inside, at, "rootfs", 0o755) == errno.EIO
    desk.filesystems.unmount(at)
    assert desk.mapper.info("t1").open_count == 0


def test_what_users_write_to_the_device_takes_room_in_its_file_system(desk):
    at = desk.mount(desk.make(1, "xfs"))
    before = desk.machine.files.space(at).free_bytes
    desk.machine.write("t1", offset_bytes=100 * MIB, length_bytes=20 * MIB)
    assert before - desk.machine.files.space(at).free_bytes == 20 * MIB


def test_a_trim_leaves_alone_what_users_wrote(desk):
    node = f"/dev/mapper/{desk.thin(1, 8192)}"
    desk.machine.write("t1", offset_bytes=20 * MIB, length_bytes=30 * MIB)
    desk.filesystems.make(node, "xfs", ["-K"])
    desk.mount(node)
    desk.machine.write("t1", offset_bytes=30 * MIB, length_bytes=5 * MIB)
    before = desk.mapped(node)
    desk.filesystems.trim("/mnt/a")
    assert before - desk.mapped(node) == 25 * MIB // BLOCK
    desk.filesystems.trim("/mnt/a")
    assert before - desk.mapped(node) == 25 * MIB // BLOCK


def test_a_trim_says_what_the_file_system_has_free(desk):
    at = desk.mount(desk.make(1, "xfs"))
    assert desk.filesystems.trim(at) == desk.machine.files.space(at).free_bytes


def test_a_discard_of_the_first_block_takes_an_unmounted_file_system_away(desk):
    node = desk.make(1, "xfs")
    at = desk.mount(node)
    desk.discard("t1", 0, 1)
    assert desk.filesystems.probe(node) is not None
    desk.filesystems.unmount(at)
    desk.discard("t1", 0, 1)
    assert desk.filesystems.probe(node) is None


def test_a_discard_on_a_pool_that_takes_no_changes_leaves_the_file_system(desk):
    node = desk.make(1, "xfs")
    desk.machine.faults.fail_metadata_operation("p")
    desk.filesystems.discard(node)
    assert desk.filesystems.probe(node) is not None


def test_growing_twice_changes_nothing_more(desk):
    node = desk.make(1, "xfs")
    desk.mapper.remove("t1")
    desk.activate(1, 16384)
    at = desk.mount(node)
    desk.filesystems.grow(node, "xfs", at)
    before = desk.line()
    desk.filesystems.grow(node, "xfs", at)
    assert desk.line() == before


def test_growing_without_space_leaves_the_size(desk):
    node = desk.make(1, "xfs")
    desk.mapper.remove("t1")
    desk.activate(1, 16384)
    at = desk.mount(node)
    before = desk.machine.files.space(at).total_bytes
    desk.thin(3, 20 * PER_GIB)
    with pytest.raises(NoSpaceError):
        desk.machine.write("t3", offset_bytes=0, length_bytes=17 * GIB)
    with pytest.raises(NoSpaceError):
        desk.filesystems.grow(node, "xfs", at)
    assert desk.machine.files.space(at).total_bytes == before


def test_the_limit_of_retries_is_kept_while_it_is_mounted(desk):
    node = desk.make(1, "xfs")
    desk.mount(node)
    desk.filesystems.limit_retries(node, 0)
    assert desk.filesystems.retry_limit(node) == 0
    desk.filesystems.unmount("/mnt/a")
    with pytest.raises(MachineError):
        desk.filesystems.limit_retries(node, 0)
    assert desk.filesystems.retry_limit(node) is None


def test_a_loop_device_may_have_a_file_system_which_its_file_keeps(desk):
    files = desk.machine.files
    files.make_sparse_file("/b/disk", 64 * MIB)
    loop = desk.machine.loops.attach("/b/disk")
    desk.filesystems.make(loop.path, "ext4", EAGER)
    taken = files.identify("/b/disk").allocated_bytes
    assert 0 < taken < 16 * MIB
    desk.mount(loop.path, kind="ext4")
    desk.machine.loops.release(loop)
    assert loop.path in [bound.path for bound in desk.machine.loops.list_bound()]
    desk.filesystems.unmount("/mnt/a")
    desk.machine.loops.release(loop)
    assert loop.path not in [bound.path for bound in desk.machine.loops.list_bound()]
    again = desk.machine.loops.attach("/b/disk")
    assert desk.filesystems.probe(again.path).kind == "ext4"


def test_a_run_can_be_repeated_to_the_uuid(tmp_path):
    uuids = []
    for name in ("one", "two"):
        machine = EmulatedMachine.open(tmp_path / name)
        desk = Desk(machine)
        uuids.append([desk.filesystems.probe(desk.make(thin_id, "xfs")).uuid for thin_id in (1, 2)])
        machine.close()
    assert uuids[0] == uuids[1]
    assert len(set(uuids[0])) == 2


def test_a_later_option_undoes_an_earlier_one():
    assert split(["ro,noatime", "rw", "defaults", "x-systemd.automount"]) == ("noatime",)


def test_a_comma_between_quotes_parts_nothing():
    assert split(['context="a:b:s0:c1,c2",nouuid']) == ('context="a:b:s0:c1,c2"', "nouuid")


@pytest.mark.parametrize(
    ("kind", "options", "line"),
    [
        ("xfs", (), "rw,relatime,attr2,inode64,logbufs=8,logbsize=32k,noquota"),
        ("xfs", ("nouuid", "ro"), "ro,relatime,nouuid,attr2,inode64,logbufs=8,logbsize=32k,noquota"),
        ("ext4", ("noatime", "nosuid"), "rw,nosuid,noatime"),
        ("xfs", ("uquota", "inode32"), "rw,relatime,uquota,inode32,attr2,logbufs=8,logbsize=32k"),
    ],
)
def test_options_are_printed_as_the_kernel_does(kind, options, line):
    assert ",".join(printed(kind, options)) == line
