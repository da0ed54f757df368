"""The devices of a pool as a table shows them: what the kernel says of each, joined with what is recorded of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from dmtui.monitor.sample import Pool, RecordedDevice, ThinDevice
from dmtui.tui.figures import Level, device_fraction
from dmtui.tui.glyphs import Glyphs

BASE = "base"
_MOST_LEVELS = 8
"""A tree is indented no further than so many levels."""


class DeviceRow(NamedTuple):
    """One device.

    Attributes:
        device: as the kernel has it; None while it is not active.
        record: as the graph directory has it; None where it does not know it, or none is known.
        age_seconds: since it was made, in whole minutes; None where not known.
        prefix: what a tree draws before its name.
    """

    device: ThinDevice | None
    record: RecordedDevice | None
    age_seconds: float | None = None
    prefix: str = ""

    @property
    def name(self) -> str:
        """Its device-mapper name, also while it is not active."""
        return self.device.name if self.device else self.record.name if self.record else ""

    @property
    def display_name(self) -> str:
        """The name that its owner uses."""
        if self.record is not None:
            return self.record.display_name
        return self.device.display_name if self.device else ""

    @property
    def thin_id(self) -> int | None:
        """Its id in the pool; None where not known."""
        if self.device is not None and self.device.thin_id is not None:
            return self.device.thin_id
        return self.record.thin_id if self.record else None

    @property
    def size_bytes(self) -> int:
        """Its virtual size."""
        return self.device.size_bytes if self.device else self.record.size_bytes if self.record else 0

    @property
    def mapped_bytes(self) -> int | None:
        """What of it has a block; None where not known: also while it is not active."""
        return self.device.mapped_bytes if self.device else None

    @property
    def mapped_fraction(self) -> float | None:
        """The same, of its size."""
        return device_fraction(self.device) if self.device else None

    @property
    def mounted_at(self) -> tuple[str, ...] | None:
        """Where it is mounted; None where not known."""
        return self.device.mounted_at if self.device else ()

    @property
    def parent(self) -> str | None:
        """What it is a snapshot of; None where not known, and for the base device."""
        return self.record.parent if self.record else None


def state_of(row: DeviceRow) -> tuple[str, Level]:
    """The words for its state, worst first, and how bad it is."""
    device, deleted = row.device, row.record is not None and row.record.deleted
    if device is None:
        return ("deleted", Level.WARN) if deleted else ("inactive", Level.OK)
    if not (deleted or device.failed or device.suspended or device.deferred_remove):
        return "mounted" if device.mounted_at else "active", Level.OK
    words = [
        word
        for word, holds in (
            ("FAILED", device.failed),
            ("suspended", device.suspended),
            ("deleted", deleted),
            ("deferred", device.deferred_remove),
        )
        if holds
    ]
    level = Level.CRIT if device.failed else Level.WARN if words else Level.OK
    if not words or words == ["deferred"]:
        words.append("mounted" if device.mounted_at else "active")
    return ", ".join(words), level


def state_sign(row: DeviceRow, glyphs: Glyphs) -> str:
    """The symbol beside the words."""
    words, level = state_of(row)
    if level is not Level.OK:
        return glyphs.leaving if words == "deleted" else level.sign(glyphs)
    return {"mounted": glyphs.mounted, "inactive": glyphs.off}.get(words, glyphs.ok)


@dataclass(slots=True)
class Rows:
    """Makes the rows of a pool; keeps which there are and their order, as they change seldom."""

    _recorded: tuple[RecordedDevice, ...] | None = None
    _records: dict[str, RecordedDevice] = field(default_factory=dict[str, RecordedDevice])
    _active: list[tuple[str, int | None]] | None = None
    _order: list[int] = field(default_factory=list[int])
    _inactive: list[RecordedDevice] = field(default_factory=list[RecordedDevice])

    def of(self, pool: Pool, at: float) -> tuple[DeviceRow, ...]:
        """Every device of the pool, active or recorded, the base device first, then by thin id."""
        if pool.recorded is not self._recorded:
            self._recorded, self._active = pool.recorded, None
            self._records = {record.name: record for record in pool.recorded or ()}
        active = [(device.name, device.thin_id) for device in pool.devices]
        anew = active != self._active
        if anew:
            names, self._active = {name for name, _ in active}, active
            self._inactive = [record for name, record in self._records.items() if name not in names]
        rows = [_row(device, self._records.get(device.name), at) for device in pool.devices]
        rows += [_row(None, record, at) for record in self._inactive]
        if anew:
            self._order = sorted(range(len(rows)), key=lambda index: _place(rows[index]))
        return tuple([rows[index] for index in self._order])


def _row(device: ThinDevice | None, record: RecordedDevice | None, at: float) -> DeviceRow:
    created_at = record.created_at if record else None
    return DeviceRow(device, record, None if created_at is None else max(0.0, at - created_at) // 60 * 60)


def _place(row: DeviceRow) -> tuple[bool, int, str]:
    return row.display_name != BASE, -1 if row.thin_id is None else row.thin_id, row.name


def parents_known(rows: Iterable[DeviceRow]) -> bool:
    """Whether a tree of them says more than a table."""
    return any(row.parent is not None for row in rows)


@dataclass(slots=True)
class Tree:
    """Places rows below their parents; keeps the places while the same devices come in the same order."""

    _shape: list[RecordedDevice | str] | None = None
    _glyphs: Glyphs | None = None
    _places: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def of(self, rows: Sequence[DeviceRow], glyphs: Glyphs) -> list[DeviceRow]:
        """The same as `as_tree` of all rows."""
        shape = [row.record or row.name for row in rows]
        if shape != self._shape or glyphs is not self._glyphs:
            self._shape, self._glyphs = shape, glyphs
            index = {row.name: place for place, row in enumerate(rows)}
            self._places = [(index[row.name], row.prefix) for row in as_tree(rows, glyphs)]
        return [_with_prefix(rows[place], prefix) for place, prefix in self._places]


def _with_prefix(row: DeviceRow, prefix: str) -> DeviceRow:
    return DeviceRow(row[0], row[1], row[2], prefix)


def as_tree(rows: Sequence[DeviceRow], glyphs: Glyphs, wanted: set[str] | None = None) -> list[DeviceRow]:
    """The rows below their parents, each with what draws its place in the tree.

    Args:
        rows: in the order in which brothers are to stand.
        glyphs: what the branches are drawn with.
        wanted: names of the devices that are shown, with all that they descend from; None shows all.
    """
    names = {row.display_name for row in rows}
    children: dict[str | None, list[DeviceRow]] = {}
    for row in rows:
        parent = row.parent if row.parent in names and row.parent != row.display_name else None
        children.setdefault(parent, []).append(row)
    kept = None if wanted is None else _with_ancestors(rows, wanted)
    placed: list[DeviceRow] = []
    seen: set[str] = set()
    # A ring of parents hangs on no root: what was not reached from one becomes a root itself.
    for roots in (children.get(None, []), rows):
        waiting = [(row, "", "") for row in reversed(roots) if row.display_name not in seen]
        while waiting:
            row, trunk, branch = waiting.pop()
            if row.display_name in seen:
                continue
            seen.add(row.display_name)
            if kept is not None and row.name not in kept:
                continue
            placed.append(_with_prefix(row, _shown(trunk, glyphs) + branch))
            below = [each for each in children.get(row.display_name, []) if kept is None or each.name in kept]
            grown = trunk + (glyphs.trunk if branch == glyphs.branch else "  " if branch else "")
            grown = grown if len(grown) <= 4 * _MOST_LEVELS else grown[-4 * _MOST_LEVELS :]
            for place, each in enumerate(reversed(below)):
                waiting.append((each, grown, glyphs.last_branch if place == 0 else glyphs.branch))
    return placed


def lineage(rows: Sequence[DeviceRow], row: DeviceRow) -> tuple[tuple[DeviceRow | str, ...], tuple[DeviceRow, ...]]:
    """What a device descends from, nearest first (a name alone where it is gone), and its direct children."""
    by_name = {each.display_name: each for each in rows}
    chain: list[DeviceRow | str] = []
    seen, parent = {row.display_name}, row.parent
    while parent is not None and parent not in seen:
        seen.add(parent)
        found = by_name.get(parent)
        chain.append(found if found is not None else parent)
        parent = found.parent if found is not None else None
    children = tuple(each for each in rows if each.parent == row.display_name and each is not row)
    return tuple(chain), children


def _with_ancestors(rows: Sequence[DeviceRow], wanted: set[str]) -> set[str]:
    by_name: Mapping[str, DeviceRow] = {row.display_name: row for row in rows}
    kept: set[str] = set()
    for row in rows:
        each: DeviceRow | None = row if row.name in wanted else None
        while each is not None and each.name not in kept:
            kept.add(each.name)
            each = by_name.get(each.parent) if each.parent is not None else None
    return kept


def _shown(trunk: str, glyphs: Glyphs) -> str:
    """A trunk that is too deep to draw begins with an ellipsis."""
    most = 2 * _MOST_LEVELS
    return trunk if len(trunk) <= most else f"{glyphs.ellipsis} {trunk[-most:]}"
