"""Figures as words: sizes, shares, ages, and the level (ok, WARN, CRIT) that each of them means."""

from __future__ import annotations

import time
from dataclasses import replace
from enum import Enum, IntEnum

from dmtui.monitor.quantities import Quantity, measure
from dmtui.monitor.sample import Pool, Space, ThinDevice
from dmtui.monitor.thresholds import Thresholds
from dmtui.thinpool.sizes import SizeStyle, format_size
from dmtui.thinpool.values import frozen
from dmtui.tui.glyphs import UNICODE, Glyphs

DEFAULT_THRESHOLDS = Thresholds()
"""From where on a figure is watched, WARN and CRIT: the same for the levels on the screen and for the alerts."""
DEVICE_THRESHOLDS = (0.80, 0.90, 0.95)
"""The same for what a thin device has mapped of its size."""


class Level(IntEnum):
    """How bad something is, mildest first."""

    OK = 0
    WATCH = 1
    WARN = 2
    CRIT = 3

    @property
    def word(self) -> str:
        """The word on the screen: a level is never told by colour alone."""
        return ("ok", "watch", "WARN", "CRIT")[self]

    @property
    def role(self) -> str:
        """The role that the word and its gauge are painted in."""
        return ("ok", "warn", "warn", "crit")[self]

    def sign(self, glyphs: Glyphs) -> str:
        """The symbol beside the word."""
        return (glyphs.ok, glyphs.warn, glyphs.warn, glyphs.crit)[self]


class Density(Enum):
    """How much room the screen has for each panel."""

    COMPACT = "compact"
    NORMAL = "normal"
    ROOMY = "roomy"


@frozen
class Look:
    """How figures are printed and drawn at present."""

    size_style: SizeStyle = SizeStyle.SPACED
    glyphs: Glyphs = UNICODE
    density: Density = Density.NORMAL
    thresholds: Thresholds = DEFAULT_THRESHOLDS

    def in_other_units(self) -> Look:
        """The same with binary instead of decimal sizes, or the other way round."""
        decimal = self.size_style is SizeStyle.SPACED
        return replace(self, size_style=SizeStyle.BINARY if decimal else SizeStyle.SPACED)

    def size(self, size_bytes: int | None) -> str:
        """A size, ``?`` when it is unknown."""
        return "?" if size_bytes is None else format_size(size_bytes, self.size_style)


def level_of(fraction: float | None, thresholds: tuple[float, float, float]) -> Level | None:
    """The level of a share; None when it is unknown."""
    if fraction is None:
        return None
    return Level(sum(fraction >= threshold for threshold in thresholds))


def shares(percentages: tuple[float, float, float]) -> tuple[float, float, float]:
    """Thresholds in percent as shares."""
    watch, warn, crit = percentages
    return watch / 100, warn / 100, crit / 100


def metadata_live_fraction(pool: Pool) -> float | None:
    """Metadata in use above the kernel's reserve, out of all above it; None when unknown."""
    return measure(pool, Quantity.METADATA_LIVE).fraction


def data_level(pool: Pool, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Level | None:
    """Level of the data space; None when it is unknown."""
    return level_of(pool.data.used_fraction, shares(thresholds.data_percent))


def metadata_level(pool: Pool, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Level | None:
    """Level of the metadata space; None when it is unknown."""
    return level_of(metadata_live_fraction(pool), shares(thresholds.metadata_percent))


def mode_level(mode: str | None) -> Level | None:
    """Level of the kernel's word for the mode; None when the kernel has none."""
    if mode is None:
        return None
    return {"rw": Level.OK, "ro": Level.CRIT}.get(mode, Level.CRIT)


def pool_level(pool: Pool, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Level:
    """The worst that can be said of the pool."""
    known = (data_level(pool, thresholds), metadata_level(pool, thresholds), mode_level(pool.mode))
    worst = max((level for level in known if level is not None), default=Level.OK)
    if pool.needs_check or pool.data_backing.loop_file_deleted or pool.metadata_backing.loop_file_deleted:
        worst = max(worst, Level.CRIT if pool.needs_check else Level.WARN)
    if pool.findings or pool.suspended:
        worst = max(worst, Level.WARN)
    return worst


def device_fraction(device: ThinDevice) -> float | None:
    """What a thin device has mapped of its size; None when unknown."""
    return Space(device.mapped_bytes, device.size_bytes, None).used_fraction


def device_state(device: ThinDevice) -> tuple[str, Level]:
    """State words of a thin device and what they mean."""
    words = [
        word
        for word, holds in (
            ("FAILED", device.failed),
            ("suspended", device.suspended),
            ("deferred", device.deferred_remove),
        )
        if holds
    ]
    level = Level.CRIT if device.failed else Level.WARN if words else Level.OK
    return ", ".join(words) or "active", level


def age(seconds: float) -> str:
    """A duration in two units at the most: ``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``4 d 3 h``."""
    whole = max(0, int(seconds))
    for unit, name, below, below_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name} {rest} {below_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def span_ends(span_seconds: int, until: float) -> tuple[str, str, str]:
    """Words for the beginning, the middle and the end of a span of the past; they change once a minute at the most."""
    begin = time.localtime((until - span_seconds) // 60 * 60)
    clock = time.strftime("%H:%M" if span_seconds < 86400 else "%a %H:%M", begin)
    return f"{clock}, {age(span_seconds)} ago", f"{age(span_seconds / 2)} ago", "now"


def moment(seconds: float) -> str:
    """A moment as local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))
