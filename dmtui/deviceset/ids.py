"""Thin ids: which are taken, which comes next.

Source: the original's bitmap. An id must be known free before it is written into a transaction, because a rollback
deletes it. An id whose deletion failed, or which the pool turned out to have, stays taken.
"""

from __future__ import annotations

from collections.abc import Iterable

from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.units import MAX_THIN_ID


class IdsUsedUpError(DmtuiError):
    """All 2^24 thin ids are taken."""


class ThinIds:
    """The ids of one pool that its records and its answers account for."""

    def __init__(self, taken: Iterable[int], last: int = 0) -> None:
        self._taken = set(taken)
        self.last = last

    def next_free(self) -> int:
        """The next free id after the last one, going round at the end; it is not taken yet.

        Raises:
            IdsUsedUpError: there is none.
        """
        for distance in range(1, MAX_THIN_ID + 2):
            candidate = (self.last + distance) % (MAX_THIN_ID + 1)
            if candidate not in self._taken:
                return candidate
        raise IdsUsedUpError("thin ids", "are all taken (2^24)", "remove devices, or reconcile the pool")

    def take(self, thin_id: int) -> None:
        """Take an id: it is about to be asked of the pool."""
        self._taken.add(thin_id)
        self.last = thin_id

    def free(self, thin_id: int) -> None:
        """Give an id back: its device is gone from the pool."""
        self._taken.discard(thin_id)
