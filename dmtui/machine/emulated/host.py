"""The emulated host's file system: files with inodes, holes and a set size, as rows of the store."""

from __future__ import annotations

import errno
import posixpath
import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path

from dmtui.machine.emulated.store import Store, set_setting, setting
from dmtui.machine.emulated.stored import drop_metadata
from dmtui.machine.errors import machine_error
from dmtui.machine.protocols import FileIdentity, HostSpace
from dmtui.thinpool.devno import DeviceNumber

HOST_DEVICE = DeviceNumber(8, 1)
"""Device of the host's only file system, ``/dev/sda1``."""
DEVICE_NODES = DeviceNumber(0, 6)
FIRST_INODE = 1048577
ROOT_INODE = 2
DEFAULT_TOTAL_BYTES = 64 * 1024**3
DEFAULT_FREE_BYTES = 40 * 1024**3
GRANULE_BYTES = 65536
"""Files get their space in pieces of this size: the smallest data block of a pool."""
_CHUNK_GRANULES = 16384
_DIRECTORY_BYTES = 4096
_FULL = b"\1"


@dataclass(frozen=True, slots=True)
class _File:
    inode: int
    path: str | None
    directory: bool
    size_bytes: int
    allocated_bytes: int

    def identity(self) -> FileIdentity:
        return FileIdentity(
            self.path or "", HOST_DEVICE, self.inode, self.size_bytes, self.allocated_bytes, self.directory
        )


def free_bytes(connection: sqlite3.Connection) -> int:
    """Bytes free on the host's file system."""
    others = setting(connection, "host_others_bytes", DEFAULT_TOTAL_BYTES - DEFAULT_FREE_BYTES)
    ours = connection.execute("SELECT coalesce(sum(allocated_bytes), 0) FROM files").fetchone()[0]
    return max(0, setting(connection, "host_total_bytes", DEFAULT_TOTAL_BYTES) - others - ours)


def set_free_bytes(connection: sqlite3.Connection, wanted_bytes: int) -> None:
    """Let other users of the host take or give back space until so much is free; its size grows where it must."""
    ours = connection.execute("SELECT coalesce(sum(allocated_bytes), 0) FROM files").fetchone()[0]
    total = max(setting(connection, "host_total_bytes", DEFAULT_TOTAL_BYTES), ours + wanted_bytes)
    set_setting(connection, "host_total_bytes", total)
    set_setting(connection, "host_others_bytes", total - ours - wanted_bytes)


def _chunk(connection: sqlite3.Connection, inode: int, chunk: int) -> bytearray:
    row = connection.execute(
        "SELECT granules FROM file_chunks WHERE inode = ? AND chunk = ?", (inode, chunk)
    ).fetchone()
    return bytearray(zlib.decompress(row[0])) if row else bytearray(_CHUNK_GRANULES)


def _store_range(
    connection: sqlite3.Connection, inode: int, first: int, last: int, *, mark: int, room: int | None
) -> tuple[int, int]:
    """Mark the granules ``first <= granule < last``; returns how far it came and how many changed."""
    changed, at = 0, first
    while at < last:
        number, begin = divmod(at, _CHUNK_GRANULES)
        granules = _chunk(connection, inode, number)
        end = min(_CHUNK_GRANULES, begin + last - at)
        wanting = granules.count(1 - mark, begin, end)
        if room is not None and changed + wanting > room:
            while granules.count(1 - mark, begin, end) + changed > room:
                end -= 1
            last = number * _CHUNK_GRANULES + end
            wanting = granules.count(1 - mark, begin, end)
        if wanting:
            granules[begin:end] = bytes((mark,)) * (end - begin)
            packed = zlib.compress(bytes(granules), 1)
            connection.execute("INSERT OR REPLACE INTO file_chunks VALUES (?, ?, ?)", (inode, number, packed))
        changed += wanting
        at = number * _CHUNK_GRANULES + end
    delta = changed * GRANULE_BYTES if mark else -changed * GRANULE_BYTES
    if delta:
        connection.execute("UPDATE files SET allocated_bytes = allocated_bytes + ? WHERE inode = ?", (delta, inode))
    return at, changed


def fill(connection: sqlite3.Connection, inode: int, offset_bytes: int, length_bytes: int) -> int:
    """Give a part of a file its space on disk; returns how many bytes from `offset_bytes` on have it then.

    Fewer than asked for means that the host is full.
    """
    first, last = offset_bytes // GRANULE_BYTES, -(-(offset_bytes + length_bytes) // GRANULE_BYTES)
    at, _ = _store_range(connection, inode, first, last, mark=1, room=free_bytes(connection) // GRANULE_BYTES)
    return min(length_bytes, max(0, at * GRANULE_BYTES - offset_bytes))


def punch(connection: sqlite3.Connection, inode: int, offset_bytes: int, length_bytes: int) -> None:
    """Give back the space of a part of a file: whole granules only."""
    first, last = -(-offset_bytes // GRANULE_BYTES), (offset_bytes + length_bytes) // GRANULE_BYTES
    if last > first:
        _store_range(connection, inode, first, last, mark=0, room=None)


def charge_metadata(connection: sqlite3.Connection, inode: int, blocks_bytes: int) -> bool:
    """Let a metadata file take as much space as its blocks in use at the most so far; False when the host is full."""
    size, taken = connection.execute(
        "SELECT size_bytes, allocated_bytes FROM files WHERE inode = ?", (inode,)
    ).fetchone()
    wanted = min(size, blocks_bytes)
    if wanted <= taken:
        return True
    if wanted - taken > free_bytes(connection):
        return False
    connection.execute("UPDATE files SET allocated_bytes = ? WHERE inode = ?", (wanted, inode))
    return True


def drop_if_unused(connection: sqlite3.Connection, inode: int) -> None:
    """Free a file that has neither a name nor a loop device any more."""
    row = connection.execute("SELECT path FROM files WHERE inode = ?", (inode,)).fetchone()
    bound = connection.execute("SELECT 1 FROM loops WHERE inode = ?", (inode,)).fetchone()
    if row is None or row[0] is not None or bound:
        return
    for (metadata_id,) in connection.execute("SELECT id FROM metadata WHERE inode = ?", (inode,)).fetchall():
        drop_metadata(connection, metadata_id)
    connection.execute("DELETE FROM file_chunks WHERE inode = ?", (inode,))
    connection.execute("DELETE FROM files WHERE inode = ?", (inode,))


class EmulatedFiles:
    """`Files` of an emulated machine. Nothing outside its directory is ever touched on the real disk."""

    def __init__(self, store: Store, directory: Path) -> None:
        self._store = store
        self._directory = directory.absolute()

    def identify(self, path: str) -> FileIdentity:
        """See `Files.identify`."""
        path = _normal(path)
        with self._store.read() as connection:
            found = _find(connection, path)
            if found is not None:
                return found.identity()
            node = _device_node(connection, path)
        if node is None:
            raise machine_error(errno.ENOENT, path, "looking at it")
        return node

    def space(self, path: str) -> HostSpace:
        """See `Files.space`; every path of the machine is on its one file system."""
        path = _normal(path)
        with self._store.read() as connection:
            if _find(connection, path) is None:
                raise machine_error(errno.ENOENT, path, "asking for its file system's space")
            total, free = setting(connection, "host_total_bytes", DEFAULT_TOTAL_BYTES), free_bytes(connection)
        return HostSpace(total, free, free)

    def make_directory(self, path: str) -> FileIdentity:
        """See `Files.make_directory`; inside the emulated machine's directory it is also made for real (0700)."""
        path = _normal(path)
        with self._store.write() as connection:
            make_directories(connection, path)
            found = _find(connection, path)
        real = Path(path)
        if real.is_relative_to(self._directory):
            for parent in [*reversed(real.relative_to(self._directory).parents), real.relative_to(self._directory)]:
                (self._directory / parent).mkdir(mode=0o700, exist_ok=True)
        assert found is not None  # noqa: S101 - it was just made
        return found.identity()

    def make_sparse_file(self, path: str, size_bytes: int) -> FileIdentity:
        """See `Files.make_sparse_file`."""
        path = _normal(path)
        with self._store.write() as connection:
            if _find(connection, path) is not None:
                raise machine_error(errno.EEXIST, path, "making the file")
            parent = _find(connection, posixpath.dirname(path))
            if parent is None:
                raise machine_error(errno.ENOENT, posixpath.dirname(path), f"making {path}")
            if not parent.directory:
                raise machine_error(errno.ENOTDIR, posixpath.dirname(path), f"making {path}")
            return _insert(connection, path, False, size_bytes).identity()

    def resize_file(self, path: str, size_bytes: int) -> None:
        """See `Files.resize_file`; what is cut off loses its space and its content."""
        path = _normal(path)
        with self._store.write() as connection:
            found = _regular(connection, path, "setting its size")
            connection.execute("UPDATE files SET size_bytes = ? WHERE inode = ?", (size_bytes, found.inode))
            if size_bytes < found.size_bytes:
                punch(connection, found.inode, size_bytes, found.size_bytes - size_bytes)
            if size_bytes < 4096:
                for (gone,) in connection.execute("SELECT id FROM metadata WHERE inode = ?", (found.inode,)).fetchall():
                    drop_metadata(connection, gone)
                connection.execute("UPDATE files SET allocated_bytes = 0 WHERE inode = ?", (found.inode,))

    def remove_file(self, path: str) -> None:
        """See `Files.remove_file`; a bound loop device keeps the nameless file alive."""
        path = _normal(path)
        with self._store.write() as connection:
            found = _regular(connection, path, "removing the file")
            connection.execute("UPDATE files SET path = NULL WHERE inode = ?", (found.inode,))
            drop_if_unused(connection, found.inode)

    def device_path(self, dev: DeviceNumber) -> str | None:
        """See `Files.device_path`."""
        if dev == HOST_DEVICE:
            return "/dev/sda1"
        with self._store.read() as connection:
            if dev.major == 7:
                bound = connection.execute("SELECT 1 FROM loops WHERE number = ?", (dev.minor,)).fetchone()
                return f"/dev/loop{dev.minor}" if bound else None
            if dev.major == 254:
                row = connection.execute("SELECT name FROM devices WHERE minor = ?", (dev.minor,)).fetchone()
                return f"/dev/mapper/{row[0]}" if row else None
        return None


def make_directories(connection: sqlite3.Connection, path: str) -> None:
    """Make a directory and what is missing above it.

    Raises:
        MachineError: something on the way is a file.
    """
    above = [path]
    while posixpath.dirname(above[-1]) != above[-1]:
        above.append(posixpath.dirname(above[-1]))
    for directory in reversed(above):
        found = _find(connection, directory)
        if found is None:
            _insert(connection, directory, True, _DIRECTORY_BYTES)
        elif not found.directory:
            raise machine_error(errno.ENOTDIR, directory, f"making the directory {path}")


def _normal(path: str) -> str:
    if not path.startswith("/"):
        raise machine_error(errno.EINVAL, path, "taking it for an absolute path")
    return posixpath.normpath("/" + path.lstrip("/"))


def _find(connection: sqlite3.Connection, path: str) -> _File | None:
    row = connection.execute(
        "SELECT inode, path, directory, size_bytes, allocated_bytes FROM files WHERE path = ?", (path,)
    ).fetchone()
    return row and _File(row[0], row[1], bool(row[2]), row[3], row[4])


def _regular(connection: sqlite3.Connection, path: str, doing: str) -> _File:
    found = _find(connection, path)
    if found is None:
        raise machine_error(errno.ENOENT, path, doing)
    if found.directory:
        raise machine_error(errno.EISDIR, path, doing)
    return found


def _insert(connection: sqlite3.Connection, path: str, directory: bool, size_bytes: int) -> _File:
    if path == "/":
        inode = ROOT_INODE
    else:
        inode = setting(connection, "next_inode", FIRST_INODE)
        set_setting(connection, "next_inode", inode + 1)
    allocated = _DIRECTORY_BYTES if directory else 0
    connection.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", (inode, path, path, directory, size_bytes, allocated)
    )
    return _File(inode, path, directory, size_bytes, allocated)


def _device_node(connection: sqlite3.Connection, path: str) -> FileIdentity | None:
    kind, _, name = path.removeprefix("/dev/").partition("/")
    if kind == "mapper" and name:
        row = connection.execute("SELECT minor FROM devices WHERE name = ?", (name,)).fetchone()
        inode = 1000 + row[0] if row else None
    elif kind.startswith("loop") and kind[4:].isdigit():
        inode = 100000 + int(kind[4:])
    else:
        inode = None
    return None if inode is None else FileIdentity(path, DEVICE_NODES, inode, 0, 0, is_block_device=True)
