"""A live thin pool: its modes, its events, its messages' effects, and the I/O of its thins.

The rules are the kernel's (dm-thin.c, as the reference tells them). Every write, discard and message is followed by
the commit that the kernel would do within a second, except that blocks dropped by a discard with passdown wait for
the next commit, as in the kernel.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from dmtui.machine.emulated.disks import CommitFailedError
from dmtui.machine.emulated.mapping import Stretch, map_run, remap_run, stretches, unmap
from dmtui.machine.emulated.metadata import MetadataFullError, PoolMetadata
from dmtui.machine.emulated.poolstate import Mode, PoolState
from dmtui.machine.emulated.underneath import Host


class _Turn(IntEnum):
    """When the kernel is through with a piece of a write: mapped already, mapped by its worker, copied before that."""

    AT_ONCE = 0
    DEFERRED = 1
    COPIED = 2


class _NoBlockError(Exception):
    """There is no data block to be had for a block of a thin and those after it; carries the errno."""

    def __init__(self, number: int, begin: int) -> None:
        self.number = number
        self.begin = begin
        super().__init__(number, begin)


@dataclass(slots=True)
class Pool:
    """A live pool for the length of one operation.

    Attributes:
        deadline: when a wait for space that begins now is over; None where it lasts for ever.
        events: events raised meanwhile.
        aborted: the open transaction was thrown away.
        result: errno of the input or output, known before the commit that follows it.
        unplaced: (first, end) of the thin's blocks that wait for space.
        mapped: blocks mapped of each thin that the open transaction has changed.
        details_written: the commit that failed had the details of the changed thins written.
        ran_full: that happened in the middle of a message or of growing, which therefore failed.
        number: of its device, as the kernel's log names it.
        said: lines for that log.
    """

    metadata: PoolMetadata
    state: PoolState
    host: Host
    relieve: Callable[[], None] = lambda: None
    deadline: Callable[[], int | None] = lambda: None
    events: int = 0
    aborted: bool = False
    details_written: bool = False
    ran_full: bool = False
    result: int = 0
    unplaced: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    mapped: dict[int, int] = field(default_factory=dict[int, int])
    number: str = ""
    said: list[str] = field(default_factory=list[str])

    def say(self, text: str) -> None:
        """Say something in the kernel's log."""
        self.said.append(f"device-mapper: thin: {self.number}: {text}")

    def _say_mode(self) -> None:
        policy = " (error IO)" if self.state.error_if_no_space else " (queue IO)"
        self.say(f"switching pool to {self.state.mode.said}{policy * (self.state.mode is Mode.OUT_OF_DATA_SPACE)} mode")

    def set_mode(self, mode: Mode) -> None:
        """Go to a mode as far as the pool's condition allows; a change is an event."""
        old = self.state.mode
        if mode is Mode.WRITE and self.metadata.superblock.needs_check:
            self.say("unable to switch pool to write mode until repaired.")
            mode = Mode.READ_ONLY if old is Mode.WRITE else old
        if old is Mode.FAIL:
            mode = old
        if mode is Mode.WRITE:
            self.state.error_if_no_space = self.state.requested_error_if_no_space
        queues = mode is Mode.OUT_OF_DATA_SPACE and not self.state.error_if_no_space
        self.state.wait_until = self.deadline() if queues else None
        self.state.mode = mode
        if mode is not old:
            self.events += 1
            self._say_mode()

    def end_wait(self) -> None:
        """Let what waits for space fail, and what comes after it, until the pool is resumed or has space."""
        self.state.wait_until = None
        self.state.error_if_no_space = True
        self.events += 1
        self._say_mode()

    def use(self) -> bool:
        """Put it in service, as whatever means to change its metadata does; returns whether they can be read for it."""
        readable = self.state.in_service or self.host.reach.is_whole()
        self.state.in_service = True
        return readable

    def _use(self) -> None:
        """Put it in service for input or output, whose end it is where the metadata cannot be read."""
        if not self.use():
            self.result = errno.EIO
            raise CommitFailedError(False)

    def suspend(self) -> None:
        """What a suspend does to it: a commit, and nothing waits for space by the clock any more."""
        self.commit()
        self.state.wait_until = None

    def commit(self) -> None:
        """Commit the metadata, where the mode allows, and see whether there is space (again)."""
        if not self.state.mode.serves_messages:
            return
        if self.state.in_service:
            self._write_transaction()
        if not self.metadata.metadata_free_blocks:
            self.said.append("device-mapper: thin: No free metadata blocks")
            self.set_mode(Mode.OUT_OF_METADATA_SPACE)
        if self.state.mode is Mode.OUT_OF_DATA_SPACE and self.metadata.data.free_blocks:
            self.set_mode(Mode.WRITE)

    def _write_transaction(self) -> None:
        self.note_mapped()
        self.metadata.prepare_commit()
        self._check_metadata_low_water()
        self.host.check_commit()
        self.metadata.commit()
        self.mapped.clear()

    def note_mapped(self) -> None:
        """Note what the changed thins count as mapped, in case the open transaction will be thrown away."""
        thins = self.metadata.thins
        self.mapped |= {thin_id: thins[thin_id].mapped_blocks for thin_id in self.metadata.changed_thins}

    def _check_metadata_low_water(self) -> None:
        """Send the metadata low-water event when an allocation of the open transaction came down to the mark.

        The kernel looks at each one, so the copies of the open transaction count, and the reserve does not.
        """
        taken = self.metadata.transaction_allocations()
        if not taken:
            return
        if self.metadata.metadata_total_blocks - self.metadata.blocks.used_before < taken:
            self.metadata.check_room()
            self.details_written = True
            raise MetadataFullError
        free_before = self.metadata.blocks.free_before
        mark, seen = self.state.metadata_mark_blocks, self.state.metadata_seen_free
        was_above = seen < 0 or seen > mark or free_before - 1 > mark
        self.state.metadata_seen_free = max(0, free_before - taken)
        if was_above and free_before - taken <= mark:
            self.events += 1
            self.say("reached low water mark for metadata device: sending event.")

    def operation_failed(self, number: int = errno.EIO, operation: str = "dm_pool_commit_metadata") -> None:
        """What follows when the metadata cannot be changed: read-only until checked."""
        self.abort(number, operation)
        known = self.metadata.thins
        # A new thin is forgotten as soon as its details are written, though they are thrown away with the rest.
        self.state.lost |= {i: mapped for i, mapped in self.mapped.items() if i in known or not self.details_written}
        self.state.metadata_mark_blocks = self.state.metadata_seen_free = -1
        self.metadata.superblock.needs_check = True
        self.set_mode(Mode.READ_ONLY)

    def abort(self, number: int, operation: str) -> None:
        """Throw the open transaction away."""
        self.use()
        self.aborted = True
        self.say(f"metadata operation '{operation}' failed: error = -{number}")
        self.say("aborting current metadata transaction")

    def fail(self) -> None:
        """What follows when the metadata cannot even be read: it fails for good."""
        self.abort(errno.EIO, "dm_pool_commit_metadata")
        self.say("failed to abort metadata transaction")
        self.set_mode(Mode.FAIL)
        self.say("failed to set 'needs_check' flag in metadata")

    def write(self, thin_id: int, begin: int, end: int, *, origin_blocks: int = 0) -> None:
        """Write the blocks ``begin <= block < end`` of a thin in order; `result` is 0 or an errno, but for what waits.

        The kernel cuts a write at the blocks and goes on after one that fails; the error that comes last stays.
        The first `origin_blocks` of the thin are those that an external origin reaches into: they are copied from it.
        """
        self.result = errno.EIO
        if self.state.mode is Mode.FAIL or not self._finds(thin_id):
            return  # of a thin that went with its transaction not even the root is left
        failed: dict[_Turn, int] = {}
        for stretch in list(stretches(self.metadata, thin_id, begin, end)):
            try:
                if stretch.data_block is None:
                    self._provision(thin_id, stretch, origin_blocks, failed)
                elif stretch.shared:
                    self._break_sharing(thin_id, stretch, failed)
                elif self.host.fill(stretch.data_block, stretch.count) < stretch.count:
                    failed[_Turn.AT_ONCE] = errno.EIO
            except _NoBlockError as error:
                if error.number == errno.ENOSPC and not self.state.error_if_no_space:
                    self.unplaced.append((error.begin, stretch.begin + stretch.count))
                else:
                    failed[_Turn.DEFERRED] = error.number
        if _Turn.COPIED in failed and self.state.mode is Mode.OUT_OF_DATA_SPACE:
            failed[_Turn.COPIED] = errno.ENOSPC  # the kernel looks at the pool, not at what happened
        self.result = failed[max(failed)] if failed else 0
        self._commit_changes()

    def _finds(self, thin_id: int) -> bool:
        return thin_id in self.metadata.thins and self.host.reach.has_mappings(thin_id)

    def _commit_changes(self) -> None:
        if self.metadata.changed_thins:
            self.commit()

    def _provision(self, thin_id: int, stretch: Stretch, origin_blocks: int, failed: dict[_Turn, int]) -> None:
        begin, end = stretch.begin, stretch.begin + stretch.count
        while begin < end:
            copied = begin < origin_blocks
            data_block, got, filled = self._allocate(begin, min(end, origin_blocks) if copied else end)
            # What is zeroed or copied first is mapped only then, and its block lost where that fails.
            turn = _Turn.COPIED if copied or self.host.zeroes else _Turn.DEFERRED
            mapped = filled if turn is _Turn.COPIED else got
            if mapped:
                map_run(self.metadata, thin_id, begin, data_block, mapped)
            self._lose(data_block + mapped, got - mapped)
            self.metadata.check_room()
            self._check_low_water(self.metadata.data.free_blocks + 1)
            if filled < got:
                failed[turn] = errno.EIO
            self._pause(got, end - begin)
            begin += got

    def _break_sharing(self, thin_id: int, stretch: Stretch, failed: dict[_Turn, int]) -> None:
        begin, end = stretch.begin, stretch.begin + stretch.count
        while begin < end:
            data_block, got, filled = self._allocate(begin, end)
            fewest = (
                remap_run(self.metadata, thin_id, begin, data_block, filled)
                if filled
                else self.metadata.data.free_blocks + 1
            )
            self._lose(data_block + filled, got - filled)
            self.metadata.check_room()
            self._check_low_water(fewest)
            if filled < got:
                failed[_Turn.COPIED] = errno.EIO
            self._pause(got, end - begin)
            begin += got

    def _lose(self, first: int, count: int) -> None:
        """Blocks that were taken for nothing stay taken, unless the commit cannot be made that would keep them so."""
        try:
            if count:
                self.host.check_commit()
        except CommitFailedError:
            for block in range(first, first + count):
                self.metadata.data.dec(block)

    def _pause(self, got: int, wanted: int) -> None:
        """Between the pieces of a write: a long one lasts, and the kernel's tick commits in the middle of it."""
        if got < wanted and got == _PIECE_BLOCKS:
            self.commit()
        self.relieve()

    def _allocate(self, begin: int, end: int) -> tuple[int, int, int]:
        """Allocate data blocks side by side for blocks of a thin, in the kernel's order of checks.

        Returns the first, how many, and how many of them from the first on have space under them and can be written.
        """
        if self.state.mode is not Mode.WRITE:
            raise _NoBlockError(errno.ENOSPC if self.state.mode is Mode.OUT_OF_DATA_SPACE else errno.EIO, begin)
        data = self.metadata.data
        self._check_low_water(data.free_blocks)
        if not data.free_blocks:
            self.commit()
        self._use()
        found = data.allocate(min(end - begin, _PIECE_BLOCKS)) if data.free_blocks else None
        if found is None:
            if self.state.mode is Mode.WRITE:
                self.set_mode(Mode.OUT_OF_DATA_SPACE)
            raise _NoBlockError(errno.ENOSPC, begin)
        filled = self.host.fill(*found)
        if not self.metadata.metadata_free_blocks:
            self.commit()
        return (*found, filled)

    def _check_low_water(self, free_blocks: int) -> None:
        if free_blocks <= self.state.low_water_blocks and not self.state.low_water_triggered:
            self.state.low_water_triggered = True
            self.events += 1
            self.say("reached low water mark for data device: sending event.")

    def flush(self, thin_id: int) -> int:
        """Flush a thin (fsync); returns 0 or an errno.

        The kernel looks a flush up as if it touched block 0: where that would need a block, it fails like a write.
        """
        if not self.host.reach.has_mappings(thin_id):
            return errno.EIO
        if self.state.mode is Mode.WRITE:
            self._commit_changes()
            return 0
        if not self._finds(thin_id):
            return errno.EIO
        if self.state.mode is not Mode.FAIL and self.maps(thin_id, 0):
            return 0
        return errno.ENOSPC if self.state.mode is Mode.OUT_OF_DATA_SPACE else errno.EIO

    def discard(self, thin_id: int, begin: int, end: int) -> None:
        """Unmap whole blocks of a thin; `result` is 0 or an errno. A pool that takes no changes ignores it."""
        self.result = errno.EOPNOTSUPP if self.state.discard == "ignore_discard" else 0
        if self.state.mode is Mode.FAIL:
            self.result = errno.EIO
        if self.result or begin >= end or not self.state.mode.serves_messages:
            return
        if self.state.discard == "no_discard_passdown":
            self._use()
            unmap(self.metadata, thin_id, begin, end)
            self._commit_changes()
            return
        if not self.host.reach.has_mappings(thin_id):
            return  # the kernel takes it that there is nothing to be discarded
        runs = [run for run in stretches(self.metadata, thin_id, begin, end) if run.data_block is not None]
        data = self.metadata.data
        for run in runs:
            assert run.data_block is not None  # noqa: S101 - filtered above
            self._use()
            unmap(self.metadata, thin_id, run.begin, run.begin + run.count)
            # The kernel holds the blocks while the discard goes down, so that nobody takes them meanwhile.
            for block in range(run.data_block, run.data_block + run.count):
                data.inc(block)
        self._commit_changes()
        for run in runs:
            assert run.data_block is not None  # noqa: S101 - filtered above
            self._pass_down(run.data_block, run.count)

    def _pass_down(self, first: int, count: int) -> None:
        data = self.metadata.data
        begin = first
        for block in range(first, first + count):
            data.dec(block)
            if data.count(block):
                self.host.punch(begin, block - begin)
                begin = block + 1
        self.host.punch(begin, first + count - begin)

    def maps(self, thin_id: int, block: int) -> bool:
        """Whether a block of a thin is mapped."""
        return next(stretches(self.metadata, thin_id, block, block + 1)).data_block is not None

    def resume(self, data_blocks: int, metadata_blocks: int, table_mode: Mode | None) -> int:
        """Take over the live table's sizes; returns 0 or the errno with which the resume fails.

        `table_mode` is the mode that a newly loaded table asks for, None for a table that was live already.
        """
        self.state.error_if_no_space = self.state.requested_error_if_no_space
        self.set_mode(self.state.mode if table_mode is None else table_mode)
        if self.state.mode is Mode.FAIL:
            return 0
        known = self.metadata.data.committed_blocks
        grown = False
        self.ran_full = True  # until the growth is through
        if data_blocks < known:
            self.say(f"pool target ({data_blocks} blocks) too small: expected {known}")
            return errno.EINVAL
        if data_blocks > known and not self.metadata.superblock.needs_check:
            if known:
                self.say(f"growing the data device from {known} to {data_blocks} blocks")
            self.use()
            self.metadata.grow_data(data_blocks - known)
            grown = True
        known = self.metadata.metadata_total_blocks
        if metadata_blocks < known:
            self.say(f"metadata device ({metadata_blocks} blocks) too small: expected {known}")
            return errno.EINVAL
        if metadata_blocks > known and not self.metadata.superblock.needs_check:
            self.say(f"growing the metadata device from {known} to {metadata_blocks} blocks")
            if self.state.mode is Mode.OUT_OF_METADATA_SPACE:
                self.set_mode(Mode.WRITE)
            self.use()
            self.metadata.grow_metadata(metadata_blocks)
            grown = True
        self.ran_full = False
        self.state.low_water_triggered = False
        if grown:
            self.commit()
        return 0


_PIECE_BLOCKS = 1 << 16
"""Data blocks taken at once at the most, so that one huge write stays bounded in memory."""
