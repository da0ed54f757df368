"""What the kernel has not read of a pool's metadata yet: it misses that when their disk gives errors.

From its activation on, a pool keeps in memory what it reads. Once in service it has all that it needs, as a rule, and a
broken disk shows at its next commit. Before, it makes no commit that could fail, and each thing works or fails by
whether somebody has looked at it: a thin's details are read as its table is loaded; its mappings are as its status is
told, which we take to follow at once.
"""

from __future__ import annotations

import sqlite3

from dmtui.machine.emulated import disks
from dmtui.thinpool.values import frozen


@frozen
class Reach:
    """What can be had of the metadata of an active pool, be it from memory."""

    connection: sqlite3.Connection
    metadata_id: int

    def is_whole(self) -> bool:
        """Whether their disk can be read."""
        return disks.metadata_fault(self.connection, self.metadata_id) is not disks.DiskFault.ALL

    def has_details(self) -> bool:
        """Whether it can be told which thins there are: they are near each other."""
        query = "SELECT 1 FROM read_thins WHERE metadata_id = ? LIMIT 1"
        return self.connection.execute(query, (self.metadata_id,)).fetchone() is not None or self._is_all_there()

    def has_mappings(self, thin_id: int) -> bool:
        """Whether it can be told what a thin maps."""
        query = "SELECT 1 FROM read_thins WHERE metadata_id = ? AND thin_id = ?"
        row = self.connection.execute(query, (self.metadata_id, thin_id)).fetchone()
        return row is not None or self._is_all_there()

    def _is_all_there(self) -> bool:
        query = "SELECT in_service FROM pools WHERE metadata_id = ?"
        row = self.connection.execute(query, (self.metadata_id,)).fetchone()
        return row is None or row[0] or self.is_whole()

    def note(self, thin_id: int) -> None:
        """A thin was looked for, whether there is one or not."""
        if self.is_whole():
            self.connection.execute("INSERT OR IGNORE INTO read_thins VALUES (?, ?)", (self.metadata_id, thin_id))

    def forget(self) -> None:
        """The pool is gone, and what it kept in memory with it."""
        self.connection.execute("DELETE FROM read_thins WHERE metadata_id = ?", (self.metadata_id,))
