"""The files of an emulated machine by path: those of its host, and the names at the top of mounted file systems."""

from __future__ import annotations

import errno
import posixpath
import sqlite3
from contextlib import suppress
from pathlib import Path

from dmtui.machine.emulated import devices, mounted
from dmtui.machine.emulated.host import (
    DEFAULT_TOTAL_BYTES,
    HOST_DEVICE,
    File,
    drop_if_unused,
    find,
    free_bytes,
    insert,
    make_directories,
    names_below,
    punch,
)
from dmtui.machine.emulated.store import Store, setting
from dmtui.machine.emulated.stored import drop_metadata
from dmtui.machine.errors import machine_error
from dmtui.machine.protocols import FileIdentity, HostSpace
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.units import SECTOR_BYTES

_DEVICE_NODES = DeviceNumber(0, 6)
_LOOP_MAJOR = 7


class EmulatedFiles:
    """`Files` of an emulated machine. Nothing outside its directory is ever touched on the real disk."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory.absolute()

    def identify(self, path: str) -> FileIdentity:
        """See `Files.identify`."""
        path = normal(path)
        with self._store.read() as connection:
            mount = mounted.mount_over(connection, path)
            if mount is not None:
                found = mounted.identity(connection, mount, path)
            else:
                file = find(connection, path)
                found = file.identity() if file else _device_node(connection, path)
        if found is None:
            raise machine_error(errno.ENOENT, path, "looking at it")
        return found

    def space(self, path: str) -> HostSpace:
        """See `Files.space`; every path of the machine is on its one file system or on a mounted one."""
        path = normal(path)
        doing = "asking for its file system's space"
        with self._store.read() as connection:
            mount = mounted.mount_over(connection, path)
            if mount is not None:
                if mounted.identity(connection, mount, path) is None:
                    raise machine_error(errno.ENOENT, path, doing)
                return mounted.space(connection, mount.dev)
            if find(connection, path) is None:
                raise machine_error(errno.ENOENT, path, doing)
            total, free = setting(connection, "host_total_bytes", DEFAULT_TOTAL_BYTES), free_bytes(connection)
        return HostSpace(total, free, free)

    def make_directory(self, path: str, mode: int = 0o700) -> FileIdentity:
        """See `Files.make_directory`; inside the emulated machine's directory it is also made for real."""
        path = normal(path)
        with self._store.write() as connection:
            mount = mounted.mount_over(connection, path)
            inside = mount and mounted.identity(connection, mount, path)
            if inside is not None and inside.is_directory:
                return inside
            _on_host(connection, path, "making the directory")
            make_directories(connection, path)
            self._make_real(Path(path), mode)
        return self.identify(path)

    def _make_real(self, real: Path, mode: int) -> None:
        if not real.is_relative_to(self._directory):
            return
        missing = [directory for directory in (real, *real.parents) if not directory.exists()]
        for directory in reversed(missing):
            directory.mkdir(mode=0o700, exist_ok=True)
            if directory == real:
                directory.chmod(mode)  # mkdir's mode is cut by the umask

    def remove_directory(self, path: str) -> None:
        """See `Files.remove_directory`; one inside the emulated machine's directory must be empty there, too."""
        path = normal(path)
        doing = "removing the directory"
        with self._store.write() as connection:
            if path == "/" or mounted.mount_at(connection, path) is not None:
                raise machine_error(errno.EBUSY, path, doing)
            _on_host(connection, path, doing)
            found = find(connection, path)
            if found is None or not found.directory:
                raise machine_error(errno.ENOTDIR if found else errno.ENOENT, path, doing)
            if names_below(connection, path):
                raise machine_error(errno.ENOTEMPTY, path, doing)
            if Path(path).is_relative_to(self._directory):
                try:
                    with suppress(FileNotFoundError):
                        Path(path).rmdir()
                except OSError as error:
                    raise machine_error(error.errno or errno.EIO, path, doing) from None
            connection.execute("DELETE FROM files WHERE inode = ?", (found.inode,))

    def make_sparse_file(self, path: str, size_bytes: int) -> FileIdentity:
        """See `Files.make_sparse_file`."""
        path = normal(path)
        with self._store.write() as connection:
            _on_host(connection, path, "making the file")
            if find(connection, path) is not None:
                raise machine_error(errno.EEXIST, path, "making the file")
            parent = find(connection, posixpath.dirname(path))
            if parent is None:
                raise machine_error(errno.ENOENT, posixpath.dirname(path), f"making {path}")
            if not parent.directory:
                raise machine_error(errno.ENOTDIR, posixpath.dirname(path), f"making {path}")
            return insert(connection, path, False, size_bytes).identity()

    def resize_file(self, path: str, size_bytes: int) -> None:
        """See `Files.resize_file`; what is cut off loses its space and its content."""
        path = normal(path)
        with self._store.write() as connection:
            found = _regular(connection, path, "setting its size")
            connection.execute("UPDATE files SET size_bytes = ? WHERE inode = ?", (size_bytes, found.inode))
            if size_bytes < found.size_bytes:
                punch(connection, found.inode, size_bytes, found.size_bytes - size_bytes)
            if size_bytes < 4096:
                for (gone,) in connection.execute("SELECT id FROM metadata WHERE inode = ?", (found.inode,)).fetchall():
                    drop_metadata(connection, gone)
                mounted.drop_filesystem(connection, mounted.Home(mounted.OF_THE_HOST, found.inode))
                connection.execute("UPDATE files SET allocated_bytes = 0 WHERE inode = ?", (found.inode,))

    def remove_file(self, path: str) -> None:
        """See `Files.remove_file`; a bound loop device keeps the nameless file alive."""
        path = normal(path)
        with self._store.write() as connection:
            found = _regular(connection, path, "removing the file")
            connection.execute("UPDATE files SET path = NULL WHERE inode = ?", (found.inode,))
            drop_if_unused(connection, found.inode)

    def device_size_bytes(self, dev: DeviceNumber) -> int | None:
        """See `Files.device_size_bytes`."""
        with self._store.read() as connection:
            if dev == HOST_DEVICE:
                return setting(connection, "host_total_bytes", DEFAULT_TOTAL_BYTES)
            sectors = devices.size_sectors(connection, dev)
        return None if sectors is None else sectors * SECTOR_BYTES

    def device_path(self, dev: DeviceNumber) -> str | None:
        """See `Files.device_path`."""
        if dev == HOST_DEVICE:
            return "/dev/sda1"
        with self._store.read() as connection:
            if dev.major == _LOOP_MAJOR:
                bound = connection.execute("SELECT 1 FROM loops WHERE number = ?", (dev.minor,)).fetchone()
                return f"/dev/loop{dev.minor}" if bound else None
            if dev.major == devices.DM_MAJOR:
                row = connection.execute("SELECT name FROM devices WHERE minor = ?", (dev.minor,)).fetchone()
                return f"/dev/mapper/{row[0]}" if row else None
        return None


def normal(path: str) -> str:
    """An absolute path without dots and double slashes.

    Raises:
        InvalidError: the path is relative.
    """
    if not path.startswith("/"):
        raise machine_error(errno.EINVAL, path, "taking it for an absolute path")
    return posixpath.normpath("/" + path.lstrip("/"))


def _on_host(connection: sqlite3.Connection, path: str, doing: str) -> None:
    """Refuse a path on a mounted file system, of which only the top is known (`Filesystems.make_inside`)."""
    if mounted.mount_over(connection, path) is not None:
        raise machine_error(errno.EROFS, path, doing)


def _regular(connection: sqlite3.Connection, path: str, doing: str) -> File:
    _on_host(connection, path, doing)
    found = find(connection, path)
    if found is None:
        raise machine_error(errno.ENOENT, path, doing)
    if found.directory:
        raise machine_error(errno.EISDIR, path, doing)
    return found


def _device_node(connection: sqlite3.Connection, path: str) -> FileIdentity | None:
    digits = path.removeprefix("/dev/loop")
    if digits != path and digits.isdigit():
        dev, inode = DeviceNumber(_LOOP_MAJOR, int(digits)), 100000 + int(digits)
    else:
        found = devices.parse_path(connection, path)
        if found is None:
            return None
        dev, inode = found, 1000 + found.minor
    return FileIdentity(path, _DEVICE_NODES, inode, 0, 0, is_block_device=True, rdev=dev)
