"""The emulated kernel's log: its own messages in its own words, stamped with the seconds since the machine booted.

Bounded as the kernel's ring is: the oldest lines go when there are too many. A reboot begins a new one.
"""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterable

from dmtui.machine.emulated import clock
from dmtui.machine.emulated.store import Store, set_setting, setting
from dmtui.machine.emulated.tables import RefusedError
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.values import frozen

KEPT_LINES = 2000
_BOOTED = "booted_at"
_ADDING = "device-mapper: ioctl: error adding target to table"
_OF_THE_TABLE = ("zero-length target", "too large device", "must appear alone in table", "unknown target type")
"""Ends of what is wrong with a table as a whole: without the name of a target and the errno."""
_OF_IOCTL = (
    "Empty message received.",
    "Unsupported message sent to DM core:",
    "The device has no table.",
    "Target type does not support messages",
)
_OF_METADATA = {
    "Pool metadata snapshot already exists": "reserve_metadata_snap message failed.",
    "No pool metadata snapshot found": "release_metadata_snap message failed.",
}


@frozen
class LogLine:
    """One line; `seconds` since the machine booted."""

    seconds: float
    text: str

    def __str__(self) -> str:
        """As ``dmesg`` prints it."""
        return f"[{self.seconds:12.6f}] {self.text}"


class KernelLog:
    """Reads the log."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> tuple[LogLine, ...]:
        """Every line kept, oldest first."""
        with self._store.read() as connection:
            booted = setting(connection, _BOOTED, 0)
            rows = connection.execute("SELECT at, text FROM kernel_log ORDER BY id").fetchall()
        return tuple(LogLine(max(0, at - booted) / clock.SECOND, text) for at, text in rows)


def boot(connection: sqlite3.Connection) -> None:
    """Begin a new log, now."""
    connection.execute("DELETE FROM kernel_log")
    set_setting(connection, _BOOTED, clock.now(connection))


def say(connection: sqlite3.Connection, *lines: str) -> None:
    """Add lines; they go with the transaction if that is undone."""
    if not lines:
        return
    at = clock.now(connection)
    if not connection.execute("SELECT 1 FROM settings WHERE key = ?", (_BOOTED,)).fetchone():
        set_setting(connection, _BOOTED, at)  # a machine that was never rebooted counts from its first words
    newest = 0
    for line in lines:
        newest = connection.execute("INSERT INTO kernel_log (at, text) VALUES (?, ?)", (at, line)).lastrowid or 0
    connection.execute("DELETE FROM kernel_log WHERE id <= ?", (newest - KEPT_LINES,))


def say_whatever_comes(store: Store, lines: Iterable[str]) -> None:
    """Add lines that stay also where the transaction under way is undone, as one is that was refused."""
    said = tuple(lines)
    store.afterwards(lambda connection: say(connection, *said))


def disk_name(dev: DeviceNumber) -> str:
    """What the kernel calls a block device."""
    return f"loop{dev.minor}" if dev.major == 7 else f"dm-{dev.minor}"


def of_table(dev: DeviceNumber, refusal: RefusedError) -> list[str]:
    """What the kernel says of a table that it refuses, or cannot make live, and why."""
    reason, begin = refusal.reason, f"device-mapper: table: {dev}:"
    small = re.fullmatch(r"([0-9]+:[0-9]+)( too small for target: .*)", reason)
    if small:
        return [
            f"{begin} {disk_name(DeviceNumber.parse(small[1]))}{small[2]}",
            "device-mapper: core: Cannot calculate initial queue limits",
        ]
    if not refusal.target:
        reason = "populate_table: no targets specified" if reason == "table has no targets" else reason
        of_a_target = reason.endswith(_OF_THE_TABLE)
        return [f"{begin} {reason}", _ADDING] if of_a_target else [f"device-mapper: ioctl: {reason}"]
    reason = "Invalid device id" if reason.startswith("Invalid device id") else reason
    name = errno.errorcode.get(refusal.number, str(refusal.number))
    return [f"{begin} {refusal.target}: {reason} (-{name})", _ADDING]


def of_load(dev: DeviceNumber, refusal: RefusedError) -> list[str]:
    """What the kernel says of a table that it does not load."""
    lines = of_table(dev, refusal)
    sized = " too small for target: " in refusal.reason
    return [*lines, "device-mapper: ioctl: unable to set up device queue for new table."] if sized else lines


def of_resume(dev: DeviceNumber, number: int) -> str:
    """What the kernel says of a pool that cannot begin under its table."""
    return f"device-mapper: table: {dev}: thin-pool: preresume failed, error = -{number}"


def of_query(dev: DeviceNumber) -> str:
    """What the kernel says of a query that found out that a pool has failed."""
    return of_pool(dev, "dm_pool_get_metadata_transaction_id returned -22")


def of_message(dev: DeviceNumber, refusal: RefusedError) -> list[str]:
    """What the kernel says of a message that it refuses."""
    reason = refusal.reason
    if reason.startswith(_OF_IOCTL):
        return [f"device-mapper: ioctl: {reason}"]
    for begin, failed in _OF_METADATA.items():
        if reason.startswith(begin):
            return [f"device-mapper: thin metadata: {reason}", f"device-mapper: thin: {failed}"]
    if reason.startswith("unable to service"):
        return [of_pool(dev, reason)]
    if reason.startswith("Failed to change transaction id"):
        return ["device-mapper: thin metadata: mismatched transaction id", f"device-mapper: thin: {reason}"]
    if reason.startswith("Invalid device id"):
        reason = f"Message received with {reason[0].lower()}{reason[1:]}"
    return [f"device-mapper: thin: {reason}"]


def of_pool(dev: DeviceNumber, text: str) -> str:
    """What the kernel says of a pool."""
    return f"device-mapper: thin: {dev}: {text}"


def of_capacity(number: int, before_sectors: int, after_sectors: int) -> str:
    """What the kernel says when a loop device has another size."""
    return f"loop{number}: detected capacity change from {before_sectors} to {after_sectors}"


def of_mount(dev: DeviceNumber, kind: str) -> list[str]:
    """What the kernel says when a file system is mounted for the first time."""
    if kind == "xfs":
        return [f"XFS ({disk_name(dev)}): {words}" for words in ("Mounting V5 Filesystem", "Ending clean mount")]
    return [f"EXT4-fs ({disk_name(dev)}): mounted filesystem with ordered data mode. Quota mode: none."]


def of_unmount(dev: DeviceNumber, kind: str) -> str:
    """What the kernel says when a file system is not mounted any more."""
    words = "XFS ({}): Unmounting Filesystem" if kind == "xfs" else "EXT4-fs ({}): unmounting filesystem."
    return words.format(disk_name(dev))
