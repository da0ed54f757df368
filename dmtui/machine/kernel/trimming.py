"""Which blocks a pool has free, by its metadata written out as text, and discarding them.

Not by ``thin_trim``: up to 0.9.0 it discards the last used block as well, and passes over what is free before the
first one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from struct import Struct

from dmtui.machine.errors import MachineError, TimedOutError, machine_error
from dmtui.thinpool.units import sectors_to_bytes

_GET_SIZE = 0x80081272
_DISCARD = 0x1277
_SIZE = Struct("=Q")
_RANGE = Struct("=2Q")
_POOL = re.compile(r'<superblock [^>]*\bdata_block_size="(\d+)" nr_data_blocks="(\d+)"')
_MAPPED = re.compile(
    r'<(?:single_mapping [^>]*\bdata_block="(\d+)"|range_mapping [^>]*\bdata_begin="(\d+)" length="(\d+)")'
)

Blocks = tuple[int, int]
"""A run of blocks: the first one, and how many."""


class FreeBlocks:
    """What a pool has free.

    Attributes:
        block_bytes: size of a data block.
        total_blocks: how many the pool has.
        runs: those that no thin device uses, in order.
    """

    def __init__(self, lines: Iterable[str], subject: str) -> None:
        """Read the lines of ``thin_dump``.

        Raises:
            MachineError: they are no whole dump of a pool, or make no sense.
        """
        self.block_bytes = self.total_blocks = 0
        used = bytearray()
        whole = False
        for line in lines:
            if pool := _POOL.search(line):
                self.block_bytes, self.total_blocks = sectors_to_bytes(int(pool[1])), int(pool[2])
                used = bytearray(self.total_blocks)
            elif mapped := _MAPPED.search(line):
                first, count = int(mapped[1] or mapped[2]), int(mapped[3] or 1)
                if first + count > self.total_blocks:
                    raise MachineError(subject, f"maps block {first + count - 1} of {self.total_blocks}", "check it")
                used[first : first + count] = b"\1" * count
            elif "_mapping" in line:
                raise MachineError(subject, f"thin_dump said {line.strip()!r}", "look at its version")
            whole = whole or "</superblock>" in line
        if not (self.block_bytes and whole):
            raise MachineError(subject, "thin_dump has not told all of the pool", "check the metadata first")
        self.runs = tuple(_free_runs(used))


@contextmanager
def opened_alone(data: str) -> Generator[int]:
    """Keep a data device from everybody else, pools included, meanwhile.

    Raises:
        DeviceBusyError: a pool stands on it, or it is mounted.
        MachineError: it is no block device.
    """
    try:
        device = os.open(data, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        raise machine_error(error.errno or 0, data, "opening it") from None
    try:
        yield device
    finally:
        os.close(device)


def device_bytes(device: int, subject: str) -> int:
    """Size of an open block device; raises `MachineError` where it is none."""
    try:
        return _SIZE.unpack(fcntl.ioctl(device, _GET_SIZE, bytes(_SIZE.size)))[0]
    except OSError as error:
        raise machine_error(error.errno or 0, subject, "asking for its size") from None


def discard_blocks(device: int, free: FreeBlocks, subject: str, give_up_at: float) -> None:
    """Discard what a pool has free on its open data device, up to an instant of the monotonic clock.

    Raises:
        MachineError: the device is smaller than the pool, thus another pool's, or does not discard.
        TimedOutError: some of it is discarded; the rest is not.
    """
    if device_bytes(device, subject) < free.block_bytes * free.total_blocks:
        raise MachineError(subject, "is smaller than the pool of that metadata", "check that they belong together")
    for first, count in free.runs:
        if time.monotonic() > give_up_at:
            raise TimedOutError(subject, "is not wholly trimmed yet", "trim it again", errno.ETIMEDOUT)
        try:
            fcntl.ioctl(device, _DISCARD, _RANGE.pack(first * free.block_bytes, count * free.block_bytes))
        except OSError as error:
            raise machine_error(error.errno or 0, subject, "discarding what is free") from None


def _free_runs(used: bytearray) -> Generator[Blocks]:
    first = used.find(0)
    while first >= 0:
        end = used.find(1, first)
        if end < 0:
            end = len(used)
        yield first, end - first
        first = used.find(0, end)
