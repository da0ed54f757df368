"""A pool's metadata in the store: loaded on demand, kept between operations, written back in the same transaction."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import zlib
from collections.abc import Iterator, MutableMapping
from typing import Any

from dmtui.machine.emulated.metadata import NodeBlocks, PoolMetadata, Superblock, ThinDetails
from dmtui.machine.emulated.node import Node
from dmtui.machine.emulated.spacemap import COUNTERS_PER_BITMAP, SpaceMap, SpaceMapState
from dmtui.machine.emulated.unsynced import ID_SHIFT, Unsynced

_KEPT_NODES = 8192
"""Nodes kept in memory between operations (some 32 MiB at the most)."""
_UNWRITTEN_NODES = 4096
"""Changed nodes after which they are written in the middle of an operation, to bound memory."""


class StoredNodes(MutableMapping[int, Node]):
    """Metadata block to node, over the table ``nodes``."""

    def __init__(self, connection: sqlite3.Connection, metadata_id: int) -> None:
        self._connection = connection
        self._base = metadata_id << ID_SHIFT
        self._kept: dict[int, Node] = {}
        self._changed: set[int] = set()
        self._dropped: set[int] = set()

    def __getitem__(self, block: int) -> Node:
        node = self._kept.get(block)
        if node is None:
            row = self._connection.execute("SELECT node FROM nodes WHERE id = ?", (self._base + block,)).fetchone()
            if row is None:
                raise KeyError(block)
            node = self._kept[block] = Node.decode(row[0])
        return node

    def __setitem__(self, block: int, node: Node) -> None:
        self._kept[block] = node
        self._changed.add(block)
        self._dropped.discard(block)

    def __delitem__(self, block: int) -> None:
        self._kept.pop(block, None)
        self._changed.discard(block)
        self._dropped.add(block)

    def pop(self, block: int, default: Any = None) -> Any:  # noqa: ANN401
        """Drop a block's node, read or not."""
        del self[block]
        return default

    def __iter__(self) -> Iterator[int]:
        self.save()
        end = self._base + (1 << ID_SHIFT)
        rows = self._connection.execute("SELECT id FROM nodes WHERE id >= ? AND id < ?", (self._base, end))
        return iter([row[0] - self._base for row in rows])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def changed(self) -> list[int]:
        """Numbers in the store of the nodes that differ from it."""
        return [self._base + block for block in self._changed | self._dropped]

    @property
    def has_too_many_changed(self) -> bool:
        """Whether so many nodes have changed that they had better be written in the middle of an operation."""
        return len(self._changed) > _UNWRITTEN_NODES

    def save(self) -> None:
        """Write what changed to the database."""
        rows = [(self._base + block, self._kept[block].encode()) for block in self._changed]
        self._connection.executemany("INSERT OR REPLACE INTO nodes VALUES (?, ?)", rows)
        dropped = [(self._base + block,) for block in self._dropped]
        self._connection.executemany("DELETE FROM nodes WHERE id = ?", dropped)
        self._changed.clear()
        self._dropped.clear()

    def relieve(self) -> None:
        """Forget when too much is kept; only between two changes, when nobody holds a node."""
        if len(self._kept) > _KEPT_NODES and not self._changed:
            self._kept.clear()


class StoredThins(MutableMapping[int, ThinDetails]):
    """Thin id to details, over the table ``thins``."""

    def __init__(self, connection: sqlite3.Connection, metadata_id: int) -> None:
        self._connection = connection
        self._id = metadata_id
        self._kept: dict[int, ThinDetails | None] = {}
        self._changed: set[int] = set()

    def __getitem__(self, thin_id: int) -> ThinDetails:
        if thin_id not in self._kept:
            row = self._connection.execute(
                "SELECT mapped, highest, transaction_id, creation_time, snapshotted_time FROM thins"
                " WHERE metadata_id = ? AND thin_id = ?",
                (self._id, thin_id),
            ).fetchone()
            self._kept[thin_id] = row and ThinDetails(row[0], row[1], int(row[2]), row[3], row[4])
        details = self._kept[thin_id]
        if details is None:
            raise KeyError(thin_id)
        return details

    def __setitem__(self, thin_id: int, details: ThinDetails) -> None:
        self._kept[thin_id] = details
        self._changed.add(thin_id)

    def __delitem__(self, thin_id: int) -> None:
        self._kept[thin_id] = None
        self._changed.add(thin_id)

    def __iter__(self) -> Iterator[int]:
        self.save()
        rows = self._connection.execute("SELECT thin_id FROM thins WHERE metadata_id = ?", (self._id,))
        return iter([row[0] for row in rows])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def changed(self) -> set[int]:
        """Ids of the thins whose details differ from the store's."""
        return self._changed

    def save(self) -> None:
        """Write what changed to the database."""
        for thin_id in self._changed:
            details = self._kept[thin_id]
            if details is None:
                self._connection.execute("DELETE FROM thins WHERE metadata_id = ? AND thin_id = ?", (self._id, thin_id))
                continue
            values = dataclasses.astuple(details)
            self._connection.execute(
                "INSERT OR REPLACE INTO thins VALUES (?, ?, ?, ?, ?, ?, ?)",
                (self._id, thin_id, *values[:2], str(values[2]), *values[3:]),
            )
        self._changed.clear()
        self._kept.clear()


def _load_counters(connection: sqlite3.Connection, metadata_id: int, space: str, total_blocks: int) -> bytearray:
    counters = bytearray(total_blocks)
    rows = connection.execute(
        "SELECT bitmap, counters FROM bitmaps WHERE metadata_id = ? AND space = ?", (metadata_id, space)
    )
    for bitmap, packed in rows:
        part = zlib.decompress(packed)
        counters[bitmap * COUNTERS_PER_BITMAP : bitmap * COUNTERS_PER_BITMAP + len(part)] = part
    return counters


def load_metadata(connection: sqlite3.Connection, metadata_id: int) -> PoolMetadata:
    """Load a pool's metadata; its nodes follow when they are needed."""
    query = "SELECT m.state, taken FROM metadata m LEFT JOIN before_metadata USING (id) WHERE id = ?"
    state, taken = connection.execute(query, (metadata_id,)).fetchone()
    state = json.loads(state)
    spaces = {name: SpaceMapState(**state[name]) for name in ("metadata", "data")}
    counters = {
        name: _load_counters(connection, metadata_id, name, space.total_blocks) for name, space in spaces.items()
    }
    blocks = NodeBlocks(
        StoredNodes(connection, metadata_id),
        SpaceMap(spaces["metadata"], counters["metadata"], reuse_at_once=True),
    )
    data = SpaceMap(spaces["data"], counters["data"], reuse_at_once=False)
    thins = StoredThins(connection, metadata_id)
    if taken is not None:
        fresh, copied, of_data, own, blocks.used_before, blocks.free_before = json.loads(taken)
        blocks.fresh, blocks.copied = set(fresh), set(copied)
        data.touched_bitmaps, blocks.space.touched_bitmaps = set(of_data), set(own)
    return PoolMetadata(Superblock(**state["superblock"]), blocks, data, thins, set(state["changed"]))


def new_metadata(
    connection: sqlite3.Connection, inode: int, offset_sectors: int, blocks: int, block_sectors: int
) -> tuple[int, PoolMetadata]:
    """Format a pool's metadata on a file that holds none; returns its id in the store with it."""
    cursor = connection.execute(
        "INSERT INTO metadata (inode, offset_sectors, state, used_metadata, total_metadata, used_data, total_data,"
        " transaction_id, held_block, needs_check) VALUES (?, ?, '', 0, 0, 0, 0, '0', -1, 0)",
        (inode, offset_sectors),
    )
    metadata_id = cursor.lastrowid
    assert metadata_id is not None  # noqa: S101 - an insertion has a row
    space = SpaceMap(SpaceMapState(blocks), bytearray(blocks), reuse_at_once=True)
    nodes = NodeBlocks(StoredNodes(connection, metadata_id), space)
    data = SpaceMap(SpaceMapState(), bytearray(), reuse_at_once=False)
    pool = PoolMetadata(Superblock(block_sectors), nodes, data, StoredThins(connection, metadata_id))
    pool.format()
    return metadata_id, pool


def keep_committed(unsynced: Unsynced, pool: PoolMetadata) -> None:
    """Keep what is committed of what is about to be written back, and what the open transaction has taken so far."""
    nodes, thins = pool.blocks.nodes, pool.thins
    if isinstance(nodes, StoredNodes) and isinstance(thins, StoredThins):
        unsynced.keep_nodes(nodes.changed)
        unsynced.keep_thins(thins.changed)
    for name, space in _spaces(pool):
        unsynced.keep_bitmaps(name, space.changed_bitmaps)
    blocks = pool.blocks
    taken = (blocks.fresh, blocks.copied, pool.data.touched_bitmaps, blocks.space.touched_bitmaps)
    unsynced.keep_taken(json.dumps([*map(sorted, taken), blocks.used_before, blocks.free_before]))


def has_changed(pool: PoolMetadata) -> bool:
    """Whether there is anything of blocks to be written back, or that has grown without a commit."""
    nodes = pool.blocks.nodes
    changed_nodes = isinstance(nodes, StoredNodes) and bool(nodes.changed)
    return changed_nodes or any(space.changed_bitmaps or space.state.grown_blocks for _, space in _spaces(pool))


def _spaces(pool: PoolMetadata) -> tuple[tuple[str, SpaceMap], ...]:
    return (("metadata", pool.blocks.space), ("data", pool.data))


def save_metadata(connection: sqlite3.Connection, metadata_id: int, pool: PoolMetadata) -> None:
    """Write back what an operation changed."""
    for part in (pool.blocks.nodes, pool.thins):
        if isinstance(part, StoredNodes | StoredThins):
            part.save()
    if isinstance(pool.blocks.nodes, StoredNodes):
        pool.blocks.nodes.relieve()
    for name, space in _spaces(pool):
        rows = [
            (metadata_id, name, bitmap, zlib.compress(_bitmap(space, bitmap), 1)) for bitmap in space.changed_bitmaps
        ]
        connection.executemany("INSERT OR REPLACE INTO bitmaps VALUES (?, ?, ?, ?)", rows)
        space.changed_bitmaps.clear()
    block = pool.superblock
    state = {
        "superblock": dataclasses.asdict(block),
        "metadata": dataclasses.asdict(pool.blocks.space.state),
        "data": dataclasses.asdict(pool.data.state),
        "changed": sorted(pool.changed_thins),
    }
    connection.execute(
        "UPDATE metadata SET state = ?, used_metadata = ?, total_metadata = ?, used_data = ?, total_data = ?,"
        " transaction_id = ?, held_block = ?, needs_check = ? WHERE id = ?",
        (
            json.dumps(state),
            pool.metadata_used_blocks,
            pool.metadata_total_blocks,
            pool.data.state.used_blocks,
            pool.data.committed_blocks,
            str(block.transaction_id),
            block.held_block,
            int(block.needs_check),
            metadata_id,
        ),
    )


def _bitmap(space: SpaceMap, bitmap: int) -> bytes:
    return bytes(space.counters[bitmap * COUNTERS_PER_BITMAP : (bitmap + 1) * COUNTERS_PER_BITMAP])


def drop_metadata(connection: sqlite3.Connection, metadata_id: int) -> None:
    """Forget the metadata of a file that is gone."""
    base = metadata_id << ID_SHIFT
    connection.execute("DELETE FROM nodes WHERE id >= ? AND id < ?", (base, base + (1 << ID_SHIFT)))
    for table in ("bitmaps", "thins"):
        connection.execute(f"DELETE FROM {table} WHERE metadata_id = ?", (metadata_id,))  # noqa: S608
    connection.execute("DELETE FROM metadata WHERE id = ?", (metadata_id,))
    Unsynced(connection, metadata_id).end()
