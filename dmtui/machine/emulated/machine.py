"""The emulated machine: one directory, in it one file that holds a machine's devices, files and pools."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Literal

from dmtui.machine.emulated import devices
from dmtui.machine.emulated.faults import Faults
from dmtui.machine.emulated.host import EmulatedFiles, fill, make_directories, punch, set_free_bytes
from dmtui.machine.emulated.leaks import Leaks
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.loop import EmulatedLoops, sweep
from dmtui.machine.emulated.mapper import EmulatedDeviceMapper
from dmtui.machine.emulated.processes import EmulatedProcesses
from dmtui.machine.emulated.store import FILE_NAME, Store, set_setting
from dmtui.machine.errors import MachineError, NoSpaceError, TimedOutError, machine_error
from dmtui.machine.protocols import HostSpace
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.table import THIN
from dmtui.thinpool.units import SECTOR_BYTES


class EmulatedMachine:
    """A `Machine` in user space, shared by every process that opens its directory."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory
        self._pools = LivePools()
        store.forget = self._pools.forget
        self._mapper = EmulatedDeviceMapper(store, self._pools)
        self._loops = EmulatedLoops(store)
        self._files = EmulatedFiles(store, directory)
        self._faults = Faults(store, self._pools)
        self._leaks = Leaks(store, self._mapper.open_device, self._mapper.close_device)
        self._processes = EmulatedProcesses()

    @classmethod
    def open(cls, directory: Path) -> EmulatedMachine:
        """Open the machine of a directory (0700), made when there is none.

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
        store = Store(directory / FILE_NAME)
        machine = cls(store, directory)
        if store.is_new:
            with store.write() as connection:
                make_directories(connection, str(directory))
        return machine

    @property
    def is_new(self) -> bool:
        """Whether this very call of `open` created the machine."""
        return self._store.is_new

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
    def faults(self) -> Faults:
        """What may go wrong with its pools, to be caused by hand."""
        return self._faults

    @property
    def leaks(self) -> Leaks:
        """Emulated processes that keep devices open."""
        return self._leaks

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
        """Start the machine anew: mapped devices and loop bindings are gone, files and pool metadata stay.

        What was not committed is lost, as after a power cut; the emulated machine commits with each operation.
        """
        with self._store.write() as connection:
            for table in ("uses", "targets"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
            self._pools.drop_unused(connection)
            connection.execute("DELETE FROM devices")
            set_setting(connection, "lowest_free_minor", 0)
            connection.execute("DELETE FROM leaks")
            connection.execute("DELETE FROM loop_holders")
            connection.execute("UPDATE loops SET autoclear = 1")
            sweep(connection)

    def write(self, name: str, *, offset_bytes: int, length_bytes: int) -> None:
        """Write to a mapped device, in bytes; every block touched is written in order.

        Raises:
            DeviceMissingError: no such device.
            NoSpaceError: past the end, or the pool has no block left (under ``queue_if_no_space`` the text says that
                the write would wait); the blocks before are written.
            TimedOutError: the device is suspended: the write would wait.
            MachineError: EIO where the pool takes no changes or the host's file system is full.
        """
        self._io(name, offset_bytes, length_bytes, discard=False)

    def flush(self, name: str) -> None:
        """Flush a thin device, as fsync does.

        Raises:
            DeviceMissingError: no such device.
            NoSpaceError: the pool is out of data space and block 0 of the thin is not mapped.
            MachineError: EIO where the pool is read-only and block 0 is not mapped; EINVAL for any but a thin.
            TimedOutError: the device is suspended: the flush would wait.
        """
        number = errno.EINVAL
        with self._store.write() as connection:
            device = devices.find(connection, name, "flushing it")
            if device.suspended or devices.pool_is_suspended(connection, device.minor):
                raise _waits(device.name)
            for target in devices.targets(connection, device.minor):
                if target.metadata_id is not None and target.thin_id is not None:
                    with self._pools.open(connection, target.metadata_id) as pool:
                        number = pool.flush(target.thin_id)
        if number:
            raise machine_error(number, f"device {name}", "flushing it")

    def discard(self, name: str, *, offset_bytes: int, length_bytes: int) -> None:
        """Discard a range of a mapped device, in bytes; only the blocks it covers completely are unmapped.

        Raises:
            DeviceMissingError: no such device.
            PoolRefusesError: the pool was made with ``ignore_discard`` (EOPNOTSUPP).
            TimedOutError: the device is suspended: the discard would wait.
        """
        self._io(name, offset_bytes, length_bytes, discard=True)

    def _io(self, name: str, offset_bytes: int, length_bytes: int, *, discard: bool) -> None:
        doing = f"{'discarding' if discard else 'writing'} {length_bytes} bytes at {offset_bytes}"
        with self._store.write() as connection:
            device = devices.find(connection, name, doing)
            error = self._device_io(connection, device.dev, offset_bytes, length_bytes, discard)
        if isinstance(error, MachineError):
            raise error
        if error:
            raise machine_error(error, f"device {name}", doing)

    def _device_io(
        self, connection: sqlite3.Connection, dev: DeviceNumber, offset_bytes: int, length_bytes: int, discard: bool
    ) -> int | MachineError:
        """Do I/O on a block device; returns 0, an errno, or the error itself."""
        size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
        if offset_bytes < 0 or length_bytes < 0 or offset_bytes + length_bytes > size_bytes:
            return errno.EINVAL if discard or offset_bytes < 0 or length_bytes < 0 else errno.ENOSPC
        if dev.major != devices.DM_MAJOR:
            return _loop_io(connection, dev, offset_bytes, length_bytes, discard)
        device = devices.by_minor(connection, dev.minor)
        if device is None or device.read_only:
            return errno.ENXIO if device is None else errno.EPERM
        if device.suspended or devices.pool_is_suspended(connection, dev.minor):
            return _waits(device.name)
        for target in devices.targets(connection, dev.minor):
            start = target.start_sectors * SECTOR_BYTES
            begin = max(offset_bytes, start)
            end = min(offset_bytes + length_bytes, start + target.length_sectors * SECTOR_BYTES)
            if begin >= end:
                continue
            error = self._target_io(connection, target, begin - start, end - start, discard)
            if error:
                return error
        return 0

    def _target_io(
        self, connection: sqlite3.Connection, target: devices.LoadedTarget, begin: int, end: int, discard: bool
    ) -> int | MachineError:
        if target.type == "linear":
            under, offset = target.params.split()
            shift = int(offset) * SECTOR_BYTES
            return self._device_io(connection, DeviceNumber.parse(under), begin + shift, end - begin, discard)
        if target.type == THIN:
            return self._thin_io(connection, target, begin, end, discard)
        return 0 if target.type == "zero" else errno.EIO

    def _thin_io(
        self, connection: sqlite3.Connection, target: devices.LoadedTarget, begin: int, end: int, discard: bool
    ) -> int | MachineError:
        metadata_id, thin_id = target.metadata_id, target.thin_id
        assert metadata_id is not None and thin_id is not None  # noqa: S101 - a thin target has both
        number = errno.EIO
        queues = False
        with self._pools.open(connection, metadata_id) as pool:
            size = pool.metadata.superblock.block_sectors * SECTOR_BYTES
            if discard:
                number = pool.discard(thin_id, -(-begin // size), end // size)
            else:
                number = pool.write(thin_id, begin // size, -(-end // size))
            queues = not pool.state.error_if_no_space
        if number == errno.ENOSPC and queues:
            happened = "the write would wait for space: the pool has no free data block (queue_if_no_space)"
            return NoSpaceError(f"thin {thin_id}", happened, "extend the pool or free space", errno.ENOSPC)
        return number


def _waits(name: str) -> TimedOutError:
    return TimedOutError(f"device {name}", "is suspended: the I/O would wait", "resume it", errno.ETIMEDOUT)


def _loop_io(
    connection: sqlite3.Connection, dev: DeviceNumber, offset_bytes: int, length_bytes: int, discard: bool
) -> int:
    place = devices.storage(connection, dev)
    if place is None:
        return errno.ENXIO
    if discard:
        punch(connection, place[0], offset_bytes, length_bytes)
        return 0
    return 0 if fill(connection, place[0], offset_bytes, length_bytes) == length_bytes else errno.EIO
