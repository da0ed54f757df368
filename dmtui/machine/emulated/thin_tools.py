"""The emulated thin-provisioning-tools: answers out of the model, in the words of the real ones (0.9)."""

from __future__ import annotations

import errno
import re
import sqlite3

from dmtui.machine.emulated import devices, disks
from dmtui.machine.emulated.files import normal
from dmtui.machine.emulated.filesystem_rules import device, is_in_use, no_discards
from dmtui.machine.emulated.host import find, punch
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.store import Store
from dmtui.machine.emulated.stored import save_metadata
from dmtui.machine.emulated.waiting import Waiting
from dmtui.machine.errors import DeviceBusyError, MachineError, machine_error
from dmtui.machine.tools import CheckResult, ThinEntry
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen

_NO_SNAPSHOT = "no metadata snapshot is held (No metadata snapshot found.)"
_BLANK = "examining superblock\n  superblock is corrupt\n    bad checksum in superblock"
_UNREADABLE = "examining superblock\n  superblock is corrupt\n    Input/output error"
_SOUND = "examining superblock\nexamining devices tree\nexamining mapping tree\nchecking space map counts"


@frozen
class _Metadata:
    """What is known of a pool's metadata.

    Attributes:
        readable: neither has the active pool on it failed, nor does its disk give errors.
        mode: that of the active pool on it, None where there is none.
    """

    metadata_id: int
    held: bool
    readable: bool
    mode: str | None


class EmulatedThinTools:
    """`ThinTools` of an emulated machine.

    Metadata in use are refused, whether named by device or by file; the real tools notice the device only. Of a held
    metadata snapshot the details are those of the moment when it was taken. What was once written is never broken:
    metadata that need a check pass it, as those of a kernel do after an aborted transaction.
    """

    def __init__(self, store: Store, pools: LivePools, waiting: Waiting) -> None:
        self._store = store
        self._pools = pools
        self._waiting = waiting

    def list_thins(self, metadata: str, *, snapshot: bool) -> tuple[ThinEntry, ...]:
        """See `ThinTools.list_thins`."""
        self._waiting.for_device(metadata, "reading it")
        with self._store.read() as connection:
            found = _opened(connection, metadata, snapshot=snapshot)
            if found is None or not found.readable:
                raise MachineError(metadata, "cannot be read: bad checksum in superblock", "", errno.EIO)
            table = "held_thins" if snapshot else "thins"
            rows = connection.execute(
                f"SELECT thin_id, mapped, transaction_id, creation_time, snapshotted_time FROM {table}"  # noqa: S608
                " WHERE metadata_id = ? ORDER BY thin_id",
                (found.metadata_id,),
            ).fetchall()
        return tuple(ThinEntry(row[0], row[1], int(row[2]), row[3], row[4]) for row in rows)

    def check(self, metadata: str, *, snapshot: bool) -> CheckResult:
        """See `ThinTools.check`; what holds no metadata, or those of a failed pool, is not sound."""
        self._waiting.for_device(metadata, "reading it")
        with self._store.read() as connection:
            found = _opened(connection, metadata, snapshot=snapshot)
        if found is None:
            return CheckResult(False, _BLANK)
        return CheckResult(True, _SOUND) if found.readable else CheckResult(False, _UNREADABLE)

    def clear_needs_check(self, metadata: str) -> CheckResult:
        """See `ThinTools.clear_needs_check`."""
        checked = self.check(metadata, snapshot=False)
        if checked.sound:
            with self._store.write() as connection:
                found = _opened(connection, metadata, snapshot=False)
                if found is not None:
                    pool = self._pools.metadata(connection, found.metadata_id)
                    pool.superblock.needs_check = False
                    save_metadata(connection, found.metadata_id, pool)
        return checked

    def trim(self, metadata: str, data: str) -> None:
        """See `ThinTools.trim`: the data file gives back the space of every free block."""
        self._waiting.for_device(data, "discarding what is free")
        with self._store.write() as connection:
            found = _opened(connection, metadata, snapshot=False)
            if found is None or not found.readable:
                raise MachineError(metadata, "cannot be read: bad checksum in superblock", "", errno.EIO)
            doing = "discarding what is free"
            dev = device(connection, data, doing)
            if is_in_use(connection, dev):
                raise machine_error(errno.EBUSY, data, doing)
            pool = self._pools.metadata(connection, found.metadata_id)
            block_bytes = pool.superblock.block_sectors * SECTOR_BYTES
            size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
            if size_bytes < pool.data.state.total_blocks * block_bytes:
                happened = "is smaller than the pool of that metadata"
                raise MachineError(data, happened, "check that they belong together")
            place = devices.storage(connection, dev)
            if place is None:
                raise no_discards(data)
            for first, count in _free_runs(pool.data.counters):
                punch(connection, place[0], place[1] * SECTOR_BYTES + first * block_bytes, count * block_bytes)


def _free_runs(counters: bytearray) -> list[tuple[int, int]]:
    return [(run.start(), run.end() - run.start()) for run in re.finditer(rb"\0+", counters)]


def _place(connection: sqlite3.Connection, path: str, doing: str) -> tuple[int, int] | None:
    """The file of a path, or the one under its device, and the sector where it begins there.

    Raises:
        FileMissingError: there is nothing of that path.
    """
    file = find(connection, normal(path))
    if file is not None:
        return file.inode, 0
    dev = devices.parse_path(connection, path)
    if dev is None:
        raise machine_error(errno.ENOENT, path, doing)
    return devices.storage(connection, dev)


def _opened(connection: sqlite3.Connection, path: str, *, snapshot: bool) -> _Metadata | None:
    """The metadata on a device or in a file, None where there are none.

    Raises:
        FileMissingError: there is nothing of that path.
        DeviceBusyError: a pool is active on them, and no snapshot is asked for.
        MachineError: there is no metadata snapshot.
    """
    place = _place(connection, path, "opening it")
    row = (
        place
        and connection.execute(
            "SELECT id, held_block, pools.mode, inode FROM metadata LEFT JOIN pools ON pools.metadata_id = metadata.id"
            " WHERE inode = ? AND offset_sectors = ?",
            place,
        ).fetchone()
    )
    if not row:
        return None
    readable = row[2] != "FAIL" and disks.fault_of_file(connection, row[3]) is not disks.DiskFault.ALL
    found = _Metadata(row[0], row[1] >= 0, readable, row[2])
    if snapshot and not found.held:
        raise MachineError(path, _NO_SNAPSHOT, "reserve one first (reserve_metadata_snap)")
    if found.mode is not None and not snapshot:
        happened = "is in use by an active pool: only a metadata snapshot of it can be read"
        raise DeviceBusyError(path, happened, "deactivate the pool, or reserve a metadata snapshot", errno.EBUSY)
    return found
