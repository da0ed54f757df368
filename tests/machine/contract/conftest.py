"""A pool on two loop devices, and a way to write to what stands on it, on either machine."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import struct
from pathlib import Path

import pytest

from dmtui.machine.errors import machine_error
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
            self._use(name, lambda node: os.pwrite(node, memoryview(memory)[:length_bytes], offset_bytes))

    def discard(self, name: str, offset_bytes: int, length_bytes: int) -> None:
        arguments = struct.pack("=QQ", offset_bytes, length_bytes)
        self._use(name, lambda node: fcntl.ioctl(node, BLKDISCARD, arguments))

    def _use(self, name: str, use) -> None:
        node = os.open(f"/dev/mapper/{name}", os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC)
        try:
            use(node)
        except OSError as error:
            raise machine_error(error.errno or errno.EIO, name, "input or output") from None
        finally:
            os.close(node)


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

    def names(self) -> set[str]:
        return {entry.name for entry in self.mapper.list_devices() if entry.name.startswith("dmtui-test-")}


@pytest.fixture
def rig(machine, home):
    return Rig(machine, home)


@pytest.fixture
def io(machine):
    return KernelIo() if machine.kind == "kernel" else EmulatedIo(machine)
