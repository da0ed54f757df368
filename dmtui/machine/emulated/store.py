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

from dmtui.machine.emulated.schema import SCHEMA_VERSION, upgrade
from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import DmtuiError

FILE_NAME = "machine.sqlite3"
APPLICATION_ID = 0x646D7475
"""``dmtu``: tells our file from any other database."""
_BUSY_SECONDS = 60.0


class Store:
    """The database of one emulated machine.

    Args:
        furnish: puts what a new machine begins with into a store that is created, inside the transaction that creates
            it: no other process ever opens one that is not furnished.

    Attributes:
        is_new: the store was created by this very call.
        is_closed: `close` was called.
        forget: called when what is cached of the store is not true any more.
        settle: called as a transaction ends: does what its changes let go on, inside it.
        catch_up: called as a transaction begins: does what the time since the last one brought, inside it.
    """

    def __init__(self, path: Path, furnish: Callable[[sqlite3.Connection], None]) -> None:
        self.path, self._furnish = path, furnish
        self.forget: Callable[[], None] = lambda: None
        self.catch_up: Callable[[sqlite3.Connection], None] = lambda _: None
        self.settle: Callable[[sqlite3.Connection], None] = lambda _: None
        self._writing = threading.RLock()
        self._reading = threading.Lock()
        self.is_closed = False
        self._depth = 0
        self._seen = -1
        self._afterwards: list[Callable[[sqlite3.Connection], None]] = []
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.close(descriptor)
            self._writer, self._reader = self._connect(), self._connect()
            self.is_new = self._prepare()
        except (sqlite3.Error, OSError) as error:
            # Those two tell of the world around it, the rest of what is in it.
            around = isinstance(error, sqlite3.OperationalError | OSError)
            step = "see to its directory (space, permissions)" if around else "move it away"
            raise DmtuiError(
                f"emulated machine {path}", f"cannot be used: {error}", f"{step} or name another --emulated-dir"
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
                    upgrade(writer, 0)
                    self._furnish(writer)
                    writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    return True
            application, version = self._marks()
        if application != APPLICATION_ID:
            raise self._foreign()
        if 0 < version < SCHEMA_VERSION:
            with self.write():
                version = self._marks()[1]  # another process may have been faster
                if version < SCHEMA_VERSION:
                    upgrade(writer, version)
                    version = SCHEMA_VERSION
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

    def afterwards(self, act: Callable[[sqlite3.Connection], None]) -> None:
        """Do something at the end of the transaction under way, or in one of its own where that is undone."""
        self._afterwards.append(act)

    def _end(self) -> None:
        """What is to be done at the end of a transaction, or after one that was undone."""
        acts, self._afterwards = self._afterwards, []
        for act in acts:
            act(self._writer)

    @property
    def is_nested(self) -> bool:
        """Whether the transaction under way began before the innermost `write`."""
        return self._depth > 1

    @property
    def is_writing(self) -> bool:
        """Whether this thread is inside a `write`."""
        if not self._depth or not self._writing.acquire(blocking=False):
            return False
        try:
            return self._depth > 0
        finally:
            self._writing.release()

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
                    self.catch_up(self._writer)
                    yield self._writer
                    self.settle(self._writer)
                    self._end()
                    self._writer.execute("COMMIT")
                except BaseException:
                    self.forget()
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    if self._afterwards:
                        self._writer.execute("BEGIN IMMEDIATE")
                        self._end()
                        self._writer.execute("COMMIT")
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

    @property
    def log_path(self) -> Path:
        """The file that every change is written to first."""
        return self.path.with_name(f"{self.path.name}-wal")

    def version(self) -> int:
        """Another number whenever anybody has changed the store: the cheapest of all questions."""
        with self._reading, self._explained():
            return self._reader.execute("PRAGMA data_version").fetchone()[0]

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
