"""Automatic direct-lvm with LVM's real tools on a loop device: made, used, undone, made again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.plan import PlanFailedError
from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError
from tests.deviceset.lvm import POOL, LvmMachine
from tests.kernel.docker import ENVIRONMENT

pytestmark = pytest.mark.kernel

PROFILE = Path("/etc/lvm/profile/docker-thinpool.profile")
FIRST_EXTENT = 1024**2
BASE = ("dm.basesize=512M", "dm.fs=xfs")
KILLED = """
import os, signal, sys
from pathlib import Path
from dmtui.machine.kernel import KernelMachine
from tests.kernel.test_directlvm import Disk
disk = Disk(KernelMachine(), Path(sys.argv[1]), sys.argv[2])
disk.start(machine=disk.failing(sys.argv[3], lambda: os.kill(os.getpid(), signal.SIGKILL)))
"""


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=300)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


class Failing:
    """The machine's programs, one of which does something else."""

    def __init__(self, programs, name: str, instead):
        self.programs, self.name, self.instead = programs, name, instead
        self.missing = programs.missing

    def run(self, arguments, **named):
        if arguments[0] == self.name:
            self.instead()
        return self.programs.run(arguments, **named)


class Disk:
    """A loop device, and graph directories that want a pool on it."""

    def __init__(self, machine, home: Path, path: str):
        self.machine, self.home, self.path = machine, home, path
        self.graph = str(home / "graph")

    def open(self, *options: str, machine=None):
        texts = [f"dm.directlvm_device={self.path}", *BASE, *options]
        return open_engine(machine or self.machine, self.graph, parse_options(texts), making=True)

    def start(self, *options: str, **named):
        engine = self.open(*options, **named)
        try:
            engine.run(engine.plans.start("now"))
        finally:
            engine.close()
        return engine

    def failing(self, name: str, instead):
        return LvmMachine(self.machine, Failing(self.machine.programs, name, instead))

    def clear(self) -> None:
        """What an operator does to be rid of it."""
        for entry in self.machine.device_mapper.list_devices():
            if entry.name.startswith("docker-") and entry.name.endswith("-base"):
                self.machine.device_mapper.remove(entry.name)
        for words in (("vgremove", "-ff", "-y", "docker"), ("pvremove", "-ff", "-y", self.path)):
            subprocess.run(words, env=ENVIRONMENT, capture_output=True)

    @property
    def untouched(self) -> bool:
        """LVM knows nothing of it, and no parameters are left."""
        found = run("pvs", "--noheadings", "-o", "pv_name") + run("vgs", "--noheadings", "-o", "vg_name")
        config = Path(self.graph, "setup-config.json")
        return self.path not in found and "docker" not in found and not (config.exists() or PROFILE.exists())


@pytest.fixture
def machine_kind():
    return "kernel"


@pytest.fixture
def disk(machine, home):
    run("truncate", "-s", "2G", str(home / "disk"))
    disk = Disk(machine, home, run("losetup", "-f", "--show", str(home / "disk")).strip())
    yield disk
    disk.clear()
    PROFILE.unlink(missing_ok=True)
    run("udevadm", "settle")  # udev looks at a disk after each change; one in use is not detached at once
    subprocess.run(["losetup", "-d", disk.path])


def lvm_says(columns: str) -> list[str]:
    return run("lvs", "--noheadings", "--separator", "|", "-o", columns, "docker/thinpool").strip().split("|")


def test_a_pool_of_lvm_is_made_watched_and_used(disk):
    disk.start()
    assert lvm_says("lv_profile,seg_monitor,chunk_size,zero,lv_attr")[:4] == [
        "docker-thinpool",
        "monitored",
        "512.00k",
        "",
    ]
    engine = disk.open()
    assert engine.devices.pool.table().block_bytes == 512 * 1024
    engine.run(engine.plans.create("one"))
    engine.run(engine.plans.mount("one"))
    Path(engine.devices.mount_point("one"), "file").write_text("kept")
    engine.run(engine.plans.unmount("one"))
    engine.run(engine.plans.remove("one"))
    assert engine.plans.active("") is None
    engine.close()
    words = [sys.executable, "-m", "dmtui", "--machine", "kernel", "--graph", disk.graph]
    info = json.loads(run(*words, "--storage-opt", f"dm.directlvm_device={disk.path}", "info", "--format", "json"))
    assert (info["pool_name"], info["pool_origin"]) == (POOL, "external")
    disk.clear()
    assert disk.path not in run("pvs", "--noheadings", "-o", "pv_name")


def test_after_a_reboot_the_pool_is_asked_for_not_built_again(disk):
    disk.start()
    run("lvchange", "-an", "docker/thinpool")
    engine = disk.open()
    with pytest.raises(MissingError, match="lvchange -ay docker/thinpool"):
        engine.plans.start("now")
    run("lvchange", "-ay", "docker/thinpool")
    engine.close()
    disk.start("dm.thinp_percent=95", "dm.thinp_metapercent=1")
    with pytest.raises(BadUsageError, match="is 90%"):
        disk.start("dm.thinp_percent=90", "dm.thinp_metapercent=1")


def test_a_disk_that_had_a_pool_before_gets_another(disk):
    """The base device's xfs lies where the data began: lvcreate asks whether to wipe it, and nobody answers."""
    run("mkfs.xfs", "-q", disk.path)
    with open(disk.path, "r+b") as file:
        superblock = file.read(4096)
        file.seek(FIRST_EXTENT)
        file.write(superblock)
    run("wipefs", "--all", "--quiet", disk.path)
    disk.start()


@pytest.mark.parametrize("name", ["vgcreate", "lvchange"])
def test_a_failure_leaves_the_disk_untouched(disk, name):
    def fail():
        raise MachineError(name, "failed: no luck today")

    with pytest.raises(PlanFailedError) as caught:
        disk.start(machine=disk.failing(name, fail))
    assert not caught.value.outcome.unfinished
    assert disk.untouched


@pytest.mark.parametrize("name", ["lvconvert", "lvchange"])
def test_a_kill_is_undone_by_the_next_start(disk, name):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(disk.home), disk.path, name], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not disk.untouched
    engine = disk.open()
    engine.close()
    assert engine.recovered == (f"the setup of direct-lvm on {disk.path} was undone",)
    assert disk.untouched


def test_what_is_on_the_disk_is_named(disk):
    run("mkfs.ext4", "-q", disk.path)
    with pytest.raises(DmtuiError, match="carries ext4"):
        disk.start()
    run("pvcreate", "-ff", "-y", disk.path)
    run("vgcreate", "vg-photos", disk.path)
    with pytest.raises(DmtuiError, match="is in the volume group vg-photos"):
        disk.start("dm.directlvm_device_force=true")


def test_a_forced_setup_takes_a_disk_with_a_file_system(disk):
    run("mkfs.ext4", "-q", disk.path)
    disk.start("dm.directlvm_device_force=true")
