"""The two tables: the pools of the machine, and the thin devices of one pool."""

from __future__ import annotations

from dmtui.monitor.sample import ThinDevice
from dmtui.thinpool.sizes import format_share
from dmtui.thinpool.text import printable
from dmtui.tui.alarms import PoolRow
from dmtui.tui.figures import (
    DEVICE_THRESHOLDS,
    Level,
    Look,
    data_level,
    device_fraction,
    device_state,
    level_of,
    metadata_level,
    metadata_live_fraction,
    mode_level,
)
from dmtui.tui.lines import Line, Span, fit_middle, line, width_of
from dmtui.tui.paint.gauge import small_bar
from dmtui.tui.widgets.line_table import Column, LineTable

_BAR_FROM_WIDTH = 100
_SHARE_WIDTH = 9
_BARS = (_BAR_FROM_WIDTH, 24)
"""In a wide table a share has a gauge beside it."""


def _pool_name(row: PoolRow, look: Look, room: int) -> Line:
    level = row.level
    name = fit_middle(printable(row.pool.display_name), room - 2, look.glyphs.ellipsis)
    return line(Span(f"{level.sign(look.glyphs)} ", level.role), Span(name, "strong"))


def _pool_mode(row: PoolRow, look: Look, room: int) -> Line:
    pool, level = row.pool, mode_level(row.pool.mode)
    role = "warn" if level is None else "text" if level is Level.OK else level.role
    spans = [Span(printable(pool.mode or "?"), role)]
    if pool.needs_check:
        spans.append(Span(" needs_check", "crit"))
    elif pool.suspended:
        spans.append(Span(" suspended", "warn"))
    return tuple(spans)


def share(fraction: float | None, level: Level | None, look: Look, room: int, role: str = "data") -> Line:
    """A share with the sign of its level, and a small gauge where there is room."""
    sign = "" if level in (None, Level.OK, Level.WATCH) else f"{level.sign(look.glyphs)} "
    text = Span(f"{sign}{format_share(fraction)}", "text" if level in (None, Level.OK) else level.role)
    width = room - _SHARE_WIDTH - 2
    if width < _SHARE_WIDTH:
        return (text,)
    gap = Span(" " * (room - width - 1 - width_of((text,))))
    return (Span(" "), *small_bar(fraction, width, look.glyphs, _bar_role(level, role)), gap, text)


def _bar_role(level: Level | None, role: str) -> str:
    return role if level in (None, Level.OK) else level.role


def _pool_data(row: PoolRow, look: Look, room: int) -> Line:
    return share(row.pool.data.used_fraction, data_level(row.pool, look.thresholds), look, room)


def _pool_metadata(row: PoolRow, look: Look, room: int) -> Line:
    return share(metadata_live_fraction(row.pool), metadata_level(row.pool, look.thresholds), look, room, "meta")


def _device_share(device: ThinDevice, look: Look, room: int) -> Line:
    fraction = device_fraction(device)
    return share(fraction, level_of(fraction, DEVICE_THRESHOLDS), look, room)


def _device_state(device: ThinDevice, look: Look, room: int) -> Line:
    words, level = device_state(device)
    return (Span(f" {level.sign(look.glyphs)} {words}", "muted" if level is Level.OK else level.role),)


def _pool_owner(row: PoolRow, look: Look, room: int) -> Line:
    return (Span(row.pool.owner, "muted"),)


def _pool_devices(row: PoolRow, look: Look, room: int) -> Line:
    return (Span(str(len(row.pool.devices))),)


def _device_name(device: ThinDevice, look: Look, room: int) -> Line:
    return (Span(fit_middle(printable(device.display_name), room, look.glyphs.ellipsis)),)


def _device_id(device: ThinDevice, look: Look, room: int) -> Line:
    return (Span(str(device.thin_id), "muted"),)


def _device_size(device: ThinDevice, look: Look, room: int) -> Line:
    return (Span(look.size(device.size_bytes)),)


def _device_mapped(device: ThinDevice, look: Look, room: int) -> Line:
    return (Span(look.size(device.mapped_bytes)),)


def _device_open(device: ThinDevice, look: Look, room: int) -> Line:
    return (Span(str(device.open_count)),)


def _by_state(device: ThinDevice) -> tuple[int, str]:
    words, level = device_state(device)
    return -level, words


def unknown_last(value: float | None) -> float:
    """What is not known comes below everything that is."""
    return -1.0 if value is None else value


POOL_COLUMNS: tuple[Column[PoolRow], ...] = (
    Column("name", "POOL", 16, _pool_name, lambda row: row.pool.display_name, grows=True),
    Column("owner", "OWNER", 10, _pool_owner, lambda row: row.pool.owner, needs=60),
    Column("mode", "MODE", 17, _pool_mode, lambda row: row.pool.mode or "", needs=60),
    Column(
        "data",
        "DATA",
        9,
        _pool_data,
        lambda row: unknown_last(row.pool.data.used_fraction),
        align="right",
        descending=True,
        wide=_BARS,
    ),
    Column(
        "metadata",
        "METADATA",
        9,
        _pool_metadata,
        lambda row: unknown_last(metadata_live_fraction(row.pool)),
        align="right",
        descending=True,
        wide=_BARS,
    ),
    Column(
        "devices",
        "DEVICES",
        7,
        _pool_devices,
        lambda row: len(row.pool.devices),
        align="right",
        descending=True,
        needs=90,
    ),
)
DEVICE_COLUMNS: tuple[Column[ThinDevice], ...] = (
    Column("name", "DEVICE", 16, _device_name, lambda device: device.display_name, grows=True),
    Column("id", "ID", 8, _device_id, lambda device: device.thin_id, "right"),
    Column("size", "SIZE", 9, _device_size, lambda device: device.size_bytes, align="right", descending=True),
    Column(
        "mapped",
        "MAPPED",
        9,
        _device_mapped,
        lambda device: unknown_last(device.mapped_bytes),
        align="right",
        descending=True,
    ),
    Column(
        "used",
        "USED",
        9,
        _device_share,
        lambda device: unknown_last(device_fraction(device)),
        align="right",
        descending=True,
        wide=_BARS,
    ),
    Column("open", "OPEN", 4, _device_open, lambda device: device.open_count, align="right", descending=True, needs=62),
    Column("state", " STATE", 12, _device_state, _by_state, needs=64),
)


class PoolTable(LineTable[PoolRow]):
    """Every pool of the machine; the row under the cursor is the pool that is shown."""

    def __init__(self) -> None:
        super().__init__(
            POOL_COLUMNS,
            lambda row: row.pool.name,
            lambda row: f"{row.pool.display_name} {row.pool.owner}",
            name_of_rows="pool",
            empty="no thin pool",
            id="pools",
            commands=lambda row: (f"dmsetup status {row.pool.name}", f"dmsetup table {row.pool.name}"),
        )


class DeviceTable(LineTable[ThinDevice]):
    """The active thin devices of one pool."""

    def __init__(self) -> None:
        super().__init__(
            DEVICE_COLUMNS,
            lambda device: device.name,
            lambda device: f"{device.display_name} {device.thin_id} {device_state(device)[0]}",
            name_of_rows="thin device",
            empty="this pool has no active thin device",
            id="devices",
            commands=lambda device: (f"dmsetup status {device.name}", f"dmsetup table {device.name}"),
        )
