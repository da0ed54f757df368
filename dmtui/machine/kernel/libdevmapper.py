"""libdevmapper through ctypes: for what changes something, so that udev and its other users see what they expect.

The library keeps global state without locks: whoever holds a `Library` calls it from one thread (`owner.Owner`).
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from enum import IntEnum
from typing import Any

from dmtui.machine.errors import NoDeviceMapperError
from dmtui.thinpool.table import Target
from dmtui.thinpool.values import frozen

UDEV_LEAVE_ALONE = 2 | 4 | 8
"""Cookie flags for a device that holds no file system: no subsystem, disk or other rules (no blkid on a pool)."""
_SONAMES = ("libdevmapper.so.1.02.1", "libdevmapper.so.1.02", "libdevmapper.so")
_NAMES_UNMANGLED = 0


class Kind(IntEnum):
    """The library's task types, as far as they are used here."""

    CREATE = 0
    RELOAD = 1
    REMOVE = 2
    SUSPEND = 4
    RESUME = 5
    STATUS = 10
    MESSAGE = 17


@frozen
class Task:
    """One task of the library: what to do to which device.

    Attributes:
        udev_flags: for tasks that make or remove a node, the flags its udev event carries; None for other tasks.
    """

    kind: Kind
    name: str
    uuid: str = ""
    targets: tuple[Target, ...] = ()
    read_only: bool = False
    message: str | None = None
    flush: bool = True
    lock_filesystem: bool = True
    deferred: bool = False
    udev_flags: int | None = None


@frozen
class Outcome:
    """How a task went.

    Attributes:
        succeeded: whether it did what it should.
        errno: the kernel's error number; 0 where it succeeded or the library itself refused.
        response: a message's answer.
        cookie: what to wait for (`Library.udev_is_done`), 0 for nothing.
    """

    succeeded: bool
    errno: int = 0
    response: str = ""
    cookie: int = 0


_TASK = c_void_p
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "dm_task_create": (_TASK, [c_int]),
    "dm_task_destroy": (None, [_TASK]),
    "dm_task_set_name": (c_int, [_TASK, c_char_p]),
    "dm_task_set_uuid": (c_int, [_TASK, c_char_p]),
    "dm_task_set_message": (c_int, [_TASK, c_char_p]),
    "dm_task_set_sector": (c_int, [_TASK, c_uint64]),
    "dm_task_set_ro": (c_int, [_TASK]),
    "dm_task_no_flush": (c_int, [_TASK]),
    "dm_task_skip_lockfs": (c_int, [_TASK]),
    "dm_task_deferred_remove": (c_int, [_TASK]),
    "dm_task_add_target": (c_int, [_TASK, c_uint64, c_uint64, c_char_p, c_char_p]),
    "dm_task_set_cookie": (c_int, [_TASK, POINTER(c_uint32), c_uint16]),
    "dm_task_run": (c_int, [_TASK]),
    "dm_task_get_errno": (c_int, [_TASK]),
    "dm_task_get_message_response": (c_char_p, [_TASK]),
    "dm_get_library_version": (c_int, [c_char_p, c_size_t]),
    "dm_udev_set_sync_support": (None, [c_int]),
    "dm_udev_get_sync_support": (c_int, []),
    "dm_udev_wait": (c_int, [c_uint32]),
    "dm_udev_wait_immediate": (c_int, [c_uint32, POINTER(c_int)]),
    "dm_udev_complete": (c_int, [c_uint32]),
    "dm_hold_control_dev": (None, [c_int]),
    "dm_set_name_mangling_mode": (c_int, [c_int]),
    "dm_log_with_errno_init": (None, [c_void_p]),
}
# The library logs by a variadic function; the words behind the format are not looked at (what they would tell is
# in the errno), so the caller's convention lets them be left out here.
_LOG_FUNCTION = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_int, c_int, c_char_p)


def _say_nothing(_level: int, _file: bytes, _line: int, _error: int, _format: bytes) -> None:
    """The default would write to standard error, across the dashboard."""


_log = _LOG_FUNCTION(_say_nothing)  # the library keeps its address for ever


class Library:
    """The loaded library."""

    def __init__(self, sonames: tuple[str, ...] = _SONAMES) -> None:
        """Load the first of the sonames that there is.

        Raises:
            NoDeviceMapperError: none is installed, or what is installed lacks a function.
        """
        self._functions = _load(sonames)
        self._call("dm_log_with_errno_init", ctypes.cast(_log, c_void_p))
        self._call("dm_set_name_mangling_mode", _NAMES_UNMANGLED)
        self._call("dm_hold_control_dev", 1)
        self._call("dm_udev_set_sync_support", 1)

    def version(self) -> str:
        """The library's own words, such as ``1.02.185 (2022-05-18)``."""
        text = ctypes.create_string_buffer(64)
        return text.value.decode() if self._call("dm_get_library_version", text, len(text)) else ""

    def udev_sync(self) -> bool:
        """Whether udev runs and nodes are made in step with it."""
        return bool(self._call("dm_udev_get_sync_support"))

    def run(self, task: Task) -> Outcome:
        """Run one task. A cookie in the outcome must be waited for, also when the task failed."""
        handle = self._call("dm_task_create", int(task.kind))
        if not handle:
            return Outcome(False)
        try:
            cookie = c_uint32(0)
            if not self._prepare(handle, task, cookie):
                return Outcome(False, cookie=cookie.value)
            if not self._call("dm_task_run", handle):
                return Outcome(False, self._call("dm_task_get_errno", handle), cookie=cookie.value)
            response = self._call("dm_task_get_message_response", handle) if task.message is not None else None
            return Outcome(True, 0, (response or b"").decode(), cookie.value)
        finally:
            self._call("dm_task_destroy", handle)

    def udev_is_done(self, cookie: int) -> bool:
        """Whether udev is done with what the cookie stands for; the library makes missing nodes on the way."""
        if cookie == 0:  # no udev: nothing to wait for, but nodes to make
            self._call("dm_udev_wait", 0)
            return True
        ready = c_int(0)
        succeeded = self._call("dm_udev_wait_immediate", cookie, byref(ready))
        return bool(ready.value) or not succeeded

    def udev_give_up(self, cookie: int) -> None:
        """Complete a cookie in udev's stead, so that its semaphore does not stay behind."""
        self._call("dm_udev_complete", cookie)
        self.udev_is_done(cookie)

    def _prepare(self, handle: int, task: Task, cookie: c_uint32) -> bool:
        steps: list[tuple[Any, ...]] = [("dm_task_set_name", task.name.encode())]
        if task.uuid:
            steps.append(("dm_task_set_uuid", task.uuid.encode()))
        if task.read_only:
            steps.append(("dm_task_set_ro",))
        if not task.flush:
            steps.append(("dm_task_no_flush",))
        if not task.lock_filesystem:
            steps.append(("dm_task_skip_lockfs",))
        if task.deferred:
            steps.append(("dm_task_deferred_remove",))
        if task.message is not None:
            steps += [("dm_task_set_sector", 0), ("dm_task_set_message", task.message.encode())]
        for target in task.targets:
            words = (target.start_sectors, target.length_sectors, target.type.encode(), target.params.encode())
            steps.append(("dm_task_add_target", *words))
        if task.udev_flags is not None:
            steps.append(("dm_task_set_cookie", byref(cookie), task.udev_flags))
        return all(self._call(name, handle, *arguments) for name, *arguments in steps)

    def _call(self, function: str, *arguments: Any) -> Any:  # noqa: ANN401 - whatever the C function takes and gives
        return self._functions[function](*arguments)


def _load(sonames: tuple[str, ...]) -> dict[str, Any]:
    for soname in sonames:
        try:
            library = ctypes.CDLL(soname)
        except OSError:
            continue
        try:
            functions = {name: getattr(library, name) for name in _SIGNATURES}
        except AttributeError as error:
            raise NoDeviceMapperError(soname, f"is too old ({error})", "upgrade libdevmapper") from None
        for name, (result, arguments) in _SIGNATURES.items():
            functions[name].restype = result
            functions[name].argtypes = arguments
        return functions
    raise NoDeviceMapperError(
        "libdevmapper",
        "is not installed: device-mapper can be watched but not changed",
        "install libdevmapper1.02.1 (Debian, Ubuntu) or device-mapper-libs (Fedora)",
    )
