"""The metadata of one thin pool: which thin maps which data block, counted to the block as the kernel counts.

Pure: it knows nothing of devices, modes or the store. Blocks are metadata blocks of 4 KiB unless called data blocks.
Source: the reference's exact model, sections 5.1 to 5.3.
"""

from __future__ import annotations

from array import array
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from dmtui.machine.emulated.btree import BTree, Values
from dmtui.machine.emulated.btree_remove import remove
from dmtui.machine.emulated.node import MAX_INTERNAL_ENTRIES, Node
from dmtui.machine.emulated.spacemap import SpaceMap, SpaceMapState, bitmaps_for
from dmtui.thinpool.units import metadata_reserve_blocks

MAX_DETAILS_ENTRIES = 126
MAX_INDEX_ENTRIES = 168
_INDEX_CACHE_SLOTS = 64
_INDEX_CACHE_FACTOR = 4294967291


@dataclass(slots=True)
class ThinDetails:
    """What the pool keeps of one thin beside its mappings.

    Attributes:
        mapped_blocks: data blocks mapped.
        highest_block: highest mapped block of the thin, -1 for none.
        transaction_id: the pool's transaction id when it was created.
        creation_time: the pool's clock at its creation.
        snapshotted_time: the pool's clock at its last snapshot: what was mapped before counts as shared.
    """

    mapped_blocks: int
    highest_block: int
    transaction_id: int
    creation_time: int
    snapshotted_time: int


@dataclass(slots=True)
class Superblock:
    """The roots and counters of a pool's metadata.

    Attributes:
        block_sectors: size of a data block; fixed for life.
        time: the clock that each snapshot advances.
        needs_check: set by a failed operation; only a check clears it.
        held_block: block of the held copy, -1 for none, with the two roots it refers to.
    """

    block_sectors: int
    transaction_id: int = 0
    time: int = 0
    top_root: int = -1
    details_root: int = -1
    index_root: int = -1
    needs_check: bool = False
    held_block: int = -1
    held_top_root: int = -1
    held_details_root: int = -1


class NodeBlocks:
    """The blocks with nodes, over a mapping of block to node and the metadata's space map.

    Attributes:
        fresh: blocks taken in the open transaction.
        copied: older blocks changed in it: the kernel keeps old and new until the commit.
        used_before: blocks in use when the transaction began.
        free_before: blocks free then.
    """

    def __init__(self, nodes: MutableMapping[int, Node], space: SpaceMap) -> None:
        self.nodes = nodes
        self.space = space
        self.fresh: set[int] = set()
        self.copied: set[int] = set()
        self.used_before = space.state.used_blocks
        self.free_before = space.free_blocks

    def begin(self) -> None:
        """Begin a transaction."""
        self.fresh.clear()
        self.copied.clear()
        self.used_before = self.space.state.used_blocks
        self.free_before = self.space.free_blocks

    def node(self, block: int) -> Node:
        """See `Blocks`."""
        return self.nodes[block]

    def changing(self, block: int) -> Node:
        """See `Blocks`."""
        node = self.nodes[block]
        self.nodes[block] = node
        if block not in self.fresh:
            self.copied.add(block)
        return node

    def new(self, node: Node) -> int:
        """See `Blocks`; raises `MetadataFullError`."""
        block = self.reserve(1)
        self.nodes[block] = node
        return block

    def reserve(self, count: int) -> int:
        """Take so many blocks that hold no node; returns one of them."""
        block = -1
        for _ in range(count):
            found = self.space.allocate(1)
            if found is None:
                raise MetadataFullError
            block = found[0]
            self.fresh.add(block)
        return block

    def is_shared(self, block: int) -> bool:
        """See `Blocks`."""
        return self.space.counters[block] > 1

    def inc(self, block: int) -> None:
        """See `Blocks`."""
        self.space.inc(block)

    def dec(self, block: int) -> None:
        """See `Blocks`."""
        self.space.dec(block)
        if not self.space.counters[block]:
            self.nodes.pop(block, None)


class MetadataFullError(Exception):
    """Not one metadata block is left, the reserve included."""


@dataclass(slots=True)
class PoolMetadata:
    """The metadata of a pool, loaded.

    Attributes:
        changed_thins: thins whose details are written at the next commit.
        mappings: the trees of a thin's blocks to data blocks.
        top: the tree of thin ids to the roots of their mappings.
        details: the tree that stands for the thins' details: its shape counts, they themselves are in `thins`.
        index: the tree of the data map's bitmaps.
    """

    superblock: Superblock
    blocks: NodeBlocks
    data: SpaceMap
    thins: MutableMapping[int, ThinDetails]
    changed_thins: set[int] = field(default_factory=set[int])
    mappings: BTree = field(init=False)
    top: BTree = field(init=False)
    details: BTree = field(init=False)
    index: BTree = field(init=False)
    _pending_index: dict[int, int] = field(default_factory=dict[int, int])

    def __post_init__(self) -> None:
        self.mappings = BTree(self.blocks, Values(MAX_INTERNAL_ENTRIES, self._inc_data, self._dec_data))
        self.top = BTree(self.blocks, Values(MAX_INTERNAL_ENTRIES, self._inc_roots, self._dec_roots))
        self.details = BTree(self.blocks, Values(MAX_DETAILS_ENTRIES))
        self.index = BTree(self.blocks, Values(MAX_INDEX_ENTRIES))
        self.blocks.space.attach(self.blocks)
        self.data.attach(self.blocks)

    def _inc_data(self, mappings: array[int]) -> None:
        for mapping in mappings:
            self.data.inc(mapping >> 24)

    def _dec_data(self, mappings: array[int]) -> None:
        for mapping in mappings:
            self.data.dec(mapping >> 24)

    def _inc_roots(self, roots: array[int]) -> None:
        for root in roots:
            self.blocks.inc(root)

    def _dec_roots(self, roots: array[int]) -> None:
        for root in roots:
            self.mappings.delete(root)

    @property
    def metadata_total_blocks(self) -> int:
        """Metadata blocks in all."""
        return self.blocks.space.state.total_blocks

    @property
    def metadata_free_blocks(self) -> int:
        """Metadata blocks free beyond the reserve, as the kernel's own checks and its status lines see them.

        What the open transaction has taken is not free, what it has dropped not yet.
        """
        reserve = metadata_reserve_blocks(self.metadata_total_blocks)
        return max(0, self.blocks.free_before - self._taken() - reserve)

    @property
    def metadata_used_blocks(self) -> int:
        """Metadata blocks in use as the status line prints them, with the reserve."""
        return self.metadata_total_blocks - self.metadata_free_blocks

    def _taken(self) -> int:
        """Metadata blocks which the kernel has allocated in the open transaction so far, for copies or anew."""
        others = len(self.blocks.fresh) + len(self.blocks.copied) + len(self.data.touched_bitmaps)
        own = len(self.blocks.space.touched_bitmaps)
        return others + (own or 1) if others or own else 0  # some block was copied, so some counter changed

    def transaction_allocations(self) -> int:
        """Metadata blocks which the kernel allocates in the open transaction, copies of changed blocks included.

        Beside the nodes those are the bitmaps of both space maps, the index of the data map's, and the block that
        indexes the metadata's own.
        """
        nodes = len(self.blocks.fresh) + len(self.blocks.copied)
        data_bitmaps = len(self.data.touched_bitmaps)
        own = len(self.blocks.space.touched_bitmaps)
        if not nodes and not data_bitmaps and not own:
            return 0
        own = own or 1  # some block was copied, so some counter changed
        return nodes + data_bitmaps + bool(data_bitmaps) + own + 1

    def check_room(self) -> None:
        """Check that what the open transaction has changed so far found its copies.

        Raises:
            MetadataFullError: a block of them did not.
        """
        if self._taken() > self.blocks.free_before:
            raise MetadataFullError

    def format(self) -> None:
        """Make the metadata of an empty pool of no data blocks; its metadata space map covers its device already."""
        # The superblock, the index of the metadata's space map, and its bitmaps.
        self.blocks.reserve(2 + bitmaps_for(self.metadata_total_blocks))
        self.blocks.space.state.overflow_root = self.blocks.space.overflow.empty()
        self.data.state.overflow_root = self.data.overflow.empty()
        self.superblock.index_root = self.index.empty()
        self.superblock.top_root = self.top.empty()
        self.superblock.details_root = self.details.empty()
        self.commit()

    def grow_metadata(self, total_blocks: int) -> None:
        """Take over a longer metadata device."""
        before = bitmaps_for(self.metadata_total_blocks)
        self.blocks.space.extend(total_blocks)
        self.blocks.reserve(bitmaps_for(total_blocks) - before)

    def grow_data(self, more_blocks: int) -> None:
        """Take over a longer data device; its new bitmaps reach the index tree through the kernel's little cache.

        The kernel adds to what it has, also where that has grown before without a commit and shows as it was.
        """
        total_blocks = self.data.state.total_blocks + more_blocks
        before, after = bitmaps_for(self.data.state.total_blocks), bitmaps_for(total_blocks)
        self.blocks.reserve(after - before)
        for bitmap in range(before, after):
            slot = bitmap * _INDEX_CACHE_FACTOR % _INDEX_CACHE_SLOTS
            if slot in self._pending_index:
                self._index_bitmap(self._pending_index[slot])
            self._pending_index[slot] = bitmap
        self.data.extend(total_blocks)

    def forget_growth(self) -> None:
        """Be of the sizes that were committed last."""
        self.data.forget_growth()
        self.blocks.space.forget_growth()

    def _index_bitmap(self, bitmap: int) -> None:
        self.superblock.index_root = self.index.insert(self.superblock.index_root, bitmap, 0)

    def prepare_commit(self) -> None:
        """Write what waits for the commit: the details of changed thins, and the index of new bitmaps."""
        for thin_id in sorted(self.changed_thins):
            self.superblock.details_root = self.details.insert(self.superblock.details_root, thin_id, 0)
        self.changed_thins.clear()
        for slot in sorted(self._pending_index):
            self._index_bitmap(self._pending_index[slot])
        self._pending_index.clear()

    def commit(self) -> None:
        """End the transaction: what waited is written, freed data blocks become available."""
        self.prepare_commit()
        self.data.commit()
        self.blocks.space.commit()
        self.blocks.begin()

    def root_of(self, thin_id: int) -> int:
        """Root of a thin's mappings.

        Raises:
            KeyError: there is no such thin.
        """
        root = self.top.lookup(self.superblock.top_root, thin_id)
        if root is None:
            raise KeyError(thin_id)
        return root

    def create_thin(self, thin_id: int) -> None:
        """Create a thin without mappings; the id must be free."""
        root = self.mappings.empty()
        self.superblock.top_root = self.top.insert(self.superblock.top_root, thin_id, root)
        now = self.superblock.time
        self.thins[thin_id] = ThinDetails(0, -1, self.superblock.transaction_id, now, now)
        self.changed_thins.add(thin_id)

    def create_snapshot(self, thin_id: int, origin_id: int) -> None:
        """Create a thin that shares all of the origin's mappings; the id must be free, the origin there."""
        root = self.root_of(origin_id)
        self.blocks.inc(root)
        self.superblock.top_root = self.top.insert(self.superblock.top_root, thin_id, root)
        self.superblock.time += 1
        now = self.superblock.time
        origin = self.thins[origin_id]
        origin.snapshotted_time = now
        self.thins[origin_id] = origin
        self.thins[thin_id] = ThinDetails(
            origin.mapped_blocks, origin.highest_block, self.superblock.transaction_id, now, now
        )
        self.changed_thins |= {thin_id, origin_id}

    def delete_thin(self, thin_id: int) -> None:
        """Delete a thin that is there, and whatever only it refers to."""
        self.changed_thins.discard(thin_id)
        del self.thins[thin_id]
        self.superblock.details_root = remove(self.details, self.superblock.details_root, thin_id)
        self.superblock.top_root = remove(self.top, self.superblock.top_root, thin_id)

    def hold(self) -> None:
        """Keep a copy of the superblock, and with it of everything that it refers to now."""
        block = self.superblock
        block.held_block = self.blocks.reserve(1)
        block.held_top_root, block.held_details_root = block.top_root, block.details_root
        self.blocks.inc(block.top_root)
        self.blocks.inc(block.details_root)

    def release(self) -> None:
        """Let go of the held copy."""
        block = self.superblock
        self.top.delete(block.held_top_root)
        self.details.delete(block.held_details_root)
        self.blocks.dec(block.held_block)
        block.held_block = block.held_top_root = block.held_details_root = -1


def in_memory(metadata_blocks: int, data_blocks: int, block_sectors: int = 128) -> PoolMetadata:
    """A freshly formatted pool that lives in memory only."""
    space = SpaceMap(SpaceMapState(metadata_blocks), bytearray(metadata_blocks), reuse_at_once=True)
    data = SpaceMap(SpaceMapState(), bytearray(), reuse_at_once=False)
    pool = PoolMetadata(Superblock(block_sectors), NodeBlocks({}, space), data, {})
    pool.format()
    pool.grow_data(data_blocks)
    pool.commit()
    return pool
