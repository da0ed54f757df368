"""The emulated machine: one directory, in it one file that holds a machine's devices, files and pools."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from dmtui.machine.emulated.clock import Clock
from dmtui.machine.emulated.device_io import DeviceIo
from dmtui.machine.emulated.faults import Faults
from dmtui.machine.emulated.files import EmulatedFiles
from dmtui.machine.emulated.filesystems import EmulatedFilesystems
from dmtui.machine.emulated.holders import Holders
from dmtui.machine.emulated.host import make_directories, set_free_bytes
from dmtui.machine.emulated.io_queue import IoQueue
from dmtui.machine.emulated.kernellog import KernelLog, boot
from dmtui.machine.emulated.leaks import Leaks
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.loop import EmulatedLoops, sweep
from dmtui.machine.emulated.mapper import EmulatedDeviceMapper
from dmtui.machine.emulated.outages import HANG, Outages
from dmtui.machine.emulated.processes import EmulatedProcesses
from dmtui.machine.emulated.programs import EmulatedPrograms
from dmtui.machine.emulated.reads import Reads
from dmtui.machine.emulated.standstill import Standstill
from dmtui.machine.emulated.store import FILE_NAME, Store, set_setting
from dmtui.machine.emulated.thin_tools import EmulatedThinTools
from dmtui.machine.emulated.waiting import Waiting
from dmtui.machine.protocols import HostSpace
from dmtui.thinpool.errors import DmtuiError


class EmulatedMachine:
    """A `Machine` in user space, shared by every process that opens its directory."""

    def __init__(self, store: Store, directory: Path, deadline_seconds: float) -> None:
        self._store = store
        self._directory = directory
        self._pools = LivePools()
        store.forget = self._pools.forget
        self._clock = Clock(store)
        self._standstill = Standstill(store)
        waiting = Waiting(store, deadline_seconds)
        self._mapper = EmulatedDeviceMapper(store, self._pools, waiting)
        self._loops = EmulatedLoops(store)
        self._files = EmulatedFiles(store, directory)
        self._faults = Faults(store, self._pools)
        self._outages = Outages(store)
        self._kernel_log = KernelLog(store)
        self._processes = EmulatedProcesses(store)
        self._io = DeviceIo(self._pools)
        self._reads = Reads(store, self._pools, waiting)
        opens = (self._mapper.open_device, self._mapper.close_device)
        self._holders = Holders(store, *opens)
        self._leaks = Leaks(self._holders)
        self._queue = IoQueue(store, self._io, waiting, *opens)
        store.settle, store.catch_up = self._queue.settle, self._catch_up
        self._filesystems = EmulatedFilesystems(store, self._io, waiting, *opens)
        self._thin_tools = EmulatedThinTools(store, self._pools, waiting)
        self._programs = EmulatedPrograms()

    @classmethod
    def open(cls, directory: Path, deadline_seconds: float = 30.0) -> EmulatedMachine:
        """Open the machine of a directory (0700), made when there is none.

        What is asked of a device that hangs ends after `deadline_seconds`, and so does the waiting for udev after it.

        Raises:
            DmtuiError: the directory cannot be used, its store is garbage or a newer dmtui's.
        """
        directory = directory.absolute()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise DmtuiError(
                f"emulated machine {directory}", f"cannot be made: {error.strerror}", "name another --emulated-dir"
            ) from error
        store = Store(directory / FILE_NAME, lambda connection: make_directories(connection, str(directory)))
        return cls(store, directory, deadline_seconds)

    @property
    def is_new(self) -> bool:
        """Whether this very call of `open` created the machine."""
        return self._store.is_new

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing on it: no mapped device, no loop device, no file."""
        with self._store.read() as connection:
            found = (
                "SELECT EXISTS (SELECT 1 FROM devices) OR EXISTS (SELECT 1 FROM loops)"
                " OR EXISTS (SELECT 1 FROM files WHERE NOT directory)"
            )
            return not connection.execute(found).fetchone()[0]

    @property
    def kind(self) -> Literal["kernel", "emulated"]:
        """See `Machine.kind`."""
        return "emulated"

    @property
    def description(self) -> str:
        """See `Machine.description`."""
        return f"emulated in {self._directory}"

    @property
    def device_mapper(self) -> EmulatedDeviceMapper:
        """See `Machine.device_mapper`."""
        return self._mapper

    @property
    def loops(self) -> EmulatedLoops:
        """See `Machine.loops`."""
        return self._loops

    @property
    def files(self) -> EmulatedFiles:
        """See `Machine.files`."""
        return self._files

    @property
    def processes(self) -> EmulatedProcesses:
        """See `Machine.processes`."""
        return self._processes

    @property
    def filesystems(self) -> EmulatedFilesystems:
        """See `Machine.filesystems`."""
        return self._filesystems

    @property
    def thin_tools(self) -> EmulatedThinTools:
        """See `Machine.thin_tools`."""
        return self._thin_tools

    @property
    def programs(self) -> EmulatedPrograms:
        """See `Machine.programs`."""
        return self._programs

    @property
    def clock(self) -> Clock:
        """Its clock, to be stepped and to be stopped."""
        return self._clock

    @property
    def kernel_log(self) -> KernelLog:
        """What its kernel has to say."""
        return self._kernel_log

    @property
    def queue(self) -> IoQueue:
        """Its users' input and output, with what waits of it."""
        return self._queue

    @property
    def faults(self) -> Faults:
        """What may go wrong with its pools, to be caused by hand."""
        return self._faults

    @property
    def outages(self) -> Outages:
        """What goes on failing until it is mended."""
        return self._outages

    @property
    def holders(self) -> Holders:
        """Emulated processes that hold devices."""
        return self._holders

    @property
    def leaks(self) -> Leaks:
        """Those of them that stand for mounts leaked into other namespaces."""
        return self._leaks

    def now(self) -> float:
        """See `Machine.now`."""
        return self._clock.now()

    def standstill(self) -> int | None:
        """See `Machine.standstill`."""
        return self._standstill.number()

    def close(self) -> None:
        """See `Machine.close`: lets go of the loop devices that this process holds open, too."""
        if not self._store.is_closed:
            self._loops.release_all()
            self._store.close()

    @property
    def host_space(self) -> HostSpace:
        """Space of the host's file system, bytes."""
        return self._files.space("/")

    def set_host_space(self, free_bytes: int) -> None:
        """Let other users of the host's file system take or free space until so much is free."""
        with self._store.write() as connection:
            set_free_bytes(connection, free_bytes)

    def reboot(self) -> None:
        """Start the machine anew, in order: mapped devices and loop bindings are gone, files and pool metadata stay."""
        self._start_anew(power_cut=False)

    def power_cut(self) -> None:
        """Start the machine anew without having shut it down: what no pool has committed is lost with the rest.

        These are writes to new or shared blocks, and discards, of the last second, unless a flush (fsync) of a device
        that has changed, a message to the pool, a status with a flush or a suspend came after them. The blocks
        written are free again, or shared as before. Space that a loop file got for them it keeps.
        """
        self._start_anew(power_cut=True)

    def _start_anew(self, *, power_cut: bool) -> None:
        with self._store.write() as connection:
            if power_cut:
                self._pools.lose_all_unsynced(connection)
            else:
                self._pools.end_open(connection)
            boot(connection)
            for table in ("uses", "targets", "mounts", "queued_io"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
            self._pools.drop_unused(connection)
            connection.execute("DELETE FROM devices")
            set_setting(connection, "lowest_free_minor", 0)
            connection.execute("DELETE FROM processes")
            connection.execute("DELETE FROM faults WHERE kind = ?", (HANG,))
            connection.execute("DELETE FROM loop_holders")
            connection.execute("UPDATE loops SET autoclear = 1")
            sweep(connection)

    def read(self, name: str, *, offset_bytes: int, length_bytes: int) -> int:
        """Read from a mapped device: see `Reads.read`."""
        return self._reads.read(name, offset_bytes=offset_bytes, length_bytes=length_bytes)

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        """Do what the clock has brought, with all that follows from it."""
        if self._pools.catch_up(connection):
            self._queue.settle(connection)

    def write(self, name: str, *, offset_bytes: int, length_bytes: int) -> None:
        """Write to a mapped device: see `IoQueue.write`."""
        self._queue.write(name, offset_bytes=offset_bytes, length_bytes=length_bytes)

    def flush(self, name: str) -> None:
        """Flush a thin device: see `IoQueue.flush`."""
        self._queue.flush(name)

    def discard(self, name: str, *, offset_bytes: int, length_bytes: int) -> None:
        """Discard a range of a mapped device: see `IoQueue.discard`."""
        self._queue.discard(name, offset_bytes=offset_bytes, length_bytes=length_bytes)
