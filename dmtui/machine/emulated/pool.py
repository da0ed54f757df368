"""A live thin pool: its modes, its events, its commits, and what follows when one fails.

The rules are the kernel's (dm-thin.c, as the reference tells them).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass, field

from dmtui.machine.emulated.clock import is_commit_due
from dmtui.machine.emulated.disks import CommitFailedError
from dmtui.machine.emulated.metadata import MetadataFullError, PoolMetadata
from dmtui.machine.emulated.poolstate import Mode, PoolState
from dmtui.machine.emulated.underneath import Host


@dataclass(slots=True)
class Pool:
    """A live pool for the length of one operation.

    Attributes:
        deadline: when a wait for space that begins now is over; None where it lasts for ever.
        now: what the machine's clock shows, in nanoseconds since the epoch.
        events: events raised meanwhile.
        aborted: the open transaction was thrown away.
        result: errno of the input or output, known before the commit that follows it.
        unplaced: (first, end) of the thin's blocks that wait for space.
        mapped: blocks mapped of each thin that the open transaction has changed.
        is_heavy: whether so much has changed that it had better be written in the middle of an operation.
        checkpoint: makes what was changed and committed so far the kernel's last commit, in the middle of an operation.
        synced: the kernel has committed, too, and nothing was changed since (see `unsynced`).
        details_written: the commit that failed had the details of the changed thins written.
        refused: errno of a message that goes no further than a commit which fails.
        ran_full: that happened in the middle of a message or of growing, which therefore failed.
        number: of its device, as the kernel's log names it.
        said: lines for that log.
    """

    metadata: PoolMetadata
    state: PoolState
    host: Host
    is_heavy: Callable[[], bool] = lambda: False
    checkpoint: Callable[[], None] = lambda: None
    deadline: Callable[[], int | None] = lambda: None
    now: Callable[[], int] = lambda: 0
    events: int = 0
    aborted: bool = False
    synced: bool = False
    details_written: bool = False
    refused: int = 0
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

    def use_for_io(self) -> None:
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
        self.synced = True

    def commit_by_clock(self) -> None:
        """Commit if a thin has changed and the last such commit is long enough ago: as the pool's worker does.

        Its worker looks whenever it has done something, and every second.
        """
        if self.metadata.changed_thins and is_commit_due(self.state.committed_at, self.now()):
            self.commit()
            self.state.committed_at = self.now()

    def commit_now(self) -> None:
        """Commit in the middle of an operation."""
        self.commit()
        self.checkpoint()

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
        free_before = self.metadata.blocks.free_before
        mark, seen = self.state.metadata_mark_blocks, self.state.metadata_seen_free
        was_above = seen < 0 or seen > mark or free_before - 1 > mark
        self.state.metadata_seen_free = max(0, free_before - taken)
        if was_above and free_before - taken <= mark:
            self.events += 1
            self.say("reached low water mark for metadata device: sending event.")
        if self.metadata.metadata_total_blocks - self.metadata.blocks.used_before < taken:
            self.metadata.check_room()
            self.details_written = True
            raise MetadataFullError

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

    def check_low_water(self, free_blocks: int) -> None:
        """Send the event of low data, once until the next resume, where no more blocks than its mark are free."""
        if free_blocks <= self.state.low_water_blocks and not self.state.low_water_triggered:
            self.state.low_water_triggered = True
            self.events += 1
            self.say("reached low water mark for data device: sending event.")

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
