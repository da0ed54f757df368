"""What the kernel's pool object knows beside its metadata, and how it is kept in the store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any, TypeVar

from dmtui.thinpool.values import frozen


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


_Value = TypeVar("_Value")


def _same(value: _Value) -> _Value:
    return value


def _mapped_by_thin(text: str) -> dict[int, int]:
    return {int(thin_id): mapped for thin_id, mapped in json.loads(text).items()}


@frozen
class _Column:
    """Where the store keeps an attribute of `PoolState`.

    Attributes:
        attribute: its name.
        name: of the column of ``pools``.
        read: gives the attribute for what is in the column.
        write: gives what is put there for the attribute.
    """

    attribute: str
    name: str
    read: Callable[[Any], Any] = _same
    write: Callable[[Any], Any] = _same


_COLUMNS = (
    _Column("mode", "mode", Mode.__getitem__, attrgetter("name")),
    _Column("error_if_no_space", "error_if_no_space", bool),
    _Column("requested_error_if_no_space", "requested", "error".__eq__, lambda error: "error" if error else "queue"),
    _Column("low_water_triggered", "low_water_triggered", bool),
    _Column("low_water_blocks", "low_water_blocks", int, str),  # text: beyond what SQLite has as a number
    _Column("metadata_mark_blocks", "metadata_mark"),
    _Column("metadata_seen_free", "metadata_seen_free"),
    _Column("discard", "discard"),
    _Column("wait_until", "wait_until"),
    _Column("in_service", "in_service", bool),
    _Column("open", "open", bool),
    _Column("ticking", "ticking", bool),
    _Column("committed_at", "committed_at"),
    _Column("lost", "lost", _mapped_by_thin, json.dumps),
)
_NAMES = ", ".join(column.name for column in _COLUMNS)
_LOAD = f"SELECT {_NAMES} FROM pools WHERE metadata_id = ?"  # noqa: S608 - our own names
_SAVE = f"INSERT OR REPLACE INTO pools (metadata_id, minor, {_NAMES}) VALUES (?, ?{', ?' * len(_COLUMNS)})"  # noqa: S608


def load_state(connection: sqlite3.Connection, metadata_id: int) -> PoolState | None:
    """The pool object over a metadata device, None while no table holds it."""
    row = connection.execute(_LOAD, (metadata_id,)).fetchone()
    if row is None:
        return None
    return PoolState(**{column.attribute: column.read(value) for column, value in zip(_COLUMNS, row, strict=True)})


def save_state(connection: sqlite3.Connection, metadata_id: int, minor: int, state: PoolState) -> None:
    """Keep the pool object."""
    plain = [column.write(getattr(state, column.attribute)) for column in _COLUMNS]
    connection.execute(_SAVE, (metadata_id, minor, *plain))
