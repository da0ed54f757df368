"""Callers that wait, each until its deadline at the most: for a device that hangs, for udev that lags."""

from __future__ import annotations

import errno
import sqlite3
import time

from dmtui.machine.emulated import devices
from dmtui.machine.emulated.outages import HANG, UDEV_LAG
from dmtui.machine.emulated.store import Store
from dmtui.machine.errors import TimedOutError
from dmtui.thinpool.devno import DeviceNumber

_PAUSE_SECONDS = 0.02


class Waiting:
    """Lets the callers of one process wait, never inside a transaction: others must get through meanwhile.

    Attributes:
        deadline_seconds: how long a device may hang, and how long udev may take after that.
    """

    def __init__(self, store: Store, deadline_seconds: float) -> None:
        self._store = store
        self.deadline_seconds = deadline_seconds

    @property
    def somewhere(self) -> bool:
        """Whether any device hangs."""
        with self._store.read() as connection:
            return connection.execute("SELECT 1 FROM faults WHERE kind = ?", (HANG,)).fetchone() is not None

    def for_device(self, device: str | DeviceNumber, doing: str) -> None:
        """Come back when a device, by name, by number or by the path of its node, does not hang.

        Raises:
            TimedOutError: it went on hanging; nothing was done.
        """
        if self._store.is_writing:
            return
        began = time.monotonic()
        while self._hangs(device):
            if time.monotonic() - began >= self.deadline_seconds:
                happened = f"{doing} has not ended after {self.deadline_seconds:g} s: the device hangs"
                raise TimedOutError(f"device {device}", happened, "look again before repeating it", errno.ETIMEDOUT)
            time.sleep(min(_PAUSE_SECONDS, self.deadline_seconds))

    def for_udev(self, name: str, doing: str) -> None:
        """Come back when udev has completed what was done to a device.

        Raises:
            TimedOutError: it takes longer than we wait; what was done is done.
        """
        if self._store.is_writing:
            return
        with self._store.read() as connection:
            row = connection.execute("SELECT seconds FROM faults WHERE kind = ?", (UDEV_LAG,)).fetchone()
        if row is None:
            return
        time.sleep(min(row[0], self.deadline_seconds))
        if row[0] > self.deadline_seconds:
            happened = f"{doing} worked, but udev has not answered within {self.deadline_seconds:g} s"
            raise TimedOutError(name, happened, "look at udevd; its node may be missing", errno.ETIMEDOUT)

    def _hangs(self, device: str | DeviceNumber) -> bool:
        with self._store.read() as connection:
            names = {name for (name,) in connection.execute("SELECT subject FROM faults WHERE kind = ?", (HANG,))}
            if not names:
                return False
            dev = device if isinstance(device, DeviceNumber) else _number(connection, device)
            return dev is not None and _stands_on(connection, dev, names)


def _number(connection: sqlite3.Connection, text: str) -> DeviceNumber | None:
    return devices.parse_path(connection, text if text.startswith("/") else f"/dev/mapper/{text}")


def _stands_on(connection: sqlite3.Connection, dev: DeviceNumber, names: set[str]) -> bool:
    """Whether a device is one of those of the names, or stands on one."""
    found = devices.by_minor(connection, dev.minor) if dev.major == devices.DM_MAJOR else None
    if found is None:
        return False
    below = devices.dependencies(connection, found.minor)
    return found.name in names or any(_stands_on(connection, each, names) for each in below)
