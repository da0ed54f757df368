"""What the kernel has not committed yet of a pool's metadata: a power cut, or a commit that fails, takes it back.

The kernel commits where it is asked to (a message, a flush of a thin that has changed, a status with one, a suspend,
the pool's end) or where it must (no free block is left), and otherwise within a second of a change. Until then the rows
of the metadata are kept here as they were at its last commit; the rows themselves are always as they are now.

Source: dm-thin.c, ``COMMIT_PERIOD``, ``commit`` and its callers, ``bio_triggers_commit``; compared with the kernel in
``tests/machine/differential``, lean ``cuts``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

ID_SHIFT = 32
"""The store's number of a node is ``metadata id << 32 | block``."""

_METADATA = "state, used_metadata, total_metadata, used_data, total_data, transaction_id, held_block, needs_check"


class Unsynced:
    """The rows of one pool's metadata as the kernel committed them last, where they have changed since."""

    def __init__(self, connection: sqlite3.Connection, metadata_id: int) -> None:
        self._connection = connection
        self._id = metadata_id
        self._nodes = (metadata_id << ID_SHIFT, (metadata_id + 1) << ID_SHIFT)

    def begin(self) -> None:
        """Begin a transaction: what is stored now is committed."""
        self.end()
        query = f"INSERT INTO before_metadata SELECT id, {_METADATA}, NULL FROM metadata WHERE id = ?"  # noqa: S608
        self._connection.execute(query, (self._id,))

    def keep_nodes(self, numbers: Iterable[int]) -> None:
        """Keep nodes by their numbers in the store, before they change, come or go."""
        query = "INSERT OR IGNORE INTO before_nodes VALUES (?1, (SELECT node FROM nodes WHERE id = ?1))"
        self._connection.executemany(query, ((number,) for number in numbers))

    def keep_thins(self, thin_ids: Iterable[int]) -> None:
        """Keep the details of thins, before they change; none comes or goes without a message, which commits."""
        query = "INSERT OR IGNORE INTO before_thins SELECT * FROM thins WHERE metadata_id = ? AND thin_id = ?"
        self._connection.executemany(query, ((self._id, thin_id) for thin_id in thin_ids))

    def keep_bitmaps(self, space: str, bitmaps: Iterable[int]) -> None:
        """Keep bitmaps of a space map, before they change or come."""
        query = (
            "INSERT OR IGNORE INTO before_bitmaps VALUES (?1, ?2, ?3,"
            " (SELECT counters FROM bitmaps WHERE metadata_id = ?1 AND space = ?2 AND bitmap = ?3))"
        )
        self._connection.executemany(query, ((self._id, space, bitmap) for bitmap in bitmaps))

    def keep_taken(self, taken: str) -> None:
        """Keep the account of what the transaction has taken."""
        self._connection.execute("UPDATE before_metadata SET taken = ? WHERE id = ?", (taken, self._id))

    def take_back(self) -> None:
        """Let the store hold what the kernel committed last."""
        execute = self._connection.execute
        execute(
            "DELETE FROM nodes WHERE id IN (SELECT id FROM before_nodes WHERE id >= ? AND id < ? AND node IS NULL)",
            self._nodes,
        )
        execute(
            "INSERT OR REPLACE INTO nodes SELECT * FROM before_nodes WHERE id >= ? AND id < ? AND node IS NOT NULL",
            self._nodes,
        )
        mine = (self._id,)
        execute("INSERT OR REPLACE INTO thins SELECT * FROM before_thins WHERE metadata_id = ?", mine)
        execute(
            "DELETE FROM bitmaps WHERE (metadata_id, space, bitmap) IN"
            " (SELECT metadata_id, space, bitmap FROM before_bitmaps WHERE metadata_id = ? AND counters IS NULL)",
            mine,
        )
        execute(
            "INSERT OR REPLACE INTO bitmaps SELECT * FROM before_bitmaps"
            " WHERE metadata_id = ? AND counters IS NOT NULL",
            mine,
        )
        execute(
            f"UPDATE metadata SET ({_METADATA}) = (SELECT {_METADATA} FROM before_metadata b WHERE b.id = metadata.id)"  # noqa: S608
            " WHERE id IN (SELECT id FROM before_metadata WHERE id = ?)",
            mine,
        )
        self.end()

    def end(self) -> None:
        """Let go of what was kept: it is committed, or taken back."""
        self._connection.execute("DELETE FROM before_nodes WHERE id >= ? AND id < ?", self._nodes)
        for table, column in (("thins", "metadata_id"), ("bitmaps", "metadata_id"), ("metadata", "id")):
            self._connection.execute(f"DELETE FROM before_{table} WHERE {column} = ?", (self._id,))  # noqa: S608
