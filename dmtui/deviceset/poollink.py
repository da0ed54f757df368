"""The engine's hold on its pool: what it says of itself, its messages, its transaction id."""

from __future__ import annotations

from dmtui.machine.errors import DeviceMissingError
from dmtui.machine.protocols import DeviceMapper
from dmtui.thinpool.errors import DmtuiError, MissingError
from dmtui.thinpool.status import PoolFigures, PoolMode, PoolStatus
from dmtui.thinpool.table import THIN_POOL, PoolTable
from dmtui.thinpool.values import frozen


class PoolAbsentError(MissingError):
    """There is no device of the pool's name."""


class PoolUnusableError(DmtuiError):
    """The pool cannot be changed now: it failed, is read-only or something else than a pool."""


@frozen
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

    def require(self) -> None:
        """Raise `PoolAbsentError` where there is no device of the pool's name."""
        if not self.exists():
            raise PoolAbsentError(f"pool {self.name}", "is not active", "`dmtui pool create` activates it, or makes it")

    def gives_figures(self) -> bool:
        """Whether the pool tells its figures: a failed one does not, and another kind of device has none."""
        try:
            self.figures()
        except PoolUnusableError:
            return False
        return True

    def figures(self) -> PoolFigures:
        """The pool's figures, read without a commit; raises `PoolUnusableError` where it gives none."""
        status = self.status()
        if status.figures is None:
            raise PoolUnusableError(
                f"pool {self.name}", f"answers {status}", "`dmtui pool remove`, then `dmtui pool check`"
            )
        return status.figures

    def status(self) -> PoolStatus:
        """The pool's status, read without a commit; it may be that of a failed one.

        Raises:
            PoolAbsentError: there is no such device.
            PoolUnusableError: it is no thin pool.
        """
        try:
            (target, *more) = self.mapper.status(self.name).targets or (None,)
        except DeviceMissingError:
            raise PoolAbsentError(
                f"pool {self.name}", "is not active", "`dmtui pool create` activates it, or makes it"
            ) from None
        if target is None or more or target.type != THIN_POOL:
            raise PoolUnusableError(f"pool {self.name}", "is not a thin pool", "give the right pool or graph")
        return PoolStatus.parse(target.params)

    def require_messages(self) -> None:
        """Raise `PoolUnusableError` where the pool takes no messages: what would make or delete ids fails half-way."""
        self.figures()
        if self.status().mode is PoolMode.READ_ONLY:
            raise PoolUnusableError(
                f"pool {self.name}",
                "is read-only, so it makes and deletes no devices",
                "`dmtui info` tells why: extend its metadata, or `dmtui pool remove` it and `dmtui pool check`",
            )

    def transaction_id(self) -> int:
        """The pool's transaction id."""
        return self.figures().transaction_id

    def message(self, text: str) -> None:
        """Send a message."""
        self.mapper.message(self.name, text)

    def message_command(self, text: str) -> str:
        """The command line that would send a message."""
        return f"dmsetup message {self.name} 0 '{text}'"
