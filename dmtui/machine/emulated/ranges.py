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


def together(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Ranges by place, those that touch each other made one."""
    found: list[Range] = []
    for offset, length in sorted(ranges):
        if found and sum(found[-1]) == offset:
            found[-1] = (found[-1][0], found[-1][1] + length)
        else:
            found.append((offset, length))
    return tuple(found)
