"""File systems told by the magic numbers in their superblocks.

Source: the kernel's ``xfs_format.h``, ``ext4.h`` and ``btrfs_tree.h``.
"""

from __future__ import annotations

import os
from uuid import UUID

from dmtui.machine.filesystems import FilesystemFound

_UUID_BYTES = 16
# kind; where its magic number is, and the number as it stands on the disk; where its uuid is
_KNOWN = (
    ("xfs", 0, b"XFSB", 32),
    ("ext4", 0x438, (0xEF53).to_bytes(2, "little"), 0x468),
    ("btrfs", 0x10040, b"_BHRfS_M", 0x10020),
)


def read_superblock(device: int) -> FilesystemFound | None:
    """The file system on an open device; None where there is none of those we know. Raises OSError."""
    for kind, magic_offset, magic, uuid_offset in _KNOWN:
        if os.pread(device, len(magic), magic_offset) != magic:
            continue
        uuid = os.pread(device, _UUID_BYTES, uuid_offset)
        if len(uuid) == _UUID_BYTES:  # else the device ends within the superblock
            return FilesystemFound(kind, str(UUID(bytes=uuid)))
    return None
