"""What is said when there is no pool to show."""

from __future__ import annotations

import textwrap

from dmtui.thinpool.text import printable
from dmtui.thinpool.values import frozen
from dmtui.tui.figures import Look
from dmtui.tui.freshness import Flow
from dmtui.tui.lines import Line, Span, crop, width_of
from dmtui.tui.paint.alerts import explained_lines
from dmtui.tui.paint.header import TopView
from dmtui.tui.wrong import Wrong

_BLOCK_CELLS = 100


@frozen
class Welcome:
    """What is known where there is no pool.

    Attributes:
        top: what the lines at the top show.
        wrong: pools that were taken down to be mended.
    """

    top: TopView
    wrong: Wrong = Wrong()


def welcome_lines(welcome: Welcome, look: Look, width: int) -> list[Line]:
    """A friendly text in the middle: what was looked for, and what can be done."""
    view = welcome.top
    if view.freshness.sample_at is None:
        return _middle(_waiting(view, width), look, width)
    emulated = view.machine == "emulated"
    make: list[Line] = [
        (Span("P", "accent"), Span(" makes the pool of the graph directory, or activates it over its files.")),
        (),
    ]
    text: list[Line] = [
        (Span(f"No thin pool on {view.host or 'this machine'}", "strong"),),
        (),
        *_block(explained_lines(welcome.wrong, look, min(width - 4, _BLOCK_CELLS))),
        (Span(f"Looked at every device-mapper device of {printable(view.description) or view.machine}.", "muted"),),
        (Span("The screen fills by itself as soon as a pool appears.", "muted"),),
        (),
        *(make if view.can_change else ()),
    ]
    if view.host:
        return _middle(text, look, width)  # what can be done about it is done there
    if emulated:
        text.append((Span("This machine is emulated: start over with another ", "muted"), Span("--emulated-dir DIR")))
    else:
        text += [
            (Span("Pools show up when Docker, containerd, LVM or dmtui activates one.", "muted"),),
            (Span("To try everything without one: ", "muted"), Span("dmtui --machine emulated")),
        ]
    return _middle(text, look, width)


def _waiting(view: TopView, width: int) -> list[Line]:
    if view.freshness.flow is Flow.FAILING:
        what = f"Host {view.host} cannot be watched" if view.host else "The machine cannot be read"
        error = printable(view.freshness.error).removeprefix(f"host {view.host}: ")
        parts = textwrap.wrap(error, max(20, width - 4), break_on_hyphens=False)
        return [(Span(what, "crit"),), (), *_block([(Span(part),) for part in parts])]
    return [(Span(f"Connecting to {view.host} ..." if view.host else "Asking the machine ...", "strong"),)]


def _block(lines: list[Line]) -> list[Line]:
    """Lines of one width: each in the middle for itself they were read as so many sentences."""
    widest = max(map(width_of, lines), default=0)
    return [(*line, Span(" " * (widest - width_of(line)))) for line in lines]


def _middle(text: list[Line], look: Look, width: int) -> list[Line]:
    lines: list[Line] = [(), (), ()]
    for spans in text:
        kept = crop(spans, width, look.glyphs.ellipsis)
        lines.append((Span(" " * max(0, (width - width_of(kept)) // 2)), *kept))
    return lines
