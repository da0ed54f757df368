"""The table of all devices of a pool, active or recorded: sorted and filtered, or as a tree by parent."""

from __future__ import annotations

from collections.abc import Sequence

from dmtui.thinpool.text import printable
from dmtui.tui.devicerows import BASE, DeviceRow, Tree, as_tree, state_of, state_sign
from dmtui.tui.figures import DEVICE_THRESHOLDS, Level, Look, age, level_of
from dmtui.tui.lines import Line, Span, fit_middle, fit_path
from dmtui.tui.widgets.line_table import Column, LineTable
from dmtui.tui.widgets.tables import share, unknown_last

_NONE = Span("-", "faint")
_UNKNOWN = Span("?", "warn")


def _name(row: DeviceRow, look: Look, room: int) -> Line:
    ellipsis, prefix = look.glyphs.ellipsis, row.prefix
    most = room * 2 // 5  # a name says more than how deep it stands
    if len(prefix) > most:
        prefix = ellipsis + prefix[len(prefix) - most + len(ellipsis) :]
    return (Span(prefix, "faint"), Span(fit_middle(printable(row.display_name), room - len(prefix), ellipsis)))


def _id(row: DeviceRow, look: Look, room: int) -> Line:
    return (_UNKNOWN if row.thin_id is None else Span(str(row.thin_id), "muted"),)


def _state(row: DeviceRow, look: Look, room: int) -> Line:
    words, level = state_of(row)
    role = level.role if level is not Level.OK else "ok" if row.device else "muted"
    return (
        Span(f" {state_sign(row, look.glyphs)} ", role),
        Span(words, level.role if level is not Level.OK else "text"),
    )


def _size(row: DeviceRow, look: Look, room: int) -> Line:
    return (Span(look.size(row.size_bytes)),)


def _mapped(row: DeviceRow, look: Look, room: int) -> Line:
    return (_UNKNOWN if row.mapped_bytes is None else Span(look.size(row.mapped_bytes)),)


def _used(row: DeviceRow, look: Look, room: int) -> Line:
    fraction = row.mapped_fraction
    return (_UNKNOWN,) if fraction is None else share(fraction, level_of(fraction, DEVICE_THRESHOLDS), look, room)


def _open(row: DeviceRow, look: Look, room: int) -> Line:
    return (_NONE if row.device is None else Span(str(row.device.open_count)),)


def _parent(row: DeviceRow, look: Look, room: int) -> Line:
    if row.parent is None:
        return (_NONE if row.display_name == BASE and row.record else _UNKNOWN,)
    return (Span(fit_middle(printable(row.parent), room, look.glyphs.ellipsis), "muted"),)


def _mounted(row: DeviceRow, look: Look, room: int) -> Line:
    places = row.mounted_at
    if places is None:
        return (_UNKNOWN,)
    if len(places) == 0:
        return (_NONE,)
    more = f" +{len(places) - 1}" if len(places) > 1 else ""
    return (Span(fit_path(printable(places[0]), room - len(more), look.glyphs.ellipsis)), Span(more, "muted"))


def _age(row: DeviceRow, look: Look, room: int) -> Line:
    return (_UNKNOWN if row.age_seconds is None else Span(age(row.age_seconds).replace("0 s", "new"), "muted"),)


def _by_state(row: DeviceRow) -> tuple[int, str]:
    words, level = state_of(row)
    return -level, words


ALL_DEVICES_COLUMNS: tuple[Column[DeviceRow], ...] = (
    Column("name", "DEVICE", 20, _name, lambda row: row.display_name, grows=True),
    Column("id", "ID", 6, _id, lambda row: unknown_last(row.thin_id), "right"),
    Column("state", " STATE", 12, _state, _by_state),
    Column("size", "SIZE", 9, _size, lambda row: row.size_bytes, "right", descending=True, needs=72),
    Column("mapped", "MAPPED", 9, _mapped, lambda row: unknown_last(row.mapped_bytes), "right", descending=True),
    Column(
        "used",
        "USED",
        9,
        _used,
        lambda row: unknown_last(row.mapped_fraction),
        "right",
        descending=True,
        wide=(170, 24),
    ),
    Column("open", "OPEN", 4, _open, lambda row: row.device.open_count if row.device else -1, "right", needs=62),
    Column("parent", "PARENT", 14, _parent, lambda row: row.parent or "", needs=100, wide=(125, 20)),
    Column("mounted", "MOUNTED AT", 16, _mounted, lambda row: (row.mounted_at or ("",))[0], needs=108, grows=True),
    Column("age", "AGE", 8, _age, lambda row: unknown_last(row.age_seconds), "right", needs=125),
)


class AllDevicesTable(LineTable[DeviceRow]):
    """Every device of the pool that is known."""

    def __init__(self) -> None:
        super().__init__(
            ALL_DEVICES_COLUMNS,
            lambda row: row.name,
            _words,
            name_of_rows="device",
            empty="no device of this pool is known",
            id="all-devices",
            markable=True,
            commands=lambda row: (f"dmsetup status {row.name}", f"dmsetup table {row.name}") if row.device else (),
        )
        self._tree = False
        self._places = Tree()

    @property
    def is_tree(self) -> bool:
        """Whether devices stand below their parents."""
        return self._tree

    def show_tree(self, tree: bool) -> None:
        """Show a tree or a table."""
        if tree != self._tree:
            self._tree = tree
            self._arrange(everything=True)

    def _alone(self, row: DeviceRow) -> DeviceRow:
        return row._replace(prefix="")

    def _ordered(self, rows: Sequence[DeviceRow]) -> list[DeviceRow]:
        if not self._tree:
            return super()._ordered(rows)
        if not self._filter:
            return self._places.of(rows, self._look.glyphs)
        wanted = {row.name for row in rows if self._filter in _words(row).casefold()}
        return as_tree(rows, self._look.glyphs, wanted)


def _words(row: DeviceRow) -> str:
    places = " ".join(row.mounted_at or ())
    return f"{row.display_name} {row.thin_id} {state_of(row)[0]} {row.parent or ''} {places}"
