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
    """The ids of one pool that its records and its answers account for.

    Attributes:
        last: the id given last; the search goes on behind it.
    """

    def __init__(self, taken: Iterable[int], last: int = 0) -> None:
        self._taken = set(taken)
        self._foreign: set[int] = set()
        self.last = last

    def next_free(self) -> int:
        """The next free id after the last one, going round at the end; it is not taken yet.

        Raises:
            IdsUsedUpError: there is none.
        """
        for distance in range(1, MAX_THIN_ID + 2):
            candidate = (self.last + distance) % (MAX_THIN_ID + 1)
            if candidate not in self._taken and candidate not in self._foreign:
                return candidate
        raise IdsUsedUpError("thin ids", "are all taken (2^24)", "remove devices, or reconcile the pool")

    def take(self, thin_id: int) -> None:
        """Take an id: it is about to be asked of the pool."""
        self._taken.add(thin_id)
        self.last = thin_id

    def pass_over(self, thin_id: int) -> None:
        """Never give an id: the pool has it, and no record of ours says so."""
        self._taken.discard(thin_id)
        self._foreign.add(thin_id)

    def take_all(self, earlier: ThinIds) -> None:
        """Take over what an earlier reading learnt from the pool: the foreign ids, and how far the search came."""
        self._foreign |= earlier._foreign
        self.last = earlier.last

    def free(self, thin_id: int) -> None:
        """Give an id back: its device is gone from the pool."""
        self._taken.discard(thin_id)
