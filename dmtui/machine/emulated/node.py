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
    """Share out the entries of neighbouring nodes, in order, so that each gets the size given for it."""
    if all(len(node) == size for node, size in zip(nodes, sizes, strict=True)):
        return
    keys, values = numbers(), numbers()
    for node in nodes:
        keys += node.keys
        values += node.values
    begin = 0
    for node, size in zip(nodes, sizes, strict=True):
        node.keys, node.values = keys[begin : begin + size], values[begin : begin + size]
        begin += size
