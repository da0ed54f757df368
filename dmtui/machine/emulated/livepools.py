"""The pools of the machine for the length of an operation: loaded, changed, written back with their events."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager

from dmtui.machine.emulated import clock, devices, disks, kernellog
from dmtui.machine.emulated.host import charge_metadata, fill, punch
from dmtui.machine.emulated.metadata import MetadataFullError, PoolMetadata
from dmtui.machine.emulated.pool import Pool
from dmtui.machine.emulated.poolstate import Mode, PoolState, load_state, save_state
from dmtui.machine.emulated.stored import StoredNodes, has_changed, keep_committed, load_metadata, save_metadata
from dmtui.machine.emulated.underneath import Host
from dmtui.machine.emulated.unread import Reach
from dmtui.machine.emulated.unsynced import Unsynced
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN_POOL, PoolTable
from dmtui.thinpool.units import MAX_METADATA_BLOCKS, METADATA_BLOCK_BYTES, METADATA_BLOCK_SECTORS, SECTOR_BYTES

_SMALLEST_BLOCKS = 12
"""Metadata of 10 or 11 blocks can be formatted, but the first resume finds no room to grow the data."""


class LivePools:
    """Loads pools and keeps their metadata between the operations of this process."""

    def __init__(self) -> None:
        self._kept: dict[int, PoolMetadata] = {}

    def forget(self) -> None:
        """Drop what is kept: the store has changed under us."""
        self._kept.clear()

    def keep(self, metadata_id: int, metadata: PoolMetadata) -> None:
        """Keep freshly formatted metadata."""
        self._kept[metadata_id] = metadata

    def metadata(self, connection: sqlite3.Connection, metadata_id: int) -> PoolMetadata:
        """A pool's metadata."""
        found = self._kept.get(metadata_id)
        if found is None:
            found = self._kept[metadata_id] = load_metadata(connection, metadata_id)
        return found

    @contextmanager
    def open(self, connection: sqlite3.Connection, metadata_id: int) -> Generator[Pool, None, None]:
        """A pool object, saved with its events when the operation is through."""
        state = load_state(connection, metadata_id)
        minor = connection.execute("SELECT minor FROM pools WHERE metadata_id = ?", (metadata_id,)).fetchone()[0]
        assert state is not None  # noqa: S101 - an active pool has its row
        metadata = self.metadata(connection, metadata_id)
        nodes = metadata.blocks.nodes
        host = _host(connection, metadata_id, minor)
        number = str(DeviceNumber(devices.DM_MAJOR, minor))
        pool = Pool(metadata, state, host, deadline=lambda: clock.deadline(connection), number=number)
        pool.now = lambda: clock.now(connection)
        pool.is_heavy = lambda: isinstance(nodes, StoredNodes) and nodes.has_too_many_changed
        pool.checkpoint = lambda: _checkpoint(connection, metadata_id, pool)
        connection.execute("SAVEPOINT pool")
        try:
            yield pool
        except (MetadataFullError, disks.CommitFailedError) as failed:
            self._take_back(connection, metadata_id, pool)
            if isinstance(failed, MetadataFullError):
                pool.said.append("device-mapper: space map metadata: unable to allocate new metadata block")
                pool.operation_failed(errno.ENOSPC)
            elif failed.readable:
                pool.said += failed.said
                pool.operation_failed()
            else:
                pool.fail()
        if not self._save(connection, metadata_id, minor, pool):
            # The host has no room for the metadata file to grow: the commit could not be written.
            self._take_back(connection, metadata_id, pool)
            pool.operation_failed()
            self._save(connection, metadata_id, minor, pool)
        connection.execute("RELEASE pool")

    def _take_back(self, connection: sqlite3.Connection, metadata_id: int, pool: Pool) -> None:
        """Throw the open transaction away, with what the kernel has not committed yet; what it has stays."""
        pool.note_mapped()
        connection.execute("ROLLBACK TO pool")
        # As the operation began, or at its last checkpoint.
        (was_open,) = connection.execute("SELECT open FROM pools WHERE metadata_id = ?", (metadata_id,)).fetchone()
        pool.state.open = bool(was_open)
        self.lose_unsynced(connection, metadata_id, pool.state)
        self._kept.pop(metadata_id, None)
        pool.metadata = self.metadata(connection, metadata_id)

    def lose_unsynced(self, connection: sqlite3.Connection, metadata_id: int, state: PoolState) -> None:
        """Take back what the kernel has not committed."""
        if state.open:
            Unsynced(connection, metadata_id).take_back()
            self._kept.pop(metadata_id, None)
            state.open = False

    def lose_all_unsynced(self, connection: sqlite3.Connection) -> None:
        """Take back of each pool what the kernel has not committed, as a power cut does."""
        query = "SELECT metadata_id, minor FROM pools WHERE open"
        for metadata_id, minor in connection.execute(query).fetchall():
            state = load_state(connection, metadata_id)
            assert state is not None  # noqa: S101 - it is there
            self.lose_unsynced(connection, metadata_id, state)
            save_state(connection, metadata_id, minor, state)

    def _save(self, connection: sqlite3.Connection, metadata_id: int, minor: int, pool: Pool) -> bool:
        """Write back what changed; False when the host has no room for the metadata."""
        if pool.synced:
            _end_unsynced(connection, metadata_id, pool.state)
        elif has_changed(pool.metadata) and not pool.aborted:
            _keep_committed(connection, metadata_id, pool)
        save_metadata(connection, metadata_id, pool.metadata)
        pool.state.ticking = bool(pool.metadata.changed_thins) and pool.state.mode.serves_messages
        save_state(connection, metadata_id, minor, pool.state)
        inode = connection.execute("SELECT inode FROM metadata WHERE id = ?", (metadata_id,)).fetchone()[0]
        size_bytes = pool.metadata.blocks.space.state.used_blocks * METADATA_BLOCK_BYTES
        if not charge_metadata(connection, inode, size_bytes):
            return pool.aborted
        kernellog.say(connection, *pool.said)
        pool.said.clear()
        if pool.events:
            connection.execute("UPDATE devices SET event_nr = event_nr + ? WHERE minor = ?", (pool.events, minor))
            pool.events = 0
        return True

    def drop_unused(self, connection: sqlite3.Connection) -> None:
        """Let go of the pool objects that no table holds any more, with their last commit."""
        unused = connection.execute(
            "SELECT metadata_id FROM pools WHERE NOT EXISTS (SELECT 1 FROM targets t"
            " WHERE t.metadata_id = pools.metadata_id AND t.type = ?)",
            (THIN_POOL,),
        ).fetchall()
        for (metadata_id,) in unused:
            with self.open(connection, metadata_id) as pool:
                pool.commit()
                pool.metadata.forget_growth()  # where it could not commit
            connection.execute("DELETE FROM pools WHERE metadata_id = ?", (metadata_id,))
            Reach(connection, metadata_id).forget()

    def commit(self, connection: sqlite3.Connection, minor: int) -> bool:
        """Commit a pool's metadata where there is something to commit; returns whether that made the pool fail."""
        row = connection.execute("SELECT metadata_id, mode FROM pools WHERE minor = ?", (minor,)).fetchone()
        if row is None or row[1] == Mode.FAIL.name:
            return False
        with self.open(connection, row[0]) as pool:
            pool.commit()
        return pool.state.mode is Mode.FAIL

    def suspend(self, connection: sqlite3.Connection, minor: int) -> None:
        """Commit a pool's metadata, and stop its wait for space."""
        row = connection.execute("SELECT metadata_id, mode FROM pools WHERE minor = ?", (minor,)).fetchone()
        if row is not None and row[1] != Mode.FAIL.name:
            with self.open(connection, row[0]) as pool:
                pool.suspend()

    def end_open(self, connection: sqlite3.Connection, minor: int | None = None) -> None:
        """Do that to one pool, or to all, where something is not committed: its device or the machine goes down.

        As long as the tables are there, so are the disks, which may refuse that commit.
        """
        query = "SELECT minor FROM pools WHERE open AND minor = coalesce(?, minor) ORDER BY metadata_id"
        for (each,) in connection.execute(query, (minor,)).fetchall():
            self.suspend(connection, each)

    def catch_up(self, connection: sqlite3.Connection) -> bool:
        """Do what the clock has brought, commits and the end of waits for space; returns whether there was any."""
        due = clock.due(connection)
        if due is None:
            return False
        for metadata_id in due.commits:
            with self.open(connection, metadata_id) as pool:
                pool.commit_by_clock()
        for metadata_id in due.waits:
            with self.open(connection, metadata_id) as pool:
                pool.end_wait()
        return True

    def resume(self, connection: sqlite3.Connection, minor: int, *, swapped: bool) -> int:
        """Bring a pool under its live table; returns 0 or the errno with which its resume fails."""
        target = devices.targets(connection, minor)[0]
        assert target.metadata_id is not None  # noqa: S101 - a thin-pool target has metadata
        table = PoolTable.parse(target.params)
        data_dev, metadata_dev = (DeviceNumber.parse(text) for text in (table.data_device, table.metadata_device))
        with self.open(connection, target.metadata_id) as pool:
            block_sectors = pool.metadata.superblock.block_sectors
            pool.state.requested_error_if_no_space = "error_if_no_space" in table.features
            pool.state.low_water_blocks = table.low_water_mark_blocks
            if swapped:  # what the data device can is looked at with a new table only
                pool.state.discard = _discard(connection, table, data_dev)
            asked = Mode.READ_ONLY if "read_only" in table.features else Mode.WRITE
            metadata_blocks = (devices.size_sectors(connection, metadata_dev) or 0) // METADATA_BLOCK_SECTORS
            if pool.metadata.metadata_total_blocks < _SMALLEST_BLOCKS and not pool.metadata.superblock.needs_check:
                pool.operation_failed()
                return 0
            return pool.resume(
                target.length_sectors // block_sectors,
                min(metadata_blocks, MAX_METADATA_BLOCKS),
                asked if swapped else None,
            )
        return errno.ENOSPC if pool.ran_full else 0


def _checkpoint(connection: sqlite3.Connection, metadata_id: int, pool: Pool) -> None:
    """Make what was changed and committed so far the kernel's last commit, in the middle of an operation."""
    if pool.synced:
        _end_unsynced(connection, metadata_id, pool.state)
        save_metadata(connection, metadata_id, pool.metadata)
        pool.synced = False
        connection.execute("UPDATE pools SET open = 0 WHERE metadata_id = ?", (metadata_id,))
        for statement in ("RELEASE pool", "SAVEPOINT pool"):  # what fails from here on takes no more back than this
            connection.execute(statement)


def _end_unsynced(connection: sqlite3.Connection, metadata_id: int, state: PoolState) -> None:
    if state.open:
        Unsynced(connection, metadata_id).end()
        state.open = False


def _keep_committed(connection: sqlite3.Connection, metadata_id: int, pool: Pool) -> None:
    """Keep what is committed of what is about to be saved, for a power cut or a commit that fails."""
    unsynced = Unsynced(connection, metadata_id)
    if not pool.state.open:
        unsynced.begin()
        pool.state.open = True
    keep_committed(unsynced, pool.metadata)


def _discard(connection: sqlite3.Connection, table: PoolTable, data_dev: DeviceNumber) -> str:
    if "ignore_discard" in table.features:
        return "ignore_discard"
    # Passdown goes off by itself where the data device cannot discard (a zero target, for one).
    if "no_discard_passdown" in table.features or devices.storage(connection, data_dev) is None:
        return "no_discard_passdown"
    return "discard_passdown"


def _host(connection: sqlite3.Connection, metadata_id: int, minor: int) -> Host:
    """What stands under a pool: a file with its holes for its data or nothing that needs space, disks with faults."""

    def check_commit() -> None:
        disks.check_commit(connection, metadata_id)

    reach = Reach(connection, metadata_id)
    table = devices.targets(connection, minor) or devices.targets(connection, minor, live=False)
    words = PoolTable.parse(table[0].params) if table and table[0].type == THIN_POOL else None
    zeroes = words is None or "skip_block_zeroing" not in words.features
    if disks.data_fault(connection, metadata_id) is not None:
        return Host(lambda _, __: 0, lambda _, __: None, check_commit, reach, zeroes)
    place = words and devices.storage(connection, DeviceNumber.parse(words.data_device))
    if words is None or place is None:
        return Host(lambda _, count: count, lambda _, __: None, check_commit, reach, zeroes)
    inode, offset_bytes, block_bytes = place[0], place[1] * SECTOR_BYTES, words.block_bytes

    def fill_blocks(first: int, count: int) -> int:
        within = min(count, disks.data_blocks(connection, metadata_id) - first)
        if within <= 0:
            return 0
        return fill(connection, inode, offset_bytes + first * block_bytes, within * block_bytes) // block_bytes

    def punch_blocks(first: int, count: int) -> None:
        punch(connection, inode, offset_bytes + first * block_bytes, count * block_bytes)

    return Host(fill_blocks, punch_blocks, check_commit, reach, zeroes)
