"""The three units of thin provisioning and the conversions between them.

Bytes, 512-byte sectors and blocks are never mixed: every name that holds a size ends in its unit.
A data block is the pool's block size; a metadata block is always 4 KiB (kernel document
``Documentation/admin-guide/device-mapper/thin-provisioning.rst``).
"""

from __future__ import annotations

SECTOR_BYTES = 512
METADATA_BLOCK_BYTES = 4096
METADATA_BLOCK_SECTORS = METADATA_BLOCK_BYTES // SECTOR_BYTES
MIN_BLOCK_SECTORS = 128
"""Smallest block size of a pool (64 KiB); every block size is a multiple of it."""
MAX_BLOCK_SECTORS = 2097152
"""Largest block size of a pool (1 GiB)."""
MAX_THIN_ID = 0xFFFFFF
"""Thin ids have 24 bits."""
DATA_BLOCKS_A_BITMAP = 16320
"""Data blocks that one metadata block counts."""
MAX_METADATA_BLOCKS = 4161600
"""What the kernel uses of a metadata device at the most (255 bitmaps of 16,320 blocks: 15.875 GiB)."""


def sectors_to_bytes(sectors: int) -> int:
    """Bytes in so many 512-byte sectors."""
    return sectors * SECTOR_BYTES


def bytes_to_sectors(size_bytes: int) -> int:
    """Whole sectors in so many bytes, rounded down."""
    return size_bytes // SECTOR_BYTES


def metadata_reserve_blocks(total_metadata_blocks: int) -> int:
    """Metadata blocks which the kernel hides in its "used" figure: min(4096, a tenth of all).

    Source: dm-thin-metadata.c, measured in the lab (an empty pool on 1024 blocks says 111 used, 9 are live).
    """
    return min(4096, total_metadata_blocks // 10)
