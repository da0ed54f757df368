"""What the kernel's pool object knows beside its metadata, and how it is kept in the store."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from enum import Enum


class Mode(Enum):
    """The kernel's internal modes, best first; the status line shows two of them as ``ro``."""

    WRITE = "rw"
    OUT_OF_DATA_SPACE = "out_of_data_space"
    OUT_OF_METADATA_SPACE = "ro"
    READ_ONLY = "ro "
    FAIL = "Fail"

    @property
    def word(self) -> str:
        """The word of the status line."""
        return self.value.strip()

    @property
    def said(self) -> str:
        """The word of the kernel's log."""
        return _SAID.get(self.name, "read-only")

    @property
    def serves_messages(self) -> bool:
        """Whether the metadata may change."""
        return self in (Mode.WRITE, Mode.OUT_OF_DATA_SPACE)


_SAID = {"WRITE": "write", "OUT_OF_DATA_SPACE": "out-of-data-space", "FAIL": "fail"}


@dataclass(slots=True)
class PoolState:
    """What the kernel's pool object knows beside its metadata; it lives from the first table to the last.

    Attributes:
        error_if_no_space: the policy in force.
        requested_error_if_no_space: the policy of the live table.
        low_water_triggered: the low-water event was sent since the last resume.
        low_water_blocks: free data blocks at which it is sent.
        metadata_mark_blocks: free metadata blocks at which its low-water event is sent; -1 once the metadata were read
            anew, until the next table.
        metadata_seen_free: free metadata blocks at the last allocation, -1 before the first.
        discard: the discard policy in the kernel's words.
        wait_until: when writes that wait for space fail, by the machine's clock (nanoseconds since the epoch); None
            while none does, or for ever.
        in_service: something has used the pool object, be it in vain: only then do its commits write anything.
        open: something has changed that is not committed yet. See `unsynced`.
        ticking: a thin has, so that the pool's clock will bring a commit.
        committed_at: when the pool committed last by its clock, or for a flush, or was made (nanoseconds since the
            epoch, by the machine's clock); other commits do not count.
        lost: what thins counted as mapped in a transaction that was thrown away: the kernel goes on showing that.
    """

    mode: Mode = Mode.WRITE
    error_if_no_space: bool = False
    requested_error_if_no_space: bool = False
    low_water_triggered: bool = False
    low_water_blocks: int = 0
    metadata_mark_blocks: int = -1
    metadata_seen_free: int = -1
    discard: str = "discard_passdown"
    wait_until: int | None = None
    in_service: bool = False
    open: bool = False
    ticking: bool = False
    committed_at: int = 0
    lost: dict[int, int] = field(default_factory=dict[int, int])


def metadata_mark_blocks(total_blocks: int) -> int:
    """Free metadata blocks at which the kernel sends its event, by the size of the metadata device."""
    return min(1024, total_blocks // 4)


def load_state(connection: sqlite3.Connection, metadata_id: int) -> PoolState | None:
    """The pool object over a metadata device, None while no table holds it."""
    row = connection.execute(
        "SELECT mode, error_if_no_space, requested, low_water_triggered, low_water_blocks,"
        " metadata_mark, metadata_seen_free, discard, wait_until, in_service, open, ticking, committed_at, lost"
        " FROM pools WHERE metadata_id = ?",
        (metadata_id,),
    ).fetchone()
    if row is None:
        return None
    (
        mode,
        error,
        requested,
        triggered,
        low_water,
        mark,
        seen,
        discard,
        wait_until,
        in_service,
        is_open,
        ticking,
        at,
        lost,
    ) = row
    return PoolState(
        Mode[mode],
        bool(error),
        requested == "error",
        bool(triggered),
        int(low_water),
        mark,
        seen,
        discard,
        wait_until,
        bool(in_service),
        bool(is_open),
        bool(ticking),
        at,
        {int(thin_id): mapped for thin_id, mapped in json.loads(lost).items()},
    )


def save_state(connection: sqlite3.Connection, metadata_id: int, minor: int, state: PoolState) -> None:
    """Keep the pool object."""
    connection.execute(
        "INSERT OR REPLACE INTO pools VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            metadata_id,
            minor,
            state.mode.name,
            state.error_if_no_space,
            state.low_water_triggered,
            str(state.low_water_blocks),
            state.discard,
            "error" if state.requested_error_if_no_space else "queue",
            state.metadata_mark_blocks,
            state.metadata_seen_free,
            json.dumps(state.lost),
            state.wait_until,
            state.in_service,
            state.open,
            state.ticking,
            state.committed_at,
        ),
    )
