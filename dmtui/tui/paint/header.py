"""The two lines at the top: which machine this is and how fresh its figures are; and the notice below."""

from __future__ import annotations

from dataclasses import dataclass

from dmtui.thinpool.text import printable
from dmtui.tui.figures import Look, age, moment
from dmtui.tui.freshness import Flow, Freshness
from dmtui.tui.lines import Line, Span, crop, spread

_FLOW_ROLES = {
    Flow.WAITING: "badge",
    Flow.LIVE: "badge-live",
    Flow.PAUSED: "badge-warn",
    Flow.LATE: "badge-crit",
    Flow.FAILING: "badge-crit",
}


@dataclass(frozen=True, slots=True)
class TopView:
    """What the two lines show.

    Attributes:
        machine: ``kernel`` or ``emulated``; empty before the first sample.
        banner: why this machine was chosen.
        problems: devices that could not be read.
    """

    machine: str
    description: str
    banner: str
    read_only: bool
    freshness: Freshness
    problems: tuple[str, ...] = ()


def header_lines(view: TopView, look: Look, width: int) -> list[Line]:
    """The machine at the left, the stream at the right."""
    fresh = view.freshness
    if view.machine == "emulated":
        machine = Span(" EMULATED ", "badge-emulated")
    else:
        machine = Span(f" {view.machine or 'no answer yet'} ", "badge")
    left = [Span(" dmtui ", "strong"), machine, Span(f" {printable(view.description)}", "muted")]
    right = [Span(" READ-ONLY ", "badge-warn"), Span(" ")] if view.read_only else []
    right += [
        Span(f" {_flow(fresh, look)} ", _FLOW_ROLES[fresh.flow]),
        Span(f" every {fresh.interval_seconds:g} s ", "muted"),
    ]
    return [spread(left, right, width, look.glyphs.ellipsis)]


def moment_lines(view: TopView, look: Look, width: int) -> list[Line]:
    """When the figures were taken; apart from the line beside it, as it alone changes with every sample."""
    sample_at = view.freshness.sample_at
    return [crop((Span("" if sample_at is None else f" {moment(sample_at)} ", "strong"),), width)]


def notice_lines(view: TopView, look: Look, width: int) -> list[Line]:
    """The most important thing to say about the figures themselves; the banner when there is nothing else."""
    fresh = view.freshness
    old = "nothing shown yet" if fresh.sample_at is None else f"figures are {age(fresh.age_seconds)} old"
    sign = look.glyphs.warn
    if fresh.flow is Flow.LATE:
        text, role = f"{sign} no answer for {age(fresh.silent_seconds)} {look.glyphs.dot} {old}", "crit"
    elif fresh.flow is Flow.FAILING:
        text, role = (
            f"{sign} poll failed, still trying {look.glyphs.dot} {old} {look.glyphs.dot} {printable(fresh.error)}",
            "crit",
        )
    elif fresh.flow is Flow.PAUSED:
        text, role = f"{sign} PAUSED {look.glyphs.dot} {old} {look.glyphs.dot} space resumes, r polls once", "warn"
    elif view.problems:
        first, *others = view.problems
        more = f" (+{len(others)} more)" if others else ""
        text, role = f"{sign} {printable(first)}{more}", "warn"
    else:
        text, role = printable(view.banner), "muted"
    return [crop((Span(" "), Span(text, role)), width, look.glyphs.ellipsis)]


def _flow(fresh: Freshness, look: Look) -> str:
    return f"{look.glyphs.ok} {fresh.flow.value}" if fresh.flow is Flow.LIVE else fresh.flow.value
