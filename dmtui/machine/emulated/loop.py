"""Loop devices of the emulated machine: numbers 7:N over the files of its host."""

from __future__ import annotations

import errno
import os
import sqlite3

from dmtui.machine.emulated import kernellog
from dmtui.machine.emulated.host import HOST_DEVICE, drop_if_unused
from dmtui.machine.emulated.store import Store
from dmtui.machine.errors import machine_error
from dmtui.machine.protocols import LoopDevice
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.units import SECTOR_BYTES

LOOP_MAJOR = 7


def loop_number(path: str) -> int | None:
    """The N of ``/dev/loopN``, None for any other path."""
    digits = path.removeprefix("/dev/loop")
    return int(digits) if digits != path and digits.isdigit() else None


def sweep(connection: sqlite3.Connection) -> None:
    """Unbind the autoclear loop devices that nobody uses any more; holders whose process died count as gone."""
    for number, pid in connection.execute("SELECT number, pid FROM loop_holders").fetchall():
        if not _alive(pid):
            connection.execute("DELETE FROM loop_holders WHERE number = ? AND pid = ?", (number, pid))
    unused = connection.execute(
        "SELECT number, inode FROM loops WHERE autoclear"
        " AND NOT EXISTS (SELECT 1 FROM loop_holders h WHERE h.number = loops.number)"
        " AND NOT EXISTS (SELECT 1 FROM uses WHERE used_major = 7 AND used_minor = loops.number)"
        " AND NOT EXISTS (SELECT 1 FROM mounts m WHERE m.major = 7 AND m.minor = loops.number)"
    ).fetchall()
    for number, inode in unused:
        connection.execute("DELETE FROM loops WHERE number = ?", (number,))
        drop_if_unused(connection, inode)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class EmulatedLoops:
    """`LoopDevices` of an emulated machine."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_bound(self) -> tuple[LoopDevice, ...]:
        """See `LoopDevices.list_bound`."""
        with self._store.read() as connection:
            pids = {row[0] for row in connection.execute("SELECT DISTINCT pid FROM loop_holders")}
            if all(map(_alive, pids)):
                return _bound(connection)
        with self._store.write() as connection:
            sweep(connection)
            return _bound(connection)

    def attach(self, path: str, *, autoclear: bool = True, read_only: bool = False) -> LoopDevice:
        """See `LoopDevices.attach`."""
        with self._store.write() as connection:
            sweep(connection)
            row = connection.execute(
                "SELECT inode, directory, size_bytes FROM files WHERE path = ?", (os.path.normpath(path),)
            ).fetchone()
            if row is None:
                raise machine_error(errno.ENOENT, path, "binding a loop device to it")
            if row[1]:
                raise machine_error(errno.EISDIR, path, "binding a loop device to it")
            taken = {number for (number,) in connection.execute("SELECT number FROM loops")}
            number = next(number for number in range(len(taken) + 1) if number not in taken)
            size_bytes = row[2] // SECTOR_BYTES * SECTOR_BYTES
            connection.execute(
                "INSERT INTO loops VALUES (?, ?, ?, ?, ?)", (number, row[0], size_bytes, autoclear, read_only)
            )
            if size_bytes:
                kernellog.say(connection, kernellog.of_capacity(number, 0, size_bytes // SECTOR_BYTES))
            if autoclear:
                connection.execute("INSERT INTO loop_holders VALUES (?, ?)", (number, os.getpid()))
            return next(loop for loop in _bound(connection) if loop.dev.minor == number)

    def release(self, loop: LoopDevice) -> None:
        """See `LoopDevices.release`; a loop device that is not held is left alone."""
        with self._store.write() as connection:
            connection.execute("DELETE FROM loop_holders WHERE number = ? AND pid = ?", (loop.dev.minor, os.getpid()))
            sweep(connection)

    def release_all(self) -> None:
        """Let go of everything this process holds."""
        with self._store.read() as connection:
            held = connection.execute("SELECT 1 FROM loop_holders WHERE pid = ?", (os.getpid(),)).fetchone()
        if held:
            with self._store.write() as connection:
                connection.execute("DELETE FROM loop_holders WHERE pid = ?", (os.getpid(),))
                sweep(connection)

    def detach(self, path: str) -> None:
        """See `LoopDevices.detach`."""
        with self._store.write() as connection:
            number = _bound_number(connection, path, "detaching it")
            connection.execute("UPDATE loops SET autoclear = 1 WHERE number = ?", (number,))
            sweep(connection)

    def refresh_capacity(self, path: str) -> None:
        """See `LoopDevices.refresh_capacity`."""
        with self._store.write() as connection:
            number = _bound_number(connection, path, "refreshing its capacity")
            query = "SELECT loops.size_bytes / 512, files.size_bytes / 512 FROM loops JOIN files USING (inode)"
            before, after = connection.execute(f"{query} WHERE number = ?", (number,)).fetchone()
            if after != before:
                connection.execute("UPDATE loops SET size_bytes = ? WHERE number = ?", (after * SECTOR_BYTES, number))
                kernellog.say(connection, kernellog.of_capacity(number, before, after))


def _bound_number(connection: sqlite3.Connection, path: str, doing: str) -> int:
    number = loop_number(path)
    if number is None:
        raise machine_error(errno.ENOENT, path, doing)
    if connection.execute("SELECT 1 FROM loops WHERE number = ?", (number,)).fetchone() is None:
        raise machine_error(errno.ENXIO, path, doing)
    return number


def _bound(connection: sqlite3.Connection) -> tuple[LoopDevice, ...]:
    rows = connection.execute(
        "SELECT number, loops.inode, path, old_path, loops.size_bytes, autoclear, read_only"
        " FROM loops JOIN files USING (inode) ORDER BY number"
    )
    return tuple(
        LoopDevice(
            path=f"/dev/loop{number}",
            dev=DeviceNumber(LOOP_MAJOR, number),
            backing_dev=HOST_DEVICE,
            backing_inode=inode,
            backing_path=old_path if path is None else path,
            deleted=path is None,
            size_bytes=size_bytes,
            autoclear=bool(autoclear),
            read_only=bool(read_only),
        )
        for number, inode, path, old_path, size_bytes, autoclear, read_only in rows
    )
