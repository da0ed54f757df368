"""Where xfs and ext4 write when they are made and grown: the regions of a device that a new file system maps.

Pure. Measured on mkfs.xfs 6.1 and mke2fs 1.47 by their system calls: the number of 64 KiB blocks is theirs to a
few in a thousand, the places are where they put things on devices of their usual sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dmtui.thinpool.values import frozen

_KIB = 1024
_MIB = 1024**2
_GIB = 1024**3
_TIB = 1024**4
_FIRST_BYTES = 4096

_XFS_SMALLEST_BYTES = 300 * _MIB
_XFS_LOG_BYTES = 64 * _MIB
_XFS_LARGEST_LOG_BYTES = 2038 * _MIB
_XFS_LARGEST_GROUP_BYTES = _TIB

_EXT4_SMALLEST_BYTES = 100 * _KIB
_EXT4_JOURNALS = (
    # file system below so many blocks, blocks of its journal
    (2048, 0),
    (32768, 1024),
    (256 * 1024, 4096),
    (512 * 1024, 8192),
    (4096 * 1024, 16384),
    (8192 * 1024, 32768),
    (16384 * 1024, 65536),
    (32768 * 1024, 131072),
)
_EXT4_LARGEST_JOURNAL = 262144
_EXT4_FLEX_GROUPS = 16
_EXT4_INODE_BYTES = 256
_EXT4_DESCRIPTOR_BYTES = 64


class MkfsRefusesError(Exception):
    """mkfs refuses the device or the arguments; carries its last words."""


@frozen
class Layout:
    """What a file system writes of itself, and what it leaves to its users.

    Attributes:
        regions: (offset, length) of what mkfs writes, in bytes.
        log_offset_bytes: where its log or journal begins: every change is written there first.
        files_offset_bytes: where its first file goes.
        total_bytes: size as statfs tells it, its own structures taken off.
        own_bytes: taken from that in an empty file system.
        reserved_bytes: kept for root.
    """

    regions: tuple[tuple[int, int], ...]
    log_offset_bytes: int
    files_offset_bytes: int
    total_bytes: int
    own_bytes: int
    reserved_bytes: int = 0


def layout(kind: str, made_bytes: int, size_bytes: int, arguments: Sequence[str] = ()) -> Layout:
    """The layout of a file system of a size that was made on a device of `made_bytes` and perhaps grown since.

    Raises:
        MkfsRefusesError: the device is too small.
    """
    return _KINDS[kind](made_bytes, size_bytes, arguments)


def _xfs(made_bytes: int, size_bytes: int, _: Sequence[str]) -> Layout:
    if made_bytes < _XFS_SMALLEST_BYTES:
        raise MkfsRefusesError("Filesystem must be larger than 300MB.")
    groups = max(4, -(-made_bytes // _XFS_LARGEST_GROUP_BYTES))
    group_bytes = made_bytes // groups // _FIRST_BYTES * _FIRST_BYTES
    log_bytes = min(max(_XFS_LOG_BYTES, made_bytes // 2048), _XFS_LARGEST_LOG_BYTES)
    log_group = groups // 2
    regions: list[tuple[int, int]] = []
    for group in range(-(-size_bytes // group_bytes)):
        begin = group * group_bytes
        # The headers of a group; the first has the root directory behind them, the middle one the log.
        length = 128 * _KIB if group == 0 else 32 * _KIB
        length += log_bytes if group == log_group else 0
        regions.append((begin, min(length, size_bytes - begin)))
    regions.append((made_bytes - 128 * _KIB, 128 * _KIB))
    total = size_bytes - log_bytes
    return Layout(tuple(regions), log_group * group_bytes + 32 * _KIB, 128 * _KIB, total, total // 100)


def _ext4(made_bytes: int, size_bytes: int, arguments: Sequence[str]) -> Layout:
    if made_bytes < _EXT4_SMALLEST_BYTES:
        raise MkfsRefusesError("ext2fs_write_inode_full: Illegal inode number while writing reserved inodes")
    small = made_bytes < 512 * _MIB
    block_bytes = _KIB if small else 4096
    group_bytes = 8 * block_bytes * block_bytes
    groups = -(-size_bytes // group_bytes)
    inodes = -(-made_bytes // (4096 if small else 16384) // -(-made_bytes // group_bytes))
    table_bytes = -(-inodes * _EXT4_INODE_BYTES // block_bytes) * block_bytes
    tables_later = not any("lazy_itable_init=0" in argument for argument in arguments)
    head_bytes, backups = _ext4_heads(made_bytes, groups, group_bytes, block_bytes)
    regions: list[tuple[int, int]] = []
    for first in range(0, groups, _EXT4_FLEX_GROUPS):
        begin, members = first * group_bytes, min(_EXT4_FLEX_GROUPS, groups - first)
        bitmaps = 2 * _EXT4_FLEX_GROUPS * block_bytes
        if first == 0:
            regions.append((0, head_bytes + bitmaps + (0 if tables_later else members * table_bytes)))
            continue
        regions.append((begin, block_bytes))
        if not tables_later:
            regions.append((begin + bitmaps, members * table_bytes))
    regions += [(group * group_bytes, 3 * block_bytes) for group in backups if group]
    journal_bytes = _ext4_journal_blocks(made_bytes // block_bytes) * block_bytes
    middle = -(-made_bytes // group_bytes) // 2
    journal = middle // _EXT4_FLEX_GROUPS * _EXT4_FLEX_GROUPS + 1 if middle >= _EXT4_FLEX_GROUPS else middle
    journal_offset = journal * group_bytes or regions[0][1]
    if journal_bytes:
        regions.append((journal_offset, journal_bytes))
    regions.append((made_bytes - 64 * _KIB, 64 * _KIB))
    overhead = groups * (2 * block_bytes + table_bytes) + journal_bytes + len(backups) * head_bytes
    inside = tuple((begin, min(length, size_bytes - begin)) for begin, length in regions if begin < size_bytes)
    total = max(0, size_bytes - overhead)
    return Layout(inside, journal_offset, head_bytes, total, min(total, 24 * _KIB), size_bytes // 20)


def _ext4_heads(made_bytes: int, groups: int, group_bytes: int, block_bytes: int) -> tuple[int, list[int]]:
    """Bytes of the superblock and its descriptors, and the groups that have a copy (powers of 3, 5 and 7)."""
    in_block = block_bytes // _EXT4_DESCRIPTOR_BYTES
    taken = -(-groups // in_block)
    # Room to grow a thousandfold, as far as one block of pointers reaches.
    largest = -(-made_bytes * 1024 // group_bytes) // in_block
    spare = min(block_bytes // 4, max(0, largest - taken))
    copies = {0, 1}
    for base in (3, 5, 7):
        power = base
        while power < groups:
            copies.add(power)
            power *= base
    return (1 + taken + spare) * block_bytes, [group for group in sorted(copies) if group < groups]


def _ext4_journal_blocks(blocks: int) -> int:
    return next((journal for below, journal in _EXT4_JOURNALS if blocks < below), _EXT4_LARGEST_JOURNAL)


_KINDS: dict[str, Callable[[int, int, Sequence[str]], Layout]] = {"xfs": _xfs, "ext4": _ext4}

KINDS = tuple(_KINDS)
"""The file systems that the emulated machine makes."""
