"""One node of a metadata tree: sorted keys with their values, and its compact form for the store."""

from __future__ import annotations

import struct
from array import array

MAX_INTERNAL_ENTRIES = 252
"""Entries of an internal node: a 4 KiB block less its 32-byte header, in 16-byte entries, rounded down to threes."""

TIME_BITS = 24
"""A mapping is ``data block << 24 | time`` of its insertion (dm-thin-metadata.c)."""

_LEAF = 1
_RUN = 2
_RUN_FORM = struct.Struct("<BHQQ")
_STEP = 1 << TIME_BITS


def numbers(values: object = ()) -> array[int]:
    """An array of unsigned 64-bit numbers."""
    return array("Q", values)  # type: ignore[arg-type]


class Node:
    """A node of a tree. A leaf's values are the tree's own, an internal node's values are metadata blocks."""

    __slots__ = ("keys", "leaf", "values")

    def __init__(self, leaf: bool, keys: array[int] | None = None, values: array[int] | None = None) -> None:
        self.leaf = leaf
        self.keys = numbers() if keys is None else keys
        self.values = numbers() if values is None else values

    def __len__(self) -> int:
        return len(self.keys)

    def copy(self) -> Node:
        """A node of its own with the same entries."""
        return Node(self.leaf, self.keys[:], self.values[:])

    def insert_at(self, index: int, key: int, value: int) -> None:
        """Put one entry in front of the one at `index`."""
        self.keys.insert(index, key)
        self.values.insert(index, value)

    def delete_at(self, index: int) -> None:
        """Drop the entry at `index`."""
        del self.keys[index]
        del self.values[index]

    def encode(self) -> bytes:
        """The compact form: a leaf that maps a straight run takes 19 bytes, any other node 16 a entry."""
        size = len(self.keys)
        if self.leaf and size > 1:
            first = self.values[0]
            straight = self.keys[-1] - self.keys[0] == size - 1 and self.values[-1] - first == (size - 1) * _STEP
            if straight and self.values == numbers(range(first, first + size * _STEP, _STEP)):
                return _RUN_FORM.pack(_LEAF | _RUN, size, self.keys[0], first)
        return bytes((_LEAF if self.leaf else 0,)) + self.keys.tobytes() + self.values.tobytes()

    @classmethod
    def decode(cls, form: bytes) -> Node:
        """Read what `encode` wrote."""
        if form[0] & _RUN:
            _, size, key, value = _RUN_FORM.unpack(form)
            return cls(True, numbers(range(key, key + size)), numbers(range(value, value + size * _STEP, _STEP)))
        middle = 1 + (len(form) - 1) // 2
        return cls(bool(form[0] & _LEAF), numbers(form[1:middle]), numbers(form[middle:]))


def spread(nodes: tuple[Node, ...], sizes: tuple[int, ...]) -> None:
    """Share out the entries of neighbouring nodes, in order, so that each gets the size given for it.

    A removal moves an entry or two between full neighbours: what stays in its node is not copied.
    """
    for index, size in enumerate(sizes[:-1]):
        node = nodes[index]
        over = len(node.keys) - size
        if over > 0:
            _hand_on(node, size, nodes[index + 1])
        while over < 0:
            giver = next(each for each in nodes[index + 1 :] if each.keys)
            over += _take_over(node, -over, giver)


def _hand_on(node: Node, size: int, following: Node) -> None:
    """Put what a node has beyond a size in front of the next one's."""
    following.keys[:0], following.values[:0] = node.keys[size:], node.values[size:]
    del node.keys[size:], node.values[size:]


def _take_over(node: Node, most: int, giver: Node) -> int:
    """Add the first entries of a later node, as many as it has of them; returns how many."""
    keys, values = giver.keys[:most], giver.values[:most]
    node.keys += keys
    node.values += values
    del giver.keys[:most], giver.values[:most]
    return len(keys)
