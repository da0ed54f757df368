"""One thin device: what it is, how much of it is mapped, who uses it, what it descends from, what happened to it."""

from __future__ import annotations

from collections.abc import Sequence

from dmtui.monitor.events import Event
from dmtui.monitor.sample import Pool
from dmtui.monitor.severity import Severity
from dmtui.thinpool.sizes import format_share
from dmtui.thinpool.text import printable
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen
from dmtui.tui.devicerows import BASE, DeviceRow, lineage, state_of, state_sign
from dmtui.tui.figures import DEVICE_THRESHOLDS, Density, Level, Look, age, level_of, moment
from dmtui.tui.glyphs import Glyphs
from dmtui.tui.lines import Line, Span, crop, fit_middle, fit_path, line, spread, width_of
from dmtui.tui.paint.gauge import bar

_KEY_WIDTH = 13
_MOST_RELATIVES = {Density.COMPACT: (3, 4), Density.NORMAL: (4, 6), Density.ROOMY: (8, 14)}
"""How many ancestors and children are shown."""
_MOST_EVENTS = {Density.COMPACT: 6, Density.NORMAL: 8, Density.ROOMY: 20}
_UNKNOWN = Span("?", "warn")


@frozen
class DeviceView:
    """A device with its relatives.

    Attributes:
        ancestors: what it descends from, nearest first; a name alone where that device is gone.
        children: its direct snapshots.
    """

    pool: Pool
    row: DeviceRow
    ancestors: tuple[DeviceRow | str, ...]
    children: tuple[DeviceRow, ...]

    @classmethod
    def of(cls, pool: Pool, row: DeviceRow, rows: Sequence[DeviceRow]) -> DeviceView:
        """The view of a row among all rows of its pool."""
        ancestors, children = lineage(rows, row)
        return cls(pool, row._replace(prefix=""), ancestors, children)


def device_lines(view: DeviceView, look: Look, width: int) -> list[Line]:
    """What it is to its owner, to the kernel and to its graph directory: a line a fact, two where lines are few."""
    rows = _facts(view, look, max(4, width - _KEY_WIDTH))
    lines: list[Line] = [(Span(f"{key:<{_KEY_WIDTH}}", "muted"), *value) for key, value in rows]
    if look.density is Density.COMPACT:
        half = width // 2
        lines = [crop((*_padded(left, half), *right), width) for left, right in _paired(lines, half)]
    return [crop(spans, width, look.glyphs.ellipsis) for spans in lines]


def _since(minutes_in_seconds: float) -> str:
    """How long ago, of an age that is told in whole minutes: its 0 is not "0 s ago"."""
    return f"{age(minutes_in_seconds)} ago" if minutes_in_seconds >= 60 else "less than 1 min ago"


def _facts(view: DeviceView, look: Look, room: int) -> list[tuple[str, Line]]:
    row, device, record = view.row, view.row.device, view.row.record

    def named(text: str, role: str = "text") -> Line:
        return line(Span(fit_middle(printable(text), room, look.glyphs.ellipsis).rstrip(), role))

    words, level = state_of(row)
    role = level.role if level is not Level.OK else "ok" if device else "muted"
    made = _UNKNOWN if row.age_seconds is None else Span(_since(row.age_seconds))
    rows: list[tuple[str, Line]] = [
        ("name", named(row.display_name, "strong")),
        ("state", (Span(f"{state_sign(row, look.glyphs)} {words}", role),)),
        ("thin id", _known(row.thin_id)),
        ("size", line(look.size(row.size_bytes))),
        ("parent", _parent(row)),
        ("created", (made,)),
        ("pool", named(view.pool.display_name)),
        ("kernel name", named(row.name)),
    ]
    if device is None:
        rows.append(("device", (Span("none while inactive", "muted"),)))
    else:
        rows += [("device", line(device.dev)), ("table", line(_table(view)))]
    if record is None:
        note = "none is known" if view.pool.recorded is None else "it is not recorded"
        return [*rows, ("record", (Span(note, "muted"),))]
    return [
        *rows,
        ("transaction", line(str(record.transaction_id))),
        ("initialized", line("yes" if record.initialized else "no")),
        ("deletion", (Span("waits for it", "warn"),) if record.deleted else line("not asked for")),
    ]


def _paired(lines: Sequence[Line], half: int) -> list[tuple[Line, Line]]:
    """Two short facts on one line; a long one keeps a line of its own."""
    pairs: list[tuple[Line, Line]] = []
    for spans in lines:
        short = width_of(spans) < half
        if short and pairs and not pairs[-1][1] and width_of(pairs[-1][0]) < half:
            pairs[-1] = (pairs[-1][0], spans)
        else:
            pairs.append((spans, ()))
    return pairs


def _padded(spans: Line, width: int) -> Line:
    return (*spans, Span(" " * max(0, width - width_of(spans))))


def mapped_lines(view: DeviceView, look: Look, width: int) -> list[Line]:
    """How much of its size has a block: as a gauge and in figures."""
    row, device = view.row, view.row.device
    fraction = row.mapped_fraction
    level = level_of(fraction, DEVICE_THRESHOLDS)
    role = "data" if level in (None, Level.OK) else level.role
    if device is None or level is None:
        verdict: Line = (Span(f"{look.glyphs.unknown} unknown", "warn"),)
        if device is None:
            verdict = (Span("not told while it is not active", "muted"),)
    else:
        sign = Span(f"  {level.sign(look.glyphs)} {level.word:<5}", level.role)
        verdict = (Span(format_share(fraction), "strong"), sign)
    highest = device.highest_mapped_sector if device else None
    figures = (
        Span(look.size(row.mapped_bytes), "strong"),
        Span(" mapped of ", "muted"),
        Span(look.size(row.size_bytes)),
    )
    end = (
        Span("highest sector ", "muted"),
        Span(str(highest)) if highest is not None else Span("none" if row.mapped_bytes == 0 else "?", "muted"),
    )
    if device is None or width_of(figures) + width_of(end) + 2 > width:
        end = ()
    return [
        spread((Span("Mapped", "accent"),), verdict, width, look.glyphs.ellipsis),
        bar(fraction, width, look.glyphs, role, thresholds=DEVICE_THRESHOLDS),
        spread(figures, end, width, look.glyphs.ellipsis),
    ]


def use_lines(view: DeviceView, look: Look, width: int) -> list[Line]:
    """Who uses it: how often it is open, and where it is mounted."""
    device = view.row.device
    if device is None:
        nobody = (Span(f"{'open':<{_KEY_WIDTH}}", "muted"), Span("by nobody: it is not active", "muted"))
        return [crop(nobody, width, look.glyphs.ellipsis)]
    lines: list[Line] = [(Span(f"{'open':<{_KEY_WIDTH}}", "muted"), Span(str(device.open_count)))]
    places = device.mounted_at
    if not places:
        what = _UNKNOWN if places is None else Span("not in our mount namespace", "muted")
        lines.append(crop((Span(f"{'mounted at':<{_KEY_WIDTH}}", "muted"), what), width, look.glyphs.ellipsis))
    for place, directory in enumerate(places or ()):
        key = "mounted at" if place == 0 else ""
        path = fit_path(printable(directory), max(4, width - _KEY_WIDTH), look.glyphs.ellipsis)
        lines.append((Span(f"{key:<{_KEY_WIDTH}}", "muted"), Span(path.rstrip())))
    return lines


def lineage_lines(view: DeviceView, look: Look, width: int) -> list[Line]:
    """What it descends from, oldest first, then itself, then its snapshots: each a level deeper."""
    glyphs = look.glyphs
    most_ancestors, most_children = _MOST_RELATIVES[look.density]
    nearest = view.ancestors[:most_ancestors]
    lines: list[Line] = []
    if len(nearest) < len(view.ancestors):
        lines.append((Span(f"{glyphs.ellipsis} {len(view.ancestors) - len(nearest)} older", "muted"),))
    elif view.row.parent is None and view.row.display_name != BASE:
        lines.append((Span("its parent is not known", "muted"),))
    depth = 0
    for each in reversed(nearest):
        lines.append(_relative(each, depth, look, width))
        depth += 1
    own = Span(printable(view.row.display_name), "strong")
    lines.append(crop((_indent(depth, glyphs), Span(f"{glyphs.cursor} ", "accent"), own), width, glyphs.ellipsis))
    shown = view.children if len(view.children) <= most_children else view.children[: most_children - 1]
    hidden = len(view.children) - len(shown)
    lines += [_relative(each, depth + 1, look, width, last=each is shown[-1] and not hidden) for each in shown]
    if hidden:
        lines.append((_indent(depth + 1, glyphs), Span(f"and {hidden} more", "muted")))
    if not view.children and view.row.record is not None:
        lines.append((_indent(depth + 1, glyphs), Span("no snapshot of it is recorded", "muted")))
    return [crop(spans, width, glyphs.ellipsis) for spans in lines]


def event_lines(events: Sequence[Event], look: Look, width: int) -> list[Line]:
    """What happened, newest first."""
    if not events:
        return [(Span("nothing since it is watched", "muted"),)]
    return [_event(event, look, width) for event in events[: _MOST_EVENTS[look.density]]]


def _event(event: Event, look: Look, width: int) -> Line:
    level = Level(int(event.severity))
    sign = Span(f"  {level.sign(look.glyphs)} ", level.role if event.severity is not Severity.INFO else "muted")
    return crop((Span(moment(event.at), "muted"), sign, Span(printable(event.text))), width, look.glyphs.ellipsis)


def _relative(each: DeviceRow | str, depth: int, look: Look, width: int, last: bool = True) -> Line:
    indent = _indent(depth, look.glyphs, last)
    if isinstance(each, str):
        return crop((indent, Span(printable(each)), Span("  gone", "muted")), width, look.glyphs.ellipsis)
    words, level = state_of(each)
    role = level.role if level is not Level.OK else "ok" if each.device else "muted"
    state = (Span(f"  {state_sign(each, look.glyphs)} ", role), Span(words, "muted"))
    size = Span(f"  {look.size(each.mapped_bytes)} mapped" if each.device else "", "faint")
    return crop((indent, Span(printable(each.display_name)), *state, size), width, look.glyphs.ellipsis)


def _indent(depth: int, glyphs: Glyphs, last: bool = True) -> Span:
    branch = glyphs.last_branch if last else glyphs.branch
    return Span("   " * (depth - 1) + f"{branch} " if depth else "", "faint")


def _table(view: DeviceView) -> str:
    thin_id = view.row.thin_id
    number = "?" if thin_id is None else str(thin_id)
    return f"0 {view.row.size_bytes // SECTOR_BYTES} thin {view.pool.dev} {number}"


def _parent(row: DeviceRow) -> Line:
    if row.parent is not None:
        return (Span(printable(row.parent)),)
    return (Span("none: it is the base device", "muted"),) if row.display_name == BASE and row.record else (_UNKNOWN,)


def _known(number: int | None) -> Line:
    return (_UNKNOWN if number is None else Span(str(number)),)
