"""Input and output that waits, as rows of the store: for space in a full pool, for a suspended device to be resumed.

It keeps its device open, as the process does that waits for it, and belongs to no process of ours: one that is killed
meanwhile leaves it waiting, as one does that hangs in the kernel.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

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
        aside: it has not been tried since its device was suspended.
    """

    number: int
    minor: int
    kind: str
    ranges: tuple[Range, ...]
    failed: int = 0
    aside: bool = False

    @property
    def bytes_left(self) -> int:
        """How much is still to be done."""
        return sum(length for _, length in self.ranges)


def waiting(connection: sqlite3.Connection, by: str = "number") -> list[QueuedIo]:
    """What waits, oldest first unless in another order of its columns."""
    query = f"SELECT number, minor, kind, ranges, failed, aside FROM queued_io WHERE error IS NULL ORDER BY {by}"  # noqa: S608
    rows = connection.execute(query).fetchall()
    return [
        QueuedIo(number, minor, kind, _ranges(text), failed, bool(aside))
        for number, minor, kind, text, failed, aside in rows
    ]


def in_turn(connection: sqlite3.Connection) -> list[QueuedIo]:
    """What waits, in the order in which the kernel tries it again: by the device whose table came first.

    Of one device by place, but what was set aside by its turn.
    Source: ``active_thins`` and the sorting of what is deferred (dm-thin.c).
    """
    waits = waiting(connection, by="turn, number")
    if len(waits) < 2:
        return waits  # mostly there is nothing, and the question after all tables is dear
    query = "SELECT minor, min(rowid) FROM uses WHERE live = 1 GROUP BY minor"
    loaded: dict[int, int] = dict(connection.execute(query).fetchall())

    def place(io: QueuedIo) -> tuple[int, bool, tuple[Range, ...]]:
        return loaded.get(io.minor, 0), not io.aside, () if io.aside else io.ranges

    return sorted(waits, key=place)


def set_aside(connection: sqlite3.Connection, minor: int) -> None:
    """Set aside what waits in a device that is being suspended: each is put before the one that came before it.

    Source: ``bio_list_add_head`` of what is requeued (dm.c). What comes while the device is suspended goes behind.
    """
    query = "SELECT number FROM queued_io WHERE error IS NULL AND minor = ? AND NOT aside ORDER BY turn, number"
    numbers = connection.execute(query, (minor,)).fetchall()
    (first,) = connection.execute("SELECT min(turn) FROM queued_io WHERE error IS NULL").fetchone()
    rows = [(first - index, number) for index, (number,) in enumerate(numbers, 1)]
    connection.executemany("UPDATE queued_io SET aside = 1, turn = ? WHERE number = ?", rows)


def put_back(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Let some wait for space, in this order, after they were tried."""
    for number in numbers:
        connection.execute(
            "UPDATE queued_io SET aside = 0, turn = (SELECT max(turn) + 1 FROM queued_io) WHERE number = ?", (number,)
        )


def _ranges(text: str) -> tuple[Range, ...]:
    return tuple((offset, length) for offset, length in json.loads(text))


def add(connection: sqlite3.Connection, minor: int, kind: str, ranges: Sequence[Range], failed: int) -> int:
    """Let something wait, of which a part may have failed with an errno; returns its number."""
    suspended = (
        devices.pool_is_suspended(connection, minor)
        or connection.execute("SELECT 1 FROM devices WHERE minor = ? AND suspended", (minor,)).fetchone()
    )
    (turn,) = connection.execute("SELECT coalesce(max(turn), 0) + 1 FROM queued_io").fetchone()
    row = (minor, kind, json.dumps(ranges), failed, turn, bool(suspended))
    query = "INSERT INTO queued_io (minor, kind, ranges, failed, turn, aside) VALUES (?, ?, ?, ?, ?, ?)"
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
