"""Mounting and unmounting by system call, and the table of what is mounted.

Source: mount(2), umount2(2), syslog(2) and proc(5); the words of the options are those of mount(8).
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterable, Sequence

from dmtui.machine.errors import MachineError, machine_error
from dmtui.machine.filesystems import Mount
from dmtui.machine.mountwords import SETS, split_words
from dmtui.thinpool.devno import DeviceNumber

_DETACH = 2
_NO_FOLLOW = 8
_LOG_READ_ALL = 3
_LOG_BYTES = 16384
_LOG_TAIL_BYTES = 256

_libc = ctypes.CDLL(None, use_errno=True)
_mount = _libc.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_umount2 = _libc.umount2
_umount2.argtypes = [ctypes.c_char_p, ctypes.c_int]
_klogctl = _libc.klogctl
_klogctl.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int]


def split_options(options: Sequence[str]) -> tuple[int, str]:
    """Flags of mount(2), and what remains for the file system, from options with or without commas.

    A comma between quotes parts nothing: ``context="system_u:object_r:container_file_t:s0:c1,c2"``.
    """
    flags = 0
    rest: list[str] = []
    for word in split_words(options):
        if word in SETS:
            flags |= SETS[word]
        else:
            rest.append(word)
    return flags, ",".join(rest)


def mount(device: str, directory: str, kind: str, options: Sequence[str]) -> None:
    """Mount a device; raises the machine's error, the last words of the kernel's log at its end."""
    for path in (device, directory):
        _stat(path)
    flags, rest = split_options(options)
    try:
        words = [os.fsencode(text) for text in (device, directory, kind, rest)]
        answer = _mount(words[0], words[1], words[2], flags, words[3])
    except ValueError:  # a zero byte
        raise machine_error(errno.EINVAL, device, f"mounting it at {directory}") from None
    if answer == 0:
        return
    error = machine_error(ctypes.get_errno(), device, f"mounting it as {kind} at {directory}")
    log = kernel_log_tail()
    if error.errno in (errno.EPERM, errno.ENOENT) or not log:
        raise error
    raise type(error)(device, f"{error.happened}; the kernel's log ends with: {log}", "", error.errno)


def unmount(directory: str) -> None:
    """Unmount lazily; raises `InvalidError` where nothing is mounted."""
    if _umount2(os.fsencode(directory), _DETACH | _NO_FOLLOW) != 0:
        number = ctypes.get_errno()
        error = machine_error(number, directory, "unmounting it")
        if number == errno.EINVAL:
            raise type(error)(directory, "is no mount point", "look at the list of mounts", number)
        raise error


def load_kind(kind: str) -> None:
    """Give the kernel a reason to load a file system's module: a mount that cannot succeed."""
    _mount(b"/dev/null", b"/", os.fsencode(kind), 1, b"")  # no file system of a block device is on a character device


def parse_mounts(lines: Iterable[str]) -> tuple[Mount, ...]:
    """The mounts of block devices in the lines of ``/proc/self/mountinfo``; what is no such line is passed over."""
    mounts: list[Mount] = []
    for line in lines:
        # 36 35 254:3 / /mnt rw,noatime shared:1 - ext4 /dev/root rw,errors=continue
        of_mount, _, of_filesystem = line.rstrip("\n").partition(" - ")
        first, last = of_mount.split(" "), of_filesystem.split(" ")
        if len(first) < 6 or len(last) < 3:
            continue
        dev = DeviceNumber.parse(first[2])
        if dev.major == 0:
            continue
        options = dict.fromkeys((*first[5].split(","), *last[2].split(",")))
        mounts.append(Mount(int(first[0]), _unescaped(first[4]), dev, _unescaped(last[0]), tuple(options)))
    return tuple(mounts)


def kernel_log_tail() -> str:
    """The last 256 bytes of the kernel's log, without its levels; empty where it may not be read."""
    buffer = ctypes.create_string_buffer(_LOG_BYTES)
    length = _klogctl(_LOG_READ_ALL, buffer, _LOG_BYTES)
    if length <= 0:
        return ""
    text = re.sub(rb"^<\d+>", b"", buffer.raw[:length], flags=re.MULTILINE)
    return " ".join(text[-_LOG_TAIL_BYTES:].decode(errors="replace").split())


def _unescaped(text: str) -> str:
    r"""A field of mountinfo as it was before the kernel wrote space, tab, newline and backslash as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _stat(path: str) -> None:
    try:
        os.stat(path)  # noqa: PTH116 - a path is no more than text here
    except OSError as error:
        raise machine_error(error.errno or 0, path, "mounting") from None
    except ValueError:
        raise MachineError(path, "is no path") from None
