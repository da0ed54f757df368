"""What the kernel has not read of a pool's metadata yet: it misses that when their disk gives errors.

From its activation on, a pool keeps in memory what it reads and what it writes. With a broken disk each thing works or
fails by whether somebody has looked at it before: the details of thins, which are near each other, are read as a thin's
table is loaded or a message names one; a thin's mappings are as its status is told, which we take to follow at once.
"""

from __future__ import annotations

import sqlite3

from dmtui.machine.emulated import disks
from dmtui.thinpool.values import frozen

_DETAILS_ONLY = -1
"""Stands in the place of a thin where only details were looked up."""


@frozen
class Reach:
    """What can be had of the metadata of an active pool, be it from memory."""

    connection: sqlite3.Connection
    metadata_id: int

    def is_whole(self) -> bool:
        """Whether their disk can be read."""
        return disks.metadata_fault(self.connection, self.metadata_id) is not disks.DiskFault.ALL

    def has_details(self) -> bool:
        """Whether it can be told which thins there are."""
        query = "SELECT 1 FROM read_thins WHERE metadata_id = ? LIMIT 1"
        return self.connection.execute(query, (self.metadata_id,)).fetchone() is not None or self.is_whole()

    def has_mappings(self, thin_id: int) -> bool:
        """Whether it can be told what a thin maps."""
        return self._was_read(thin_id) or self.is_whole()

    def _was_read(self, thin_id: int) -> bool:
        query = "SELECT 1 FROM read_thins WHERE metadata_id = ? AND thin_id = ?"
        return self.connection.execute(query, (self.metadata_id, thin_id)).fetchone() is not None

    def note(self, thin_id: int) -> None:
        """A thin was opened, or made: its details and its mappings are in memory."""
        if self.is_whole():
            self.connection.execute("INSERT OR IGNORE INTO read_thins VALUES (?, ?)", (self.metadata_id, thin_id))

    def note_details(self) -> None:
        """A thin was looked for, whether there is one or not."""
        self.note(_DETAILS_ONLY)

    def note_shared(self, thin_id: int, origin_id: int) -> None:
        """A thin was made that shares the mappings of another: they are in memory if those are."""
        if self._was_read(origin_id):
            self.note(thin_id)

    def forget(self) -> None:
        """The pool is gone, and what it kept in memory with it."""
        self.connection.execute("DELETE FROM read_thins WHERE metadata_id = ?", (self.metadata_id,))
