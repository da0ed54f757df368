"""Figures as words: sizes, shares, ages, and the level (ok, WARN, CRIT) that each of them means."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import Enum, IntEnum

from dmtui.monitor.sample import Pool, Space, ThinDevice
from dmtui.thinpool.sizes import SizeStyle, format_size
from dmtui.tui.glyphs import UNICODE, Glyphs

DATA_THRESHOLDS = (0.75, 0.85, 0.92)
"""Shares of the data space from which it is watched, WARN, CRIT."""
METADATA_THRESHOLDS = (0.60, 0.70, 0.80)
"""The same for the metadata above the kernel's reserve: they fill up faster than data and are harder to mend."""
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


@dataclass(frozen=True, slots=True)
class Look:
    """How figures are printed and drawn at present."""

    size_style: SizeStyle = SizeStyle.SPACED
    glyphs: Glyphs = UNICODE
    density: Density = Density.NORMAL

    def size(self, size_bytes: int | None) -> str:
        """A size, ``?`` when it is unknown."""
        return "?" if size_bytes is None else format_size(size_bytes, self.size_style)


def percent(fraction: float | None) -> str:
    """A share as ``71.4 %``, ``?`` when it is unknown; rounded down, so that only a full thing says 100."""
    if fraction is None:
        return "?"
    return f"{int(fraction * 1000) / 10:.1f} %"


def level_of(fraction: float | None, thresholds: tuple[float, float, float]) -> Level | None:
    """The level of a share; None when it is unknown."""
    if fraction is None:
        return None
    return Level(sum(fraction >= threshold for threshold in thresholds))


def metadata_live_fraction(pool: Pool) -> float | None:
    """Metadata in use above the kernel's reserve, out of all above it; None when unknown."""
    used, total, reserve = pool.metadata.used_bytes, pool.metadata.total_bytes, pool.metadata_reserve_bytes
    if used is None or not total or reserve is None or total <= reserve:
        return None
    return max(0, used - reserve) / (total - reserve)


def data_level(pool: Pool) -> Level | None:
    """Level of the data space; None when it is unknown."""
    return level_of(pool.data.used_fraction, DATA_THRESHOLDS)


def metadata_level(pool: Pool) -> Level | None:
    """Level of the metadata space; None when it is unknown."""
    return level_of(metadata_live_fraction(pool), METADATA_THRESHOLDS)


def mode_level(mode: str | None) -> Level | None:
    """Level of the kernel's word for the mode; None when the kernel has none."""
    if mode is None:
        return None
    return {"rw": Level.OK, "ro": Level.CRIT}.get(mode, Level.CRIT)


def pool_level(pool: Pool) -> Level:
    """The worst that can be said of the pool."""
    known = (data_level(pool), metadata_level(pool), mode_level(pool.mode))
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


def moment(seconds: float) -> str:
    """A moment as local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))
