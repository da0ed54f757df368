"""Loop devices of the running kernel, by their ioctls and sysfs.

Source: the kernel's uapi header ``linux/loop.h``; `LOOP_CONFIGURE` came with Linux 5.8.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct

from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, MachineError, machine_error
from dmtui.machine.protocols import LoopDevice
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.units import sectors_to_bytes

_SET_FD = 0x4C00
_CLEAR_FD = 0x4C01
_SET_STATUS = 0x4C04
_GET_STATUS = 0x4C05
_SET_CAPACITY = 0x4C07
_CONFIGURE = 0x4C0A
_GET_FREE = 0x4C82

_READ_ONLY = 1
_AUTOCLEAR = 4
# device, inode, device number of a backing device, offset, size limit; number, cipher, key size, flags; names, keys
_STATUS = Struct("=5Q4I64s64s32s2Q")
_CONFIG_HEAD = Struct("=2I")  # file descriptor, block size (0: the kernel's choice)
_CONFIG_TAIL = bytes(64)
_DELETED = " (deleted)"
_ATTEMPTS = 64
_NODE_SECONDS = 5.0
_UNBIND_SECONDS = 0.5


class KernelLoops:
    """The `LoopDevices` of this kernel.

    Attributes:
        has_configure: whether LOOP_CONFIGURE is tried; without it a file is bound in two steps, as before Linux 5.8.
    """

    def __init__(self, sysfs: str = "/sys/block", devices: str = "/dev") -> None:
        """Read under these directories; nothing is opened yet."""
        self.has_configure = True
        self._sysfs = Path(sysfs)
        self._devices = Path(devices)
        self._held: dict[str, int] = {}

    def close(self) -> None:
        """Let go of every loop device held open."""
        while self._held:
            os.close(self._held.popitem()[1])

    def list_bound(self) -> tuple[LoopDevice, ...]:
        """Every bound loop device, by number, gaps and all; raises `MachineNotPermittedError`."""
        numbers: list[int] = []
        with suppress(FileNotFoundError):
            names = (re.fullmatch(r"loop(\d+)", name) for name in os.listdir(self._sysfs))  # noqa: PTH208 - cheaper
            numbers = sorted(int(match[1]) for match in names if match)
        found = (self._read(number) for number in numbers)
        return tuple(loop for loop in found if loop is not None)

    def attach(self, path: str, *, autoclear: bool = True, read_only: bool = False) -> LoopDevice:
        """Bind a file to a free loop device.

        Raises:
            FileMissingError: no file of that path.
            DeviceBusyError: others took each free loop device before us, many times over.
        """
        file = _open(path, os.O_RDONLY if read_only else os.O_RDWR)
        flags = (_AUTOCLEAR if autoclear else 0) | (_READ_ONLY if read_only else 0)
        try:
            for _ in range(_ATTEMPTS):
                number = self._free_number()
                node = self._node(number)
                loop = _open_when_there(node)
                try:
                    self._bind(loop, file, path, flags)
                    bound = self._read(number)
                except OSError as error:
                    os.close(loop)
                    if error.errno == errno.EBUSY:  # another process was faster
                        continue
                    raise machine_error(error.errno or 0, path, f"binding it to {node}") from None
                except BaseException:
                    os.close(loop)
                    raise
                if autoclear:
                    self._held[node] = loop
                else:
                    os.close(loop)
                if bound is None:
                    raise MachineError(node, "was unbound by somebody else at once", "look who manages loop devices")
                return bound
        finally:
            os.close(file)
        raise DeviceBusyError(path, f"no loop device stayed free in {_ATTEMPTS} attempts", "try again", errno.EBUSY)

    def release(self, loop: LoopDevice) -> None:
        """Let go of a loop device that `attach` holds open; an autoclear one without another user unbinds."""
        held = self._held.pop(loop.path, None)
        if held is not None:
            os.close(held)

    def detach(self, path: str) -> None:
        """Unbind ``/dev/loopN``; while in use it stays until its last user closes it.

        Raises:
            DeviceMissingError: no such loop device, or nothing is bound to it.
        """
        held = self._held.pop(path, None)
        try:
            _control(path, _CLEAR_FD, "unbinding it")
        except DeviceMissingError:
            raise DeviceMissingError(
                path, "is not bound to a file", "`losetup -a` lists what is bound", errno.ENXIO
            ) from None
        finally:
            if held is not None:
                os.close(held)
        self._wait_until_unbound(self._sysfs / Path(path).name)

    def refresh_capacity(self, path: str) -> None:
        """Let ``/dev/loopN`` take over the present size of its file; raises `DeviceMissingError` if it has none."""
        _control(path, _SET_CAPACITY, "taking over the size of its file")

    def _wait_until_unbound(self, attributes: Path) -> None:
        """Give udev, which looks at a new loop device for a moment, the time to let go; users hold on anyway."""
        give_up_at = time.monotonic() + _UNBIND_SECONDS
        while (attributes / "loop").exists() and time.monotonic() < give_up_at:
            if any((attributes / "holders").iterdir()):
                return
            time.sleep(0.01)

    def _node(self, number: int) -> str:
        return str(self._devices / f"loop{number}")

    def _free_number(self) -> int:
        control = _open(str(self._devices / "loop-control"), os.O_RDWR)
        try:
            return fcntl.ioctl(control, _GET_FREE)
        except OSError as error:
            raise machine_error(error.errno or 0, "loop-control", "asking for a free loop device") from None
        finally:
            os.close(control)

    def _bind(self, loop: int, file: int, path: str, flags: int) -> None:
        name = os.fsencode(path)[-63:]
        status = _STATUS.pack(0, 0, 0, 0, 0, 0, 0, 0, flags, name, b"", b"", 0, 0)
        if self.has_configure:
            try:
                fcntl.ioctl(loop, _CONFIGURE, _CONFIG_HEAD.pack(file, 0) + status + _CONFIG_TAIL)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTTY):
                    raise
            else:
                return
        fcntl.ioctl(loop, _SET_FD, file)
        try:
            fcntl.ioctl(loop, _SET_STATUS, status)
        except OSError:
            fcntl.ioctl(loop, _CLEAR_FD)
            raise
        self.has_configure = False

    def _read(self, number: int) -> LoopDevice | None:
        """One loop device, None if it is not bound (any more)."""
        attributes = self._sysfs / f"loop{number}"
        backing = _attribute(attributes / "loop/backing_file")
        if backing is None:
            return None
        node = self._node(number)
        try:
            loop = os.open(node, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise machine_error(error.errno or 0, node, "reading it") from None
        try:
            status = _STATUS.unpack(fcntl.ioctl(loop, _GET_STATUS, bytes(_STATUS.size)))
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise machine_error(error.errno or 0, node, "reading it") from None
        finally:
            os.close(loop)
        device, inode, _, offset, limit, _, _, _, flags, *_ = status
        path, deleted = _split_deleted(backing, device, inode)
        return LoopDevice(
            node,
            DeviceNumber.parse((_attribute(attributes / "dev") or "").strip()),
            DeviceNumber.unpack(device),
            inode,
            path,
            deleted,
            offset,
            limit,
            sectors_to_bytes(int(_attribute(attributes / "size") or 0)),
            bool(flags & _AUTOCLEAR),
            bool(flags & _READ_ONLY),
        )


def _split_deleted(backing: str, device: int, inode: int) -> tuple[str, bool]:
    """Path, and whether the kernel says it is gone; a file may really be called ``x (deleted)``."""
    if not backing.endswith(_DELETED):
        return backing, False
    with suppress(OSError):
        there = os.stat(backing)  # noqa: PTH116 - a path is no more than text here
        if (there.st_dev, there.st_ino) == (device, inode):
            return backing, False
    return backing.removesuffix(_DELETED), True


def _attribute(path: Path) -> str | None:
    try:
        return path.read_text(errors="surrogateescape").removesuffix("\n")
    except OSError:
        return None


def _open(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC)
    except OSError as error:
        raise machine_error(error.errno or 0, path, "opening it") from None


def _open_when_there(node: str) -> int:
    """Open a node that udev or devtmpfs may make only now."""
    give_up_at = time.monotonic() + _NODE_SECONDS
    while not os.path.exists(node) and time.monotonic() < give_up_at:  # noqa: PTH110
        time.sleep(0.01)
    return _open(node, os.O_RDWR)


def _control(path: str, command: int, doing: str) -> None:
    # Opened for reading only: closing a writer makes udev look at the device again.
    loop = _open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(loop, command)
    except OSError as error:
        raise machine_error(error.errno or 0, path, doing) from None
    finally:
        os.close(loop)
