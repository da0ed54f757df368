"""The line above the table of all devices: how many are in which state, and how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dmtui.thinpool.values import frozen
from dmtui.tui.devicerows import DeviceRow, parents_known, state_of
from dmtui.tui.figures import Level, Look
from dmtui.tui.lines import Line, Span, crop, width_of

_ORDER = ("active", "mounted", "inactive", "deleted", "suspended", "FAILED", "deferred")


@frozen
class Summary:
    """What the line says.

    Attributes:
        counts: how many devices are in which state, with the sign and the level of it.
        recorded: whether the records of the pool's graph directory are known.
        parents: whether any parent is known.
        tree: whether devices are shown below their parents.
    """

    counts: tuple[tuple[str, int, Level], ...]
    recorded: bool
    parents: bool
    tree: bool


def summary_of(rows: Sequence[DeviceRow], *, recorded: bool, tree: bool) -> Summary:
    """The line for these rows."""
    found: Counter[str] = Counter()
    levels: dict[str, Level] = {}
    for row in rows:
        words, level = state_of(row)
        first = words.split(",", maxsplit=1)[0]
        found[first] += 1
        levels[first] = max(level, levels.get(first, Level.OK))
    counts = tuple((word, found[word], levels[word]) for word in _ORDER if found[word])
    return Summary(counts, recorded, parents_known(rows), tree)


def summary_lines(view: Summary, look: Look, width: int) -> list[Line]:
    """One line: the counts at the left, what is not known of the devices at the right where there is room."""
    signs = {"mounted": look.glyphs.mounted, "inactive": look.glyphs.off, "deleted": look.glyphs.leaving}
    spans: list[Span] = [Span(" ")]
    for word, count, level in view.counts:
        sign = signs.get(word, level.sign(look.glyphs))
        role = level.role if level is not Level.OK else "muted" if word == "inactive" else "ok"
        spans += [Span(f"{sign} ", role), Span(str(count), "strong"), Span(f" {word}   ", "muted")]
    note = ""
    if not view.recorded:
        note = "only active devices: no graph directory of this pool is known"
    elif view.tree and not view.parents:
        note = "no parent is recorded"
    elif view.tree:
        note = "tree by parent"
    if note and width_of(spans) + len(note) + 1 <= width:
        spans += [Span(" " * (width - width_of(spans) - len(note) - 1)), Span(note, "faint")]
    return [crop(spans, width, look.glyphs.ellipsis)]
