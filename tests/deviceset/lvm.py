"""LVM's tools played over an emulated machine: which volumes and groups there are, and the pool that they come to."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from dmtui.machine.durable import DurableFiles
from dmtui.machine.errors import MachineError, TimedOutError
from dmtui.machine.filesystems import Mount
from dmtui.thinpool.table import PoolTable
from tests.deviceset.graphs import MIB

POOL = "docker-thinpool"
TOOLS = {
    "pvcreate", "vgcreate", "lvcreate", "lvconvert", "lvchange", "pvs", "vgs", "lvs", "pvremove", "vgremove",
    "lvremove", "wipefs", "thin_check",
}  # fmt: skip


class FakeLvm:
    """The `Programs` of a machine with LVM on it.

    Attributes:
        volumes: the group of each physical volume, empty for none.
        groups: the tags of each group.
        logical: logical volumes as they are listed, ``VG/LV``.
        signatures: what wipefs finds on a device.
        fails: a command line that begins so fails; with `acts` it has acted before, as one that timed out.
    """

    def __init__(self, machine, home: Path):
        self.machine = machine
        self.volumes: dict[str, str] = {}
        self.groups: dict[str, set[str]] = {}
        self.logical: set[str] = set()
        self.profiles: set[str] = set()
        self.monitored: set[str] = set()
        self.signatures: dict[str, list[str]] = {}
        self.absent: set[str] = set()
        self.fails, self.acts = "", False
        self.daemon = True
        self.lines: list[str] = []
        self._files = [home / "lvm-data", home / "lvm-metadata"]

    @property
    def changes(self) -> list[str]:
        """Every command line that was run and changes something."""
        asking = ("pvs", "vgs", "lvs", "wipefs")
        return [line for line in self.lines if line.split()[0] not in asking]

    @property
    def empty(self) -> bool:
        """Whether LVM has nothing, and its pool is gone."""
        names = {entry.name for entry in self.machine.device_mapper.list_devices()}
        return not (self.volumes or self.groups or self.logical or POOL in names)

    def missing(self, names):
        return tuple(name for name in names if name in self.absent or name not in TOOLS)

    def run(self, arguments, *, seconds=120.0):
        line = " ".join(arguments)
        self.lines.append(line)
        failing = bool(self.fails) and line.startswith(self.fails)
        if failing and not self.acts:
            raise MachineError(line, "failed: no luck today")
        output = getattr(self, f"_{arguments[0]}")(*arguments[1:])
        if failing:
            raise TimedOutError(line, "has not ended")
        return output or ""

    def _pvs(self, *_):
        return "".join(f"  {device}|{group}\n" for device, group in self.volumes.items())

    def _vgs(self, *_):
        return "".join(f"  {group}|{','.join(tags)}\n" for group, tags in self.groups.items())

    def _lvs(self, *arguments):
        target = arguments[-1]
        if "seg_monitor" in arguments:
            return f"  {'monitored' if target in self.monitored else 'not monitored'}\n"
        self._need(target in self.groups, f"Volume group {target} not found")
        return "".join(
            f"  {name.partition('/')[2]}\n" for name in sorted(self.logical) if name.startswith(f"{target}/")
        )

    def _wipefs(self, *arguments):
        device = arguments[-1]
        found = list(self.signatures.get(device, []))
        return "".join(f"{each}\n" for each in found + ["LVM2_member"] * (device in self.volumes))

    def _pvcreate(self, force, device):
        assert force == "--force"
        self._need(not self.volumes.get(device), f"Can't initialize physical volume {device} of a volume group")
        self.volumes[device] = ""
        self.signatures.pop(device, None)

    def _pvremove(self, device):
        self._need(self.volumes.get(device) == "", f"No PV {device}, or in use")
        del self.volumes[device]

    def _vgcreate(self, addtag, tag, group, device):
        assert addtag == "--addtag"
        self._need(group not in self.groups, f"A volume group called {group} already exists.")
        self._need(self.volumes.get(device) == "", f"{device} is no free PV")
        self.groups[group], self.volumes[device] = {tag}, group

    def _vgremove(self, group):
        self._need(not [name for name in self.logical if name.startswith(f"{group}/")], "it has volumes")
        del self.groups[group]
        self.volumes = {device: "" if found == group else found for device, found in self.volumes.items()}

    def _lvcreate(self, yes, wipe, on, name, volume, extents, percent, group):
        assert (yes, wipe, on, name, extents) == ("--yes", "--wipesignatures", "y", "--name", "--extents")
        assert percent.endswith("%VG")
        self._need(group in self.groups, "no such group")
        self.logical.add(f"{group}/{volume}")

    def _lvconvert(self, *arguments):
        words = dict(pairwise(arguments))
        self._need({words["--thinpool"], words["--poolmetadata"]} <= self.logical, "no such volume")
        self.logical.remove(words["--poolmetadata"])
        loops = []
        for path, size in zip(self._files, (64 * MIB, 4 * MIB), strict=True):
            self.machine.files.make_sparse_file(str(path), size)
            loops.append(self.machine.loops.attach(str(path)))
        table = PoolTable(loops[1].path, loops[0].path, 1024, 0, ("skip_block_zeroing",))
        self.machine.device_mapper.create(POOL, [table.target(64 * MIB // 512)], uuid="LVM-fake")
        for loop in loops:
            self.machine.loops.release(loop)

    def _lvremove(self, yes, volume):
        self._need(volume in self.logical, "no such volume")
        names = {entry.name for entry in self.machine.device_mapper.list_devices()}
        if volume == "docker/thinpool" and POOL in names:
            self.machine.device_mapper.remove(POOL)
            for path in self._files:
                self.machine.files.remove_file(str(path))
        self.logical.remove(volume)

    def _lvchange(self, option, value, volume):
        self._need(volume in self.logical, "no such volume")
        if option == "--metadataprofile":
            self.profiles.add(value)
        else:
            assert (option, value) == ("--monitor", "y")
            self.monitored |= {volume} if self.daemon else set()

    def _need(self, condition: bool, words: str) -> None:
        if not condition:
            raise MachineError("lvm", f"failed: {words}")


class LvmMachine:
    """A machine with other programs, and with mounts added."""

    def __init__(self, machine, programs):
        self._machine = machine
        self.programs = programs
        self.mounted: list[Mount] = []

    @property
    def filesystems(self):
        return _Mounted(self._machine.filesystems, self.mounted) if self.mounted else self._machine.filesystems

    def __getattr__(self, name: str):
        return getattr(self._machine, name)


class _Mounted:
    def __init__(self, filesystems, mounted: list[Mount]):
        self._filesystems, self._mounted = filesystems, mounted

    def mounts(self):
        return (*self._filesystems.mounts(), *self._mounted)

    def __getattr__(self, name: str):
        return getattr(self._filesystems, name)


class DivertedFiles(DurableFiles):
    """Durable files with LVM's directory of profiles somewhere else."""

    def __init__(self, profiles: Path):
        profiles.mkdir(exist_ok=True)
        self._profiles = str(profiles)

    def read(self, path):
        return super().read(self._divert(path))

    def write(self, path, content):
        super().write(self._divert(path), content)

    def remove(self, path):
        super().remove(self._divert(path))

    def names(self, directory):
        return super().names(self._divert(directory))

    def _divert(self, path: str) -> str:
        return path.replace("/etc/lvm/profile", self._profiles, 1) if path.startswith("/etc/lvm/profile") else path
