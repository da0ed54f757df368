"""Ranges of a device, in bytes: (offset, length), in order and apart from each other."""

from __future__ import annotations

from collections.abc import Iterable

Range = tuple[int, int]


def without(ranges: Iterable[Range], begin: int, end: int) -> list[Range]:
    """What remains of ranges when ``begin <= byte < end`` is taken out."""
    left: list[Range] = []
    for offset, length in ranges:
        if offset + length <= begin or end <= offset:
            left.append((offset, length))
            continue
        if offset < begin:
            left.append((offset, begin - offset))
        if end < offset + length:
            left.append((end, offset + length - end))
    return left


def total(ranges: Iterable[Range]) -> int:
    """Bytes in all."""
    return sum(length for _, length in ranges)
