"""Reads on the machine's block devices. No content is kept: what counts is which of them fail."""

from __future__ import annotations

import errno
import sqlite3

from dmtui.machine.emulated import devices, disks
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.mapping import Stretch, stretches
from dmtui.machine.emulated.poolstate import Mode, load_state
from dmtui.machine.emulated.store import Store
from dmtui.machine.emulated.unread import Reach
from dmtui.machine.emulated.waiting import Waiting
from dmtui.machine.errors import TimedOutError, machine_error
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN
from dmtui.thinpool.units import SECTOR_BYTES


class ReadFaults:
    """Which reads of a block device fail."""

    def __init__(self, pools: LivePools) -> None:
        self._pools = pools

    def fail(self, connection: sqlite3.Connection, dev: DeviceNumber, begin: int, end: int) -> bool:
        """Whether bytes ``begin <= byte < end`` of a block device cannot be read."""
        if dev.major != devices.DM_MAJOR:
            return begin < end and disks.fault_of(connection, dev) is disks.DiskFault.ALL
        for target in devices.targets(connection, dev.minor):
            start = target.start_sectors * SECTOR_BYTES
            first, last = max(begin, start), min(end, start + target.length_sectors * SECTOR_BYTES)
            if first < last and self._target_fails(connection, target, first - start, last - start):
                return True
        return False

    def _target_fails(self, connection: sqlite3.Connection, target: devices.LoadedTarget, begin: int, end: int) -> bool:
        if target.type == "linear":
            under, offset = target.params.split()
            shift = int(offset) * SECTOR_BYTES
            return self.fail(connection, DeviceNumber.parse(under), begin + shift, end + shift)
        if target.type == THIN:
            return self._thin_fails(connection, target, begin, end)
        return target.type != "zero"

    def _thin_fails(self, connection: sqlite3.Connection, target: devices.LoadedTarget, begin: int, end: int) -> bool:
        metadata_id, thin_id = target.metadata_id, target.thin_id
        assert metadata_id is not None and thin_id is not None  # noqa: S101 - a thin target has both
        state, pool = load_state(connection, metadata_id), self._pools.metadata(connection, metadata_id)
        if state is None or state.mode is Mode.FAIL:
            return True
        if not Reach(connection, metadata_id).has_mappings(thin_id):
            return True
        broken = disks.data_fault(connection, metadata_id) is disks.DiskFault.ALL
        data_blocks = disks.data_blocks(connection, metadata_id)
        origin = target.params.split()[2:]
        size = pool.superblock.block_sectors * SECTOR_BYTES
        first, last = begin // size, -(-end // size)
        # A thin that went with its transaction maps nothing.
        gone = thin_id not in pool.thins
        for run in [Stretch(first, last - first, None)] if gone else stretches(pool, thin_id, first, last):
            if run.data_block is not None:
                if broken or run.data_block + run.count > data_blocks:
                    return True
            elif origin:
                place = max(begin, run.begin * size), min(end, (run.begin + run.count) * size)
                dev = DeviceNumber.parse(origin[0])
                end_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
                # Only a pool that takes every write looks where the origin ends, or ended when the thin was resumed.
                asked = place[1]
                if state.mode is Mode.WRITE:
                    known_bytes = end_bytes if target.origin_sectors is None else target.origin_sectors * SECTOR_BYTES
                    asked = min(place[1], known_bytes) if place[0] < known_bytes else 0
                if asked > end_bytes or self.fail(connection, dev, *place):
                    return True
        return False


class Reads:
    """Reads of mapped devices by name."""

    def __init__(self, store: Store, pools: LivePools, waiting: Waiting) -> None:
        self._store = store
        self._faults = ReadFaults(pools)
        self._waiting = waiting

    def read(self, name: str, *, offset_bytes: int, length_bytes: int) -> int:
        """Read from a mapped device, in bytes; returns how many there were, fewer at its end.

        What a thin does not map is read from its external origin, and as zeros where that ends or there is none. As in
        the kernel what is beyond the origin cannot be read while the pool has no space or takes no changes.

        Raises:
            DeviceMissingError: no such device.
            InvalidError: a place before its beginning.
            TimedOutError: the device is suspended: the read would wait; or it hangs, and the deadline has passed.
            MachineError: EIO of a failed pool, of an ``error`` target, of a disk that gives errors.
        """
        doing = f"reading {length_bytes} bytes at {offset_bytes}"
        self._waiting.for_device(name, doing)
        with self._store.write() as connection:
            device = devices.find(connection, name, doing)
            if offset_bytes < 0 or length_bytes < 0:
                raise machine_error(errno.EINVAL, f"device {name}", doing)
            if device.suspended or devices.pool_is_suspended(connection, device.minor):
                raise TimedOutError(f"device {name}", "is suspended: the read waits", "resume it", errno.ETIMEDOUT)
            size_bytes = (devices.size_sectors(connection, device.dev) or 0) * SECTOR_BYTES
            end = max(offset_bytes, min(offset_bytes + length_bytes, size_bytes))
            if self._faults.fail(connection, device.dev, offset_bytes, end):
                raise machine_error(errno.EIO, f"device {name}", doing)
        return end - offset_bytes
