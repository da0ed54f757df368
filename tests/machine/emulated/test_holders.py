"""Processes that hold a device in the four ways there are, and what the kernel refuses meanwhile."""

import errno

import pytest

from dmtui.machine.emulated.holders import HOST_NAMESPACE, HOWS
from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, InvalidError, MachineError
from dmtui.machine.protocols import Process


@pytest.fixture
def site(bench):
    """A thin device with a file system, mounted at /m."""
    bench.thin(1)
    bench.machine.filesystems.make("/dev/mapper/t1", "ext4", [])
    bench.machine.files.make_directory("/m")
    bench.machine.filesystems.mount("/dev/mapper/t1", "/m", "ext4", [])
    return bench


def opened(bench) -> int:
    return bench.mapper.info("t1").open_count


def unmount(bench, lazy=False) -> None:
    bench.machine.filesystems.unmount("/m", lazy=lazy)


@pytest.mark.parametrize("how", ["file", "cwd"])
def test_what_is_held_inside_keeps_it_from_being_unmounted_until_it_is_let_go(site, how):
    pid = site.machine.holders.begin("t1", how)
    assert opened(site) == 1
    with pytest.raises(DeviceBusyError):
        unmount(site)
    site.machine.holders.end(pid)
    unmount(site)
    assert opened(site) == 0


@pytest.mark.parametrize("how", ["file", "cwd"])
def test_unmounted_lazily_it_leaves_the_tree_at_once_and_the_device_with_its_last_user(site, how):
    first, second = (site.machine.holders.begin("t1", how) for _ in range(2))
    unmount(site, lazy=True)
    assert site.machine.filesystems.mounts() == ()
    assert opened(site) == 1
    with pytest.raises(DeviceBusyError):
        site.mapper.remove("t1")
    site.machine.holders.end(first)
    assert opened(site) == 1
    site.mapper.remove("t1", deferred=True)
    site.machine.holders.end(second)
    with pytest.raises(DeviceMissingError):
        site.mapper.info("t1")


def test_a_mount_in_another_namespace_shares_the_one_opening_and_keeps_nobody_from_unmounting_here(site):
    pid = site.machine.holders.begin("t1", "mount")
    assert opened(site) == 1
    unmount(site)
    assert opened(site) == 1
    site.machine.filesystems.mount("/dev/mapper/t1", "/m", "ext4", [])
    assert opened(site) == 1
    unmount(site)
    site.machine.holders.end(pid)
    assert opened(site) == 0


def test_the_node_itself_is_opened_once_more_and_keeps_nobody_from_unmounting(site):
    pid = site.machine.holders.begin("t1", "device")
    assert opened(site) == 2
    unmount(site)
    assert opened(site) == 1
    site.machine.holders.end(pid)
    site.mapper.remove("t1")


def test_what_is_mounted_below_keeps_it_from_being_unmounted_unless_lazily(site):
    site.thin(2)
    filesystems = site.machine.filesystems
    filesystems.make("/dev/mapper/t2", "ext4", [])
    filesystems.make_inside("/m", "below", 0o755)
    filesystems.mount("/dev/mapper/t2", "/m/below", "ext4", [])
    with pytest.raises(DeviceBusyError):
        unmount(site)
    unmount(site, lazy=True)
    assert (opened(site), site.mapper.info("t2").open_count) == (0, 0)


def test_the_kernel_says_that_it_is_unmounted_when_its_last_user_has_gone(site):
    pid = site.machine.holders.begin("t1", "cwd")
    unmount(site, lazy=True)
    before = len(site.machine.kernel_log.read())
    site.machine.holders.end(pid)
    assert [line.text for line in site.machine.kernel_log.read()[before:]] == ["EXT4-fs (dm-1): unmounting filesystem."]


def test_each_is_told_with_what_it_holds_and_where(site):
    pids = {how: site.machine.holders.begin("t1", how, "worker") for how in HOWS}
    found = {holder.how: holder for holder in site.machine.holders.list_all()}
    assert {how: holder.pid for how, holder in found.items()} == pids
    assert {how: holder.path for how, holder in found.items()} == {
        "mount": "/m",
        "file": "/m/file",
        "cwd": "/m",
        "device": "/dev/mapper/t1",
    }
    assert [how for how, holder in found.items() if holder.namespace != HOST_NAMESPACE] == ["mount"]
    assert found["cwd"].text == (
        f"process {pids['cwd']} holds t1 by its working directory, /m (worker, in the host's mount namespace)"
    )


def test_programs_at_work_below_a_directory_are_found_as_on_the_kernel(site):
    holders, processes = site.machine.holders, site.machine.processes
    file = holders.begin("t1", "file", "dockerd")
    holders.begin("t1", "cwd", "dockerd")
    holders.begin("t1", "file", "bash")
    holders.begin("t1", "mount", "dockerd")
    assert processes.using("dockerd", "/m") == (Process(file, "dockerd"),)
    assert len(processes.using("dockerd", "/")) == 2
    assert processes.using("dockerd", "/elsewhere") == ()
    unmount(site, lazy=True)
    assert processes.using("dockerd", "/") == ()


def test_what_cannot_be_held_so_is_refused(bench):
    bench.thin(1)
    for how in ("mount", "file", "cwd"):
        with pytest.raises(InvalidError):
            bench.machine.holders.begin("t1", how)
    with pytest.raises(DeviceMissingError):
        bench.machine.holders.begin("nothing", "device")
    with pytest.raises(MachineError) as caught:
        bench.machine.holders.end(1)
    assert caught.value.errno == errno.ESRCH
    assert opened(bench) == 0


def test_only_a_leak_is_ended_as_one(bench):
    bench.thin(1)
    pid = bench.machine.holders.begin("t1", "device")
    with pytest.raises(MachineError):
        bench.machine.leaks.end(pid)
    bench.machine.holders.end(bench.machine.leaks.begin("t1"))
    assert [holder.pid for holder in bench.machine.holders.list_all()] == [pid]


def test_no_process_survives_a_reboot(site):
    for how in HOWS:
        site.machine.holders.begin("t1", how)
    site.machine.reboot()
    assert site.machine.holders.list_all() == ()
