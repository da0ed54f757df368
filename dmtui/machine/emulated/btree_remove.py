"""Removal from the metadata trees: every internal node met on the way down has its children rebalanced first.

Source of the rules: the reference's exact model; the thresholds are the kernel's (dm-btree-remove.c).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from dmtui.machine.emulated.btree import BTree
from dmtui.machine.emulated.node import Node, spread


def remove(tree: BTree, root: int, key: int) -> int:
    """Remove a present key, dropping its value's reference, and return the new root.

    Raises:
        KeyError: the key is absent; the tree is untouched.
    """
    if tree.lookup(root, key) is None:
        raise KeyError(key)
    root, leaf = _descend(tree, root, key)
    assert leaf is not None  # noqa: S101 - the key is there, so the walk ends at its leaf
    index = bisect_left(leaf.keys, key)
    if tree.values.dec:
        tree.values.dec(leaf.values[index : index + 1])
    leaf.delete_at(index)
    return root


def remove_run(tree: BTree, root: int, key: int, end: int) -> tuple[int, int, int]:
    """Remove the keys that follow each other without a gap from `key` on, below `end`.

    Returns the new root, how many were removed and the first key not looked at. As in the kernel each key is a walk
    of its own, and one more walk finds nothing: both may reshape the tree.
    """
    removed = 0
    while True:
        root, leaf = _descend(tree, root, key)
        if leaf is None:
            return root, removed, key
        index = max(0, bisect_right(leaf.keys, key) - 1)
        if index >= len(leaf) or not key <= leaf.keys[index] < end:
            return root, removed, key
        key = leaf.keys[index] + 1
        if tree.values.dec:
            tree.values.dec(leaf.values[index : index + 1])
        leaf.delete_at(index)
        removed += 1


def _descend(tree: BTree, root: int, key: int) -> tuple[int, Node | None]:
    """Walk to the leaf that would hold a key, rebalancing; no leaf when the key is below all others."""
    root, node = tree.shadow(root)
    while not node.leaf:
        if len(node) == 1:
            _pull_up(tree, node)
        elif not _rebalance_children(tree, node, key):
            return root, None
        if node.leaf:
            break
        index = bisect_right(node.keys, key) - 1
        if index < 0:
            return root, None
        node = tree.shadow_child(node, index)
    return root, node


def _pull_up(tree: BTree, node: Node) -> None:
    """Replace a node with one child by that child."""
    block = node.values[0]
    child = tree.blocks.node(block)
    node.leaf, node.keys, node.values = child.leaf, child.keys[:], child.values[:]
    if tree.blocks.is_shared(block):
        tree.inc_children(node)
    tree.blocks.dec(block)


def _rebalance_children(tree: BTree, parent: Node, key: int) -> bool:
    index = bisect_right(parent.keys, key) - 1
    if index < 0:
        return False
    if index == 0:
        _rebalance_pair(tree, parent, 0, tree.shadow_child(parent, 0), tree.shadow_child(parent, 1))
    elif index == len(parent) - 1:
        left, right = tree.shadow_child(parent, index - 1), tree.shadow_child(parent, index)
        _rebalance_pair(tree, parent, index - 1, left, right)
    else:
        _rebalance_three(tree, parent, index - 1)
    return True


def _rebalance_pair(tree: BTree, parent: Node, index: int, left: Node, right: Node) -> None:
    total = len(left) + len(right)
    if total < 2 * (tree.max_entries(left) // 3 + 1):
        left.keys += right.keys
        left.values += right.values
        tree.blocks.dec(parent.values[index + 1])
        parent.delete_at(index + 1)
        return
    spread((left, right), (total // 2, total - total // 2))
    parent.keys[index + 1] = right.keys[0]


def _rebalance_three(tree: BTree, parent: Node, index: int) -> None:
    left, center, right = (tree.shadow_child(parent, index + offset) for offset in range(3))
    total = len(left) + len(center) + len(right)
    if total < 4 * (tree.max_entries(left) // 3) + 1:
        to_left = min(tree.max_entries(left) - len(left), len(center))
        spread((left, center, right), (len(left) + to_left, 0, total - len(left) - to_left))
        parent.keys[index + 2] = right.keys[0]
        tree.blocks.dec(parent.values[index + 1])
        parent.delete_at(index + 1)
        _rebalance_pair(tree, parent, index, left, right)
        return
    third = total // 3
    most = third + (third * 3 != total)
    spread((left, center, right), (most, total - most - third, third))
    parent.keys[index + 1] = center.keys[0]
    parent.keys[index + 2] = right.keys[0]
