"""Input and output that waits, as rows of the store: for space in a full pool, for a suspended device to be resumed.

It keeps its device open, as the process does that waits for it, and belongs to no process of ours: one that is killed
meanwhile leaves it waiting, as one does that hangs in the kernel.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum

from dmtui.machine.emulated import devices
from dmtui.machine.emulated.device_io import Held
from dmtui.machine.emulated.ranges import Range, together
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen

_KEPT_ENDED = 100
"""So many that have ended are remembered for whoever asks."""
_REQUEST_BYTES = 1 << 20
"""A write from a process reaches a device in requests of 256 pages, where those lie apart (``BIO_MAX_VECS``)."""
_CUT_BYTES = 64 << 20
"""What is longer is taken for one request: else its pieces would be too many to keep."""


class Cut(Enum):
    """How far the kernel has cut a part of what waits.

    WHOLE: not at all: it came while its device was suspended.
    SPLIT: at the blocks of the pool, and more of its request comes behind it.
    APART: at the blocks, and each of them is a request of its own: the last of one, or one that was set aside.
    """

    WHOLE = "whole"
    SPLIT = "split"
    APART = "apart"


@frozen
class Part:
    """Neighbouring bytes of one wait, which are tried together.

    Attributes:
        offset: in bytes of the device.
        length: in bytes.
        cut: see there.
        turn: parts of lower numbers came first to where they wait.
    """

    offset: int
    length: int
    cut: Cut
    turn: int = 0


@frozen
class QueuedIo:
    """One of them.

    Attributes:
        number: its own within the machine.
        kind: ``write``, ``discard`` or ``flush``.
        parts: what is still to be done.
        failed: errno with which a part of it has failed, 0 for none.
        aside: it is tried in its turn, not by its place, as its device is resumed.
    """

    number: int
    minor: int
    kind: str
    parts: tuple[Part, ...]
    failed: int = 0
    aside: bool = False

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The same as (offset, length) in bytes of the device: by place, neighbours together."""
        return together((part.offset, part.length) for part in self.parts)

    @property
    def bytes_left(self) -> int:
        """How much is still to be done."""
        return sum(part.length for part in self.parts)


def waiting(connection: sqlite3.Connection) -> list[QueuedIo]:
    """What waits, oldest first."""
    query = "SELECT number, minor, kind, parts, failed, aside FROM queued_io WHERE error IS NULL ORDER BY number"
    return [
        QueuedIo(number, minor, kind, _parts(text), failed, bool(aside))
        for number, minor, kind, text, failed, aside in connection.execute(query).fetchall()
    ]


def in_turn(connection: sqlite3.Connection) -> list[tuple[QueuedIo, Part]]:
    """What waits, in the order in which the kernel tries it again: by the device whose table came first.

    Of one device by place, but what was set aside for a moment by its turn.
    Source: ``active_thins`` and the sorting of what is deferred (dm-thin.c).
    """
    waits = [(io, part) for io in waiting(connection) for part in io.parts]
    if len(waits) < 2:
        return waits  # mostly there is nothing, and the question after all tables is dear
    query = "SELECT minor, min(rowid) FROM uses WHERE live = 1 GROUP BY minor"
    loaded: dict[int, int] = dict(connection.execute(query).fetchall())

    def place(wait: tuple[QueuedIo, Part]) -> tuple[int, bool, int, int]:
        io, part = wait
        return loaded.get(io.minor, 0), not io.aside, 0 if io.aside else part.offset, part.turn

    return sorted(waits, key=place)


def set_aside(connection: sqlite3.Connection, minor: int) -> None:
    """Set aside what waits in a device that is being suspended; from here on each block is a request of its own.

    The last piece of a request is put before the one that came before it; the others get there afterwards, in their
    order, since the kernel first has to find again where they began.

    Source: ``dm_io_complete`` with its two stages (dm.c).
    """
    every = waiting(connection)
    ours = [io for io in every if io.minor == minor and not io.aside]
    if not ours:
        return
    block_bytes = _block_bytes(connection, minor)
    waits = sorted(((io.number, part) for io in ours for part in io.parts), key=lambda wait: wait[1].turn)
    ahead = [wait for wait in waits if wait[1].cut is Cut.SPLIT]
    behind = [
        (number, piece) for number, part in waits if part.cut is not Cut.SPLIT for piece in _blocks(part, block_bytes)
    ]
    order = [*ahead, *reversed(behind)]
    first = min(part.turn for io in every for part in io.parts) - len(order)
    placed: dict[int, list[Part]] = {}
    for turn, (number, part) in enumerate(order, first):
        placed.setdefault(number, []).append(Part(part.offset, part.length, Cut.APART, turn))
    for number, parts in placed.items():
        _write(connection, number, parts)
        connection.execute("UPDATE queued_io SET aside = 1 WHERE number = ?", (number,))


def let_rest(connection: sqlite3.Connection, number: int) -> None:
    """Note that the device was not resumed at once: it will take what waits together, and sort it by place.

    One that is resumed at once, under a new table, takes it one by one, as it was set aside. So it is with one
    processor, each time; with two the same course gave one order or another.
    """
    connection.execute("UPDATE queued_io SET aside = 0 WHERE number = ?", (number,))


def put_back(connection: sqlite3.Connection, waits: Iterable[tuple[int, Part]]) -> None:
    """Let parts wait for space, in this order, after they were tried: each with the number of its wait."""
    placed: dict[int, list[Part]] = {}
    for turn, (number, part) in enumerate(waits, _last_turn(connection) + 1):
        placed.setdefault(number, []).append(replace(part, turn=turn))
    for number, parts in placed.items():
        _write(connection, number, parts)
        connection.execute("UPDATE queued_io SET aside = 0 WHERE number = ?", (number,))


def _last_turn(connection: sqlite3.Connection) -> int:
    return max((part.turn for io in waiting(connection) for part in io.parts), default=0)


def _block_bytes(connection: sqlite3.Connection, minor: int) -> int:
    """The block size of the pool whose thin a device is, in bytes; 0 where it is none."""
    query = (
        "SELECT json_extract(state, '$.superblock.block_sectors') FROM targets"
        " JOIN metadata ON metadata.id = metadata_id WHERE minor = ? AND live AND thin_id >= 0"
    )
    row = connection.execute(query, (minor,)).fetchone()
    return row[0] * SECTOR_BYTES if row else 0


def _blocks(part: Part, block_bytes: int) -> list[Part]:
    """A part block by block; whole where that would be too much."""
    if not block_bytes or part.length > _CUT_BYTES:
        return [part]
    end = part.offset + part.length
    cuts = [part.offset, *range((part.offset // block_bytes + 1) * block_bytes, end, block_bytes), end]
    return [replace(part, offset=begin, length=until - begin) for begin, until in itertools.pairwise(cuts)]


def _pieces(asked: Range, left: Iterable[Range], block_bytes: int) -> list[Part]:
    """What is left of something that was asked for, as the kernel has cut it: the last block of a request is apart."""
    begin, end = asked[0], sum(asked)
    step = _REQUEST_BYTES if asked[1] <= _CUT_BYTES else asked[1]
    found: list[Part] = []
    for first in range(begin, end, step) if block_bytes else ():
        until = min(first + step, end)
        last = max(first, (until - 1) // block_bytes * block_bytes)
        for cut, piece_begin, piece_end in ((Cut.SPLIT, first, last), (Cut.APART, last, until)):
            for offset, length in left:
                inside = max(offset, piece_begin), min(offset + length, piece_end)
                if inside[0] < inside[1]:
                    found.append(Part(inside[0], inside[1] - inside[0], cut))
    return found or [Part(offset, length, Cut.APART) for offset, length in left]


def add(connection: sqlite3.Connection, minor: int, kind: str, asked: Range, held: Held) -> int:
    """Let what is held of something wait; returns its number."""
    suspended = (
        devices.pool_is_suspended(connection, minor)
        or connection.execute("SELECT 1 FROM devices WHERE minor = ? AND suspended", (minor,)).fetchone()
    )
    if suspended:
        parts = [Part(*each, Cut.WHOLE) for each in held.ranges]
    else:
        parts = _pieces(asked, held.ranges, _block_bytes(connection, minor))
    turn = _last_turn(connection) + 1
    query = "INSERT INTO queued_io (minor, kind, parts, failed) VALUES (?, ?, '[]', ?)"
    number = connection.execute(query, (minor, kind, held.failed)).lastrowid
    assert number is not None  # noqa: S101 - an insertion has a row
    _write(connection, number, [replace(part, turn=each) for each, part in enumerate(parts, turn)])
    return number


def shorten(connection: sqlite3.Connection, io: QueuedIo, part: Part, left: Sequence[Range], failed: int) -> list[Part]:
    """Note what is left of a part that was tried, and with which errno some of it has failed; returns the new parts."""
    if part.cut is not Cut.WHOLE and not failed and list(left) == [(part.offset, part.length)]:
        return [part]
    if part.cut is Cut.WHOLE:
        parts = _pieces((part.offset, part.length), left, _block_bytes(connection, io.minor))
        parts = [replace(each, turn=part.turn) for each in parts]
    else:
        parts = [replace(part, offset=offset, length=length) for offset, length in left]
    (text,) = connection.execute("SELECT parts FROM queued_io WHERE number = ?", (io.number,)).fetchone()
    others = [each for each in _parts(text) if each != part]
    _write(connection, io.number, [*others, *parts])
    note_failed(connection, io.number, failed)
    return parts


def note_failed(connection: sqlite3.Connection, number: int, failed: int) -> None:
    """Note with which errno some of it has failed; 0 changes nothing."""
    query = "UPDATE queued_io SET failed = coalesce(nullif(?, 0), failed) WHERE number = ?"
    connection.execute(query, (failed, number))


def end(connection: sqlite3.Connection, number: int, error: int) -> None:
    """Note that one has ended, with an errno or 0."""
    connection.execute("UPDATE queued_io SET error = ? WHERE number = ?", (error, number))
    connection.execute("DELETE FROM queued_io WHERE error IS NOT NULL AND number <= ?", (number - _KEPT_ENDED,))


def _write(connection: sqlite3.Connection, number: int, parts: Iterable[Part]) -> None:
    plain = [(part.offset, part.length, part.cut.value, part.turn) for part in parts]
    connection.execute("UPDATE queued_io SET parts = ? WHERE number = ?", (json.dumps(plain), number))


def _parts(text: str) -> tuple[Part, ...]:
    return tuple(Part(offset, length, Cut(cut), turn) for offset, length, cut, turn in json.loads(text))


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
