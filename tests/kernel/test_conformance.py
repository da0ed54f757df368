"""The original's own behaviours, as its own tests had them, on the real kernel."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.reaping import reap
from dmtui.thinpool.errors import BadUsageError
from tests.deviceset.troubles import reaped_when_closed

pytestmark = pytest.mark.kernel
MIB = 1024**2


@pytest.fixture
def machine_kind():
    return "kernel"


class DriverTest:
    """The small pool of the original's tests: 300 MiB of data, 200 MiB of metadata, a base of 300 MiB."""

    def __init__(self, machine, home):
        self.machine, self.directory = machine, str(home / "graph")
        self.engine = None

    def start(self, *, data=300, metadata=200, base: int | None = 300, more=()):
        words = [f"dm.loopdatasize={data}M", f"dm.loopmetadatasize={metadata}M", "dm.fs=ext4", *more]
        words += [f"dm.basesize={base}M"] if base else []
        self.engine = open_engine(self.machine, self.directory, parse_options(words), making=True)
        self.engine.run(self.engine.plans.start("now"))
        return self.engine

    def restart(self, **sizes):
        self.engine.run(self.engine.plans.remove_pool())
        self.engine.close()
        return self.start(**sizes)

    def close(self):
        if self.engine:
            self.engine.close()

    def totals(self) -> tuple[int, int]:
        figures, table = self.engine.devices.pool.figures(), self.engine.devices.pool.table()
        return figures.data.total_blocks * table.block_bytes, figures.metadata_total_bytes


@pytest.fixture
def driver(machine, home):
    driver = DriverTest(machine, home)
    yield driver
    driver.close()


def mounted(engine, name: str) -> Path:
    engine.run(engine.plans.mount(name))
    return Path(engine.devices.mount(name).directory)


def test_totals_are_the_sizes_of_the_files_and_follow_them_up_but_never_down(driver):
    driver.start()
    assert driver.totals() == (300 * MIB, 200 * MIB)
    driver.restart(data=290, metadata=190)
    assert driver.totals() == (300 * MIB, 200 * MIB)
    driver.restart(data=310, metadata=210)
    assert driver.totals() == (310 * MIB, 210 * MIB)


def test_a_device_from_nothing_has_an_empty_root_of_mode_0755_owned_by_root(driver):
    engine = driver.start()
    engine.run(engine.plans.create("empty"))
    root = mounted(engine, "empty") / "rootfs"
    found = root.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o755, 0, 0)
    assert os.listdir(root) == []
    id_file = root.parent / "id"
    assert (id_file.read_text(), stat.S_IMODE(id_file.stat().st_mode)) == ("empty", 0o600)
    engine.run(engine.plans.unmount("empty"))


def test_a_snapshot_shows_the_entries_of_its_parent_with_modes_and_owners(driver):
    engine = driver.start()
    engine.run(engine.plans.create("parent"))
    root = mounted(engine, "parent") / "rootfs"
    (root / "a subdir").mkdir()
    os.chown(root / "a subdir", 1, 2)
    (root / "a subdir").chmod(0o705 | stat.S_ISVTX)
    (root / "a file").write_text("Some data")
    (root / "a file").chmod(0o222 | stat.S_ISUID)
    engine.run(engine.plans.unmount("parent"))
    engine.run(engine.plans.create("child", parent="parent"))
    seen = mounted(engine, "child") / "rootfs"
    assert sorted(os.listdir(seen)) == ["a file", "a subdir"]
    directory, file = (seen / "a subdir").stat(), (seen / "a file").stat()
    assert (stat.S_IMODE(directory.st_mode), directory.st_uid, directory.st_gid) == (0o705 | stat.S_ISVTX, 1, 2)
    assert (stat.S_IMODE(file.st_mode), file.st_uid, file.st_gid) == (0o222 | stat.S_ISUID, 0, 0)
    assert (seen / "a file").read_text() == "Some data"
    engine.run(engine.plans.unmount("child"))


def test_a_base_cannot_shrink_at_a_restart_but_grow(driver):
    driver.start()
    with pytest.raises(BadUsageError, match="cannot shrink the base device"):
        driver.restart(base=200)
    driver.close()
    engine = driver.start(base=400)
    assert engine.devices.record("").size_bytes == 400 * MIB
    engine.run(engine.plans.create("larger"))
    space = os.statvfs(mounted(engine, "larger"))
    assert space.f_blocks * space.f_frsize > 350 * MIB
    engine.run(engine.plans.unmount("larger"))


def test_cleaning_up_deleted_devices_lets_go_of_the_lock(driver):
    engine = driver.start()
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.activate("one"))
    with Path(engine.devices.node("one")).open("rb"):
        engine.run(engine.plans.remove("one"))
        assert [result.gone for result in reap(engine)] == [False]
    assert reaped_when_closed(engine) == [True]
    engine.run(engine.plans.create("two"))
    engine.close()
    open_engine(driver.machine, driver.directory, parse_options([])).close()


def test_a_mount_leaked_into_a_private_namespace_does_not_stop_the_unmount(driver):
    """With both deferred features off: removing the mount point ends the copy, on kernels from 3.18."""
    off = ("dm.use_deferred_removal=false", "dm.use_deferred_deletion=false")
    engine = driver.start(more=off)
    engine.run(engine.plans.create("leaked"))
    directory = mounted(engine, "leaked")
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", "echo ready; exec sleep 600"]
    holder = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"ready\n"
        assert str(directory) in Path(f"/proc/{holder.pid}/mountinfo").read_text()
        engine.run(engine.plans.unmount("leaked"))
        assert engine.plans.active("leaked") is None
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_show_tells_id_and_size_as_numbers_and_each_device_has_its_own_id(driver):
    engine = driver.start()
    engine.run(engine.plans.create("image"))
    engine.run(engine.plans.create("container", parent="image"))
    engine.close()
    words = [sys.executable, "-m", "dmtui", "--machine", "kernel", "--graph", driver.directory, "device", "show"]
    shown = []
    for name in ("image", "container"):
        done = subprocess.run([*words, name, "--format", "json"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        shown.append(json.loads(done.stdout))
    assert all(isinstance(view["thin_id"], int) and view["size"] == 300 * MIB for view in shown)
    assert shown[0]["thin_id"] != shown[1]["thin_id"]


def test_xfs_gives_up_after_the_tries_that_were_asked_for(driver):
    words = ["dm.loopdatasize=1G", "dm.loopmetadatasize=16M", "dm.basesize=512M", "dm.fs=xfs"]
    options = parse_options([*words, "dm.xfs_nospace_max_retries=3"])
    engine = open_engine(driver.machine, driver.directory, options, making=True)
    driver.engine = engine
    engine.run(engine.plans.start("now"))
    engine.run(engine.plans.create("limited", size_bytes=600 * MIB))
    space = os.statvfs(mounted(engine, "limited"))
    assert space.f_blocks * space.f_frsize > 400 * MIB
    kernel_name = Path(os.path.realpath(engine.devices.node("limited"))).name
    limit = Path(f"/sys/fs/xfs/{kernel_name}/error/metadata/ENOSPC/max_retries")
    assert limit.read_text().strip() == "3"
    engine.run(engine.plans.unmount("limited"))
