"""Device-mapper of the emulated machine: the operations of the control device, each one transaction."""

from __future__ import annotations

import errno
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from dmtui import __version__
from dmtui.machine.emulated import clock, devices, kernellog, mounted, queued
from dmtui.machine.emulated.devices import Device, LoadedTarget
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.loading import Loading, check_sizes, load_table
from dmtui.machine.emulated.loop import sweep
from dmtui.machine.emulated.messages import obey
from dmtui.machine.emulated.metadata import PoolMetadata
from dmtui.machine.emulated.readings import ThinReadings
from dmtui.machine.emulated.statuslines import ERROR, status_params, table_line
from dmtui.machine.emulated.store import Store
from dmtui.machine.emulated.tables import RefusedError, read_thin_id, split_message
from dmtui.machine.emulated.waiting import Waiting
from dmtui.machine.emulated.written import Writes
from dmtui.machine.errors import MachineError, TimedOutError, machine_error
from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading, Versions
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, THIN_POOL, Target

_CANCEL = "@cancel_deferred_remove"
_NOTHING = (0, 0)
_FEW = 16
"""So many devices are asked for one by one."""


def refused(error: RefusedError, subject: str, doing: str) -> MachineError:
    """The machine's error for a refusal: by its errno, with what the kernel's log says."""
    made = machine_error(error.number, subject, doing)
    return type(made)(made.subject, f"{made.happened}: {error.reason}", made.next_step, made.errno)


class EmulatedDeviceMapper:
    """`DeviceMapper` of an emulated machine."""

    def __init__(self, store: Store, pools: LivePools, waiting: Waiting) -> None:
        self._store = store
        self._pools = pools
        self._waiting = waiting
        self._readings = ThinReadings()
        self._told = _NOTHING  # of the last wait for an event: the version of the store, and all events until then

    def versions(self) -> Versions:
        """See `DeviceMapper.versions`; those of the kernel whose behaviour is followed."""
        return Versions("4.47.0", f"emulated (dmtui {__version__})", "1.22.0")

    def udev_sync_supported(self) -> bool:
        """See `DeviceMapper.udev_sync_supported`."""
        return True

    def deferred_removal_supported(self) -> bool:
        """See `DeviceMapper.deferred_removal_supported`."""
        return True

    def no_space_timeout_seconds(self) -> float | None:
        """See `DeviceMapper.no_space_timeout_seconds`."""
        with self._store.read() as connection:
            return clock.no_space_timeout(connection)

    def list_devices(self) -> tuple[DeviceEntry, ...]:
        """See `DeviceMapper.list_devices`; the kernel's order is by name."""
        with clock.looking(self._store) as connection:
            rows = connection.execute("SELECT name, minor, event_nr FROM devices ORDER BY name").fetchall()
        return tuple(DeviceEntry(name, DeviceNumber(devices.DM_MAJOR, minor), nr) for name, minor, nr in rows)

    def wait_for_event(self, seconds: float) -> bool:
        """See `DeviceMapper.wait_for_event`; other processes may cause one, and their writes to the store are heard."""
        end = time.monotonic() + seconds
        # The first wait is that of a program that starts, and has more to load than what it takes to hear.
        with Writes(self._store.log_path, hearing=self._told != _NOTHING) as writes:
            while not self._has_had_event():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                writes.wait(left)
        return True

    def _has_had_event(self) -> bool:
        """Whether a device has had an event since this was asked the last time."""
        version = self._store.version()
        if version == self._told[0]:
            return False
        with self._store.read() as connection:
            events = connection.execute("SELECT coalesce(sum(event_nr), 0) FROM devices").fetchone()[0]
        before, self._told = self._told, (version, events)
        return bool(before[0]) and events > before[1]

    def info(self, name: str) -> DeviceInfo:
        """See `DeviceMapper.info`."""
        with clock.looking(self._store) as connection:
            return devices.info(connection, devices.find(connection, name, "reading its state"))

    def table(self, name: str) -> DeviceReading:
        """See `DeviceMapper.table`."""
        with clock.looking(self._store) as connection:
            device = devices.find(connection, name, "reading its table")
            lines = tuple(table_line(connection, target) for target in devices.targets(connection, device.minor))
            return DeviceReading(devices.info(connection, device), lines)

    def status(self, name: str) -> DeviceReading:
        """See `DeviceMapper.status`."""
        self._waiting.for_device(name, "reading its status")
        with self._store.read() as connection:
            device = devices.find(connection, name, "reading its status")
            table = devices.targets(connection, device.minor)
            if not clock.due(connection):
                return _status(connection, device, table)
        with clock.looking(self._store) as connection:
            return _status(connection, devices.find(connection, name, "reading its status"), table)

    def statuses(self, names: Sequence[str]) -> Iterator[DeviceReading | MachineError]:
        """See `DeviceMapper.statuses`."""
        thins: dict[str, DeviceReading] = {}
        if len(names) > _FEW and not self._waiting.somewhere:
            with clock.looking(self._store) as connection:
                thins = self._readings.read(connection)
        for name in names:
            try:
                yield thins.get(name) or self.status(name)
            except MachineError as error:
                yield error

    def status_flush(self, name: str) -> DeviceReading:
        """See `DeviceMapper.status_flush`; a suspended pool is not committed.

        As in the kernel the one query whose commit breaks the pool for good says ``Error``.
        """
        self._waiting.for_device(name, "reading its status")
        with self._store.write() as connection:
            device = devices.find(connection, name, "reading its status")
            before = devices.info(connection, device)  # the kernel tells the event number before it commits
            table = devices.targets(connection, device.minor)
            if not device.suspended and devices.is_pool(table) and self._pools.commit(connection, device.minor):
                kernellog.say(connection, kernellog.of_query(device.dev))
                return DeviceReading(before, (replace(table[0].target(), params=ERROR),))
            return DeviceReading(before, self.status(name).targets)

    def dependencies(self, name: str) -> tuple[DeviceNumber, ...]:
        """See `DeviceMapper.dependencies`."""
        with self._store.read() as connection:
            return devices.dependencies(connection, devices.find(connection, name, "reading its dependencies").minor)

    def create(self, name: str, targets: Sequence[Target], *, uuid: str = "", read_only: bool = False) -> DeviceInfo:
        """See `DeviceMapper.create`; as on the kernel machine it is undone when udev does not complete its node."""
        self._wait_for_parts(targets, f"creating device {name}")
        with self._store.write() as connection:
            devices.add(connection, name, uuid)
            self.load(name, targets, read_only=read_only)
            self.resume(name)
            made = self.info(name)
        try:
            self._waiting.for_udev(name, "creating it")
        except TimedOutError:
            with suppress(MachineError):
                self.remove(name)
            raise
        return made

    def _wait_for_parts(self, targets: Sequence[Target], doing: str) -> None:
        """Wait for the devices that a table names."""
        for word in {word for target in targets for word in target.params.split()[:3]}:
            if word.startswith("/"):
                self._waiting.for_device(word, doing)
            elif re.fullmatch("[0-9]+:[0-9]+", word):
                self._waiting.for_device(DeviceNumber.parse(word), doing)

    def load(self, name: str, targets: Sequence[Target], *, read_only: bool = False) -> None:
        """See `DeviceMapper.load`."""
        self._waiting.for_device(name, "loading a table")
        self._wait_for_parts(targets, "loading a table")
        with self._store.write() as connection:
            device = devices.find(connection, name, "loading a table")

            def metadata_of(metadata_id: int) -> PoolMetadata:
                return self._pools.metadata(connection, metadata_id)

            loading = Loading(connection, device, read_only, metadata_of, self._pools.keep)
            try:
                loaded = load_table(loading, targets)
            except RefusedError as error:
                lines = kernellog.of_load(device.dev, error)
                kernellog.say_whatever_comes(self._store, lines)
                raise refused(error, f"device {name}", "loading a table") from None
            devices.put_table(connection, device.minor, loaded, read_only=read_only)
            self._tidy(connection)

    def suspend(self, name: str, *, flush: bool = True, lock_filesystem: bool = True) -> None:
        """See `DeviceMapper.suspend`.

        As in the kernel, input and output that waits inside keeps a device from being suspended with a flush; without
        one it waits on until the resume. A pool is suspended with whatever waits in its thin devices.
        """
        del lock_filesystem
        self._waiting.for_device(name, "suspending it")
        with self._store.write() as connection:
            device = devices.find(connection, name, "suspending it")
            if devices.pool_is_suspended(connection, device.minor):
                raise _waits(name, "suspending it", "its pool is suspended")
            self._quiesce(connection, device, flush=flush)
            connection.execute("UPDATE devices SET suspended = 1 WHERE minor = ?", (device.minor,))

    def _quiesce(self, connection: sqlite3.Connection, device: Device, *, flush: bool) -> None:
        """Bring a device that runs to rest: a pool commits; another waits for what is inside, unless told not to."""
        if device.suspended:
            return
        if devices.is_pool(devices.targets(connection, device.minor)):
            self._pools.suspend(connection, device.minor)
            query = (
                "SELECT t.minor FROM targets t JOIN pools USING (metadata_id) WHERE pools.minor = ? AND thin_id >= 0"
            )
            for (minor,) in connection.execute(query, (device.minor,)).fetchall():
                queued.set_aside(connection, minor)
        elif flush and queued.is_inside(connection, device.minor):
            raise _waits(device.name, "suspending it", "input or output inside waits (for space, mostly)")
        else:
            queued.set_aside(connection, device.minor)

    def resume(self, name: str) -> None:
        """See `DeviceMapper.resume`."""
        self._waiting.for_device(name, "resuming it")
        with self._store.write() as connection:
            number = self._resume(connection, devices.find(connection, name, "resuming it"))
            if number and self._store.is_nested:
                raise machine_error(number, f"device {name}", "resuming it")
        if number:
            raise machine_error(number, f"device {name}", "resuming it")
        self._waiting.for_udev(name, "resuming it")

    def _resume(self, connection: sqlite3.Connection, device: Device) -> int:
        """Make an inactive table live and start I/O; a pool that cannot start stays suspended with its new table."""
        if devices.pool_is_suspended(connection, device.minor):
            raise _waits(device.name, "resuming it", "its pool is suspended")
        swapped = bool(devices.targets(connection, device.minor, live=False))
        if not swapped and not device.suspended:
            return 0
        live = devices.targets(connection, device.minor)
        if swapped:
            self._quiesce(connection, device, flush=True)
            try:
                check_sizes(connection, devices.targets(connection, device.minor, live=False))
            except RefusedError as error:
                kernellog.say(connection, *kernellog.of_table(device.dev, error))
                # The new table is lost, and the device stays suspended with its old one.
                devices.drop_table(connection, device.minor, live=False)
                connection.execute("UPDATE devices SET suspended = 1 WHERE minor = ?", (device.minor,))
                self._tidy(connection)
                return error.number
            devices.swap_table(connection, device.minor)
            live = devices.targets(connection, device.minor)
        number = 0
        if devices.is_pool(live):
            number = self._pools.resume(connection, device.minor, swapped=swapped)
            if number:
                kernellog.say(connection, kernellog.of_resume(device.dev, number))
        devices.note_origins(connection, device.minor)
        connection.execute("UPDATE devices SET suspended = ? WHERE minor = ?", (bool(number), device.minor))
        self._tidy(connection)
        return number

    def remove(self, name: str, *, deferred: bool = False) -> None:
        """See `DeviceMapper.remove`."""
        self._waiting.for_device(name, "removing it")
        with self._store.write() as connection:
            device = devices.find(connection, name, "removing it")
            if device.open_count:
                if not deferred:
                    raise machine_error(errno.EBUSY, f"device {name}", "removing it")
                connection.execute("UPDATE devices SET deferred = 1 WHERE minor = ?", (device.minor,))
                return
            self._destroy(connection, device)
        self._waiting.for_udev(name, "removing it")

    def _destroy(self, connection: sqlite3.Connection, device: Device) -> None:
        self._pools.end_open(connection, device.minor)
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
        self._waiting.for_device(name, f"message {text!r}")
        with self._store.write() as connection:
            device = devices.find(connection, name, f"sending it {text!r}")
            refusal, number = None, 0
            try:
                number = self._message(connection, device, text)
            except RefusedError as error:
                refusal = error  # raised later: what it has done to the pool stays
                kernellog.say_whatever_comes(self._store, kernellog.of_message(device.dev, error))
        if refusal:
            raise refused(refusal, f"device {name}", f"message {text!r}")
        if number:
            raise machine_error(number, f"device {name}", f"message {text!r}")
        return ""

    def _message(self, connection: sqlite3.Connection, device: Device, text: str) -> int:
        """Do what a message says; returns 0, or the errno of one that the pool did not survive."""
        words = split_message(text)
        if not words:
            raise RefusedError(errno.EINVAL, "Empty message received.")
        if words[0].startswith("@"):
            if words != [_CANCEL]:
                raise RefusedError(errno.EINVAL, f"Unsupported message sent to DM core: {words[0]}")
            connection.execute("UPDATE devices SET deferred = 0 WHERE minor = ?", (device.minor,))
            return 0
        table = devices.targets(connection, device.minor)
        if not table:
            raise RefusedError(errno.EINVAL, "The device has no table.")
        if table[0].type != THIN_POOL:
            raise RefusedError(errno.EINVAL, "Target type does not support messages")
        metadata_id = _metadata_id(table[0])

        def is_active(thin_id: int) -> bool:
            query = "SELECT 1 FROM targets WHERE metadata_id = ? AND thin_id = ?"
            return connection.execute(query, (metadata_id, thin_id)).fetchone() is not None

        refusal = None
        with self._pools.open(connection, metadata_id) as pool:
            try:
                obey(pool, text, is_active)
            except RefusedError as error:
                refusal = error  # the pool is put away first
        if refusal:
            raise refusal
        if words[0].lower() == "create_snap" and not pool.ran_full:
            mounted.copy_to_snapshot(connection, metadata_id, *map(read_thin_id, words[1:]))
        return errno.ENOSPC if pool.ran_full else pool.refused

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


def _status(connection: sqlite3.Connection, device: Device, table: Sequence[LoadedTarget]) -> DeviceReading:
    lines = tuple(
        Target(target.start_sectors, target.length_sectors, target.type, status_params(connection, target))
        for target in table
    )
    return DeviceReading(devices.info(connection, device), lines)


def _metadata_id(target: LoadedTarget) -> int:
    assert target.metadata_id is not None and target.type in (THIN_POOL, THIN)  # noqa: S101
    return target.metadata_id


def _waits(name: str, doing: str, why: str) -> TimedOutError:
    return TimedOutError(f"device {name}", f"{doing} would wait: {why}", "resume first", errno.ETIMEDOUT)
