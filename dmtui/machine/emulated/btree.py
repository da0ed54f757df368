"""The copy-on-write B-tree of dm-thin's metadata: look-up and insertion, with the kernel's rules for full nodes.

Source of the rules: the reference's exact model (kernel 5.14 and later). A node with one reference is changed in
place: the kernel moves it to another block at each commit, which leaves every count as it is. Removal is in
`btree_remove`.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Protocol

from dmtui.machine.emulated.node import MAX_INTERNAL_ENTRIES, Node, numbers, spread
from dmtui.thinpool.values import frozen

EVEN_OUT_ROOM = 8
"""Free entries a sibling must have to take over entries of a full node."""


class Blocks(Protocol):
    """Metadata blocks that hold nodes, with their reference counts."""

    def node(self, block: int) -> Node:
        """The node in a block, to be read."""
        ...

    def changing(self, block: int) -> Node:
        """The node in a block, about to be changed in place."""
        ...

    def new(self, node: Node) -> int:
        """Put a node into a fresh block with one reference."""
        ...

    def is_shared(self, block: int) -> bool:
        """Whether a block has more than one reference."""
        ...

    def inc(self, block: int) -> None:
        """Add a reference."""
        ...

    def dec(self, block: int) -> None:
        """Drop a reference; the last one frees the block, not what it refers to."""
        ...


@frozen
class Values:
    """What the values of a tree's leaves are.

    Attributes:
        max_leaf_entries: how many a leaf holds.
        inc: adds a reference to whatever each of these values refers to.
        dec: drops one.
    """

    max_leaf_entries: int
    inc: Callable[[array[int]], None] | None = None
    dec: Callable[[array[int]], None] | None = None


class BTree:
    """A family of trees with the same kind of values; a tree is known by the block of its root."""

    def __init__(self, blocks: Blocks, values: Values) -> None:
        self.blocks = blocks
        self.values = values

    def empty(self) -> int:
        """Make a tree without entries (one block) and return its root."""
        return self.blocks.new(Node(leaf=True))

    def max_entries(self, node: Node) -> int:
        """How many entries a node of these trees holds."""
        return self.values.max_leaf_entries if node.leaf else MAX_INTERNAL_ENTRIES

    def lookup(self, root: int, key: int) -> int | None:
        """The value of a key, None where there is none."""
        node = self.blocks.node(root)
        while True:
            index = bisect_right(node.keys, key) - 1
            if index < 0:
                return None
            if node.leaf:
                return node.values[index] if node.keys[index] == key else None
            node = self.blocks.node(node.values[index])

    def highest_key(self, root: int) -> int | None:
        """The highest key of a tree, None when it is empty."""
        node = self.blocks.node(root)
        while not node.leaf:
            node = self.blocks.node(node.values[-1])
        return node.keys[-1] if node.keys else None

    def items(self, root: int, begin: int = 0, end: int = 1 << 64) -> Iterator[tuple[int, int]]:
        """Every entry with ``begin <= key < end``, in order. The tree must stay as it is meanwhile."""
        node = self.blocks.node(root)
        if node.leaf:
            first, last = bisect_left(node.keys, begin), bisect_left(node.keys, end)
            yield from zip(node.keys[first:last], node.values[first:last], strict=True)
            return
        first = max(0, bisect_right(node.keys, begin) - 1)
        for index in range(first, len(node)):
            if node.keys[index] >= end:
                return
            yield from self.items(node.values[index], begin, end)

    def delete(self, root: int) -> None:
        """Drop a reference to a tree; what nobody else refers to goes with it, down to the leaves' values."""
        if self.blocks.is_shared(root):
            self.blocks.dec(root)
            return
        node = self.blocks.node(root)
        if not node.leaf:
            for child in node.values:
                self.delete(child)
        elif self.values.dec:
            self.values.dec(node.values)
        self.blocks.dec(root)

    def shadow(self, block: int) -> tuple[int, Node]:
        """A node that may be changed: itself, or a copy of a shared one with a reference to each child added."""
        if not self.blocks.is_shared(block):
            return block, self.blocks.changing(block)
        node = self.blocks.node(block).copy()
        copy = self.blocks.new(node)
        self.blocks.dec(block)
        self.inc_children(node)
        return copy, node

    def inc_children(self, node: Node) -> None:
        """Add a reference to everything a node refers to."""
        if not node.leaf:
            for child in node.values:
                self.blocks.inc(child)
        elif self.values.inc:
            self.values.inc(node.values)

    def shadow_child(self, parent: Node, index: int) -> Node:
        """A child that may be changed; the parent, which may be changed already, learns its block."""
        block, node = self.shadow(parent.values[index])
        parent.values[index] = block
        return node

    def insert(self, root: int, key: int, value: int) -> int:
        """Set the value of a key, new or not, and return the new root."""
        root, leaf = self.roomy_leaf(root, key)
        index = bisect_left(leaf.keys, key)
        if index == len(leaf) or leaf.keys[index] != key:
            leaf.insert_at(index, key, value)
            return root
        if self.values.dec and leaf.values[index] != value:
            self.values.dec(leaf.values[index : index + 1])
        leaf.values[index] = value
        return root

    def insert_run(self, root: int, key: int, values: array[int]) -> tuple[int, int]:
        """Insert values under the absent keys from `key` upwards, as far as the leaf that is met takes them.

        Returns the new root and how many were inserted (one at least): the tree is the one that single insertions
        would have made.
        """
        root, leaf = self.roomy_leaf(root, key)
        index = bisect_left(leaf.keys, key)
        count = self._straight_room(root, key) if len(values) > 1 else 1
        if index < len(leaf):
            count = min(count, leaf.keys[index] - key)
        count = min(count, len(values), self.max_entries(leaf) - len(leaf))
        leaf.keys[index:index] = numbers(range(key, key + count))
        leaf.values[index:index] = values[:count]
        return root, count

    def overwrite(self, root: int, key: int, value: int) -> int:
        """Set the value of a present key without touching the shape of the tree or the old value's references."""
        root, node = self.shadow(root)
        while not node.leaf:
            node = self.shadow_child(node, bisect_right(node.keys, key) - 1)
        node.values[bisect_left(node.keys, key)] = value
        return root

    def _straight_room(self, root: int, key: int) -> int:
        """How many keys from `key` on lead to the same leaf without meeting a full internal node."""
        bound = 1 << 64
        node = self.blocks.node(root)
        while not node.leaf:
            if len(node) >= MAX_INTERNAL_ENTRIES:
                return 1
            index = bisect_right(node.keys, key)
            if index < len(node):
                bound = node.keys[index]
            node = self.blocks.node(node.values[index - 1])
        return bound - key

    def roomy_leaf(self, root: int, key: int) -> tuple[int, Node]:
        """Walk down to the leaf of a key, copying what is shared and making full nodes roomy on the way."""
        root, node = self.shadow(root)
        parent: Node | None = None
        index = 0
        while True:
            if len(node) == self.max_entries(node) and not self._overwrites(node, key):
                if parent is None:
                    self._split_root(node)
                else:
                    node = self._make_room(parent, index, node, key)
            if node.leaf:
                return root, node
            index = bisect_right(node.keys, key) - 1
            if index < 0:
                node.keys[0] = key
                index = 0
            parent, node = node, self.shadow_child(node, index)

    def _overwrites(self, node: Node, key: int) -> bool:
        if not node.leaf:
            return False
        index = bisect_left(node.keys, key)
        return index < len(node) and node.keys[index] == key

    def _split_root(self, root: Node) -> None:
        """Move a full root's entries into two new nodes beneath it."""
        half = len(root) // 2
        left = Node(root.leaf, root.keys[:half], root.values[:half])
        right = Node(root.leaf, root.keys[half:], root.values[half:])
        blocks = numbers((self.blocks.new(left), self.blocks.new(right)))
        root.leaf = False
        root.keys, root.values = numbers((left.keys[0], right.keys[0])), blocks

    def _make_room(self, parent: Node, index: int, node: Node, key: int) -> Node:
        """Even a full node out with a sibling, or split it; returns the node for `key`."""
        left_shared = right_shared = False
        if index > 0:
            left_shared = self.blocks.is_shared(parent.values[index - 1])
            if not left_shared and self._has_room(parent.values[index - 1]):
                return self._even_out(parent, index - 1, key)
        if index + 1 < len(parent):
            right_shared = self.blocks.is_shared(parent.values[index + 1])
            if not right_shared and self._has_room(parent.values[index + 1]):
                return self._even_out(parent, index, key)
        at_edge = len(parent) <= 2 or index in (0, len(parent) - 1)
        if left_shared or right_shared or at_edge:
            return self._split_in_two(parent, index, node, key)
        return self._split_in_three(parent, index, node, key)

    def _has_room(self, block: int) -> bool:
        node = self.blocks.node(block)
        return self.max_entries(node) - len(node) >= EVEN_OUT_ROOM

    def _even_out(self, parent: Node, index: int, key: int) -> Node:
        left, right = self.shadow_child(parent, index), self.shadow_child(parent, index + 1)
        total = len(left) + len(right)
        spread((left, right), (total // 2, total - total // 2))
        parent.keys[index + 1] = right.keys[0]
        return left if key < right.keys[0] else right

    def _split_in_two(self, parent: Node, index: int, node: Node, key: int) -> Node:
        right = Node(node.leaf)
        half = len(node) // 2
        spread((node, right), (half, len(node) - half))
        parent.insert_at(index + 1, right.keys[0], self.blocks.new(right))
        return node if key < right.keys[0] else right

    def _split_in_three(self, parent: Node, index: int, node: Node, key: int) -> Node:
        left, middle = self.shadow_child(parent, index - 1), Node(node.leaf)
        total = len(left) + len(node)
        first = total // 3
        second = (total - first) // 2
        spread((left, middle, node), (first, second, total - first - second))
        parent.keys[index] = node.keys[0]
        parent.insert_at(index, middle.keys[0], self.blocks.new(middle))
        if key < middle.keys[0]:
            return left
        return middle if key < node.keys[0] else node
