"""Giving space back to a device: all of it, or what a mounted file system has free.

Source: the kernel's uapi header ``linux/fs.h``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from struct import Struct

from dmtui.machine.errors import DeviceBusyError, PoolRefusesError, machine_error

_GET_SIZE = 0x80081272
_DISCARD = 0x1277
_TRIM = 0xC0185879
_SIZE = Struct("=Q")
_RANGE = Struct("=2Q")
_TRIM_RANGE = Struct("=3Q")  # start, length, shortest extent worth it
_MOST = (1 << 64) - 1
_BUSY_RETRIES = 5
_BUSY_PAUSE_SECONDS = 0.1


def discard_device(device: str, opened: Callable[[], int]) -> None:
    """Discard the whole of a block device and wait until that has reached it.

    `opened` says how often the device is open, ourselves included.

    Raises:
        FileMissingError: there is no such node.
        DeviceBusyError: somebody else has it open.
        PoolRefusesError: the device does not discard.
    """
    node = _open_alone(device, opened)
    try:
        size = fcntl.ioctl(node, _GET_SIZE, bytes(_SIZE.size))
        fcntl.ioctl(node, _DISCARD, _RANGE.pack(0, *_SIZE.unpack(size)))
        os.fsync(node)
    except OSError as error:
        raise _refused(error, device, "discarding it") from None
    finally:
        os.close(node)


def trim_filesystem(directory: str) -> int:
    """Discard what the file system mounted at a directory has free; returns how many bytes it says.

    Raises:
        FileMissingError: there is no such directory.
        PoolRefusesError: its device does not discard.
    """
    try:
        top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise machine_error(error.errno or 0, directory, "opening it") from None
    try:
        answer = fcntl.ioctl(top, _TRIM, _TRIM_RANGE.pack(0, _MOST, 0))
    except OSError as error:
        raise _refused(error, directory, "trimming it") from None
    finally:
        os.close(top)
    return _TRIM_RANGE.unpack(answer)[1]


def _open_alone(device: str, opened: Callable[[], int]) -> int:
    """Open a device that nobody else has open; udev, which looks at a device for a moment, is waited for."""
    for attempt in range(_BUSY_RETRIES + 1):
        if attempt:
            time.sleep(_BUSY_PAUSE_SECONDS)
        try:
            # Exclusive: refused where it is mounted or part of another device.
            node = os.open(device, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise machine_error(error.errno or 0, device, "opening it") from None
            continue
        try:
            if opened() <= 1:
                return node
        except BaseException:
            os.close(node)
            raise
        os.close(node)
    raise DeviceBusyError(
        device, "is open: nothing is discarded under a user", "unmount or close it first", errno.EBUSY
    )


def _refused(error: OSError, subject: str, doing: str) -> Exception:
    if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY):
        return PoolRefusesError(
            subject,
            f"{doing} failed: it does not discard",
            "a pool with ignore_discard, or without room for its metadata, does not",
            error.errno,
        )
    return machine_error(error.errno or 0, subject, doing)
