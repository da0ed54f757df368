"""Loading a table: every target's constructor, with the kernel's checks in the kernel's order."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Sequence

from dmtui.machine.emulated import clock, devices, disks
from dmtui.machine.emulated.devices import DM_MAJOR, Device, LoadedTarget
from dmtui.machine.emulated.metadata import PoolMetadata
from dmtui.machine.emulated.poolstate import PoolState, load_state, metadata_mark_blocks, save_state
from dmtui.machine.emulated.stored import new_metadata, save_metadata
from dmtui.machine.emulated.tables import (
    PoolWords,
    RefusedError,
    check_pool_numbers,
    kernel_number,
    read_pool_words,
    read_thin_id,
)
from dmtui.machine.emulated.unread import Reach
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, THIN_POOL, PoolTable, Target
from dmtui.thinpool.units import MAX_METADATA_BLOCKS, METADATA_BLOCK_SECTORS
from dmtui.thinpool.values import frozen

_TOO_LARGE_SECTORS = 1 << 54
"""From 8 EiB on a device is too large."""


@frozen
class Loading:
    """What a constructor may use.

    Attributes:
        metadata: the loaded metadata of an id, to be kept by the caller.
        keep: takes freshly formatted metadata.
    """

    connection: sqlite3.Connection
    device: Device
    read_only: bool
    metadata: Callable[[int], PoolMetadata]
    keep: Callable[[int, PoolMetadata], None]


def load_table(loading: Loading, table: Sequence[Target]) -> list[LoadedTarget]:
    """Check a table as a whole and target by target.

    Raises:
        RefusedError: the kernel would refuse it.
    """
    if not table:
        raise RefusedError(errno.EINVAL, "table has no targets")
    loaded: list[LoadedTarget] = []
    at = 0
    for target in table:
        if target.length_sectors == 0:
            raise RefusedError(errno.EINVAL, "zero-length target")
        if target.start_sectors + target.length_sectors >= _TOO_LARGE_SECTORS:
            raise RefusedError(errno.EINVAL, "too large device")
        constructor = _CONSTRUCTORS.get(target.type)
        if constructor is None:
            raise RefusedError(errno.EINVAL, f"{target.type}: unknown target type")
        if target.type == THIN_POOL:
            if len(table) > 1:
                raise RefusedError(errno.EINVAL, "target type thin-pool must appear alone in table")
            if loading.read_only:
                raise RefusedError(errno.EINVAL, "target type may not be included in a read-only table", THIN_POOL)
        if target.start_sectors != at:
            raise RefusedError(errno.EINVAL, "Gap in table", target.type)
        at += target.length_sectors
        try:
            loaded.append(constructor(loading, target))
        except RefusedError as error:
            raise RefusedError(error.number, error.reason, target.type) from None
    live = devices.targets(loading.connection, loading.device.minor)
    if devices.is_pool(live) and loaded[0].type not in (THIN_POOL, "error"):
        raise RefusedError(errno.EINVAL, "can't replace immutable target type thin-pool")
    if not live and not devices.targets(loading.connection, loading.device.minor, live=False):
        check_sizes(loading.connection, loaded)
    return loaded


def check_sizes(connection: sqlite3.Connection, table: Sequence[LoadedTarget]) -> None:
    """Check that what a table stands on is large enough: the kernel does so at a device's first load, then at resume.

    Raises:
        RefusedError: something is too small.
    """
    for target in table:
        if target.type == THIN_POOL:
            dev, begin = DeviceNumber.parse(PoolTable.parse(target.params).data_device), 0
        elif target.type == "linear":
            words = target.params.split()
            dev, begin = DeviceNumber.parse(words[0]), int(words[1])
        else:
            continue
        size = devices.size_sectors(connection, dev) or 0
        if begin + target.length_sectors > size:
            span = f"start={begin}, len={target.length_sectors}, dev_size={size}"
            raise RefusedError(errno.EINVAL, f"{dev} too small for target: {span}")


def _opened(loading: Loading, text: str, missing: int, reason: str) -> DeviceNumber:
    dev = devices.parse_path(loading.connection, text)
    if dev is None:
        raise RefusedError(missing, reason)
    return dev


def _opened_other(loading: Loading, text: str, missing: int, reason: str) -> DeviceNumber:
    """A device to be read and written: not the one that the table is for, which would never come to an end."""
    dev = _opened(loading, text, missing, reason)
    if dev == loading.device.dev:
        raise RefusedError(errno.ELOOP, reason)
    return dev


def _pool(loading: Loading, target: Target) -> LoadedTarget:
    connection = loading.connection
    words = read_pool_words(target.params)
    metadata_dev = _opened_other(loading, words.metadata, errno.ENODEV, "Error opening metadata block device")
    data_dev = _opened_other(loading, words.data, errno.ENODEV, "Error getting data device")
    if devices.size_sectors(connection, data_dev) is None:
        raise RefusedError(errno.ENXIO, "Error getting data device")
    check_pool_numbers(words)
    metadata_id = _pool_object(loading, words, metadata_dev, data_dev)
    # A live pool takes a reload with another block size and goes on with its own.
    block_sectors = loading.metadata(metadata_id).superblock.block_sectors
    table = PoolTable(str(metadata_dev), str(data_dev), block_sectors, words.low_water_blocks, words.features)
    return LoadedTarget(
        0, target.length_sectors, THIN_POOL, table.params(), metadata_id, None, (metadata_dev, data_dev)
    )


def _pool_object(loading: Loading, words: PoolWords, metadata_dev: DeviceNumber, data_dev: DeviceNumber) -> int:
    """Find the pool object, or make one over formatted or fresh metadata; returns the metadata's id."""
    connection, minor = loading.connection, loading.device.minor
    place = devices.storage(connection, metadata_dev)
    row = (
        place
        and connection.execute(
            "SELECT metadata.id, pools.minor FROM metadata LEFT JOIN pools ON pools.metadata_id = metadata.id"
            " WHERE inode = ? AND offset_sectors = ?",
            place,
        ).fetchone()
    )
    if row and row[1] is not None and row[1] != minor:
        raise RefusedError(errno.EBUSY, "metadata device already in use by a pool")
    size_blocks = min(
        (devices.size_sectors(connection, metadata_dev) or 0) // METADATA_BLOCK_SECTORS, MAX_METADATA_BLOCKS
    )
    own = connection.execute("SELECT metadata_id FROM pools WHERE minor = ?", (minor,)).fetchone()
    if own:
        metadata_id = own[0]
        state = _check_same_pool(connection, metadata_id, (metadata_dev, data_dev), words)
    else:
        fault = disks.fault_of(connection, metadata_dev)
        if place is None or fault is disks.DiskFault.ALL or (fault and not row):
            raise RefusedError(errno.EIO, "Error creating metadata object")
        metadata_id = row[0] if row else _format(loading, words, place, size_blocks)
        pool = loading.metadata(metadata_id)
        if pool.superblock.block_sectors != words.block_sectors:
            raise RefusedError(errno.EINVAL, "Error creating metadata object")
        pool.data.state.cursor = 0
        state = PoolState(committed_at=clock.note(connection))
    state.metadata_mark_blocks = metadata_mark_blocks(size_blocks)
    save_state(connection, metadata_id, minor, state)
    return metadata_id


def _check_same_pool(
    connection: sqlite3.Connection, metadata_id: int, devs: tuple[DeviceNumber, DeviceNumber], words: PoolWords
) -> PoolState:
    """Check that a table is one for the pool object that the device has, which another table of it holds."""
    query = "SELECT params FROM targets WHERE metadata_id = ? AND type = ?"
    (params,) = connection.execute(query, (metadata_id, THIN_POOL)).fetchone()
    known = PoolTable.parse(params)
    if known.metadata_device != str(devs[0]):
        raise RefusedError(errno.EINVAL, "different pool cannot replace a pool")
    if known.data_device != str(devs[1]):
        raise RefusedError(errno.EBUSY, "data device already in use by a pool")
    state = load_state(connection, metadata_id)
    assert state is not None  # noqa: S101 - a pool object has its state
    if (state.discard == "ignore_discard") != ("ignore_discard" in words.features):
        raise RefusedError(errno.EINVAL, "Discard support cannot be disabled once enabled")
    if state.mode.name == "FAIL":
        raise RefusedError(errno.EINVAL, "Error registering metadata threshold")
    return state


def _format(loading: Loading, words: PoolWords, place: tuple[int, int], blocks: int) -> int:
    if "read_only" in words.features:
        raise RefusedError(errno.EPERM, "Error creating metadata object")
    if blocks < 10:
        # Measured: 4 and 8 KiB are invalid, up to 36 KiB there is no room for the trees.
        raise RefusedError(errno.EINVAL if blocks < 3 else errno.ENOSPC, "Error creating metadata object")
    metadata_id, pool = new_metadata(loading.connection, *place, blocks, words.block_sectors)
    save_metadata(loading.connection, metadata_id, pool)  # the table may be dropped, or resumed by another process
    loading.keep(metadata_id, pool)
    return metadata_id


def _thin(loading: Loading, target: Target) -> LoadedTarget:
    connection = loading.connection
    words = target.params.split()
    if len(words) not in (2, 3):
        raise RefusedError(errno.EINVAL, "Invalid argument count")
    origin: tuple[DeviceNumber, ...] = ()
    if len(words) == 3:
        if words[2] == words[0]:
            raise RefusedError(errno.EINVAL, "Error setting origin device")
        origin = (_opened_other(loading, words[2], errno.ENODEV, "Error opening origin device"),)
    pool_dev = _opened(loading, words[0], errno.ENODEV, "Error opening pool device")
    if devices.size_sectors(connection, pool_dev) is None:
        raise RefusedError(errno.ENXIO, "Error opening pool device")
    thin_id = read_thin_id(words[1])
    if pool_dev.major != DM_MAJOR:
        raise RefusedError(errno.EINVAL, "Couldn't get pool mapped device")
    pool = devices.by_minor(connection, pool_dev.minor)
    row = connection.execute("SELECT metadata_id, mode FROM pools WHERE minor = ?", (pool_dev.minor,)).fetchone()
    if pool is None or row is None:
        raise RefusedError(errno.EINVAL, "Couldn't find pool object")
    if row[1] == "FAIL":
        raise RefusedError(errno.EINVAL, "Couldn't open thin device, Pool is in fail mode")
    reach = Reach(connection, row[0])
    if not reach.has_details():
        raise RefusedError(errno.EIO, "Couldn't open thin internal device")
    reach.note_details()
    known = connection.execute(
        "SELECT 1 FROM thins WHERE metadata_id = ? AND thin_id = ?", (row[0], thin_id)
    ).fetchone()
    state = load_state(connection, row[0])
    # The kernel still knows a thin whose creation was thrown away with its transaction, but nothing of it.
    if known is None and (state is None or thin_id not in state.lost):
        raise RefusedError(errno.ENODATA, "Couldn't open thin internal device")
    reach.note(thin_id)
    if pool.suspended or not devices.is_pool(devices.targets(connection, pool.minor)):
        raise RefusedError(errno.EINVAL, "Unable to activate thin device while pool is suspended")
    params = " ".join(map(str, (pool_dev, thin_id, *origin)))
    return LoadedTarget(target.start_sectors, target.length_sectors, THIN, params, row[0], thin_id, (pool_dev, *origin))


def _linear(loading: Loading, target: Target) -> LoadedTarget:
    words = target.params.split()
    if len(words) != 2:
        raise RefusedError(errno.EINVAL, "Invalid argument count")
    offset = kernel_number(words[1])
    if offset is None:
        raise RefusedError(errno.EINVAL, "Invalid device sector")
    dev = _opened_other(loading, words[0], errno.ENODEV, "Device lookup failed")
    if devices.size_sectors(loading.connection, dev) is None:
        raise RefusedError(errno.ENXIO, "Device lookup failed")
    return LoadedTarget(target.start_sectors, target.length_sectors, "linear", f"{dev} {offset}", uses=(dev,))


def _bare(_: Loading, target: Target) -> LoadedTarget:
    return LoadedTarget(target.start_sectors, target.length_sectors, target.type, "")


_CONSTRUCTORS: dict[str, Callable[[Loading, Target], LoadedTarget]] = {
    THIN_POOL: _pool,
    THIN: _thin,
    "linear": _linear,
    "error": _bare,
    "zero": _bare,
}
