"""A live thin pool: its modes, its events, its messages' effects, and the I/O of its thins.

The rules are the kernel's (dm-thin.c, as the reference tells them). Every write, discard and message is followed by
the commit that the kernel would do within a second, except that blocks dropped by a discard with passdown wait for
the next commit, as in the kernel.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from dmtui.machine.emulated.mapping import Stretch, map_run, remap_run, stretches, unmap
from dmtui.machine.emulated.metadata import MetadataFullError, PoolMetadata


class Mode(Enum):
    """The kernel's internal modes, best first; the status line shows two of them as ``ro``."""

    WRITE = "rw"
    OUT_OF_DATA_SPACE = "out_of_data_space"
    OUT_OF_METADATA_SPACE = "ro"
    READ_ONLY = "ro "
    FAIL = "Fail"

    @property
    def word(self) -> str:
        """The word of the status line."""
        return self.value.strip()

    @property
    def serves_messages(self) -> bool:
        """Whether the metadata may change."""
        return self in (Mode.WRITE, Mode.OUT_OF_DATA_SPACE)


@dataclass(slots=True)
class PoolState:
    """What the kernel's pool object knows beside its metadata; it lives from the first table to the last.

    Attributes:
        error_if_no_space: the policy in force.
        requested_error_if_no_space: the policy of the live table.
        low_water_triggered: the low-water event was sent since the last resume.
        low_water_blocks: free data blocks at which it is sent.
        metadata_low_triggered: the metadata low-water event was sent in a transaction that began below the mark.
        discard: the discard policy in the kernel's words.
    """

    mode: Mode = Mode.WRITE
    error_if_no_space: bool = False
    requested_error_if_no_space: bool = False
    low_water_triggered: bool = False
    low_water_blocks: int = 0
    metadata_low_triggered: bool = False
    discard: str = "discard_passdown"


@dataclass(frozen=True, slots=True)
class Host:
    """What stands under the data device: gives space to data blocks, and takes it back.

    Attributes:
        fill: (first data block, count) to how many of them can be written.
        punch: (first data block, count) gives their space back.
    """

    fill: Callable[[int, int], int]
    punch: Callable[[int, int], None]


class _WriteStoppedError(Exception):
    """A write cannot go on; carries the errno."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(number)


@dataclass(slots=True)
class Pool:
    """A live pool for the length of one operation.

    Attributes:
        events: events raised meanwhile.
        aborted: the open transaction was thrown away.
        ran_full: that happened in the middle of a message, which therefore failed.
    """

    metadata: PoolMetadata
    state: PoolState
    host: Host
    relieve: Callable[[], None] = lambda: None
    events: int = 0
    aborted: bool = False
    ran_full: bool = False

    def set_mode(self, mode: Mode) -> None:
        """Go to a mode as far as the pool's condition allows; a change is an event."""
        old = self.state.mode
        if mode is Mode.WRITE and self.metadata.superblock.needs_check:
            mode = Mode.READ_ONLY if old is Mode.WRITE else old
        if old is Mode.FAIL:
            mode = old
        if mode is Mode.WRITE:
            self.state.error_if_no_space = self.state.requested_error_if_no_space
        self.state.mode = mode
        self.events += mode is not old

    def commit(self) -> None:
        """Commit the metadata, where the mode allows, and see whether there is space (again)."""
        if not self.state.mode.serves_messages:
            return
        self.metadata.prepare_commit()
        self._check_metadata_low_water()
        self.metadata.commit()
        if not self.metadata.metadata_free_blocks:
            self.set_mode(Mode.OUT_OF_METADATA_SPACE)
        if self.state.mode is Mode.OUT_OF_DATA_SPACE and self.metadata.data.free_blocks:
            self.set_mode(Mode.WRITE)

    def _check_metadata_low_water(self) -> None:
        """Send the metadata low-water event, which every transaction that starts above the mark re-arms.

        The kernel looks at each allocation, so the copies of the open transaction count, and the reserve does not.
        """
        free = self.metadata.free_in_transaction()
        if free < 0:
            raise MetadataFullError
        mark = min(1024, self.metadata.metadata_total_blocks // 4)
        if self.metadata.metadata_total_blocks - self.metadata.blocks.used_before - 1 > mark:
            self.state.metadata_low_triggered = False
        if free <= mark and not self.state.metadata_low_triggered:
            self.state.metadata_low_triggered = True
            self.events += 1

    def operation_failed(self) -> None:
        """What follows when the metadata cannot be changed: read-only until checked."""
        self.aborted = True
        self.metadata.superblock.needs_check = True
        self.set_mode(Mode.READ_ONLY)

    def write(self, thin_id: int, begin: int, end: int) -> int:
        """Write the blocks ``begin <= block < end`` of a thin, in order; returns 0 or the errno that ended it."""
        if self.state.mode is Mode.FAIL:
            return errno.EIO
        try:
            for stretch in list(stretches(self.metadata, thin_id, begin, end)):
                if stretch.data_block is None:
                    self._provision(thin_id, stretch)
                elif stretch.shared:
                    self._break_sharing(thin_id, stretch)
                else:
                    filled = self.host.fill(stretch.data_block, stretch.count)
                    if filled < stretch.count:
                        raise _WriteStoppedError(errno.EIO)
        except _WriteStoppedError as stopped:
            return stopped.number
        finally:
            self._commit_changes()
        return 0

    def _commit_changes(self) -> None:
        if self.metadata.changed_thins:
            self.commit()

    def _provision(self, thin_id: int, stretch: Stretch) -> None:
        begin, count = stretch.begin, stretch.count
        while count:
            data_block, got = self._allocate(count)
            map_run(self.metadata, thin_id, begin, data_block, got)
            self._check_low_water(self.metadata.data.free_blocks + 1)
            if got < count and got == _PIECE_BLOCKS:
                # A long write lasts: the kernel's tick commits in the middle of it.
                self.commit()
            self.relieve()
            begin, count = begin + got, count - got

    def _break_sharing(self, thin_id: int, stretch: Stretch) -> None:
        begin, count = stretch.begin, stretch.count
        while count:
            data_block, got = self._allocate(count)
            fewest = remap_run(self.metadata, thin_id, begin, data_block, got)
            self._check_low_water(fewest)
            if got < count and got == _PIECE_BLOCKS:
                self.commit()
            self.relieve()
            begin, count = begin + got, count - got

    def _allocate(self, most: int) -> tuple[int, int]:
        """Allocate data blocks side by side, in the kernel's order of checks, with space under them."""
        if self.state.mode is not Mode.WRITE:
            raise _WriteStoppedError(errno.ENOSPC if self.state.mode is Mode.OUT_OF_DATA_SPACE else errno.EIO)
        data = self.metadata.data
        self._check_low_water(data.free_blocks)
        if not data.free_blocks:
            self.commit()
        found = data.allocate(min(most, _PIECE_BLOCKS)) if data.free_blocks else None
        if found is None:
            if self.state.mode is Mode.WRITE:
                self.set_mode(Mode.OUT_OF_DATA_SPACE)
            raise _WriteStoppedError(errno.ENOSPC)
        first, count = found
        filled = self.host.fill(first, count)
        for block in range(first + filled, first + count):
            data.dec(block)
        if not filled:
            raise _WriteStoppedError(errno.EIO)
        if not self.metadata.metadata_free_blocks:
            self.commit()
        return first, filled

    def _check_low_water(self, free_blocks: int) -> None:
        if free_blocks <= self.state.low_water_blocks and not self.state.low_water_triggered:
            self.state.low_water_triggered = True
            self.events += 1

    def flush(self, thin_id: int) -> int:
        """Flush a thin (fsync); returns 0 or an errno.

        The kernel looks a flush up as if it touched block 0: where that would need a block, it fails like a write.
        """
        if self.state.mode is Mode.WRITE:
            self._commit_changes()
            return 0
        first = next(iter(stretches(self.metadata, thin_id, 0, 1)))
        if first.data_block is not None and self.state.mode is not Mode.FAIL:
            return 0
        return errno.ENOSPC if self.state.mode is Mode.OUT_OF_DATA_SPACE else errno.EIO

    def discard(self, thin_id: int, begin: int, end: int) -> int:
        """Unmap whole blocks of a thin; returns 0 or an errno. A pool that takes no changes ignores it."""
        if self.state.discard == "ignore_discard":
            return errno.EOPNOTSUPP
        if self.state.mode is Mode.FAIL:
            return errno.EIO
        if begin >= end or not self.state.mode.serves_messages:
            return 0
        if self.state.discard == "no_discard_passdown":
            unmap(self.metadata, thin_id, begin, end)
            self._commit_changes()
            return 0
        runs = [run for run in stretches(self.metadata, thin_id, begin, end) if run.data_block is not None]
        data = self.metadata.data
        for run in runs:
            assert run.data_block is not None  # noqa: S101 - filtered above
            unmap(self.metadata, thin_id, run.begin, run.begin + run.count)
            # The kernel holds the blocks while the discard goes down, so that nobody takes them meanwhile.
            for block in range(run.data_block, run.data_block + run.count):
                data.inc(block)
        self._commit_changes()
        for run in runs:
            assert run.data_block is not None  # noqa: S101 - filtered above
            self._pass_down(run.data_block, run.count)
        return 0

    def _pass_down(self, first: int, count: int) -> None:
        data = self.metadata.data
        begin = first
        for block in range(first, first + count):
            data.dec(block)
            if data.count(block):
                self.host.punch(begin, block - begin)
                begin = block + 1
        self.host.punch(begin, first + count - begin)

    def resume(self, data_blocks: int, metadata_blocks: int, table_mode: Mode | None) -> int:
        """Take over the live table's sizes; returns 0 or the errno with which the resume fails.

        `table_mode` is the mode that a newly loaded table asks for, None for a table that was live already.
        """
        self.set_mode(self.state.mode if table_mode is None else table_mode)
        if self.state.mode is Mode.FAIL:
            return 0
        self.state.error_if_no_space = self.state.requested_error_if_no_space
        known = self.metadata.data.state.total_blocks
        grown = False
        try:
            if data_blocks < known:
                return errno.EINVAL
            if data_blocks > known and not self.metadata.superblock.needs_check:
                self.metadata.grow_data(data_blocks)
                grown = True
            if metadata_blocks < self.metadata.metadata_total_blocks:
                return errno.EINVAL
            if metadata_blocks > self.metadata.metadata_total_blocks and not self.metadata.superblock.needs_check:
                if self.state.mode is Mode.OUT_OF_METADATA_SPACE:
                    self.set_mode(Mode.WRITE)
                self.metadata.grow_metadata(metadata_blocks)
                grown = True
        except MetadataFullError:
            return errno.ENOSPC
        if grown:
            self.commit()
        self.state.low_water_triggered = False
        return 0


_PIECE_BLOCKS = 1 << 16
"""Data blocks taken at once at the most, so that one huge write stays bounded in memory."""


def load_state(connection: sqlite3.Connection, metadata_id: int) -> PoolState | None:
    """The pool object over a metadata device, None while no table holds it."""
    row = connection.execute(
        "SELECT mode, error_if_no_space, requested, low_water_triggered, low_water_blocks,"
        " metadata_low_triggered, discard"
        " FROM pools WHERE metadata_id = ?",
        (metadata_id,),
    ).fetchone()
    if row is None:
        return None
    return PoolState(Mode[row[0]], bool(row[1]), row[2] == "error", bool(row[3]), int(row[4]), bool(row[5]), row[6])


def save_state(connection: sqlite3.Connection, metadata_id: int, minor: int, state: PoolState) -> None:
    """Keep the pool object."""
    connection.execute(
        "INSERT OR REPLACE INTO pools VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            metadata_id,
            minor,
            state.mode.name,
            state.error_if_no_space,
            state.low_water_triggered,
            str(state.low_water_blocks),
            state.metadata_low_triggered,
            state.discard,
            "error" if state.requested_error_if_no_space else "queue",
        ),
    )
