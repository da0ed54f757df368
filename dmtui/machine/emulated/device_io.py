"""Input and output on the machine's block devices: down their tables to the pool or the file beneath."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator

from dmtui.machine.emulated import devices, disks, mounted, pool_io
from dmtui.machine.emulated.host import fill, punch
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.mapping import stretches
from dmtui.machine.emulated.mounted import Home
from dmtui.machine.emulated.poolstate import load_state
from dmtui.machine.emulated.ranges import Range
from dmtui.machine.emulated.reads import ReadFaults
from dmtui.machine.errors import MachineError, NoSpaceError, TimedOutError
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen


@frozen
class Held:
    """What cannot be done now, and waits.

    Attributes:
        error: why, for a caller that does not wait.
        ranges: what is left to be done, (offset, length) in bytes of the device that was asked.
        failed: errno with which another part of it has failed, 0 for none: told (see `DeviceIo.told`) when all of it
            has ended.
    """

    error: MachineError
    ranges: tuple[Range, ...]
    failed: int = 0


class DeviceIo:
    """Writes, flushes and discards. No content is kept: what counts is which blocks are touched."""

    def __init__(self, pools: LivePools) -> None:
        self._pools = pools
        self._read_faults = ReadFaults(pools)

    def flush(self, connection: sqlite3.Connection, device: devices.Device) -> int | Held:
        """Flush a mapped device inside a transaction; returns 0 or an errno, or that it is held."""
        if device.suspended or devices.pool_is_suspended(connection, device.minor):
            return Held(_waits(device.name), ((0, 0),))
        number = 0
        for target in devices.targets(connection, device.minor):
            if target.metadata_id is not None and target.thin_id is not None:
                with self._pools.open(connection, target.metadata_id) as pool:
                    found = pool_io.flush(pool, target.thin_id)
                    if found == errno.ENOSPC and not pool.state.error_if_no_space:
                        return Held(_no_space(target.thin_id, "flush"), ((0, 0),))
                    number = number or found
        return number

    def mapped(self, connection: sqlite3.Connection, place: Home) -> list[Range]:
        """What a thin has mapped, inside a transaction."""
        pool = self._pools.metadata(connection, place.metadata_id)
        size = pool.superblock.block_sectors * SECTOR_BYTES
        end = pool.thins[place.thin_id].highest_block + 1
        found = stretches(pool, place.thin_id, 0, end)
        return [(run.begin * size, run.count * size) for run in found if run.data_block is not None]

    def sync(self, connection: sqlite3.Connection, dev: DeviceNumber) -> None:
        """Commit what a thin device's pool has to commit, inside a transaction."""
        table = devices.targets(connection, dev.minor) if dev.major == devices.DM_MAJOR else []
        for target in table:
            if target.type == THIN and target.metadata_id is not None:
                with self._pools.open(connection, target.metadata_id) as pool:
                    pool.commit()

    def perform(
        self, connection: sqlite3.Connection, dev: DeviceNumber, offset_bytes: int, length_bytes: int, discard: bool
    ) -> int | MachineError:
        """Do I/O for a caller that never waits; returns 0, an errno, or the error that says why it would wait."""
        outcome = self.attempt(connection, dev, offset_bytes, length_bytes, discard)
        return outcome.error if isinstance(outcome, Held) else self.told(connection, dev, outcome)

    def told(self, connection: sqlite3.Connection, dev: DeviceNumber, number: int) -> int:
        """The errno that a caller is told of what `attempt` found, once its pool is through (see `pool_io.told`)."""
        if dev.major != devices.DM_MAJOR:
            return number
        for target in devices.targets(connection, dev.minor):
            if target.type == THIN and target.metadata_id is not None:
                state = load_state(connection, target.metadata_id)
                return number if state is None else pool_io.told(number, state.mode)
            if target.type == "linear":
                number = self.told(connection, DeviceNumber.parse(target.params.split()[0]), number)
        return number

    def attempt(
        self, connection: sqlite3.Connection, dev: DeviceNumber, offset_bytes: int, length_bytes: int, discard: bool
    ) -> int | Held:
        """Do I/O on a block device inside a transaction; returns 0, an errno (see `told`), or what is held of it."""
        size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
        end_bytes = offset_bytes + length_bytes
        refused = self._refused(connection, dev, offset_bytes, end_bytes, discard)
        if refused:
            whole = ((offset_bytes, length_bytes),)
            return Held(refused, whole) if isinstance(refused, MachineError) else refused
        if end_bytes > size_bytes:
            # As far as the device goes, then no further.
            inside = self.attempt(connection, dev, offset_bytes, size_bytes - offset_bytes, discard)
            if isinstance(inside, Held):
                return Held(inside.error, inside.ranges, inside.failed or errno.ENOSPC)
            return inside or errno.ENOSPC
        if dev.major != devices.DM_MAJOR:
            return _loop_io(connection, dev, offset_bytes, length_bytes, discard)
        for target in devices.targets(connection, dev.minor):
            start = target.start_sectors * SECTOR_BYTES
            begin = max(offset_bytes, start)
            end = min(end_bytes, start + target.length_sectors * SECTOR_BYTES)
            if begin >= end:
                continue
            error = self._target_io(connection, target, begin - start, end - start, discard)
            if isinstance(error, Held):
                rest = ((end, end_bytes - end),) if end < end_bytes else ()
                error = Held(error.error, (*_shifted(error.ranges, start), *rest), error.failed)
            if error:
                return error
        return 0

    def _refused(
        self, connection: sqlite3.Connection, dev: DeviceNumber, begin_bytes: int, end_bytes: int, discard: bool
    ) -> int | MachineError:
        """What keeps input or output from a device altogether, in the kernel's order; 0 when nothing does."""
        size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
        device = devices.by_minor(connection, dev.minor) if dev.major == devices.DM_MAJOR else None
        number = 0
        if begin_bytes < 0 or end_bytes < begin_bytes:
            number = errno.EINVAL
        elif dev.major == devices.DM_MAJOR and device is None:
            number = errno.ENXIO
        elif device is not None and discard and not _discards(connection, device):
            number = errno.EOPNOTSUPP
        elif discard and end_bytes > size_bytes:
            number = errno.EINVAL
        elif device is not None and device.read_only:
            number = errno.EPERM
        elif not discard and begin_bytes >= size_bytes and end_bytes > size_bytes:
            number = errno.ENOSPC
        elif device is not None and (device.suspended or devices.pool_is_suspended(connection, device.minor)):
            return _waits(device.name)
        return number

    def _target_io(
        self, connection: sqlite3.Connection, target: devices.LoadedTarget, begin: int, end: int, discard: bool
    ) -> int | Held:
        if target.type == "linear":
            under, offset = target.params.split()
            shift = int(offset) * SECTOR_BYTES
            below = self.attempt(connection, DeviceNumber.parse(under), begin + shift, end - begin, discard)
            if isinstance(below, Held):
                return Held(below.error, _shifted(below.ranges, -shift), below.failed)
            return below
        if target.type == THIN:
            return self._thin_io(connection, target, begin, end, discard)
        return 0 if target.type == "zero" else errno.EIO

    def _thin_io(
        self, connection: sqlite3.Connection, target: devices.LoadedTarget, begin: int, end: int, discard: bool
    ) -> int | Held:
        metadata_id, thin_id = target.metadata_id, target.thin_id
        assert metadata_id is not None and thin_id is not None  # noqa: S101 - a thin target has both
        first = last = size = 0
        blank = changed = False
        left: tuple[Range, ...] = ()
        with self._pools.open(connection, metadata_id) as pool:
            size = pool.metadata.superblock.block_sectors * SECTOR_BYTES
            if discard:
                first, last = -(-begin // size), end // size
                for piece_begin, piece_end in _discard_pieces(begin, end, size):
                    pool_io.discard(pool, thin_id, -(-piece_begin // size), piece_end // size)
                changed = not pool.result and pool.state.mode.serves_messages
                blank = changed and first == 0 and not pool_io.maps(pool, thin_id, 0)
            else:
                first, last = begin // size, -(-end // size)
                changed = True
                pool_io.write(pool, thin_id, first, last, origin=self._origin(connection, target, begin, end, size))
            if not pool.state.error_if_no_space:
                left = tuple(_in_bytes(pool.unplaced, begin, end, size))
        number = pool.result
        if changed:
            mounted.note_change(connection, Home(metadata_id, thin_id), first * size, last * size)
        if blank:
            mounted.drop_if_blank(connection, Home(metadata_id, thin_id))
        if left:
            return Held(_no_space(thin_id, "write"), left, number)
        return number

    def _origin(
        self, connection: sqlite3.Connection, target: devices.LoadedTarget, begin: int, end: int, block_bytes: int
    ) -> pool_io.Origin:
        """The external origin of a thin, for a write to these bytes."""
        words = target.params.split()[2:]
        if not words:
            return pool_io.NO_ORIGIN
        dev = DeviceNumber.parse(words[0])
        size_bytes = (devices.size_sectors(connection, dev) or 0) * SECTOR_BYTES
        unread: set[int] = set()
        for block in {at // block_bytes for at in (begin, end) if at % block_bytes}:
            until = min((block + 1) * block_bytes, size_bytes)
            if block * block_bytes < until and self._read_faults.fail(connection, dev, block * block_bytes, until):
                unread.add(block)
        return pool_io.Origin(-(-size_bytes // block_bytes), size_bytes // block_bytes, frozenset(unread))


def _discards(connection: sqlite3.Connection, device: devices.Device) -> bool:
    """Whether a mapped device takes discards: every target of it must."""
    table = devices.targets(connection, device.minor)
    for target in table:
        state = load_state(connection, target.metadata_id) if target.metadata_id is not None else None
        ignored = target.type not in (THIN, "linear") or (state is not None and state.discard == "ignore_discard")
        if ignored:
            return False
    return bool(table)


def _discard_pieces(begin: int, end: int, block_bytes: int) -> Iterator[tuple[int, int]]:
    """The pieces in which the kernel hands a discard down, in bytes: cut at the next block, then after some 4 GiB.

    It rounds by bits: right for blocks of a power of two, and beside the block's edge for others (block/blk-lib.c).
    """
    sectors = block_bytes // SECTOR_BYTES
    while begin < end:
        sector = begin // SECTOR_BYTES
        edge = ((sector - 1) | (sectors - 1)) + 1
        piece = edge - sector or (0xFFFFFFFF & ~(block_bytes - 1)) // SECTOR_BYTES
        yield begin, min(end, begin + piece * SECTOR_BYTES)
        begin += piece * SECTOR_BYTES


def _waits(name: str) -> TimedOutError:
    return TimedOutError(f"device {name}", "is suspended: the I/O would wait", "resume it", errno.ETIMEDOUT)


def _in_bytes(runs: list[tuple[int, int]], begin: int, end: int, block_bytes: int) -> Iterator[Range]:
    """Runs of blocks, each by its first and its end, as far as they lie in the bytes ``begin <= byte < end``."""
    for first, last in runs:
        first_byte = max(begin, first * block_bytes)
        yield first_byte, min(end, last * block_bytes) - first_byte


def _no_space(thin_id: int, kind: str) -> NoSpaceError:
    happened = f"the {kind} would wait for space: the pool has no free data block (queue_if_no_space)"
    return NoSpaceError(f"thin {thin_id}", happened, "extend the pool or free space", errno.ENOSPC)


def _shifted(ranges: tuple[Range, ...], by_bytes: int) -> tuple[Range, ...]:
    return tuple((offset + by_bytes, length) for offset, length in ranges)


def _loop_io(
    connection: sqlite3.Connection, dev: DeviceNumber, offset_bytes: int, length_bytes: int, discard: bool
) -> int:
    place = devices.storage(connection, dev)
    if place is None:
        return errno.ENXIO
    if disks.fault_of(connection, dev) is not None:
        return errno.EIO
    if discard:
        punch(connection, place[0], offset_bytes, length_bytes)
        if offset_bytes == 0 and length_bytes:
            mounted.drop_if_blank(connection, Home(mounted.OF_THE_HOST, place[0]))
        return 0
    return 0 if fill(connection, place[0], offset_bytes, length_bytes) == length_bytes else errno.EIO
