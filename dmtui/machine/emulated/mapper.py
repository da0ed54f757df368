"""Device-mapper of the emulated machine: the operations of the control device, each one transaction."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence

from dmtui import __version__
from dmtui.machine.emulated import devices
from dmtui.machine.emulated.devices import Device, LoadedTarget
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.loading import Loading, load_table
from dmtui.machine.emulated.loop import sweep
from dmtui.machine.emulated.messages import obey
from dmtui.machine.emulated.metadata import PoolMetadata
from dmtui.machine.emulated.statuslines import status_params, table_line
from dmtui.machine.emulated.store import Store
from dmtui.machine.emulated.tables import RefusedError, split_message
from dmtui.machine.errors import MachineError, TimedOutError, machine_error
from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading, Versions
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, THIN_POOL, Target

_CANCEL = "@cancel_deferred_remove"


def refused(error: RefusedError, subject: str, doing: str) -> MachineError:
    """The machine's error for a refusal: by its errno, with what the kernel's log says."""
    made = machine_error(error.number, subject, doing)
    return type(made)(made.subject, f"{made.happened}: {error.reason}", made.next_step, made.errno)


class EmulatedDeviceMapper:
    """`DeviceMapper` of an emulated machine."""

    def __init__(self, store: Store, pools: LivePools) -> None:
        self._store = store
        self._pools = pools

    def versions(self) -> Versions:
        """See `DeviceMapper.versions`; those of the kernel whose behaviour is followed."""
        return Versions("4.47.0", f"emulated (dmtui {__version__})", "1.22.0")

    def udev_sync_supported(self) -> bool:
        """See `DeviceMapper.udev_sync_supported`."""
        return True

    def deferred_removal_supported(self) -> bool:
        """See `DeviceMapper.deferred_removal_supported`."""
        return True

    def list_devices(self) -> tuple[DeviceEntry, ...]:
        """See `DeviceMapper.list_devices`; the kernel's order is by name."""
        with self._store.read() as connection:
            rows = connection.execute("SELECT name, minor, event_nr FROM devices ORDER BY name").fetchall()
        return tuple(DeviceEntry(name, DeviceNumber(devices.DM_MAJOR, minor), nr) for name, minor, nr in rows)

    def info(self, name: str) -> DeviceInfo:
        """See `DeviceMapper.info`."""
        with self._store.read() as connection:
            return devices.info(connection, devices.find(connection, name, "reading its state"))

    def table(self, name: str) -> DeviceReading:
        """See `DeviceMapper.table`."""
        with self._store.read() as connection:
            device = devices.find(connection, name, "reading its table")
            lines = tuple(table_line(connection, target) for target in devices.targets(connection, device.minor))
            return DeviceReading(devices.info(connection, device), lines)

    def status(self, name: str) -> DeviceReading:
        """See `DeviceMapper.status`."""
        with self._store.read() as connection:
            device = devices.find(connection, name, "reading its status")
            lines = tuple(
                Target(target.start_sectors, target.length_sectors, target.type, status_params(connection, target))
                for target in devices.targets(connection, device.minor)
            )
            return DeviceReading(devices.info(connection, device), lines)

    def status_flush(self, name: str) -> DeviceReading:
        """See `DeviceMapper.status_flush`; a suspended pool is not committed."""
        with self._store.write() as connection:
            device = devices.find(connection, name, "reading its status")
            if not device.suspended and devices.is_pool(devices.targets(connection, device.minor)):
                self._pools.commit(connection, device.minor)
            return self.status(name)

    def dependencies(self, name: str) -> tuple[DeviceNumber, ...]:
        """See `DeviceMapper.dependencies`."""
        with self._store.read() as connection:
            return devices.dependencies(connection, devices.find(connection, name, "reading its dependencies").minor)

    def create(self, name: str, targets: Sequence[Target], *, uuid: str = "", read_only: bool = False) -> DeviceInfo:
        """See `DeviceMapper.create`."""
        with self._store.write() as connection:
            devices.add(connection, name, uuid)
            self.load(name, targets, read_only=read_only)
            self.resume(name)
            return self.info(name)

    def load(self, name: str, targets: Sequence[Target], *, read_only: bool = False) -> None:
        """See `DeviceMapper.load`."""
        with self._store.write() as connection:
            device = devices.find(connection, name, "loading a table")

            def metadata_of(metadata_id: int) -> PoolMetadata:
                return self._pools.metadata(connection, metadata_id)

            loading = Loading(connection, device, read_only, metadata_of, self._pools.keep)
            try:
                loaded = load_table(loading, targets)
            except RefusedError as error:
                raise refused(error, f"device {name}", "loading a table") from None
            devices.put_table(connection, device.minor, loaded, read_only=read_only)
            self._tidy(connection)

    def suspend(self, name: str, *, flush: bool = True, lock_filesystem: bool = True) -> None:
        """See `DeviceMapper.suspend`; both flags matter only to I/O under way, which there is none."""
        del flush, lock_filesystem
        with self._store.write() as connection:
            device = devices.find(connection, name, "suspending it")
            if not device.suspended and devices.is_pool(devices.targets(connection, device.minor)):
                self._pools.commit(connection, device.minor)
            connection.execute("UPDATE devices SET suspended = 1 WHERE minor = ?", (device.minor,))

    def resume(self, name: str) -> None:
        """See `DeviceMapper.resume`."""
        with self._store.write() as connection:
            number = self._resume(connection, devices.find(connection, name, "resuming it"))
            if number and self._store.is_nested:
                raise machine_error(number, f"device {name}", "resuming it")
        if number:
            raise machine_error(number, f"device {name}", "resuming it")

    def _resume(self, connection: sqlite3.Connection, device: Device) -> int:
        """Make an inactive table live and start I/O; a pool that cannot start stays suspended with its new table."""
        swapped = bool(devices.targets(connection, device.minor, live=False))
        live = devices.targets(connection, device.minor)
        if swapped:
            if devices.is_pool(live) and not device.suspended:
                self._pools.commit(connection, device.minor)
            devices.swap_table(connection, device.minor)
            live = devices.targets(connection, device.minor)
        number = 0
        if devices.is_pool(live):
            number = self._pools.resume(connection, device.minor, swapped=swapped)
        connection.execute("UPDATE devices SET suspended = ? WHERE minor = ?", (bool(number), device.minor))
        self._tidy(connection)
        return number

    def remove(self, name: str, *, deferred: bool = False) -> None:
        """See `DeviceMapper.remove`."""
        with self._store.write() as connection:
            device = devices.find(connection, name, "removing it")
            if device.open_count:
                if not deferred:
                    raise machine_error(errno.EBUSY, f"device {name}", "removing it")
                connection.execute("UPDATE devices SET deferred = 1 WHERE minor = ?", (device.minor,))
                return
            if devices.pool_is_suspended(connection, device.minor):
                raise _waits(name, "removing it", "its pool is suspended")
            self._destroy(connection, device)

    def _destroy(self, connection: sqlite3.Connection, device: Device) -> None:
        for live in (True, False):
            devices.drop_table(connection, device.minor, live=live)
        self._pools.drop_unused(connection)
        devices.drop(connection, device.minor)
        self._tidy(connection)

    def _tidy(self, connection: sqlite3.Connection) -> None:
        """What follows when a table has gone: pool objects, devices marked for removal, loop devices."""
        self._pools.drop_unused(connection)
        for (minor,) in connection.execute("SELECT minor FROM devices WHERE deferred").fetchall():
            device = devices.by_minor(connection, minor)
            if device is not None and not device.open_count:
                self._destroy(connection, device)
                break
        sweep(connection)

    def message(self, name: str, text: str) -> str:
        """See `DeviceMapper.message`."""
        with self._store.write() as connection:
            device = devices.find(connection, name, f"sending it {text!r}")
            try:
                ran_full = self._message(connection, device, text)
            except RefusedError as error:
                raise refused(error, f"device {name}", f"message {text!r}") from None
        if ran_full:
            raise machine_error(errno.ENOSPC, f"device {name}", f"message {text!r}")
        return ""

    def _message(self, connection: sqlite3.Connection, device: Device, text: str) -> bool:
        """Do what a message says; returns whether the metadata ran full in the middle of it."""
        words = split_message(text)
        if not words:
            raise RefusedError(errno.EINVAL, "Empty message received.")
        if words[0].startswith("@"):
            if words != [_CANCEL]:
                raise RefusedError(errno.EINVAL, f"Unsupported message sent to DM core: {words[0]}")
            connection.execute("UPDATE devices SET deferred = 0 WHERE minor = ?", (device.minor,))
            return False
        table = devices.targets(connection, device.minor)
        if not table:
            raise RefusedError(errno.EINVAL, "The device has no table.")
        if table[0].type != THIN_POOL:
            raise RefusedError(errno.EINVAL, "Target type does not support messages")
        metadata_id = _metadata_id(table[0])

        def is_active(thin_id: int) -> bool:
            query = "SELECT 1 FROM targets WHERE metadata_id = ? AND thin_id = ?"
            return connection.execute(query, (metadata_id, thin_id)).fetchone() is not None

        with self._pools.open(connection, metadata_id) as pool:
            obey(pool, text, is_active)
        return pool.ran_full

    def open_device(self, name: str) -> None:
        """Open a device's node, as a process or a mount would."""
        with self._store.write() as connection:
            device = devices.find(connection, name, "opening it")
            connection.execute("UPDATE devices SET opened = opened + 1 WHERE minor = ?", (device.minor,))

    def close_device(self, name: str) -> None:
        """Close a device that `open_device` opened; one marked for removal goes with the last close."""
        with self._store.write() as connection:
            device = devices.find(connection, name, "closing it")
            connection.execute("UPDATE devices SET opened = max(0, opened - 1) WHERE minor = ?", (device.minor,))
            self._tidy(connection)


def _metadata_id(target: LoadedTarget) -> int:
    assert target.metadata_id is not None and target.type in (THIN_POOL, THIN)  # noqa: S101
    return target.metadata_id


def _waits(name: str, doing: str, why: str) -> TimedOutError:
    return TimedOutError(f"device {name}", f"{doing} would wait: {why}", "resume first", errno.ETIMEDOUT)
