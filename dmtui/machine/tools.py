"""Programs of the machine that the engine relies on: thin-provisioning-tools by what they answer, others by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dmtui.thinpool.values import frozen


@frozen
class ThinEntry:
    """A thin device as its pool's metadata have it (``thin_ls``).

    Attributes:
        mapped_blocks: data blocks mapped, shared ones included.
        transaction_id: the pool's transaction id when it was made.
        creation_time: the pool's snapshot clock when it was made, no time of day.
        snapshotted_time: the same when it was last snapshotted.
    """

    thin_id: int
    mapped_blocks: int
    transaction_id: int
    creation_time: int
    snapshotted_time: int


@frozen
class CheckResult:
    """What ``thin_check`` found; `output` is its own words, empty where it had none."""

    sound: bool
    output: str


class ThinTools(Protocol):
    """Questions about a pool's metadata. `metadata` is the path of the metadata device, or of its file.

    Of an active pool only a metadata snapshot may be read: who asks reserves it first and releases it afterwards.
    Every method raises `FileMissingError` where its program or the path is missing, and `TimedOutError`.
    """

    def list_thins(self, metadata: str, *, snapshot: bool) -> tuple[ThinEntry, ...]:
        """Every thin device of the pool, by id.

        Raises:
            MachineError: the metadata cannot be read, or there is no metadata snapshot.
        """
        ...

    def check(self, metadata: str, *, snapshot: bool) -> CheckResult:
        """Check the metadata, changing nothing.

        Raises:
            MachineError: the check could not be made, for want of a metadata snapshot say.
        """
        ...

    def clear_needs_check(self, metadata: str) -> CheckResult:
        """Check the metadata of a pool that is not active, and take the mark ``needs_check`` away if they are sound.

        Raises:
            MachineError: the check could not be made, or the mark not be taken away.
        """
        ...

    def trim(self, metadata: str, data: str) -> None:
        """Discard on the data device every block that the pool has free; the pool must not be active."""
        ...


class Programs(Protocol):
    """Programs by their names; no shell is ever asked."""

    def missing(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the names that are not in PATH, in the order given."""
        ...

    def run(self, arguments: Sequence[str], *, seconds: float = 120.0) -> str:
        """Run a program to its end and return what it printed (standard output).

        Raises:
            FileMissingError: there is no such program.
            MachineError: it failed; the message has its last line of standard error.
            TimedOutError: it did not end in time; whether it acted is unknown.
        """
        ...
