"""The file that the emulated machine lives in: an SQLite database shared by several processes.

Every operation that changes anything is one immediate transaction, so a process killed at any instruction leaves
either all of it or nothing. Reads use a connection of their own and, by the write-ahead log, never wait for a writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import DmtuiError

FILE_NAME = "machine.sqlite3"
SCHEMA_VERSION = 1
APPLICATION_ID = 0x646D7475
"""``dmtu``: tells our file from any other database."""
_BUSY_SECONDS = 60.0

_SCHEMA = """
CREATE TABLE settings (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE files (
    inode INTEGER PRIMARY KEY, path TEXT UNIQUE, old_path TEXT NOT NULL, directory INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, allocated_bytes INTEGER NOT NULL);
CREATE TABLE file_chunks (
    inode INTEGER NOT NULL, chunk INTEGER NOT NULL, granules BLOB NOT NULL, PRIMARY KEY (inode, chunk));
CREATE TABLE loops (
    number INTEGER PRIMARY KEY, inode INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    autoclear INTEGER NOT NULL, read_only INTEGER NOT NULL);
CREATE TABLE loop_holders (number INTEGER NOT NULL, pid INTEGER NOT NULL);
CREATE TABLE devices (
    minor INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, uuid TEXT NOT NULL, event_nr INTEGER NOT NULL DEFAULT 0,
    suspended INTEGER NOT NULL DEFAULT 0, read_only INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0, opened INTEGER NOT NULL DEFAULT 0, users INTEGER NOT NULL DEFAULT 0);
CREATE INDEX devices_deferred ON devices (minor) WHERE deferred;
CREATE UNIQUE INDEX devices_by_uuid ON devices (uuid) WHERE uuid <> '';
CREATE TABLE targets (
    minor INTEGER NOT NULL, live INTEGER NOT NULL, number INTEGER NOT NULL, read_only INTEGER NOT NULL,
    start_sectors INTEGER NOT NULL, length_sectors INTEGER NOT NULL, type TEXT NOT NULL, params TEXT NOT NULL,
    metadata_id INTEGER, thin_id INTEGER, PRIMARY KEY (minor, live, number)) WITHOUT ROWID;
CREATE INDEX targets_by_thin ON targets (metadata_id, thin_id);
CREATE TABLE uses (
    minor INTEGER NOT NULL, live INTEGER NOT NULL, used_major INTEGER NOT NULL, used_minor INTEGER NOT NULL);
CREATE INDEX uses_by_used ON uses (used_major, used_minor);
CREATE INDEX uses_by_user ON uses (minor, live);
CREATE TRIGGER uses_begin AFTER INSERT ON uses WHEN NEW.used_major = 254 AND (SELECT count(*) FROM uses
    WHERE minor = NEW.minor AND used_major = 254 AND used_minor = NEW.used_minor) = 1
    BEGIN UPDATE devices SET users = users + 1 WHERE minor = NEW.used_minor; END;
CREATE TRIGGER uses_end AFTER DELETE ON uses WHEN OLD.used_major = 254 AND NOT EXISTS (SELECT 1 FROM uses
    WHERE minor = OLD.minor AND used_major = 254 AND used_minor = OLD.used_minor)
    BEGIN UPDATE devices SET users = users - 1 WHERE minor = OLD.used_minor; END;
CREATE TABLE metadata (
    id INTEGER PRIMARY KEY, inode INTEGER NOT NULL, offset_sectors INTEGER NOT NULL, state TEXT NOT NULL,
    used_metadata INTEGER NOT NULL, total_metadata INTEGER NOT NULL, used_data INTEGER NOT NULL,
    total_data INTEGER NOT NULL, transaction_id TEXT NOT NULL, held_block INTEGER NOT NULL,
    needs_check INTEGER NOT NULL, UNIQUE (inode, offset_sectors));
CREATE TABLE pools (
    metadata_id INTEGER PRIMARY KEY, minor INTEGER NOT NULL, mode TEXT NOT NULL, error_if_no_space INTEGER NOT NULL,
    low_water_triggered INTEGER NOT NULL, low_water_blocks TEXT NOT NULL, metadata_low_triggered INTEGER NOT NULL,
    discard TEXT NOT NULL,
    requested TEXT NOT NULL);
CREATE TABLE leaks (pid INTEGER PRIMARY KEY, minor INTEGER NOT NULL);
CREATE TABLE thins (
    metadata_id INTEGER NOT NULL, thin_id INTEGER NOT NULL, mapped INTEGER NOT NULL, highest INTEGER NOT NULL,
    transaction_id TEXT NOT NULL, creation_time INTEGER NOT NULL, snapshotted_time INTEGER NOT NULL,
    PRIMARY KEY (metadata_id, thin_id)) WITHOUT ROWID;
CREATE TABLE nodes (id INTEGER PRIMARY KEY, node BLOB NOT NULL);
CREATE TABLE bitmaps (
    metadata_id INTEGER NOT NULL, space TEXT NOT NULL, bitmap INTEGER NOT NULL, counters BLOB NOT NULL,
    PRIMARY KEY (metadata_id, space, bitmap));
"""


class Store:
    """The database of one emulated machine.

    Attributes:
        is_new: the store was created by this very call.
        is_closed: `close` was called.
        forget: called when what is cached of the store is not true any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.forget: Callable[[], None] = lambda: None
        self._writing = threading.RLock()
        self._reading = threading.Lock()
        self.is_closed = False
        self._depth = 0
        self._seen = -1
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.close(descriptor)
            self._writer, self._reader = self._connect(), self._connect()
            self.is_new = self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise DmtuiError(
                f"emulated machine {path}", f"cannot be used: {error}", "move it away or name another --emulated-dir"
            ) from error

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _prepare(self) -> bool:
        writer = self._writer
        application, version = self._marks()
        if application == 0 and version == 0:
            writer.execute("PRAGMA journal_mode = WAL").fetchone()
            with self.write():
                if self._marks() == (0, 0):
                    if writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                        raise self._foreign()
                    for statement in _SCHEMA.split(";\n"):
                        writer.execute(statement)
                    writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                    return True
            application, version = self._marks()
        if application != APPLICATION_ID:
            raise self._foreign()
        if version != SCHEMA_VERSION:
            raise DmtuiError(
                f"emulated machine {self.path}",
                f"has version {version} of the store, this dmtui knows version {SCHEMA_VERSION}",
                "use the dmtui that made it, or name another --emulated-dir",
            )
        return False

    def _marks(self) -> tuple[int, int]:
        application = self._writer.execute("PRAGMA application_id").fetchone()[0]
        return application, self._writer.execute("PRAGMA user_version").fetchone()[0]

    def _foreign(self) -> DmtuiError:
        return DmtuiError(
            f"emulated machine {self.path}", "is another program's database", "name another --emulated-dir"
        )

    @property
    def is_nested(self) -> bool:
        """Whether the transaction under way began before the innermost `write`."""
        return self._depth > 1

    @contextmanager
    def write(self) -> Generator[sqlite3.Connection, None, None]:
        """One transaction that may change the store; nested uses join it. Undone when an exception leaves it."""
        with self._writing:
            if self._depth:
                self._depth += 1
                try:
                    yield self._writer
                finally:
                    self._depth -= 1
                return
            with self._explained():
                self._writer.execute("BEGIN IMMEDIATE")
                self._depth = 1
                try:
                    seen = self._writer.execute("PRAGMA data_version").fetchone()[0]
                    if seen != self._seen:
                        self.forget()
                        self._seen = seen
                    yield self._writer
                    self._writer.execute("COMMIT")
                except BaseException:
                    self.forget()
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
                finally:
                    self._depth = 0

    @contextmanager
    def _explained(self) -> Generator[None, None, None]:
        """Say in our own words that the database cannot be used: locked for too long, disk full, removed, closed."""
        try:
            yield
        except sqlite3.Error as error:
            raise MachineError(
                f"emulated machine {self.path}", f"cannot be used: {error}", "look at its directory, then try again"
            ) from error

    @contextmanager
    def read(self) -> Generator[sqlite3.Connection, None, None]:
        """One consistent view of the store; inside a transaction of this thread, that transaction's view."""
        if self._depth and self._writing.acquire(blocking=False):
            try:
                if self._depth:
                    yield self._writer
                    return
            finally:
                self._writing.release()
        with self._reading, self._explained():
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("COMMIT")

    def close(self) -> None:
        """Close the database; closing twice is fine."""
        with self._writing, self._reading:
            self.is_closed = True
            self._reader.close()
            self._writer.close()


def setting(connection: sqlite3.Connection, key: str, default: int) -> int:
    """A number kept in the store."""
    row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    return default if row is None else row[0]


def set_setting(connection: sqlite3.Connection, key: str, value: int) -> None:
    """Keep a number in the store."""
    connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))
