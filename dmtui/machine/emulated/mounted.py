"""File systems and mounts as rows of the store: which device holds which, where it is mounted, what is at its top.

A file system belongs to what holds its bytes: the thin id in its pool's metadata, or a file of the host (metadata id 0
and the inode). So a snapshot has its origin's, and neither a removed device nor a reboot loses it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from dmtui.machine.emulated import devices
from dmtui.machine.emulated.layouts import layout
from dmtui.machine.emulated.ranges import Range, total, without
from dmtui.machine.protocols import FileIdentity, HostSpace
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen

FILE_ENTRY_BYTES = 4096
"""What each entry at the top of a file system takes of it."""
OF_THE_HOST = 0
"""Stands for a pool's metadata where a file system is in a file of the host."""
_FIRST_INODE = {"ext4": 11, "xfs": 131}
_ROOT_INODE = {"ext4": 2, "xfs": 128}


@frozen
class Home:
    """Where a file system's bytes are: a thin of a pool's metadata, or metadata id 0 and the inode of a file."""

    metadata_id: int
    thin_id: int


@frozen
class Entry:
    """One name at the top of a file system."""

    directory: bool
    mode: int
    text: str = ""


@frozen
class Filesystem:
    """A file system.

    Attributes:
        made_bytes: size it was made with; `size_bytes` is the one it has grown to.
        own_blocks: data blocks of the pool mapped by its own writes.
        entries: what is at its top, oldest first.
        stale: what was mapped before it was made, and written by nobody since: free to it, but not to the pool.
    """

    kind: str
    uuid: str
    made_bytes: int
    size_bytes: int
    own_blocks: int
    entries: Mapping[str, Entry]
    stale: tuple[Range, ...] = ()


@frozen
class MountRow:
    """A mount. `options` are those it was asked for."""

    mount_id: int
    directory: str
    dev: DeviceNumber
    kind: str
    options: tuple[str, ...]

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written through it."""
        return "ro" in self.options


def home(connection: sqlite3.Connection, dev: DeviceNumber) -> Home | None:
    """Where the bytes of a device are, None where they are in no single place."""
    if dev.major == devices.DM_MAJOR:
        table = devices.targets(connection, dev.minor)
        if len(table) == 1 and table[0].type == THIN:
            metadata_id, thin_id = table[0].metadata_id, table[0].thin_id
            return None if metadata_id is None or thin_id is None else Home(metadata_id, thin_id)
    place = devices.storage(connection, dev)
    return Home(OF_THE_HOST, place[0]) if place and place[1] == 0 else None


def filesystem_on(connection: sqlite3.Connection, dev: DeviceNumber) -> Filesystem | None:
    """The file system on a device, None where there is none."""
    place = home(connection, dev)
    row = (
        place
        and connection.execute(
            "SELECT kind, uuid, made_bytes, size_bytes, own_blocks, entries, stale FROM filesystems"
            " WHERE metadata_id = ? AND thin_id = ?",
            (place.metadata_id, place.thin_id),
        ).fetchone()
    )
    if not row:
        return None
    entries = {name: Entry(*words) for name, words in json.loads(row[5]).items()}
    kind, uuid, made_bytes, size_bytes, own_blocks, _, stale = row
    ranges = tuple((offset, length) for offset, length in json.loads(stale))
    return Filesystem(kind, uuid, made_bytes, size_bytes, own_blocks, entries, ranges)


def put_filesystem(connection: sqlite3.Connection, place: Home, made: Filesystem) -> None:
    """Keep a file system, new or changed."""
    entries = {name: (entry.directory, entry.mode, entry.text) for name, entry in made.entries.items()}
    connection.execute(
        "INSERT OR REPLACE INTO filesystems VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            place.metadata_id,
            place.thin_id,
            made.kind,
            made.uuid,
            made.made_bytes,
            made.size_bytes,
            made.own_blocks,
            json.dumps(entries),
            json.dumps(made.stale),
        ),
    )


def drop_filesystem(connection: sqlite3.Connection, place: Home) -> None:
    """Forget a file system whose first block was overwritten or discarded."""
    connection.execute(
        "DELETE FROM filesystems WHERE metadata_id = ? AND thin_id = ?", (place.metadata_id, place.thin_id)
    )


def drop_if_blank(connection: sqlite3.Connection, place: Home) -> None:
    """Forget a file system whose first block is gone, unless it is mounted: then it lives on in the kernel's memory."""
    if not any(home(connection, mount.dev) == place for mount in mounts(connection)):
        drop_filesystem(connection, place)


def copy_to_snapshot(connection: sqlite3.Connection, metadata_id: int, thin_id: int, origin_id: int) -> None:
    """Give a snapshot its origin's file system, if the pool really has the snapshot."""
    connection.execute(
        "INSERT INTO filesystems SELECT metadata_id, ?, kind, uuid, made_bytes, size_bytes, own_blocks, entries, stale"
        " FROM filesystems WHERE metadata_id = ? AND thin_id = ?"
        " AND EXISTS (SELECT 1 FROM thins t WHERE t.metadata_id = ? AND t.thin_id = ?)",
        (thin_id, metadata_id, origin_id, metadata_id, thin_id),
    )


def count_own_blocks(connection: sqlite3.Connection, place: Home, count: int) -> None:
    """Count blocks that a file system mapped for itself."""
    connection.execute(
        "UPDATE filesystems SET own_blocks = own_blocks + ? WHERE metadata_id = ? AND thin_id = ?",
        (count, place.metadata_id, place.thin_id),
    )


def note_change(connection: sqlite3.Connection, place: Home, begin: int, end: int) -> None:
    """Note that ``begin <= byte < end`` was written or unmapped: nothing there is stale any more."""
    row = connection.execute(
        "SELECT stale FROM filesystems WHERE metadata_id = ? AND thin_id = ? AND stale <> '[]'",
        (place.metadata_id, place.thin_id),
    ).fetchone()
    if row is not None:
        connection.execute(
            "UPDATE filesystems SET stale = ? WHERE metadata_id = ? AND thin_id = ?",
            (json.dumps(without(json.loads(row[0]), begin, end)), place.metadata_id, place.thin_id),
        )


def block_bytes(connection: sqlite3.Connection, place: Home) -> int:
    """Size of the data blocks of a thin's pool, 0 for a file of the host."""
    row = connection.execute(
        "SELECT json_extract(state, '$.superblock.block_sectors') FROM metadata WHERE id = ?", (place.metadata_id,)
    ).fetchone()
    return row[0] * SECTOR_BYTES if row else 0


def held_blocks(connection: sqlite3.Connection, place: Home) -> int:
    """Data blocks that a thin has mapped without the stale ones; 0 for a file of the host."""
    row = connection.execute(
        "SELECT mapped, stale FROM thins LEFT JOIN filesystems USING (metadata_id, thin_id)"
        " WHERE metadata_id = ? AND thin_id = ?",
        (place.metadata_id, place.thin_id),
    ).fetchone()
    if row is None:
        return 0
    stale = json.loads(row[1] or "[]")
    return row[0] - (total(stale) // block_bytes(connection, place) if stale else 0)


def mount_at(connection: sqlite3.Connection, directory: str) -> MountRow | None:
    """What is mounted at a directory, the newest where there are several."""
    row = connection.execute(
        "SELECT id, directory, major, minor, kind, options FROM mounts WHERE directory = ? ORDER BY id DESC LIMIT 1",
        (directory,),
    ).fetchone()
    return row and _mount(row)


def mount_over(connection: sqlite3.Connection, path: str) -> MountRow | None:
    """The mount that a path is on, itself its directory or not; None on the host's own file system."""
    above, end = [path], len(path)
    while end > 0:
        end = path.rfind("/", 0, end)
        above.append(path[:end] or "/")
    row = connection.execute(
        "SELECT id, directory, major, minor, kind, options FROM mounts"  # noqa: S608 - question marks only
        f" WHERE directory IN ({', '.join('?' * len(above))}) ORDER BY length(directory) DESC, id DESC LIMIT 1",
        above,
    ).fetchone()
    return row and _mount(row)


def mounts(connection: sqlite3.Connection, dev: DeviceNumber | None = None) -> list[MountRow]:
    """Every mount, or those of one device, oldest first."""
    query = "SELECT id, directory, major, minor, kind, options FROM mounts"
    if dev is None:
        rows = connection.execute(f"{query} ORDER BY id")
    else:
        rows = connection.execute(f"{query} WHERE major = ? AND minor = ? ORDER BY id", (dev.major, dev.minor))
    return [_mount(row) for row in rows]


def _mount(row: tuple[int, str, int, int, str, str]) -> MountRow:
    mount_id, directory, major, minor, kind, options = row
    return MountRow(mount_id, directory, DeviceNumber(major, minor), kind, tuple(json.loads(options)))


def add_mount(
    connection: sqlite3.Connection, directory: str, dev: DeviceNumber, kind: str, options: Sequence[str]
) -> None:
    """Mount a device on top of what may be mounted there."""
    connection.execute(
        "INSERT INTO mounts (directory, major, minor, kind, options) VALUES (?, ?, ?, ?, ?)",
        (directory, dev.major, dev.minor, kind, json.dumps(options)),
    )


def end_mount(connection: sqlite3.Connection, directory: str) -> set[DeviceNumber]:
    """End the newest mount at a directory and those below it; returns the devices that they were of."""
    top = mount_at(connection, directory)
    if top is None:
        return set()
    ended = [top, *mounts_below(connection, top)]
    connection.executemany("DELETE FROM mounts WHERE id = ?", [(mount.mount_id,) for mount in ended])
    return {mount.dev for mount in ended}


def mounts_below(connection: sqlite3.Connection, top: MountRow) -> list[MountRow]:
    """What is mounted on what a mount holds."""
    # "0" follows "/": whatever lies between is below the directory.
    rows = connection.execute(
        "SELECT id, directory, major, minor, kind, options FROM mounts"
        " WHERE id > ? AND directory > ? AND directory < ?",
        (top.mount_id, f"{top.directory}/", f"{top.directory}0"),
    )
    return [_mount(row) for row in rows]


def is_in_use(connection: sqlite3.Connection, dev: DeviceNumber) -> bool:
    """Whether the file system on a device is in use: mounted here or elsewhere, or unmounted under its users."""
    query = "SELECT 1 FROM processes WHERE minor = ? AND how IN ('mount', 'file', 'cwd')"
    held = dev.major == devices.DM_MAJOR and connection.execute(query, (dev.minor,)).fetchone() is not None
    return held or bool(mounts(connection, dev))


def set_retries(connection: sqlite3.Connection, dev: DeviceNumber, count: int) -> None:
    """Keep how often a mounted file system tries where there is no space."""
    connection.execute("UPDATE mounts SET retries = ? WHERE major = ? AND minor = ?", (count, dev.major, dev.minor))


def retries(connection: sqlite3.Connection, dev: DeviceNumber) -> int | None:
    """What `set_retries` kept, None for no limit."""
    row = connection.execute(
        "SELECT max(retries) FROM mounts WHERE major = ? AND minor = ?", (dev.major, dev.minor)
    ).fetchone()
    return row[0]


def space(connection: sqlite3.Connection, dev: DeviceNumber) -> HostSpace:
    """Space of a mounted file system: blocks mapped beside its own and the stale ones are files of its users."""
    made, place = filesystem_on(connection, dev), home(connection, dev)
    if made is None or place is None:
        return HostSpace(0, 0, 0)
    plan = layout(made.kind, made.made_bytes, made.size_bytes)
    files_bytes = len(made.entries) * FILE_ENTRY_BYTES
    blocks = max(0, held_blocks(connection, place) - made.own_blocks)
    files_bytes += blocks * block_bytes(connection, place)
    free = max(0, plan.total_bytes - plan.own_bytes - files_bytes)
    return HostSpace(plan.total_bytes, free, max(0, free - plan.reserved_bytes))


def identity(connection: sqlite3.Connection, mount: MountRow, path: str) -> FileIdentity | None:
    """What stat tells of a path on a mounted file system: of its top, or of a name there."""
    made = filesystem_on(connection, mount.dev)
    if made is None:
        return None
    if path == mount.directory:
        return FileIdentity(path, mount.dev, _ROOT_INODE[made.kind], FILE_ENTRY_BYTES, FILE_ENTRY_BYTES, True)
    name = path.removeprefix(mount.directory.rstrip("/") + "/")
    entry = made.entries.get(name)
    if entry is None:
        return None
    inode = _FIRST_INODE[made.kind] + list(made.entries).index(name)
    size = FILE_ENTRY_BYTES if entry.directory else len(entry.text.encode())
    return FileIdentity(path, mount.dev, inode, size, FILE_ENTRY_BYTES, entry.directory)
