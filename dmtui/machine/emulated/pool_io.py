"""Input and output of the thins of a live pool: what a write, a flush and a discard do to it.

The rules are the kernel's (dm-thin.c, as the reference tells them).
"""

from __future__ import annotations

import errno
from enum import IntEnum

from dmtui.machine.emulated.mapping import Stretch, map_run, remap_run, stretches, unmap
from dmtui.machine.emulated.pool import Pool
from dmtui.machine.emulated.poolstate import Mode
from dmtui.thinpool.values import frozen

_PIECE_BLOCKS = 1 << 16
"""Data blocks taken at once at the most, so that one huge write stays bounded in memory."""


class _Turn(IntEnum):
    """When the kernel is through with a piece of a write: mapped already, mapped by its worker, copied before that."""

    AT_ONCE = 0
    DEFERRED = 1
    COPIED = 2


COPY_FAILED = -errno.EIO
"""In the place of an errno: what had to be zeroed or copied first could not be. See `told`."""


def told(number: int, mode: Mode) -> int:
    """The errno that a caller is told, once the pool is through with all that it was given, in this mode.

    Of a copy that failed the kernel tells by the pool's mode, not by what happened (``cell_error``).
    """
    if number == COPY_FAILED:
        return errno.ENOSPC if mode is Mode.OUT_OF_DATA_SPACE else errno.EIO
    return number


class _NoBlockError(Exception):
    """There is no data block to be had for a block of a thin and those after it; carries the errno."""

    def __init__(self, number: int, begin: int) -> None:
        self.number = number
        self.begin = begin
        super().__init__(number, begin)


@frozen
class Origin:
    """An external origin under a write.

    Attributes:
        blocks: so many blocks of the thin it reaches into, from the first on: they are copied from it.
        whole_blocks: so many it covers.
        unread: blocks that the write covers in part only and that cannot be read from it.
    """

    blocks: int = 0
    whole_blocks: int = 0
    unread: frozenset[int] = frozenset()


NO_ORIGIN = Origin()


def write(pool: Pool, thin_id: int, begin: int, end: int, *, origin: Origin = NO_ORIGIN) -> None:
    """Write the blocks ``begin <= block < end`` of a thin in order; `result` is 0 or an errno, but for what waits.

    The kernel cuts a write at the blocks and goes on after one that fails; the error that comes last stays.
    """
    pool.result = errno.EIO
    if pool.state.mode is Mode.FAIL or not _finds(pool, thin_id):
        return  # of a thin that went with its transaction not even the root is left
    failed: dict[_Turn, int] = {}
    for stretch in list(stretches(pool.metadata, thin_id, begin, end)):
        try:
            if stretch.data_block is None:
                _provision(pool, thin_id, stretch, origin, failed)
            elif stretch.shared:
                _break_sharing(pool, thin_id, stretch, failed)
            elif pool.host.fill(stretch.data_block, stretch.count) < stretch.count:
                failed[_Turn.AT_ONCE] = errno.EIO
        except _NoBlockError as error:
            if error.number == errno.ENOSPC and not pool.state.error_if_no_space:
                pool.unplaced.append((error.begin, stretch.begin + stretch.count))
            else:
                failed[_Turn.DEFERRED] = error.number
    if _Turn.COPIED in failed:
        failed[_Turn.COPIED] = COPY_FAILED
    pool.result = failed[max(failed)] if failed else 0
    pool.commit_by_clock()


def _finds(pool: Pool, thin_id: int) -> bool:
    return thin_id in pool.metadata.thins and pool.host.reach.has_mappings(thin_id)


def _provision(pool: Pool, thin_id: int, stretch: Stretch, origin: Origin, failed: dict[_Turn, int]) -> None:
    begin, end = stretch.begin, stretch.begin + stretch.count
    # Where the rest of a block is zeroed beside its copy, the kernel forgets that the copy failed (schedule_copy).
    lost = {block for block in origin.unread if block < origin.whole_blocks or not pool.host.zeroes}
    while begin < end:
        copied = begin < origin.blocks
        until = begin + 1 if begin in lost else min((block for block in lost if block > begin), default=end)
        data_block, got, filled = _allocate(pool, begin, min(end, until, origin.blocks if copied else end))
        if begin in lost:
            filled = 0
        # What is zeroed or copied first is mapped only then, and its block lost where that fails.
        turn = _Turn.COPIED if copied or pool.host.zeroes else _Turn.DEFERRED
        mapped = filled if turn is _Turn.COPIED else got
        if mapped:
            map_run(pool.metadata, thin_id, begin, data_block, mapped)
        pool.metadata.check_room()
        pool.check_low_water(pool.metadata.data.free_blocks + 1)
        if filled < got:
            failed[turn] = errno.EIO
        _pause(pool, got, end - begin)
        begin += got


def _break_sharing(pool: Pool, thin_id: int, stretch: Stretch, failed: dict[_Turn, int]) -> None:
    begin, end = stretch.begin, stretch.begin + stretch.count
    while begin < end:
        data_block, got, filled = _allocate(pool, begin, end)
        fewest = (
            remap_run(pool.metadata, thin_id, begin, data_block, filled)
            if filled
            else pool.metadata.data.free_blocks + 1
        )
        pool.metadata.check_room()
        pool.check_low_water(fewest)
        if filled < got:
            failed[_Turn.COPIED] = errno.EIO
        _pause(pool, got, end - begin)
        begin += got


def _pause(pool: Pool, got: int, wanted: int) -> None:
    """Between the pieces of a write: a long one lasts, and the kernel's tick commits in the middle of it."""
    if (got < wanted and got == _PIECE_BLOCKS) or pool.is_heavy():
        pool.commit_now()


def _allocate(pool: Pool, begin: int, end: int) -> tuple[int, int, int]:
    """Allocate data blocks side by side for blocks of a thin, in the kernel's order of checks.

    Returns the first, how many, and how many of them from the first on have space under them and can be written.
    """
    if pool.state.mode is not Mode.WRITE:
        raise _NoBlockError(errno.ENOSPC if pool.state.mode is Mode.OUT_OF_DATA_SPACE else errno.EIO, begin)
    data = pool.metadata.data
    pool.check_low_water(data.free_blocks)
    if not data.free_blocks:
        pool.commit_now()
    pool.use_for_io()
    found = data.allocate(min(end - begin, _PIECE_BLOCKS)) if data.free_blocks else None
    if found is None:
        if pool.state.mode is Mode.WRITE:
            pool.set_mode(Mode.OUT_OF_DATA_SPACE)
        raise _NoBlockError(errno.ENOSPC, begin)
    filled = pool.host.fill(*found)
    if not pool.metadata.metadata_free_blocks:
        pool.commit_now()
    return (*found, filled)


def flush(pool: Pool, thin_id: int) -> int:
    """Flush a thin (fsync); returns 0 or an errno.

    The kernel looks a flush up as if it touched block 0: where that would need a block, it fails like a write.
    """
    if not pool.host.reach.has_mappings(thin_id):
        return errno.EIO
    if pool.state.mode is Mode.WRITE:
        _commit_for(pool, thin_id)
        return 0
    if not _finds(pool, thin_id):
        return errno.EIO
    if pool.state.mode is not Mode.FAIL and maps(pool, thin_id, 0):
        _commit_for(pool, thin_id)
        return 0
    return errno.ENOSPC if pool.state.mode is Mode.OUT_OF_DATA_SPACE else errno.EIO


def _commit_for(pool: Pool, thin_id: int) -> None:
    """Commit everything, if that thin has changed."""
    if thin_id in pool.metadata.changed_thins:
        pool.commit()
        pool.state.committed_at = pool.now()


def discard(pool: Pool, thin_id: int, begin: int, end: int) -> None:
    """Unmap whole blocks of a thin; `result` is 0 or an errno. A pool that takes no changes ignores it."""
    pool.result = errno.EOPNOTSUPP if pool.state.discard == "ignore_discard" else 0
    if pool.state.mode is Mode.FAIL:
        pool.result = errno.EIO
    if pool.result or begin >= end or not pool.state.mode.serves_messages:
        return
    if pool.state.discard == "no_discard_passdown":
        pool.use_for_io()
        unmap(pool.metadata, thin_id, begin, end)
        pool.commit_by_clock()
        return
    if not pool.host.reach.has_mappings(thin_id):
        return  # the kernel takes it that there is nothing to be discarded
    runs = [run for run in stretches(pool.metadata, thin_id, begin, end) if run.data_block is not None]
    data = pool.metadata.data
    for run in runs:
        assert run.data_block is not None  # noqa: S101 - filtered above
        pool.use_for_io()
        unmap(pool.metadata, thin_id, run.begin, run.begin + run.count)
        # The kernel holds the blocks while the discard goes down, so that nobody takes them meanwhile.
        for block in range(run.data_block, run.data_block + run.count):
            data.inc(block)
    pool.commit_by_clock()
    pool.checkpoint()
    for run in runs:
        assert run.data_block is not None  # noqa: S101 - filtered above
        _pass_down(pool, run.data_block, run.count)


def _pass_down(pool: Pool, first: int, count: int) -> None:
    data = pool.metadata.data
    begin = first
    for block in range(first, first + count):
        data.dec(block)
        if data.count(block):
            pool.host.punch(begin, block - begin)
            begin = block + 1
    pool.host.punch(begin, first + count - begin)


def maps(pool: Pool, thin_id: int, block: int) -> bool:
    """Whether a block of a thin is mapped."""
    return next(stretches(pool.metadata, thin_id, block, block + 1)).data_block is not None
