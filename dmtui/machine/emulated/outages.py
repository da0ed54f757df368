"""What goes on failing until it is mended: disks that give errors, devices that hang, udev that lags.

Switched on and off by hand. A disk stays broken through a reboot, as a disk does; a device that hangs is gone then.
"""

from __future__ import annotations

import errno
import sqlite3

from dmtui.machine.emulated import devices
from dmtui.machine.emulated.disks import DATA_ERROR, METADATA_ERROR, METADATA_WRITE_ERROR
from dmtui.machine.emulated.host import find
from dmtui.machine.emulated.store import Store
from dmtui.machine.errors import MachineError, machine_error
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.table import PoolTable
from dmtui.thinpool.values import frozen

HANG = "hang"
UDEV_LAG = "udev-lag"
DISK_KINDS = (DATA_ERROR, METADATA_ERROR, METADATA_WRITE_ERROR)
KINDS = (*DISK_KINDS, HANG, UDEV_LAG)
_EFFECTS = {
    DATA_ERROR: "reads, writes and flushes give errors",
    METADATA_ERROR: "reads and writes give errors",
    METADATA_WRITE_ERROR: "writes give errors",
    HANG: "nothing that is asked of it comes back",
    UDEV_LAG: "udev takes so long to complete a device node",
}


@frozen
class Outage:
    """One of them.

    Attributes:
        subject: a file of the host for a disk, the name of a device for a hang, empty for udev.
        seconds: how long udev takes.
    """

    kind: str
    subject: str
    seconds: float | None = None

    @property
    def text(self) -> str:
        """One line that tells all of it."""
        return f"{self.kind}: {self.subject or f'{self.seconds:g} s'} ({_EFFECTS[self.kind]})"


class Outages:
    """Switches them on and off."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_active(self) -> tuple[Outage, ...]:
        """Those that are on, by kind and subject."""
        with self._store.read() as connection:
            rows = connection.execute("SELECT kind, subject, seconds FROM faults ORDER BY kind, subject").fetchall()
        return tuple(Outage(*row) for row in rows)

    def break_disk(self, kind: str, subject: str) -> None:
        """Let the disk under a pool's data or metadata give errors, as the kind says; twice is once.

        Args:
            kind: one of `DISK_KINDS`.
            subject: the pool's name, or the path of the file of the host that the disk is.

        Raises:
            DeviceMissingError: no such device.
            FileMissingError: no such file.
            InvalidError: the device is no pool, or does not stand on one file.
        """
        with self._store.write() as connection:
            inode, path = _disk(connection, kind, subject)
            connection.execute("INSERT OR REPLACE INTO faults VALUES (?, ?, ?, NULL)", (kind, path, inode))

    def hang(self, name: str) -> None:
        """Let a mapped device hang: what is asked of it, or of what stands on it, waits until the caller gives up.

        Its table, its state and the list of devices can still be read.

        Raises:
            DeviceMissingError: no such device.
        """
        with self._store.write() as connection:
            devices.find(connection, name, "letting it hang")
            connection.execute("INSERT OR REPLACE INTO faults VALUES (?, ?, NULL, NULL)", (HANG, name))

    def lag_udev(self, seconds: float) -> None:
        """Let udev take so many seconds over each node that comes or goes.

        Raises:
            BadUsageError: not a time.
        """
        if not 0 < seconds < float("inf"):
            raise BadUsageError(f"a lag of {seconds:g} s", "is no time", "give more than 0 seconds")
        with self._store.write() as connection:
            connection.execute("INSERT OR REPLACE INTO faults VALUES (?, '', NULL, ?)", (UDEV_LAG, seconds))

    def end(self, kind: str, subject: str = "") -> None:
        """Mend one, or without a subject all of a kind.

        Raises:
            MachineError: none of that kind is on there.
        """
        with self._store.write() as connection:
            if subject and kind in DISK_KINDS:
                subject = _disk(connection, kind, subject)[1]
            done = connection.execute("DELETE FROM faults WHERE kind = ? AND ? IN ('', subject)", (kind, subject))
            if not done.rowcount:
                where = f"fault {kind}{' of ' if subject else ''}{subject}"
                raise MachineError(where, "is not on", "`dmtui emulator fault list` tells which are")


def _disk(connection: sqlite3.Connection, kind: str, subject: str) -> tuple[int, str]:
    """Inode and path of the file that stands for the disk under a pool, or of the file that is named itself."""
    doing = f"looking for the disk of its {'data' if kind == DATA_ERROR else 'metadata'}"
    if subject.startswith("/"):
        file = find(connection, subject)
        if file is None:
            raise machine_error(errno.ENOENT, subject, doing)
        return file.inode, subject
    table = devices.targets(connection, devices.find(connection, subject, doing).minor)
    if not devices.is_pool(table):
        raise machine_error(errno.EINVAL, f"device {subject}", doing)
    words = PoolTable.parse(table[0].params)
    dev = words.data_device if kind == DATA_ERROR else words.metadata_device
    place = devices.storage(connection, DeviceNumber.parse(dev))
    if place is None:
        raise machine_error(errno.EINVAL, f"device {subject}", doing)
    row = connection.execute("SELECT coalesce(path, old_path) FROM files WHERE inode = ?", (place[0],)).fetchone()
    return place[0], row[0]
