"""A pool on two loop devices, and a way to write to what stands on it, on either machine."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
import time
from pathlib import Path

import pytest

from dmtui.machine.errors import machine_error
from dmtui.machine.filesystems import Mount
from dmtui.machine.protocols import LoopDevice, Machine
from dmtui.thinpool.table import PoolTable, ThinTable

MIB = 1 << 20
BLOCK = 64 << 10
"""Bytes of a data block in these pools."""
BLKDISCARD = 0x1277


class EmulatedIo:
    """Input and output as the emulated machine has it."""

    def __init__(self, machine):
        self._machine = machine

    def write(self, name: str, offset_bytes: int, length_bytes: int) -> None:
        self._machine.write(name, offset_bytes=offset_bytes, length_bytes=length_bytes)

    def discard(self, name: str, offset_bytes: int, length_bytes: int) -> None:
        self._machine.discard(name, offset_bytes=offset_bytes, length_bytes=length_bytes)


class KernelIo:
    """Input and output on device nodes, past the page cache."""

    def write(self, name: str, offset_bytes: int, length_bytes: int) -> None:
        with mmap.mmap(-1, max(length_bytes, 4096)) as memory:  # O_DIRECT wants aligned memory
            self._use(name, lambda device: os.pwrite(device, memoryview(memory)[:length_bytes], offset_bytes))

    def discard(self, name: str, offset_bytes: int, length_bytes: int) -> None:
        arguments = struct.pack("=QQ", offset_bytes, length_bytes)
        self._use(name, lambda device: fcntl.ioctl(device, BLKDISCARD, arguments))

    def _use(self, name: str, use) -> None:
        device = os.open(node(name), os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        try:
            use(device)
        except OSError as error:
            raise machine_error(error.errno or errno.EIO, name, "input or output") from None
        finally:
            os.close(device)


def node(name: str) -> str:
    """Path of a mapped device's node."""
    return f"/dev/mapper/{name}"


class Rig:
    """What the tests of one machine build on; names are short, the machine's fixture removes them all."""

    def __init__(self, machine: Machine, home: Path):
        self.machine = machine
        self.mapper = machine.device_mapper
        self.home = home
        machine.files.make_directory(str(home))

    def file(self, name: str, size_bytes: int = MIB) -> str:
        path = str(self.home / name)
        self.machine.files.make_sparse_file(path, size_bytes)
        return path

    def loop(self, name: str, size_bytes: int = MIB, **options) -> LoopDevice:
        return self.machine.loops.attach(self.file(name, size_bytes), **options)

    def pool(self, *, data_bytes=64 * MIB, metadata_bytes=4 * MIB, low_water=0, features=(), uuid="") -> str:
        """A new pool `dmtui-test-pool` on two new files `data` and `metadata`."""
        self.data, self.metadata = self.loop("data", data_bytes), self.loop("metadata", metadata_bytes)
        table = PoolTable(str(self.metadata.dev), str(self.data.dev), BLOCK // 512, low_water, features)
        self.mapper.create("dmtui-test-pool", [table.target(data_bytes // 512)], uuid=uuid)
        for loop in (self.data, self.metadata):
            self.machine.loops.release(loop)
        return "dmtui-test-pool"

    def pool_table(self, pool="dmtui-test-pool") -> PoolTable:
        return PoolTable.parse(self.mapper.table(pool).targets[0].params)

    def thin(self, thin_id: int, *, size_bytes=16 * MIB, pool="dmtui-test-pool") -> str:
        """A new thin device of that id, active as `dmtui-test-thin-ID`."""
        self.mapper.message(pool, f"create_thin {thin_id}")
        return self.activate(thin_id, size_bytes=size_bytes, pool=pool)

    def activate(self, thin_id: int, *, size_bytes=16 * MIB, pool="dmtui-test-pool", name="") -> str:
        name = name or f"dmtui-test-thin-{thin_id}"
        table = ThinTable(str(self.mapper.info(pool).dev), thin_id)
        self.mapper.create(name, [table.target(size_bytes // 512)])
        return name

    def committed(self, name: str) -> str:
        """The one status line of a device after a commit."""
        (target,) = self.mapper.status_flush(name).targets
        return str(target)

    def snapshot(self, thin_id: int, origin_id: int, *, size_bytes=16 * MIB, pool="dmtui-test-pool") -> str:
        """A new snapshot of a thin device that is not in use, active as `dmtui-test-thin-ID`."""
        self.mapper.message(pool, f"create_snap {thin_id} {origin_id}")
        return self.activate(thin_id, size_bytes=size_bytes, pool=pool)

    def directory(self, name: str) -> str:
        path = str(self.home / name)
        self.machine.files.make_directory(path)
        return path

    def formatted(self, thin_id: int, kind="ext4", *, size_bytes=64 * MIB, pool="dmtui-test-pool") -> str:
        """A new thin device with a file system."""
        name = self.thin(thin_id, size_bytes=size_bytes, pool=pool)
        self.make(name, kind)
        return name

    def make(self, name: str, kind="ext4") -> None:
        """Make a file system the way the original makes its base device's."""
        arguments = ["-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"] if kind == "ext4" else []
        self.machine.filesystems.make(node(name), kind, arguments)

    def mount(self, name: str, at: str = "m", kind="ext4", options=()) -> str:
        """Mount a device at a directory below `home`, made if it is missing, and return that."""
        directory = self.directory(at)
        self.machine.filesystems.mount(node(name), directory, kind, options)
        return directory

    def mounted(self, directory: str) -> list[Mount]:
        """What is mounted at a directory."""
        return [mount for mount in self.machine.filesystems.mounts() if mount.directory == directory]

    def mapped_sectors(self, name: str) -> int:
        """Mapped sectors of a thin device after a commit."""
        return int(self.committed(name).split()[3])

    def opened(self, name: str, times: int) -> bool:
        """Whether a device is open so many times within 5 s: udev may look at it for a moment longer."""
        give_up_at = time.monotonic() + 5
        while self.mapper.info(name).open_count != times and time.monotonic() < give_up_at:
            time.sleep(0.05)
        return self.mapper.info(name).open_count == times

    def names(self) -> set[str]:
        return {entry.name for entry in self.mapper.list_devices() if entry.name.startswith("dmtui-test-")}


@pytest.fixture
def rig(machine, home):
    return Rig(machine, home)


@pytest.fixture
def io(machine):
    return KernelIo() if machine.kind == "kernel" else EmulatedIo(machine)
