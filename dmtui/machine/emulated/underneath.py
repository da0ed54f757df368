"""What a live pool has under it: disks with their space and their faults, and what can be read of its metadata."""

from __future__ import annotations

from collections.abc import Callable

from dmtui.machine.emulated.unread import Reach
from dmtui.thinpool.values import frozen


@frozen
class Host:
    """What stands under the data device: gives space to data blocks, and takes it back.

    Attributes:
        fill: (first data block, count) to how many of them can be written.
        punch: (first data block, count) gives their space back.
        check_commit: raises where a disk does not take a commit (see `disks.check_commit`).
        reach: what can be read of the metadata.
        zeroes: new blocks are written before they are mapped (no ``skip_block_zeroing``).
    """

    fill: Callable[[int, int], int]
    punch: Callable[[int, int], None]
    check_commit: Callable[[], None]
    reach: Reach
    zeroes: bool
