"""The emulated machine's clock: the real time, until somebody steps it or lets it stand still.

It is kept in the store, so that every process sees the same time, and it survives them. It never goes back behind a
moment that was noted, also when the real clock is set back. Nanoseconds since the epoch inside, seconds outside.
"""

from __future__ import annotations

import errno
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager

from dmtui.machine.emulated.store import Store, set_setting, setting
from dmtui.machine.errors import machine_error
from dmtui.thinpool.values import frozen

SECOND = 1_000_000_000
"""A second, in nanoseconds."""
_LATEST_SECONDS = 1 << 33
"""No clock is set beyond that, in the year 2242: nanoseconds must fit into the store."""
NO_SPACE_TIMEOUT_SECONDS = 60
"""How long writers wait for space by default (the kernel's module parameter ``no_space_timeout``)."""
COMMIT_PERIOD = SECOND
"""How far apart a pool's commits are that it makes by its clock (dm-thin.c, ``COMMIT_PERIOD``), in nanoseconds."""
_TIMEOUT = "no_space_timeout"
_SUBJECT = "the emulated machine's clock"
_AHEAD = "clock_ahead"
_FROZEN = "clock_frozen"
_NOTED = "clock_noted"
_KEPT = "clock_kept"


def now(connection: sqlite3.Connection) -> int:
    """What the clock shows, in nanoseconds since the epoch."""
    query = "SELECT key, value FROM settings WHERE key IN (?, ?, ?)"
    kept: dict[str, int] = dict(connection.execute(query, (_AHEAD, _FROZEN, _NOTED)).fetchall())
    if _FROZEN in kept:
        return kept[_FROZEN]
    return max(time.time_ns() + kept.get(_AHEAD, 0), kept.get(_NOTED, 0))


def note(connection: sqlite3.Connection) -> int:
    """What the clock shows, noted: from now on it never shows less."""
    moment = now(connection)
    set_setting(connection, _NOTED, moment)
    return moment


def no_space_timeout(connection: sqlite3.Connection) -> int:
    """How long writers of a full pool wait, in seconds; 0 for ever."""
    return setting(connection, _TIMEOUT, NO_SPACE_TIMEOUT_SECONDS)


def deadline(connection: sqlite3.Connection) -> int | None:
    """When a wait for space that begins now is over; None where it lasts for ever."""
    seconds = no_space_timeout(connection)
    return note(connection) + seconds * SECOND if seconds else None


def is_commit_due(committed_at: int, moment: int) -> bool:
    """Whether a pool's next commit by the clock is due; one that is set back does not put it off.

    Source: ``need_commit_due_to_time`` (dm-thin.c).
    """
    return not committed_at <= moment < committed_at + COMMIT_PERIOD


@frozen
class Due:
    """Pools, by the id of their metadata, for which the time has come.

    Attributes:
        commits: their open transaction is to be committed.
        waits: their wait for space is over; the first one first.
    """

    commits: tuple[int, ...]
    waits: tuple[int, ...]


def due(connection: sqlite3.Connection) -> Due | None:
    """What is due and not done yet, None for nothing."""
    query = (
        "SELECT wait_until, ticking, committed_at, metadata_id FROM pools"
        " WHERE wait_until IS NOT NULL OR ticking ORDER BY wait_until, metadata_id"
    )
    pools = connection.execute(query).fetchall()
    if not pools:
        return None
    moment = now(connection)
    commits = tuple(pool for _, ticking, at, pool in pools if ticking and is_commit_due(at, moment))
    waits = tuple(pool for until, _, _, pool in pools if until is not None and until <= moment)
    return Due(commits, waits) if commits or waits else None


def will_bring_something(connection: sqlite3.Connection) -> bool:
    """Whether anything will ever be due in the store as it is."""
    query = "SELECT EXISTS (SELECT 1 FROM pools WHERE wait_until IS NOT NULL OR ticking)"
    return bool(connection.execute(query).fetchone()[0])


@contextmanager
def looking(store: Store) -> Generator[sqlite3.Connection, None, None]:
    """A view of the store in which nothing is overdue: what the clock has brought happens first, whoever looks."""
    with store.read() as connection:
        if due(connection) is None:
            yield connection
            return
    with store.write() as connection:
        yield connection


def keep(connection: sqlite3.Connection) -> None:
    """Note in a copy of the store what the clock shows, for `put_back`."""
    set_setting(connection, _KEPT, now(connection))


def put_back(connection: sqlite3.Connection) -> None:
    """Let the clock of a copy go on, or stand still, at the moment of its `keep`."""
    _set(connection, setting(connection, _KEPT, 0))


def _set(connection: sqlite3.Connection, moment: int) -> None:
    if connection.execute("SELECT 1 FROM settings WHERE key = ?", (_FROZEN,)).fetchone():
        set_setting(connection, _FROZEN, moment)
    else:
        set_setting(connection, _AHEAD, moment - time.time_ns())
    set_setting(connection, _NOTED, moment)


@frozen
class ClockReading:
    """What the clock shows.

    Attributes:
        seconds: since the epoch.
        frozen: it stands still.
    """

    seconds: float
    frozen: bool


class Clock:
    """Reads and sets the machine's clock; what is due at the moment that it then shows happens at once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self) -> ClockReading:
        """What it shows."""
        with self._store.read() as connection:
            frozen = connection.execute("SELECT 1 FROM settings WHERE key = ?", (_FROZEN,)).fetchone()
            return ClockReading(now(connection) / SECOND, frozen is not None)

    def now(self) -> float:
        """What it shows, in seconds since the epoch."""
        with self._store.read() as connection:
            return now(connection) / SECOND

    def no_space_timeout_seconds(self) -> int:
        """How long writers of a full pool wait before they fail; 0 for ever."""
        with self._store.read() as connection:
            return no_space_timeout(connection)

    def set_no_space_timeout(self, seconds: int) -> None:
        """Set that; a wait under way goes on as it began.

        Raises:
            InvalidError: less than 0, or more than the kernel takes.
        """
        if not 0 <= seconds < 1 << 32:
            raise machine_error(errno.EINVAL, "no_space_timeout", f"setting it to {seconds}")
        with self._store.write() as connection:
            set_setting(connection, _TIMEOUT, seconds)

    def step(self, seconds: float) -> None:
        """Put it forward; it goes on, or stands still, from there.

        Raises:
            InvalidError: back, or further than a clock goes.
        """
        with self._store.write() as connection:
            moment = now(connection)
            if not 0 <= seconds <= _LATEST_SECONDS - moment / SECOND:
                raise machine_error(errno.EINVAL, _SUBJECT, f"putting it forward by {seconds:g} s")
            _set(connection, moment + round(seconds * SECOND))

    def freeze(self, at_seconds: float | None = None) -> None:
        """Let it stand still, at a moment (seconds since the epoch) or where it is.

        Raises:
            InvalidError: no such moment.
        """
        with self._store.write() as connection:
            if at_seconds is not None and not 0 <= at_seconds <= _LATEST_SECONDS:
                raise machine_error(errno.EINVAL, _SUBJECT, f"setting it to {at_seconds:g} s")
            moment = now(connection) if at_seconds is None else round(at_seconds * SECOND)
            set_setting(connection, _FROZEN, moment)
            _set(connection, moment)

    def run(self) -> None:
        """Let it go on from where it stands; one that goes already is left alone."""
        with self._store.write() as connection:
            moment = now(connection)
            connection.execute("DELETE FROM settings WHERE key = ?", (_FROZEN,))
            _set(connection, moment)
