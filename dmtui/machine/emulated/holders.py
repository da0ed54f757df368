"""Emulated processes that hold devices: by a mount of theirs, an open file, a working directory, the open node."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable

from dmtui.machine.emulated import devices, kernellog, mounted
from dmtui.machine.emulated.store import Store, set_setting, setting
from dmtui.machine.errors import InvalidError, machine_error
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.values import frozen

FIRST_PID = 4242
HOST_NAMESPACE = 4026531841
"""Number of the mount namespace that the host's own processes are in; of the others each has its own."""
LEAK, MOUNT, FILE, CWD, NODE = "leak", "mount", "file", "cwd", "device"
HOWS = (MOUNT, FILE, CWD, NODE)
_THROUGH_FILESYSTEM = (MOUNT, FILE, CWD)
_WORDS = {
    LEAK: "a mount in another namespace",
    MOUNT: "a mount in another namespace",
    FILE: "an open file",
    CWD: "its working directory",
    NODE: "the open device itself",
}


@frozen
class Holder:
    """A process that holds a device.

    Attributes:
        namespace: number of its mount namespace.
        how: ``mount``, ``file``, ``cwd``, ``device``, or ``leak`` for one that `Leaks` has started.
        path: what of it is held, as the process sees it; the node for ``device``.
    """

    pid: int
    command: str
    namespace: int
    how: str
    device_name: str
    path: str

    @property
    def text(self) -> str:
        """One line that tells all of it."""
        where = "the host's" if self.namespace == HOST_NAMESPACE else f"mnt:[{self.namespace}]"
        held = f"{self.device_name} by {_WORDS[self.how]}, {self.path}"
        return f"process {self.pid} holds {held} ({self.command}, in {where} mount namespace)"


class Holders:
    """Starts and ends such processes. Their pids are the machine's own and are never used twice.

    What is held through a file system (`MOUNT`, `FILE`, `CWD`) shares its one opening of the device with every mount
    of it, as in the kernel; each other process opens the device once more.
    """

    def __init__(self, store: Store, open_device: Callable[[str], None], close_device: Callable[[str], None]) -> None:
        self._store = store
        self._open_device = open_device
        self._close_device = close_device

    def list_all(self) -> tuple[Holder, ...]:
        """Every such process, by pid."""
        with self._store.read() as connection:
            rows = connection.execute(
                "SELECT pid, command, namespace, how, name, path FROM processes JOIN devices USING (minor) ORDER BY pid"
            ).fetchall()
        return tuple(Holder(*row) for row in rows)

    def begin(self, name: str, how: str, command: str = "sleep") -> int:
        """Start a process that holds a device; returns its pid.

        Raises:
            DeviceMissingError: no such device.
            InvalidError: it holds no file system, or none that is mounted, and only that could be held so.
        """
        doing = f"holding it by {_WORDS[how]}"
        with self._store.write() as connection:
            device = devices.find(connection, name, doing)
            mount = next(iter(reversed(mounted.mounts(connection, device.dev))), None)
            if how in (FILE, CWD) and mount is None:
                raise InvalidError(f"device {name}", f"{doing} failed: it is not mounted", "mount it", errno.EINVAL)
            if how == MOUNT and mounted.filesystem_on(connection, device.dev) is None:
                raise InvalidError(f"device {name}", f"{doing} failed: it holds no file system", "", errno.EINVAL)
            shared = how in _THROUGH_FILESYSTEM and mounted.is_in_use(connection, device.dev)
            if not shared:
                self._open_device(name)
                made = mounted.filesystem_on(connection, device.dev) if how == MOUNT else None
                kernellog.say(connection, *(kernellog.of_mount(device.dev, made.kind) if made else ()))
            top = mount.directory if mount else "/mnt"
            path = {FILE: f"{top.rstrip('/')}/file", NODE: f"/dev/mapper/{name}"}.get(how, top)
            pid = setting(connection, "next_pid", FIRST_PID)
            set_setting(connection, "next_pid", pid + 1)
            namespace = HOST_NAMESPACE + pid if how in (LEAK, MOUNT) else HOST_NAMESPACE
            mount_id = mount.mount_id if mount and how in (FILE, CWD) else None
            connection.execute(
                "INSERT INTO processes VALUES (?, ?, ?, ?, ?, ?, ?)",
                (pid, command, namespace, how, device.minor, mount_id, path),
            )
        return pid

    def end(self, pid: int, *hows: str) -> None:
        """End such a process, one of these kinds only if any are given; its device may go with its last holder.

        Raises:
            MachineError: no such process (ESRCH).
        """
        with self._store.write() as connection:
            row = connection.execute(
                "SELECT how, minor, name FROM processes JOIN devices USING (minor) WHERE pid = ?", (pid,)
            ).fetchone()
            if row is None or (hows and row[0] not in hows):
                raise machine_error(errno.ESRCH, f"emulated process {pid}", "ending it")
            how, minor, name = row
            connection.execute("DELETE FROM processes WHERE pid = ?", (pid,))
            dev = DeviceNumber(devices.DM_MAJOR, minor)
            if how in _THROUGH_FILESYSTEM:
                if mounted.is_in_use(connection, dev):
                    return
                found = mounted.filesystem_on(connection, dev)
                if found is not None:
                    kernellog.say(connection, kernellog.of_unmount(dev, found.kind))
            self._close_device(name)


def holding(connection: sqlite3.Connection, mount_id: int) -> bool:
    """Whether a process has a file of a mount open, or works in it."""
    return connection.execute("SELECT 1 FROM processes WHERE mount_id = ?", (mount_id,)).fetchone() is not None
