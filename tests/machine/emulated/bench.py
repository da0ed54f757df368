"""A pool on an emulated machine, and a pool in memory, with short names for what tests do to them."""

from __future__ import annotations

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.emulated.mapping import map_run, remap_run, stretches, unmap
from dmtui.machine.emulated.metadata import PoolMetadata
from dmtui.thinpool.table import Target

BLOCK = 65536


class Bench:
    """A pool named ``p`` of `blocks` data blocks on loop files, in bytes of `metadata`."""

    def __init__(self, machine: EmulatedMachine, blocks: int = 1024, metadata: int = 4 << 20, words: str = "0 0"):
        self.machine, self.mapper = machine, machine.device_mapper
        machine.files.make_directory("/b")
        machine.files.make_sparse_file("/b/data", blocks * BLOCK)
        machine.files.make_sparse_file("/b/meta", metadata)
        self.data = machine.loops.attach("/b/data", autoclear=False).path
        self.meta = machine.loops.attach("/b/meta", autoclear=False).path
        self.blocks = blocks
        self.mapper.create("p", [self.table(words)])

    def table(self, words: str = "0 0", blocks: int | None = None) -> Target:
        return Target(0, (blocks or self.blocks) * 128, "thin-pool", f"{self.meta} {self.data} 128 {words}")

    def reload(self, words: str = "0 0", blocks: int | None = None) -> None:
        self.mapper.load("p", [self.table(words, blocks)])
        self.mapper.resume("p")

    def grow_file(self, path: str, loop: str, size_bytes: int) -> None:
        self.machine.files.resize_file(path, size_bytes)
        self.machine.loops.refresh_capacity(loop)

    def msg(self, text: str) -> str:
        return self.mapper.message("p", text)

    def activate(self, thin_id: int, blocks: int = 1000) -> str:
        name = f"t{thin_id}"
        self.mapper.create(name, [Target(0, blocks * 128, "thin", f"/dev/mapper/p {thin_id}")])
        return name

    def thin(self, thin_id: int, blocks: int = 1000) -> str:
        self.msg(f"create_thin {thin_id}")
        return self.activate(thin_id, blocks)

    def write(self, name: str, *blocks: int) -> None:
        for block in blocks:
            self.machine.write(name, offset_bytes=block * BLOCK, length_bytes=512)

    def discard(self, name: str, first: float, count: float) -> None:
        self.machine.discard(name, offset_bytes=int(first * BLOCK), length_bytes=int(count * BLOCK))

    def line(self, name: str = "p", flush: bool = True) -> str:
        reading = self.mapper.status_flush(name) if flush else self.mapper.status(name)
        return "; ".join(map(str, reading.targets))

    @property
    def figures(self) -> str:
        """Used data, mode and no-space policy of the pool, committed."""
        words = self.line().split()
        return f"{words[5]} {words[7]} {words[9]}"

    @property
    def events(self) -> int:
        return self.mapper.info("p").event_nr


def put(pool: PoolMetadata, thin_id: int, begin: int, count: int = 1) -> None:
    """Write blocks of a thin of a pool in memory, without a commit."""
    for stretch in list(stretches(pool, thin_id, begin, begin + count)):
        if stretch.data_block is None:
            done = 0
            while done < stretch.count:
                first, got = pool.data.allocate(stretch.count - done)
                map_run(pool, thin_id, stretch.begin + done, first, got)
                done += got
        elif stretch.shared:
            for block in range(stretch.begin, stretch.begin + stretch.count):
                remap_run(pool, thin_id, block, pool.data.allocate(1)[0], 1)


def check_counts(pool: PoolMetadata) -> None:
    """Every reference count equals what can be reached from the roots, and every tree is in order."""
    expected: dict[int, int] = {}
    data: dict[int, int] = {}
    superblock = pool.superblock

    def walk(block: int, leaf_values=None, low: int = 0, high: int = 1 << 64) -> None:
        expected[block] = expected.get(block, 0) + 1
        if expected[block] > 1:
            return
        node = pool.blocks.node(block)
        keys = list(node.keys)
        assert keys == sorted(set(keys))
        assert all(low <= key < high for key in keys)
        if not node.leaf:
            assert len(node) >= 1
            for index, child in enumerate(node.values):
                walk(child, leaf_values, keys[index], keys[index + 1] if index + 1 < len(keys) else high)
        elif leaf_values:
            for value in node.values:
                leaf_values(value)

    def mapping(value: int) -> None:
        data[value >> 24] = data.get(value >> 24, 0) + 1

    for root in (superblock.top_root, superblock.held_top_root):
        if root >= 0:
            walk(root, lambda root: walk(root, mapping))
    for root in (superblock.details_root, superblock.held_details_root):
        if root >= 0:
            walk(root)
    for root in (superblock.index_root, pool.data.state.overflow_root, pool.blocks.space.state.overflow_root):
        walk(root)
    space = pool.blocks.space
    nodes = set(pool.blocks.nodes)
    assert nodes == set(expected)
    assert {block: space.count(block) for block in expected} == expected
    used = {block for block in range(pool.data.state.total_blocks) if pool.data.count(block)}
    assert used == set(data)
    assert {block: pool.data.count(block) for block in data} == data
    assert pool.data.state.used_blocks == len(used)
    plain = 2 + -(-pool.metadata_total_blocks // 16320) + -(-pool.data.state.total_blocks // 16320)
    assert space.state.used_blocks == len(nodes) + plain + (superblock.held_block >= 0)
    for thin_id, details in pool.thins.items():
        entries = list(pool.mappings.items(pool.root_of(thin_id)))
        assert details.mapped_blocks == len(entries)
        assert details.highest_block == (entries[-1][0] if entries else -1)


__all__ = ["BLOCK", "Bench", "check_counts", "put", "unmap"]
