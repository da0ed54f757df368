"""Reference counts of blocks, with next-fit allocation: the space maps of data and of metadata.

One byte a block: 0 free, 1, 2, `MANY` (the count itself is in the overflow tree, as in the kernel from three on), and
`FREED` for a block that lost its last reference in the open transaction and cannot be taken again before the commit.
"""

from __future__ import annotations

from dataclasses import dataclass

from dmtui.machine.emulated.btree import Blocks, BTree, Values
from dmtui.machine.emulated.btree_remove import remove

COUNTERS_PER_BITMAP = 16320
"""Two-bit counters in one bitmap block of the kernel; our rows in the store cover the same."""
MAX_OVERFLOW_ENTRIES = 336
MANY = 3
FREED = 4
_COMMIT = bytes.maketrans(bytes((FREED,)), b"\0")


@dataclass(slots=True)
class SpaceMapState:
    """What a space map knows beside its counters.

    Attributes:
        total_blocks: blocks it covers.
        used_blocks: blocks with one reference at least.
        cursor: where the next search for a free block begins.
        overflow_root: root of the tree with the counts of three and more.
        freed_blocks: blocks marked `FREED`.
        grown_blocks: those of `total_blocks` that came in the open transaction: they can be used from the commit on.
    """

    total_blocks: int = 0
    used_blocks: int = 0
    cursor: int = 0
    overflow_root: int = -1
    freed_blocks: int = 0
    grown_blocks: int = 0


class SpaceMap:
    """Counts references to blocks.

    Attributes:
        changed_bitmaps: numbers of the bitmaps whose counters changed since the store last looked.
        touched_bitmaps: those changed in the open transaction.
    """

    def __init__(self, state: SpaceMapState, counters: bytearray, *, reuse_at_once: bool) -> None:
        self.state = state
        self.counters = counters
        self.changed_bitmaps: set[int] = set()
        self.touched_bitmaps: set[int] = set()
        self._freed_mark = 0 if reuse_at_once else FREED
        self._overflow: BTree | None = None

    def attach(self, blocks: Blocks) -> None:
        """Name the metadata blocks which the overflow tree lives in."""
        self._overflow = BTree(blocks, Values(MAX_OVERFLOW_ENTRIES))

    @property
    def overflow(self) -> BTree:
        """The tree of the counts of three and more."""
        assert self._overflow is not None, "attach() comes first"  # noqa: S101
        return self._overflow

    @property
    def free_blocks(self) -> int:
        """Blocks without a reference, those freed in the open transaction included, those that it brought not."""
        return self.committed_blocks - self.state.used_blocks

    @property
    def committed_blocks(self) -> int:
        """Blocks it covered at the last commit."""
        return self.state.total_blocks - self.state.grown_blocks

    def count(self, block: int) -> int:
        """References to a block."""
        counter = self.counters[block]
        if counter < MANY:
            return counter
        return (self.overflow.lookup(self.state.overflow_root, block) or 0) if counter == MANY else 0

    def is_shared(self, block: int) -> bool:
        """Whether a block has more than one reference."""
        return self.counters[block] in (2, MANY)

    def inc(self, block: int) -> None:
        """Add a reference. The kernel copies the bitmap also where only the overflow tree changes."""
        self._touch(block // COUNTERS_PER_BITMAP)
        counter = self.counters[block]
        if counter == MANY:
            self._set_many(block, self.count(block) + 1)
            return
        if counter in (0, FREED):
            self.state.used_blocks += 1
            self.state.freed_blocks -= counter == FREED
            counter = 0
        self.counters[block] = counter + 1
        if counter + 1 == MANY:
            self.state.overflow_root = self.overflow.insert(self.state.overflow_root, block, MANY)

    def dec(self, block: int) -> None:
        """Drop a reference; the last one frees the block. The bitmap is copied as in `inc`."""
        self._touch(block // COUNTERS_PER_BITMAP)
        counter = self.counters[block]
        if counter == MANY:
            count = self.count(block)
            if count > MANY:
                self._set_many(block, count - 1)
                return
            self.state.overflow_root = remove(self.overflow, self.state.overflow_root, block)
        if counter != 1:
            self.counters[block] = counter - 1
            return
        self.counters[block] = self._freed_mark
        self.state.used_blocks -= 1
        self.state.freed_blocks += self._freed_mark == FREED

    def _touch(self, bitmap: int) -> None:
        self.changed_bitmaps.add(bitmap)
        self.touched_bitmaps.add(bitmap)

    def _set_many(self, block: int, count: int) -> None:
        self.state.overflow_root = self.overflow.overwrite(self.state.overflow_root, block, count)

    def allocate(self, most: int) -> tuple[int, int] | None:
        """Take the next free blocks that lie side by side, `most` at most: the first and how many, None when full.

        The search runs from the cursor to the end, then once from the start to the cursor.
        """
        state = self.state
        first = self.counters.find(0, state.cursor, state.total_blocks)
        if first < 0:
            first = self.counters.find(0, 0, state.cursor)
            if first < 0:
                return None
        count, limit = 1, min(most, state.total_blocks - first)
        if limit > 1:
            stretch = bytes(self.counters[first : first + limit])
            count = limit - len(stretch.lstrip(b"\0"))
        self.counters[first : first + count] = b"\1" * count
        for bitmap in range(first // COUNTERS_PER_BITMAP, (first + count - 1) // COUNTERS_PER_BITMAP + 1):
            self._touch(bitmap)
        state.used_blocks += count
        state.cursor = first + count
        return first, count

    def extend(self, total_blocks: int) -> None:
        """Cover more blocks, all of them free."""
        self.counters.extend(bytes(total_blocks - len(self.counters)))
        self.state.grown_blocks += total_blocks - self.state.total_blocks
        self.state.total_blocks = total_blocks

    def forget_growth(self) -> None:
        """Cover what was covered at the last commit: the transaction that brought more is lost."""
        self.state.total_blocks = self.committed_blocks
        self.state.grown_blocks = 0
        del self.counters[self.state.total_blocks :]

    def commit(self) -> None:
        """Make what was freed or came since the last commit available."""
        self.state.grown_blocks = 0
        self.touched_bitmaps.clear()
        if not self.state.freed_blocks:
            return
        for bitmap in range(bitmaps_for(self.state.total_blocks)):
            begin = bitmap * COUNTERS_PER_BITMAP
            end = begin + COUNTERS_PER_BITMAP
            if self.counters.find(FREED, begin, end) >= 0:
                self.counters[begin:end] = self.counters[begin:end].translate(_COMMIT)
                self.changed_bitmaps.add(bitmap)
        self.state.freed_blocks = 0


def bitmaps_for(total_blocks: int) -> int:
    """Bitmap blocks it takes to count so many blocks."""
    return -(-total_blocks // COUNTERS_PER_BITMAP)
