"""The emulated host's file system: files with inodes, holes and a set size, as rows of the store."""

from __future__ import annotations

import errno
import posixpath
import sqlite3
import zlib

from dmtui.machine.emulated.store import set_setting, setting
from dmtui.machine.emulated.stored import drop_metadata
from dmtui.machine.errors import machine_error
from dmtui.machine.protocols import FileIdentity
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.values import frozen

HOST_DEVICE = DeviceNumber(8, 1)
"""Device of the host's only file system, ``/dev/sda1``."""
FIRST_INODE = 1048577
ROOT_INODE = 2
DEFAULT_TOTAL_BYTES = 64 * 1024**3
DEFAULT_FREE_BYTES = 40 * 1024**3
GRANULE_BYTES = 65536
"""Files get their space in pieces of this size: the smallest data block of a pool."""
_CHUNK_GRANULES = 16384
_DIRECTORY_BYTES = 4096


@frozen
class File:
    """A file or directory of the host; one without a name lives on under its loop device."""

    inode: int
    path: str | None
    directory: bool
    size_bytes: int
    allocated_bytes: int

    def identity(self) -> FileIdentity:
        """What stat tells of it."""
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
    connection.execute("DELETE FROM filesystems WHERE metadata_id = 0 AND thin_id = ?", (inode,))
    connection.execute("DELETE FROM files WHERE inode = ?", (inode,))


def make_directories(connection: sqlite3.Connection, path: str) -> None:
    """Make a directory and what is missing above it.

    Raises:
        MachineError: something on the way is a file.
    """
    above = [path]
    while posixpath.dirname(above[-1]) != above[-1]:
        above.append(posixpath.dirname(above[-1]))
    for directory in reversed(above):
        found = find(connection, directory)
        if found is None:
            insert(connection, directory, True, _DIRECTORY_BYTES)
        elif not found.directory:
            raise machine_error(errno.ENOTDIR, directory, f"making the directory {path}")


def find(connection: sqlite3.Connection, path: str) -> File | None:
    """The file of a path, None where there is none."""
    row = connection.execute(
        "SELECT inode, path, directory, size_bytes, allocated_bytes FROM files WHERE path = ?", (path,)
    ).fetchone()
    return row and File(row[0], row[1], bool(row[2]), row[3], row[4])


def insert(connection: sqlite3.Connection, path: str, directory: bool, size_bytes: int) -> File:
    """Give a new file its inode; the directory above must be there."""
    if path == "/":
        inode = ROOT_INODE
    else:
        inode = setting(connection, "next_inode", FIRST_INODE)
        set_setting(connection, "next_inode", inode + 1)
    allocated = _DIRECTORY_BYTES if directory else 0
    connection.execute(
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", (inode, path, path, directory, size_bytes, allocated)
    )
    return File(inode, path, directory, size_bytes, allocated)


def names_below(connection: sqlite3.Connection, directory: str) -> tuple[str, ...]:
    """Names in a directory, sorted."""
    start = directory.rstrip("/") + "/"
    # "0" follows "/": whatever lies between is below the directory.
    rows = connection.execute("SELECT path FROM files WHERE path > ? AND path < ?", (start, f"{start[:-1]}0"))
    return tuple(sorted({path.removeprefix(start).partition("/")[0] for (path,) in rows}))
