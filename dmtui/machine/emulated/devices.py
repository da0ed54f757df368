"""The mapped devices as rows of the store: names, numbers, tables, who uses whom."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Sequence

from dmtui.machine.emulated.store import set_setting, setting
from dmtui.machine.errors import machine_error
from dmtui.machine.protocols import DeviceInfo
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, THIN_POOL, Target
from dmtui.thinpool.values import frozen

DM_MAJOR = 254
MAX_NAME_BYTES = 127
MAX_UUID_BYTES = 128


@frozen
class Device:
    """A mapped device's row.

    Attributes:
        read_only: that of the live table.
        opened: how often users have its node open.
        users: how many other devices' tables hold it.
    """

    minor: int
    name: str
    uuid: str
    event_nr: int
    suspended: bool
    read_only: bool
    deferred: bool
    opened: int
    users: int

    @property
    def open_count(self) -> int:
        """How often it is open, by its users and by other devices' tables."""
        return self.opened + self.users

    @property
    def dev(self) -> DeviceNumber:
        """Its number."""
        return DeviceNumber(DM_MAJOR, self.minor)


@frozen
class LoadedTarget:
    """A target of a table, checked: its words as the kernel prints them, and what it stands on.

    Attributes:
        metadata_id: the pool's metadata in the store, for thin-pool and thin.
        thin_id: the thin's id.
        uses: devices it holds open.
        origin_sectors: size of a thin's external origin at the last resume of the thin: the kernel goes by that.
    """

    start_sectors: int
    length_sectors: int
    type: str
    params: str
    metadata_id: int | None = None
    thin_id: int | None = None
    uses: tuple[DeviceNumber, ...] = ()
    origin_sectors: int | None = None

    def target(self) -> Target:
        """Its line of the table."""
        return Target(self.start_sectors, self.length_sectors, self.type, self.params)


_COLUMNS = "minor, name, uuid, event_nr, suspended, read_only, deferred, opened, users"


def _device(row: tuple[int, str, str, int, int, int, int, int, int]) -> Device:
    minor, name, uuid, event_nr, suspended, read_only, deferred, opened, users = row
    return Device(minor, name, uuid, event_nr, bool(suspended), bool(read_only), bool(deferred), opened, users)


def find(connection: sqlite3.Connection, name: str, doing: str) -> Device:
    """The device of a name.

    Raises:
        DeviceMissingError: there is none.
    """
    row = connection.execute(f"SELECT {_COLUMNS} FROM devices WHERE name = ?", (name,)).fetchone()  # noqa: S608
    if row is None:
        raise machine_error(errno.ENXIO, f"device {name}", doing)
    return _device(row)


def by_minor(connection: sqlite3.Connection, minor: int) -> Device | None:
    """The device of a number, None where there is none."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM devices WHERE minor = ?", (minor,)).fetchone()  # noqa: S608
    return row and _device(row)


def targets(connection: sqlite3.Connection, minor: int, *, live: bool = True) -> list[LoadedTarget]:
    """The live (or the inactive) table of a device, without what it uses; empty where it has none."""
    rows = connection.execute(
        "SELECT start_sectors, length_sectors, type, params, metadata_id, thin_id, origin_sectors FROM targets"
        " WHERE minor = ? AND live = ? ORDER BY number",
        (minor, live),
    )
    return [LoadedTarget(*row[:6], origin_sectors=row[6]) for row in rows]


def note_origins(connection: sqlite3.Connection, minor: int) -> None:
    """Note how large the external origins of a device's live thin targets are, as it is resumed."""
    query = "SELECT number, params FROM targets WHERE minor = ? AND live = 1 AND type = ? AND params LIKE '% % %'"
    for number, params in connection.execute(query, (minor, THIN)).fetchall():
        size = size_sectors(connection, DeviceNumber.parse(params.split()[2]))
        query = "UPDATE targets SET origin_sectors = ? WHERE minor = ? AND live = 1 AND number = ?"
        connection.execute(query, (size, minor, number))


def pool_is_suspended(connection: sqlite3.Connection, minor: int) -> bool:
    """Whether the pool of a device's thin targets is suspended, and the device with it.

    A table that waits to become live counts too: the kernel suspends every device that has a thin of the pool open.
    """
    row = connection.execute(
        "SELECT 1 FROM targets t JOIN pools USING (metadata_id) JOIN devices d ON d.minor = pools.minor"
        " WHERE t.minor = ? AND t.type = ? AND d.suspended",
        (minor, THIN),
    ).fetchone()
    return row is not None


def info(connection: sqlite3.Connection, device: Device) -> DeviceInfo:
    """What the kernel says of a device."""
    slots = {row[0] for row in connection.execute("SELECT DISTINCT live FROM targets WHERE minor = ?", (device.minor,))}
    return DeviceInfo(
        name=device.name,
        uuid=device.uuid,
        dev=device.dev,
        open_count=device.open_count,
        event_nr=device.event_nr,
        suspended=device.suspended,
        read_only=device.read_only,
        live_table=1 in slots,
        inactive_table=0 in slots,
        deferred_remove=device.deferred,
        internal_suspend=pool_is_suspended(connection, device.minor),
    )


def add(connection: sqlite3.Connection, name: str, uuid: str) -> Device:
    """Make a device without a table, with the lowest free number.

    Raises:
        InvalidError: the name or the uuid cannot be.
        DeviceBusyError: one of them is taken.
    """
    doing = f"creating device {name}"
    too_long = len(name.encode()) > MAX_NAME_BYTES or len(uuid.encode()) > MAX_UUID_BYTES
    if not name or "/" in name or too_long:
        raise machine_error(errno.EINVAL, f"device {name}", "creating it")
    taken = connection.execute(
        "SELECT name FROM devices WHERE name = ? OR (uuid = ? AND uuid <> '')", (name, uuid)
    ).fetchone()
    if taken:
        raise machine_error(errno.EBUSY, f"device {taken[0]}", doing)
    minor = setting(connection, "lowest_free_minor", 0)
    for (used,) in connection.execute("SELECT minor FROM devices WHERE minor >= ? ORDER BY minor", (minor,)):
        if used != minor:
            break
        minor += 1
    set_setting(connection, "lowest_free_minor", minor + 1)
    connection.execute("INSERT INTO devices (minor, name, uuid) VALUES (?, ?, ?)", (minor, name, uuid))
    return Device(minor, name, uuid, 0, False, False, False, 0, 0)


def drop(connection: sqlite3.Connection, minor: int) -> None:
    """Remove a device whose tables are gone; its number is free again."""
    connection.execute("DELETE FROM devices WHERE minor = ?", (minor,))
    lowest = setting(connection, "lowest_free_minor", 0)
    set_setting(connection, "lowest_free_minor", min(lowest, minor))


def put_table(connection: sqlite3.Connection, minor: int, loaded: Sequence[LoadedTarget], *, read_only: bool) -> None:
    """Make a checked table the inactive one of a device, in place of another.

    Both tables of a device open what they stand on once together, but once for reading and once for writing.
    """
    drop_table(connection, minor, live=False)
    for number, target in enumerate(loaded):
        words = (target.start_sectors, target.length_sectors, target.type, target.params)
        connection.execute(
            "INSERT INTO targets VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (minor, number, read_only, *words, target.metadata_id, target.thin_id),
        )
    uses = {dev for target in loaded for dev in target.uses}
    connection.executemany(
        "INSERT INTO uses VALUES (?, 0, ?, ?, ?)", [(minor, dev.major, dev.minor, read_only) for dev in sorted(uses)]
    )


def drop_table(connection: sqlite3.Connection, minor: int, *, live: bool) -> None:
    """Destroy a table."""
    connection.execute("DELETE FROM targets WHERE minor = ? AND live = ?", (minor, live))
    connection.execute("DELETE FROM uses WHERE minor = ? AND live = ?", (minor, live))


def swap_table(connection: sqlite3.Connection, minor: int) -> None:
    """Make the inactive table the live one; the one that was live is destroyed."""
    drop_table(connection, minor, live=True)
    connection.execute(
        "UPDATE devices SET read_only = (SELECT max(read_only) FROM targets WHERE targets.minor = devices.minor)"
        " WHERE minor = ?",
        (minor,),
    )
    connection.execute("UPDATE targets SET live = 1 WHERE minor = ?", (minor,))
    connection.execute("UPDATE uses SET live = 1 WHERE minor = ?", (minor,))


def dependencies(connection: sqlite3.Connection, minor: int) -> tuple[DeviceNumber, ...]:
    """The devices that the live table of a device stands on."""
    rows = connection.execute("SELECT used_major, used_minor FROM uses WHERE minor = ? AND live = 1", (minor,))
    return tuple(DeviceNumber(*row) for row in rows)


def parse_path(connection: sqlite3.Connection, text: str) -> DeviceNumber | None:
    """The number of a device named by path or ``MAJ:MIN``; None for a path that is none. It need not exist."""
    major, colon, minor = text.partition(":")
    if colon and major.isdigit() and minor.isdigit():
        return DeviceNumber(int(major), int(minor))
    if text.startswith("/dev/dm-") and text[8:].isdigit():
        return DeviceNumber(DM_MAJOR, int(text[8:])) if by_minor(connection, int(text[8:])) else None
    if text.startswith("/dev/loop") and text[9:].isdigit():
        number = int(text[9:])
        bound = connection.execute("SELECT 1 FROM loops WHERE number = ?", (number,)).fetchone()
        return DeviceNumber(7, number) if bound else None
    name = text.removeprefix("/dev/mapper/")
    row = connection.execute("SELECT minor FROM devices WHERE name = ?", (name,)).fetchone()
    return DeviceNumber(DM_MAJOR, row[0]) if row and name != text else None


def size_sectors(connection: sqlite3.Connection, dev: DeviceNumber) -> int | None:
    """Size of a block device in sectors, None where there is none."""
    if dev.major == 7:
        row = connection.execute("SELECT size_bytes / 512 FROM loops WHERE number = ?", (dev.minor,)).fetchone()
        return row and row[0]
    if dev.major == DM_MAJOR and by_minor(connection, dev.minor):
        table = targets(connection, dev.minor)
        return table[-1].start_sectors + table[-1].length_sectors if table else 0
    return None


def storage(connection: sqlite3.Connection, dev: DeviceNumber) -> tuple[int, int] | None:
    """The file under a device and the sector of it where the device begins; None where it is no single file.

    Devices stacked with one linear target are looked through.
    """
    if dev.major == 7:
        row = connection.execute("SELECT inode FROM loops WHERE number = ?", (dev.minor,)).fetchone()
        return (row[0], 0) if row else None
    table = targets(connection, dev.minor) if dev.major == DM_MAJOR else []
    if len(table) != 1 or table[0].type != "linear":
        return None
    under, offset = table[0].params.split()
    beneath = storage(connection, DeviceNumber.parse(under))
    return beneath and (beneath[0], beneath[1] + int(offset))


def is_pool(table: Sequence[LoadedTarget]) -> bool:
    """Whether a table is that of a thin pool."""
    return bool(table) and table[0].type == THIN_POOL
