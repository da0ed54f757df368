"""Disks of the emulated host that give errors: which ones, and what stands on them.

A fault belongs to the disk under a file of the host, so it outlives loop devices, pools and a reboot. A device of the
``error`` target gives errors by itself, as it does in the kernel.
"""

from __future__ import annotations

import sqlite3
from enum import Enum

from dmtui.machine.emulated import devices
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, THIN_POOL, PoolTable
from dmtui.thinpool.units import SECTOR_BYTES

DATA_ERROR = "data-error"
METADATA_ERROR = "metadata-error"
METADATA_WRITE_ERROR = "metadata-write-error"


class DiskFault(Enum):
    """How a disk gives errors: to everything, or to what would change it."""

    ALL = (DATA_ERROR, METADATA_ERROR)
    WRITES = (METADATA_WRITE_ERROR,)


class CommitFailedError(Exception):
    """A pool's metadata cannot be committed.

    Attributes:
        readable: what was committed before can still be read.
        said: what the kernel's log says of it first.
    """

    def __init__(self, readable: bool, *said: str) -> None:
        self.readable = readable
        self.said = said
        super().__init__(readable)


def fault_of(connection: sqlite3.Connection, dev: DeviceNumber, *, flushing: bool = False) -> DiskFault | None:
    """How the disk under a block device gives errors, None where it does not.

    Of a flush the ``error`` target takes no notice.
    """
    if dev.major == devices.DM_MAJOR:
        table = devices.targets(connection, dev.minor)
        if not flushing and any(target.type == "error" for target in table):
            return DiskFault.ALL
        under = {DeviceNumber.parse(target.params.split()[0]) for target in table if target.type == "linear"}
        found = {fault_of(connection, each, flushing=flushing) for each in under}
        return next((fault for fault in DiskFault if fault in found), None)
    place = devices.storage(connection, dev)
    return place and fault_of_file(connection, place[0])


def fault_of_file(connection: sqlite3.Connection, inode: int) -> DiskFault | None:
    """How the disk under a file of the host gives errors."""
    kinds = {kind for (kind,) in connection.execute("SELECT kind FROM faults WHERE inode = ?", (inode,))}
    return next((fault for fault in DiskFault if kinds & set(fault.value)), None)


def data_fault(connection: sqlite3.Connection, metadata_id: int) -> DiskFault | None:
    """How the disk under an active pool's data gives errors."""
    table = _pool_table(connection, metadata_id)
    return table and fault_of(connection, DeviceNumber.parse(table.data_device))


def data_blocks(connection: sqlite3.Connection, metadata_id: int) -> int:
    """How many blocks of an active pool its data device has: fewer than the pool counts where that grew twice."""
    table = _pool_table(connection, metadata_id)
    size_sectors = table and devices.size_sectors(connection, DeviceNumber.parse(table.data_device))
    return (size_sectors or 0) * SECTOR_BYTES // table.block_bytes if table else 0


def metadata_fault(connection: sqlite3.Connection, metadata_id: int) -> DiskFault | None:
    """How the disk under an active pool's metadata gives errors."""
    table = _pool_table(connection, metadata_id)
    return table and fault_of(connection, DeviceNumber.parse(table.metadata_device))


def reads_fail(connection: sqlite3.Connection, dev: DeviceNumber) -> bool:
    """Whether nothing that was ever written to a block device can be read back."""
    table = devices.targets(connection, dev.minor) if dev.major == devices.DM_MAJOR else []
    thins = [target for target in table if target.type == THIN and target.metadata_id is not None]
    if not thins:
        return fault_of(connection, dev) is DiskFault.ALL
    return any(data_fault(connection, target.metadata_id or 0) is DiskFault.ALL for target in thins)


def check_commit(connection: sqlite3.Connection, metadata_id: int) -> None:
    """Refuse a commit of an active pool where a disk does not take it.

    The kernel flushes the data device first, and only then writes the metadata.

    Raises:
        CommitFailedError: a disk gives errors.
    """
    table = _pool_table(connection, metadata_id)
    if table is None:
        return
    below = fault_of(connection, DeviceNumber.parse(table.metadata_device))
    if below is not None:
        raise CommitFailedError(below is DiskFault.WRITES)
    if fault_of(connection, DeviceNumber.parse(table.data_device), flushing=True) is not None:
        raise CommitFailedError(True, "device-mapper: thin metadata: pre-commit callback failed")


def _pool_table(connection: sqlite3.Connection, metadata_id: int) -> PoolTable | None:
    """The table of an active pool, the live one where there are two."""
    row = connection.execute(
        "SELECT params FROM targets WHERE metadata_id = ? AND thin_id IS NULL AND type = ? ORDER BY live DESC LIMIT 1",
        (metadata_id, THIN_POOL),
    ).fetchone()
    return row and PoolTable.parse(row[0])
