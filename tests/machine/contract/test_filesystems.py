"""File systems on thin devices, on any machine: made, told, mounted, grown, discarded."""

import errno

import pytest

from dmtui.machine.errors import (
    DeviceBusyError,
    FileMissingError,
    InvalidError,
    MachineError,
    PoolRefusesError,
)

MIB = 1 << 20
THIN = 64 * MIB
XFS_THIN = 512 * MIB
"""mkfs.xfs makes nothing below 300 MiB."""
NOWHERE = "/dev/mapper/dmtui-test-none"


def node(name) -> str:
    return f"/dev/mapper/{name}"


@pytest.fixture
def filesystems(machine):
    return machine.filesystems


@pytest.fixture
def pool(rig):
    """A pool with room for a few file systems, the log of an xfs included."""
    return rig.pool(data_bytes=256 * MIB)


@pytest.fixture
def ext4(rig, pool):
    """Thin device 1 with an ext4."""
    return rig.formatted(1, "ext4", size_bytes=THIN)


@pytest.fixture
def xfs(rig, pool):
    """Thin device 1 with an xfs."""
    return rig.formatted(1, "xfs", size_bytes=XFS_THIN)


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_the_usual_file_systems_can_be_used(filesystems, kind):
    assert filesystems.why_unusable(kind) == ""


def test_a_file_system_that_nobody_knows_cannot_be_used_and_it_is_said_why(filesystems):
    assert "nosuchfs" in filesystems.why_unusable("nosuchfs")


def test_a_new_device_has_no_file_system(rig, filesystems, pool):
    assert filesystems.probe(node(rig.thin(1))) is None


@pytest.mark.parametrize(("kind", "size_bytes"), [("ext4", THIN), ("xfs", XFS_THIN)])
def test_a_file_system_that_was_made_is_found(rig, filesystems, pool, kind, size_bytes):
    found = filesystems.probe(node(rig.formatted(1, kind, size_bytes=size_bytes)))
    assert found.kind == kind
    assert [len(part) for part in found.uuid.split("-")] == [8, 4, 4, 4, 12]
    assert found.uuid == found.uuid.lower()


def test_making_a_file_system_maps_blocks(rig, ext4):
    assert 0 < rig.mapped_sectors(ext4) < THIN // 512


def test_every_file_system_has_a_uuid_of_its_own(rig, filesystems, ext4):
    other = rig.formatted(2)
    assert filesystems.probe(node(ext4)).uuid != filesystems.probe(node(other)).uuid


def test_a_file_system_made_anew_has_another_uuid(rig, filesystems, ext4):
    before = filesystems.probe(node(ext4))
    rig.make(ext4)
    assert filesystems.probe(node(ext4)).uuid != before.uuid


def test_a_snapshot_has_its_origin_s_file_system_and_uuid(rig, filesystems, ext4):
    found = filesystems.probe(node(ext4))
    assert filesystems.probe(node(rig.snapshot(2, 1, size_bytes=THIN))) == found


def test_a_file_system_survives_deactivation(rig, filesystems, ext4):
    found = filesystems.probe(node(ext4))
    rig.mapper.remove(ext4)
    assert filesystems.probe(node(rig.activate(1, size_bytes=THIN))) == found


@pytest.mark.parametrize(
    "use",
    [
        lambda filesystems, home: filesystems.make(NOWHERE, "ext4", []),
        lambda filesystems, home: filesystems.probe(NOWHERE),
        lambda filesystems, home: filesystems.grow(NOWHERE, "ext4", home),
        lambda filesystems, home: filesystems.mount(NOWHERE, home, "ext4", []),
        lambda filesystems, home: filesystems.limit_retries(NOWHERE, 0),
        lambda filesystems, home: filesystems.discard(NOWHERE),
        lambda filesystems, home: filesystems.unmount(home + "/none"),
        lambda filesystems, home: filesystems.make_inside(home + "/none", "rootfs", 0o755),
        lambda filesystems, home: filesystems.write_inside(home + "/none", "id", "x"),
        lambda filesystems, home: filesystems.names_inside(home + "/none"),
        lambda filesystems, home: filesystems.trim(home + "/none"),
    ],
    ids=["make", "probe", "grow", "mount", "limit", "discard", "unmount", "make-in", "write-in", "names-in", "trim"],
)
def test_a_missing_path_is_told_as_missing(rig, filesystems, use):
    with pytest.raises(FileMissingError):
        use(filesystems, str(rig.home))


def test_a_kind_without_a_program_to_make_it_is_told_as_missing(rig, filesystems, pool):
    with pytest.raises(FileMissingError, match=r"mkfs\.nosuchfs"):
        filesystems.make(node(rig.thin(1)), "nosuchfs", [])


def test_a_mount_shows_with_its_directory_device_and_kind(rig, ext4):
    (mount,) = rig.mounted(rig.mount(ext4))
    assert mount.dev == rig.mapper.info(ext4).dev
    assert mount.filesystem == "ext4"
    assert "rw" in mount.options


def test_a_mount_opens_the_device_and_an_unmount_closes_it(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    assert rig.opened(ext4, 1)
    filesystems.unmount(directory)
    assert rig.opened(ext4, 0)


def test_an_unmounted_directory_is_not_among_the_mounts(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    filesystems.unmount(directory)
    assert rig.mounted(directory) == []


def test_a_mounted_device_cannot_be_removed(rig, ext4):
    rig.mount(ext4)
    with pytest.raises(DeviceBusyError):
        rig.mapper.remove(ext4)


def test_a_device_can_be_mounted_again(rig, filesystems, ext4):
    filesystems.unmount(rig.mount(ext4))
    assert len(rig.mounted(rig.mount(ext4))) == 1


def test_a_device_may_be_mounted_at_two_directories(rig, filesystems, ext4):
    first, second = rig.mount(ext4, "a"), rig.mount(ext4, "b")
    filesystems.make_inside(first, "rootfs", 0o755)
    assert "rootfs" in filesystems.names_inside(second)
    assert rig.mounted(first)[0].mount_id != rig.mounted(second)[0].mount_id


def test_two_mounts_of_a_device_open_it_once(rig, filesystems, ext4):
    first, second = rig.mount(ext4, "a"), rig.mount(ext4, "b")
    assert rig.opened(ext4, 1)
    filesystems.unmount(first)
    assert rig.opened(ext4, 1)
    filesystems.unmount(second)
    assert rig.opened(ext4, 0)


def test_mounts_come_in_their_order(rig, filesystems, ext4):
    at = [rig.mount(ext4, name) for name in ("b", "a", "c")]
    assert [mount.directory for mount in filesystems.mounts() if mount.directory in at] == at


def test_options_show_flags_and_the_file_system_s_own(rig, ext4):
    (mount,) = rig.mounted(rig.mount(ext4, options=["noatime", "nodiscard", "nobarrier"]))
    assert {"rw", "noatime", "nobarrier"} <= set(mount.options)


def test_a_read_only_mount_says_so_and_takes_nothing(rig, filesystems, ext4):
    directory = rig.mount(ext4, options=["ro"])
    assert "ro" in rig.mounted(directory)[0].options
    with pytest.raises(MachineError) as refused:
        filesystems.make_inside(directory, "rootfs", 0o755)
    assert refused.value.errno == errno.EROFS


def test_a_device_without_a_file_system_is_not_mounted(rig, pool):
    with pytest.raises(InvalidError):
        rig.mount(rig.thin(1))
    assert rig.mounted(str(rig.home / "m")) == []


def test_a_file_system_of_another_kind_is_not_mounted(rig, ext4):
    with pytest.raises(InvalidError):
        rig.mount(ext4, kind="xfs")


def test_an_option_that_makes_no_sense_is_refused(rig, ext4):
    with pytest.raises(InvalidError):
        rig.mount(ext4, options=["nosuchoption"])


def test_a_suspended_device_is_not_mounted(rig, ext4):
    rig.mapper.suspend(ext4)
    with pytest.raises(DeviceBusyError):
        rig.mount(ext4)
    rig.mapper.resume(ext4)
    assert len(rig.mounted(rig.mount(ext4))) == 1


def test_nothing_is_mounted_at_a_missing_directory(rig, filesystems, ext4):
    with pytest.raises(FileMissingError):
        filesystems.mount(node(ext4), str(rig.home / "none"), "ext4", [])


def test_nothing_is_mounted_at_a_file(rig, filesystems, ext4):
    with pytest.raises(MachineError):
        filesystems.mount(node(ext4), rig.file("f"), "ext4", [])


def test_a_directory_where_nothing_is_mounted_cannot_be_unmounted(rig, filesystems):
    with pytest.raises(InvalidError):
        filesystems.unmount(rig.directory("m"))


def test_a_mount_point_cannot_be_removed(rig, ext4):
    directory = rig.mount(ext4)
    with pytest.raises(DeviceBusyError):
        rig.machine.files.remove_directory(directory)
    assert len(rig.mounted(directory)) == 1


def test_a_mounted_device_gets_no_new_file_system(rig, filesystems, ext4):
    found = filesystems.probe(node(ext4))
    rig.mount(ext4)
    with pytest.raises(MachineError):
        rig.make(ext4)
    assert filesystems.probe(node(ext4)) == found


def test_a_new_file_system_is_empty_but_for_what_making_it_left(rig, filesystems, ext4):
    assert filesystems.names_inside(rig.mount(ext4)) == ("lost+found",)


def test_a_new_xfs_is_empty(rig, filesystems, xfs):
    assert filesystems.names_inside(rig.mount(xfs, kind="xfs")) == ()


def test_what_is_made_inside_is_there(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    filesystems.make_inside(directory, "rootfs", 0o755)
    filesystems.write_inside(directory, "id", "3f2a")
    assert filesystems.names_inside(directory) == ("id", "lost+found", "rootfs")


def test_what_is_inside_already_is_left_as_it_is(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    for _ in range(2):
        filesystems.make_inside(directory, "rootfs", 0o755)
        filesystems.write_inside(directory, "id", "3f2a")
    assert filesystems.names_inside(directory) == ("id", "lost+found", "rootfs")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc"])
def test_a_name_that_leads_elsewhere_is_refused(rig, filesystems, ext4, name):
    directory = rig.mount(ext4)
    with pytest.raises(InvalidError):
        filesystems.make_inside(directory, name, 0o755)
    with pytest.raises(InvalidError):
        filesystems.write_inside(directory, name, "x")
    assert filesystems.names_inside(directory) == ("lost+found",)


def test_a_file_in_the_way_is_no_directory_inside(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    filesystems.write_inside(directory, "rootfs", "x")
    with pytest.raises(MachineError):
        filesystems.make_inside(directory, "rootfs", 0o755)


def test_what_was_made_inside_is_there_after_a_remount(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    filesystems.make_inside(directory, "rootfs", 0o755)
    filesystems.unmount(directory)
    assert filesystems.names_inside(directory) == ()
    rig.mount(ext4)
    assert filesystems.names_inside(directory) == ("lost+found", "rootfs")


def test_what_is_inside_is_in_a_snapshot_of_the_unmounted_device(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    filesystems.write_inside(directory, "id", "3f2a")
    filesystems.unmount(directory)
    snapshot = rig.snapshot(2, 1, size_bytes=THIN)
    assert filesystems.names_inside(rig.mount(snapshot, "s")) == ("id", "lost+found")


def test_what_is_inside_is_in_a_snapshot_taken_while_the_mounted_device_is_suspended(rig, filesystems, ext4):
    filesystems.write_inside(rig.mount(ext4), "id", "3f2a")
    rig.mapper.suspend(ext4)
    rig.mapper.message("dmtui-test-pool", "create_snap 2 1")
    rig.mapper.resume(ext4)
    snapshot = rig.activate(2, size_bytes=THIN)
    assert filesystems.names_inside(rig.mount(snapshot, "s")) == ("id", "lost+found")


def test_what_is_made_in_a_snapshot_is_not_in_its_origin(rig, filesystems, ext4):
    snapshot = rig.snapshot(2, 1, size_bytes=THIN)
    filesystems.write_inside(rig.mount(snapshot, "s"), "id", "3f2a")
    assert filesystems.names_inside(rig.mount(ext4)) == ("lost+found",)


def test_what_is_made_after_a_snapshot_is_not_in_it(rig, filesystems, ext4):
    rig.mapper.message("dmtui-test-pool", "create_snap 2 1")
    filesystems.write_inside(rig.mount(ext4), "id", "3f2a")
    snapshot = rig.activate(2, size_bytes=THIN)
    assert filesystems.names_inside(rig.mount(snapshot, "s")) == ("lost+found",)


def test_a_mounted_file_system_has_the_room_of_its_device(rig, ext4):
    space = rig.machine.files.space(rig.mount(ext4))
    assert THIN // 2 < space.total_bytes <= THIN
    assert THIN // 2 < space.free_bytes <= space.total_bytes


@pytest.mark.parametrize(("kind", "size_bytes"), [("ext4", THIN), ("xfs", XFS_THIN)])
def test_a_file_system_grows_into_a_larger_device(rig, filesystems, pool, kind, size_bytes):
    thin = rig.formatted(1, kind, size_bytes=size_bytes)
    rig.mapper.remove(thin)
    rig.activate(1, size_bytes=2 * size_bytes)
    directory = rig.mount(thin, kind=kind)
    before = rig.machine.files.space(directory)
    filesystems.grow(node(thin), kind, directory)
    after = rig.machine.files.space(directory)
    assert after.total_bytes - before.total_bytes > size_bytes * 3 // 4
    assert after.free_bytes - before.free_bytes > size_bytes * 3 // 4


def test_a_file_system_that_has_all_of_its_device_stays_as_it_is(rig, filesystems, ext4):
    directory = rig.mount(ext4)
    before = rig.machine.files.space(directory)
    filesystems.grow(node(ext4), "ext4", directory)
    assert rig.machine.files.space(directory).total_bytes == before.total_bytes


def test_a_kind_that_cannot_grow_here_is_refused(rig, filesystems, ext4):
    with pytest.raises(InvalidError):
        filesystems.grow(node(ext4), "nosuchfs", rig.mount(ext4))


def test_an_xfs_of_the_same_uuid_is_mounted_beside_the_first_only_with_nouuid(rig, xfs):
    snapshot = rig.snapshot(2, 1, size_bytes=XFS_THIN)
    rig.mount(xfs, "a", kind="xfs")
    with pytest.raises(InvalidError):
        rig.mount(snapshot, "b", kind="xfs")
    assert len(rig.mounted(rig.mount(snapshot, "b", kind="xfs", options=["nouuid"]))) == 1


def test_an_ext4_of_the_same_uuid_is_mounted_beside_the_first(rig, ext4):
    snapshot = rig.snapshot(2, 1, size_bytes=THIN)
    rig.mount(ext4, "a")
    assert len(rig.mounted(rig.mount(snapshot, "b"))) == 1


def test_the_retries_of_a_mounted_xfs_can_be_limited(rig, filesystems, xfs):
    rig.mount(xfs, kind="xfs", options=["nouuid"])
    filesystems.limit_retries(node(xfs), 0)


def test_the_retries_of_an_ext4_cannot_be_limited(rig, filesystems, ext4):
    rig.mount(ext4)
    with pytest.raises(MachineError):
        filesystems.limit_retries(node(ext4), 0)


def test_a_discard_gives_back_every_block(rig, filesystems, ext4):
    assert rig.mapped_sectors(ext4) > 0
    filesystems.discard(node(ext4))
    assert rig.committed(ext4) == f"0 {THIN // 512} thin 0 -"
    assert filesystems.probe(node(ext4)) is None


def test_a_discard_leaves_a_snapshot_what_it_has(rig, filesystems, ext4):
    snapshot = rig.snapshot(2, 1, size_bytes=THIN)
    before = rig.mapped_sectors(snapshot)
    filesystems.discard(node(ext4))
    assert rig.mapped_sectors(snapshot) == before
    assert filesystems.probe(node(snapshot)).kind == "ext4"


def test_a_mounted_device_is_not_discarded(rig, filesystems, ext4):
    rig.mount(ext4)
    with pytest.raises(DeviceBusyError):
        filesystems.discard(node(ext4))
    assert rig.mapped_sectors(ext4) > 0


def test_a_pool_that_ignores_discards_gives_nothing_back(rig, filesystems):
    rig.pool(features=("ignore_discard",))
    with pytest.raises(PoolRefusesError):
        filesystems.discard(node(rig.thin(1)))


def test_a_trim_gives_back_what_the_file_system_has_free(rig, filesystems, pool, io):
    thin = rig.thin(1, size_bytes=THIN)
    for megabyte in range(0, 64, 8):
        io.write(thin, megabyte * MIB, 8 * MIB)
    rig.make(thin)
    assert rig.mapped_sectors(thin) == THIN // 512
    assert filesystems.trim(rig.mount(thin)) > THIN // 2
    assert rig.mapped_sectors(thin) < THIN // 512 // 2


def test_a_trim_on_a_pool_that_ignores_discards_is_refused(rig, filesystems):
    rig.pool(features=("ignore_discard",))
    with pytest.raises(PoolRefusesError):
        filesystems.trim(rig.mount(rig.formatted(1, size_bytes=32 * MIB)))
