"""The engine's hold on its pool: what it says of itself, its messages, its transaction id."""

from __future__ import annotations

from dataclasses import dataclass

from dmtui.machine.errors import DeviceMissingError
from dmtui.machine.protocols import DeviceMapper
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.status import PoolFigures, PoolStatus
from dmtui.thinpool.table import THIN_POOL, PoolTable


class PoolUnusableError(DmtuiError):
    """The pool cannot be changed now: it failed, is read-only or something else than a pool."""


@dataclass(frozen=True, slots=True)
class PoolLink:
    """A pool by its name, asked anew each time: nothing about it is remembered."""

    mapper: DeviceMapper
    name: str

    @property
    def path(self) -> str:
        """The pool's node, as thin tables name it."""
        return f"/dev/mapper/{self.name}"

    def exists(self) -> bool:
        """Whether there is a device of the pool's name."""
        try:
            self.mapper.info(self.name)
        except DeviceMissingError:
            return False
        return True

    def table(self) -> PoolTable:
        """The pool's live table; raises `PoolUnusableError` where it is no thin pool."""
        (target, *more) = self.mapper.table(self.name).targets or (None,)
        if target is None or more or target.type != THIN_POOL:
            raise PoolUnusableError(f"pool {self.name}", "is not a thin pool", "give the right pool or graph")
        return PoolTable.parse(target.params)

    def figures(self) -> PoolFigures:
        """The pool's figures, read without a commit; raises `PoolUnusableError` where it gives none."""
        (target, *more) = self.mapper.status(self.name).targets or (None,)
        if target is None or more or target.type != THIN_POOL:
            raise PoolUnusableError(f"pool {self.name}", "is not a thin pool", "give the right pool or graph")
        status = PoolStatus.parse(target.params)
        if status.figures is None:
            raise PoolUnusableError(f"pool {self.name}", f"answers {status}", "its metadata must be checked offline")
        return status.figures

    def transaction_id(self) -> int:
        """The pool's transaction id."""
        return self.figures().transaction_id

    def message(self, text: str) -> None:
        """Send a message."""
        self.mapper.message(self.name, text)

    def message_command(self, text: str) -> str:
        """The command line that would send a message."""
        return f"dmsetup message {self.name} 0 '{text}'"
