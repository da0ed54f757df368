"""What reads, writes and discards do to a thin's mappings: provision, break sharing, unmap.

Pure, over `PoolMetadata`. Blocks of the thin and data blocks are both of the pool's block size.
"""

from __future__ import annotations

from collections.abc import Iterator

from dmtui.machine.emulated.btree_remove import remove, remove_run
from dmtui.machine.emulated.metadata import PoolMetadata
from dmtui.machine.emulated.node import MAX_INTERNAL_ENTRIES, TIME_BITS, numbers
from dmtui.thinpool.values import frozen

_TIME_MASK = (1 << TIME_BITS) - 1


@frozen
class Stretch:
    """Blocks of a thin side by side which are alike: unmapped, or mapped to data blocks side by side.

    Attributes:
        begin: first block of the thin.
        count: how many blocks.
        data_block: first data block, None where nothing is mapped.
        shared: whether a write must break sharing, by the time of the thin's last snapshot.
    """

    begin: int
    count: int
    data_block: int | None
    shared: bool = False


def stretches(pool: PoolMetadata, thin_id: int, begin: int, end: int) -> Iterator[Stretch]:
    """The blocks ``begin <= block < end`` of a thin, cut where they stop being alike."""
    snapshotted = pool.thins[thin_id].snapshotted_time
    at = begin
    current: Stretch | None = None
    for block, mapping in pool.mappings.items(pool.root_of(thin_id), begin, end):
        data_block, shared = mapping >> TIME_BITS, (mapping & _TIME_MASK) < snapshotted
        if current is not None and current.data_block is not None:
            follows = block == current.begin + current.count and data_block == current.data_block + current.count
            if follows and shared == current.shared:
                current = Stretch(current.begin, current.count + 1, current.data_block, shared)
                continue
            yield current
            at = current.begin + current.count
        if block > at:
            yield Stretch(at, block - at, None)
        current = Stretch(block, 1, data_block, shared)
    if current is not None:
        yield current
        at = current.begin + current.count
    if at < end:
        yield Stretch(at, end - at, None)


def map_run(pool: PoolMetadata, thin_id: int, begin: int, data_block: int, count: int) -> None:
    """Map unmapped blocks of a thin to freshly allocated data blocks side by side."""
    root = _borrow_root(pool, thin_id)
    time = pool.superblock.time
    done = 0
    while done < count:
        first = data_block + done
        last = first + min(count - done, MAX_INTERNAL_ENTRIES)  # no leaf takes more at once
        values = numbers(range(first << TIME_BITS | time, last << TIME_BITS | time, 1 << TIME_BITS))
        root, inserted = pool.mappings.insert_run(root, begin + done, values)
        done += inserted
    _return_root(pool, thin_id, root)
    details = pool.thins[thin_id]
    details.mapped_blocks += count
    details.highest_block = max(details.highest_block, begin + count - 1)
    pool.thins[thin_id] = details
    pool.changed_thins.add(thin_id)


def remap_run(pool: PoolMetadata, thin_id: int, begin: int, data_block: int, count: int) -> int:
    """Map mapped blocks of a thin to other, freshly allocated data blocks; the old ones lose a reference each.

    Returns the fewest free data blocks that an allocation found, had each been made just before its mapping.
    """
    root = _borrow_root(pool, thin_id)
    fewest = pool.data.state.total_blocks
    for index in range(count):
        fewest = min(fewest, pool.data.free_blocks + count - index)
        mapping = (data_block + index) << TIME_BITS | pool.superblock.time
        root = pool.mappings.insert(root, begin + index, mapping)
    _return_root(pool, thin_id, root)
    pool.changed_thins.add(thin_id)
    return fewest


def unmap(pool: PoolMetadata, thin_id: int, begin: int, end: int) -> None:
    """Unmap the blocks ``begin <= block < end`` of a thin.

    As in the kernel the mappings are taken out of the top-level tree meanwhile, even where nothing is mapped.
    """
    superblock = pool.superblock
    root = pool.root_of(thin_id)
    pool.blocks.inc(root)
    superblock.top_root = remove(pool.top, superblock.top_root, thin_id)
    removed = 0
    while begin < end:
        entry = next(pool.mappings.items(root, begin, end), None)
        if entry is None:
            break
        root, count, begin = remove_run(pool.mappings, root, entry[0], end)
        removed += count
    superblock.top_root = pool.top.insert(superblock.top_root, thin_id, root)
    details = pool.thins[thin_id]
    details.mapped_blocks -= removed
    highest = pool.mappings.highest_key(root)
    details.highest_block = -1 if highest is None else highest
    pool.thins[thin_id] = details
    pool.changed_thins.add(thin_id)


def _borrow_root(pool: PoolMetadata, thin_id: int) -> int:
    """Root of a thin's mappings, with the way to it in the top-level tree made changeable."""
    pool.superblock.top_root, leaf = pool.top.roomy_leaf(pool.superblock.top_root, thin_id)
    return leaf.values[leaf.keys.index(thin_id)]


def _return_root(pool: PoolMetadata, thin_id: int, root: int) -> None:
    pool.superblock.top_root = pool.top.overwrite(pool.superblock.top_root, thin_id, root)
