"""What only the real kernel shows of file systems: lazy unmounts, users that it cannot count, calls that hang."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from dmtui.machine.errors import DeviceBusyError, InvalidError, MachineError, TimedOutError
from dmtui.machine.filesystems import FilesystemFound
from dmtui.thinpool.table import PoolTable, ThinTable

pytestmark = pytest.mark.kernel
MIB = 1 << 20
POOL, THIN, NODE = "dmtui-test-pool", "dmtui-test-1", "/dev/mapper/dmtui-test-1"


@pytest.fixture
def machine_kind():
    return "kernel"


@pytest.fixture
def filesystems(machine, home):
    """Those of a machine with an empty thin device of 512 MiB on a pool of 256 MiB."""
    for name, size in (("data", 256 * MIB), ("metadata", 4 * MIB)):
        machine.files.make_sparse_file(str(home / name), size)
    data, metadata = (machine.loops.attach(str(home / name)) for name in ("data", "metadata"))
    mapper = machine.device_mapper
    mapper.create(POOL, [PoolTable(str(metadata.dev), str(data.dev), 128, 0).target(256 * MIB // 512)])
    for loop in (data, metadata):
        machine.loops.release(loop)
    mapper.message(POOL, "create_thin 1")
    mapper.create(THIN, [ThinTable(str(mapper.info(POOL).dev), 1).target(512 * MIB // 512)])
    machine.files.make_directory(str(home / "m"))
    return machine.filesystems


@pytest.fixture
def at(home) -> str:
    return str(home / "m")


def wait_until(holds) -> None:
    give_up_at = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def test_a_lazy_unmount_leaves_the_device_open_until_its_last_file_is_closed(machine, filesystems, at):
    filesystems.make(NODE, "ext4", ["-q"])
    filesystems.mount(NODE, at, "ext4", [])
    with open(f"{at}/held", "w"):
        filesystems.unmount(at)
        assert at not in [mount.directory for mount in filesystems.mounts()]
        time.sleep(0.5)
        assert machine.device_mapper.info(THIN).open_count == 1
        with pytest.raises(DeviceBusyError):
            filesystems.discard(NODE)
    wait_until(lambda: machine.device_mapper.info(THIN).open_count == 0)


def test_the_number_of_a_mount_that_is_gone_may_be_given_to_the_next(filesystems, at):
    filesystems.make(NODE, "ext4", ["-q"])
    numbers = []
    for _ in range(3):
        filesystems.mount(NODE, at, "ext4", [])
        numbers.append(next(mount.mount_id for mount in filesystems.mounts() if mount.directory == at))
        filesystems.unmount(at)
    assert len(set(numbers)) < 3


def test_a_mount_is_told_by_its_real_path(filesystems, home, at):
    filesystems.make(NODE, "ext4", ["-q"])
    os.symlink(home, f"{home}-link")
    filesystems.mount(NODE, f"{home}-link/m", "ext4", [])
    os.unlink(f"{home}-link")
    assert at in [mount.directory for mount in filesystems.mounts()]


def test_nothing_is_discarded_under_a_user_that_has_merely_opened_the_device(filesystems):
    filesystems.make(NODE, "ext4", ["-q"])
    with open(NODE, "rb"), pytest.raises(DeviceBusyError, match="nothing is discarded under a user"):
        filesystems.discard(NODE)
    assert filesystems.probe(NODE).kind == "ext4"
    filesystems.discard(NODE)
    assert filesystems.probe(NODE) is None


def test_the_limit_of_an_xfs_arrives_in_the_kernel(machine, filesystems, at):
    filesystems.make(NODE, "xfs", [])
    with pytest.raises(MachineError, match="no xfs is mounted from it"):
        filesystems.limit_retries(NODE, 3)
    filesystems.mount(NODE, at, "xfs", ["nouuid"])
    filesystems.limit_retries(NODE, 3)
    name = f"dm-{machine.device_mapper.info(THIN).dev.minor}"
    assert Path(f"/sys/fs/xfs/{name}/error/metadata/ENOSPC/max_retries").read_text() == "3\n"


def test_a_refused_mount_tells_what_the_kernel_logged(filesystems, at):
    with pytest.raises(InvalidError, match="Invalid superblock magic number"):
        filesystems.mount(NODE, at, "xfs", [])


def test_an_ext4_is_never_checked_for_its_age(filesystems):
    filesystems.make(NODE, "ext4", ["-q"])
    told = subprocess.run(["dumpe2fs", "-h", NODE], capture_output=True, text=True).stdout
    assert "Maximum mount count:      -1\n" in told
    assert "Check interval:           0 " in told


def test_making_an_xfs_over_another_file_system_is_refused_with_the_program_s_last_words(filesystems):
    filesystems.make(NODE, "ext4", ["-q"])
    with pytest.raises(MachineError, match=r"failed: mkfs\.xfs: Use the -f option to force overwrite"):
        filesystems.make(NODE, "xfs", [])
    assert filesystems.probe(NODE).kind == "ext4"


def test_links_at_the_top_of_an_image_lead_nowhere(filesystems, at):
    filesystems.make(NODE, "ext4", ["-q"])
    filesystems.mount(NODE, at, "ext4", [])
    os.symlink("/etc", f"{at}/rootfs")
    os.symlink("/etc/dmtui-test", f"{at}/id")
    with pytest.raises(MachineError):
        filesystems.make_inside(at, "rootfs", 0o755)
    with pytest.raises(MachineError):
        filesystems.write_inside(at, "id", "x")
    assert not os.path.exists("/etc/dmtui-test")


def test_reading_a_suspended_device_is_given_up_and_watching_goes_on(machine, filesystems):
    filesystems.make(NODE, "ext4", ["-q"])
    mapper = machine.device_mapper
    subprocess.run(["udevadm", "settle"])
    wait_until(lambda: mapper.info(THIN).open_count == 0)  # its last user takes what was cached of it along
    mapper.suspend(THIN)
    filesystems.deadline_seconds = 1.0
    with pytest.raises(TimedOutError, match="reading it has not ended after 1 s"):
        filesystems.probe(NODE)
    assert filesystems.mounts()
    mapper.resume(THIN)
    filesystems.deadline_seconds = 30.0
    assert isinstance(filesystems.probe(NODE), FilesystemFound)


def test_a_mount_that_hangs_is_given_up_and_comes_to_its_end_after_all(machine, filesystems, at):
    filesystems.make(NODE, "ext4", ["-q"])
    mapper = machine.device_mapper
    mapper.suspend(THIN, lock_filesystem=False)  # locked, it would be refused at once
    filesystems.deadline_seconds = 1.0
    with pytest.raises(TimedOutError, match="mounting it"):
        filesystems.mount(NODE, at, "ext4", [])
    mapper.resume(THIN)
    filesystems.deadline_seconds = 30.0
    wait_until(lambda: at in [mount.directory for mount in filesystems.mounts()])
    assert "lost+found" in filesystems.names_inside(at)


def test_making_a_file_system_on_a_suspended_device_is_given_up(machine, filesystems):
    mapper = machine.device_mapper
    mapper.suspend(THIN)
    filesystems.long_deadline_seconds = 2.0
    started = time.monotonic()
    with pytest.raises(TimedOutError, match=r"mkfs\.ext4"):
        filesystems.make(NODE, "ext4", ["-q"])
    assert time.monotonic() - started < 10
    mapper.resume(THIN)


def test_the_module_of_a_file_system_is_loaded_where_it_is_missing(machine):
    if subprocess.run(["modprobe", "-r", "btrfs"]).returncode:
        pytest.skip("btrfs is built into this kernel")
    machine.programs._path = "/tmp/bin:/usr/sbin:/sbin:/usr/bin:/bin"
    os.makedirs("/tmp/bin", exist_ok=True)
    Path("/tmp/bin/mkfs.btrfs").write_text("#!/bin/sh\n")
    Path("/tmp/bin/mkfs.btrfs").chmod(0o755)
    assert "btrfs" not in Path("/proc/filesystems").read_text().split()
    assert machine.filesystems.why_unusable("btrfs") == ""
    assert "btrfs" in Path("/proc/filesystems").read_text().split()
