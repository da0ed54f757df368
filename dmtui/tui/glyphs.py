"""The signs that the dashboard draws with: one set for terminals with Unicode, one for those without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dmtui.thinpool.values import frozen


@frozen
class Glyphs:
    """A set of signs, each one cell wide unless it says otherwise.

    Attributes:
        bar_full: a filled cell of a gauge.
        bar_parts: partly filled cells, emptiest first; empty where the set has none.
        bar_free: a free cell of a gauge.
        bar_mark: a free cell at a threshold.
        bar_reserve: a cell that is taken by the kernel's hidden reserve.
        thin_full, thin_free: the same for the small gauges in tables.
        levels: heights of a history line, lowest first.
        guide: a threshold in an empty cell of a history line.
        dots: whether a chart may put eight dots into a cell (braille); otherwise it draws with `levels`.
        axis, corner, floor: the frame of a chart.
        gate: the free-space gate in a gauge.
        low_water: the low water mark in a gauge.
        bar_owed: a cell that is free and promised already.
        off: not active.
        mark: chosen with others, for one operation.
        mounted: active and mounted.
        leaving: waits for its deletion.
        branch, last_branch, trunk: of a tree, two cells each.
    """

    ok: str
    warn: str
    crit: str
    unknown: str
    cursor: str
    ellipsis: str
    dot: str
    up: str
    down: str
    bar_full: str
    bar_parts: str
    bar_free: str
    bar_mark: str
    bar_reserve: str
    thin_full: str
    thin_free: str
    levels: str
    guide: str
    dots: bool
    axis: str
    corner: str
    floor: str
    gate: str
    low_water: str
    bar_owed: str
    off: str
    mark: str
    mounted: str
    leaving: str
    branch: str
    last_branch: str
    trunk: str


UNICODE = Glyphs(
    ok="●", warn="▲", crit="✖", unknown="?", cursor="▶", ellipsis="…", dot="·", up="▲", down="▼",
    bar_full="█", bar_parts="▏▎▍▌▋▊▉", bar_free="─", bar_mark="┼", bar_reserve="▒",
    thin_full="━", thin_free="─", levels="▁▂▃▄▅▆▇█", guide="╌",
    dots=True, axis="┤", corner="└", floor="─", gate="┃", low_water="╏", bar_owed="░",
    off="○", mark="✓", mounted="◉", leaving="◌", branch="├─", last_branch="└─", trunk="│ ",
)  # fmt: skip
BLOCKS = replace(UNICODE, dots=False)
"""For fonts without braille."""
ASCII = Glyphs(
    ok="o", warn="!", crit="X", unknown="?", cursor=">", ellipsis="~", dot="-", up="^", down="v",
    bar_full="#", bar_parts="", bar_free=".", bar_mark="|", bar_reserve="%",
    thin_full="=", thin_free=".", levels="_.:-=+*#", guide="-",
    dots=False, axis="|", corner="+", floor="-", gate="G", low_water="L", bar_owed=":",
    off="-", mark="*", mounted="@", leaving="~", branch="|-", last_branch="`-", trunk="| ",
)  # fmt: skip


def needs_ascii(environment: Mapping[str, str]) -> bool:
    """Whether the terminal cannot be trusted with Unicode: it is a console, or the locale asked for is another.

    Read from the environment, because Python itself takes UTF-8 even where the locale is ``POSIX``.
    """
    if environment.get("TERM", "") in ("linux", "dumb"):
        return True
    asked = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "UTF-8")
    return "utf" not in asked.lower()
