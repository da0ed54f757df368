"""Input and output that waits, as rows of the store: for space in a full pool, for a suspended device to be resumed.

It keeps its device open, as the process does that waits for it, and belongs to no process of ours: one that is killed
meanwhile leaves it waiting, as one does that hangs in the kernel.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from dmtui.machine.emulated import devices
from dmtui.machine.emulated.ranges import Range
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN
from dmtui.thinpool.values import frozen

_KEPT_ENDED = 100
"""So many that have ended are remembered for whoever asks."""


@frozen
class QueuedIo:
    """One of them.

    Attributes:
        number: its own within the machine.
        kind: ``write``, ``discard`` or ``flush``.
        ranges: what is still to be done, (offset, length) in bytes of the device.
        failed: errno with which a part of it has failed, 0 for none.
    """

    number: int
    minor: int
    kind: str
    ranges: tuple[Range, ...]
    failed: int = 0

    @property
    def bytes_left(self) -> int:
        """How much is still to be done."""
        return sum(length for _, length in self.ranges)


def waiting(connection: sqlite3.Connection) -> list[QueuedIo]:
    """What waits, oldest first."""
    query = "SELECT number, minor, kind, ranges, failed FROM queued_io WHERE error IS NULL ORDER BY number"
    rows = connection.execute(query).fetchall()
    return [QueuedIo(number, minor, kind, _ranges(text), failed) for number, minor, kind, text, failed in rows]


def in_turn(connection: sqlite3.Connection) -> list[QueuedIo]:
    """What waits, in the order in which the kernel tries it again: by the device whose table came first, by place.

    A discard waits for the resume of its device only, which lets everything go on in the order in which it came.
    Source: ``active_thins`` and the sorting of what is deferred (dm-thin.c).
    """
    query = "SELECT minor, min(rowid) FROM uses WHERE live = 1 GROUP BY minor"
    loaded: dict[int, int] = dict(connection.execute(query).fetchall())
    found = waiting(connection)
    in_order = {io.minor for io in found if io.kind == "discard"}
    return sorted(found, key=lambda io: (loaded.get(io.minor, 0), () if io.minor in in_order else io.ranges))


def _ranges(text: str) -> tuple[Range, ...]:
    return tuple((offset, length) for offset, length in json.loads(text))


def add(connection: sqlite3.Connection, minor: int, kind: str, ranges: Sequence[Range], failed: int) -> int:
    """Let something wait, of which a part may have failed with an errno; returns its number."""
    row = (minor, kind, json.dumps(ranges), failed)
    query = "INSERT INTO queued_io (minor, kind, ranges, failed) VALUES (?, ?, ?, ?)"
    number = connection.execute(query, row).lastrowid
    assert number is not None  # noqa: S101 - an insertion has a row
    return number


def shorten(connection: sqlite3.Connection, number: int, ranges: Sequence[Range], failed: int) -> None:
    """Note that only so much of one is still to be done, and with which errno a part of it has failed."""
    row = (json.dumps(ranges), failed, number)
    connection.execute("UPDATE queued_io SET ranges = ?, failed = ? WHERE number = ?", row)


def end(connection: sqlite3.Connection, number: int, error: int) -> None:
    """Note that one has ended, with an errno or 0."""
    connection.execute("UPDATE queued_io SET error = ?, ranges = '[]' WHERE number = ?", (error, number))
    connection.execute("DELETE FROM queued_io WHERE error IS NOT NULL AND number <= ?", (number - _KEPT_ENDED,))


def is_inside(connection: sqlite3.Connection, minor: int) -> bool:
    """Whether anything waits inside a device: what was given to it, or to a device that stands on it."""
    return any(_stands_on(connection, DeviceNumber(devices.DM_MAJOR, io.minor), minor) for io in waiting(connection))


def _stands_on(connection: sqlite3.Connection, dev: DeviceNumber, minor: int) -> bool:
    if dev.major != devices.DM_MAJOR:
        return False
    if dev.minor == minor:
        return True
    # A thin keeps what waits for space itself: nothing of it is inside what the thin stands on.
    waits_here = any(target.type == THIN for target in devices.targets(connection, dev.minor))
    below = () if waits_here else devices.dependencies(connection, dev.minor)
    return any(_stands_on(connection, each, minor) for each in below)
