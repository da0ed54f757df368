"""The two lines at the top: which machine this is and how fresh its figures are; and the notice below."""

from __future__ import annotations

from rich.cells import cell_len

from dmtui.monitor.nextsteps import NextStep
from dmtui.monitor.sample import Sample
from dmtui.monitor.severity import Severity
from dmtui.thinpool.text import printable
from dmtui.thinpool.values import frozen
from dmtui.tui.alarms import Notice
from dmtui.tui.figures import Level, Look, age, moment
from dmtui.tui.freshness import Flow, Freshness
from dmtui.tui.lines import Line, Span, crop, fit_middle, spread, width_of, without_aside
from dmtui.tui.standing import Elsewhere
from dmtui.tui.wrong import step_words

_POOL_WIDTH = 24
_WIDE = 110
_SPARE = 100
"""From so many cells on there is room for what is told elsewhere, too."""
_NARROW, _TINY = 50, 20
"""What kind of machine it is outlasts whose program this is, and how fresh its figures are."""
_FLOW_ROLES = {
    Flow.WAITING: "badge",
    Flow.LIVE: "badge-live",
    Flow.PAUSED: "badge-warn",
    Flow.LATE: "badge-crit",
    Flow.FAILING: "badge-crit",
    Flow.REPLAY: "badge-warn",
}


@frozen
class TopView:
    """What the two lines show.

    Attributes:
        machine: ``kernel`` or ``emulated``; empty before the first sample.
        banner: why this machine was chosen.
        problems: devices that could not be read.
        notice: the worst alert that nobody has acknowledged.
        can_change: whether anything can be changed from here.
        host: the machine that is watched over ssh; empty where it is this one.
        elsewhere: what is wrong on the other hosts.
    """

    machine: str
    description: str
    banner: str
    read_only: bool
    freshness: Freshness
    problems: tuple[str, ...] = ()
    notice: Notice | None = None
    can_change: bool = False
    host: str = ""
    elsewhere: Elsewhere | None = None

    @classmethod
    def of(
        cls, sample: Sample | None, banner: str, read_only: bool, freshness: Freshness, notice: Notice | None
    ) -> TopView:
        """The view of a sample; before the first one the machine is not named."""
        if sample is None:
            return cls("", "", banner, read_only, freshness)
        machine, description = sample.machine, sample.machine_description
        return cls(machine, description, banner, read_only, freshness, sample.problems, notice)


def header_lines(view: TopView, look: Look, width: int) -> list[Line]:
    """The machine at the left, the stream at the right. A host's name and what is wrong elsewhere outlast the rest."""
    fresh = view.freshness
    if view.machine == "emulated":
        machine = Span(" EMULATED ", "badge-emulated")
    else:
        machine = Span(f" {view.machine or 'no answer yet'} ", "badge")
    spare = width >= (_SPARE if view.host else _NARROW)
    left = [Span(" dmtui ", "strong")] if spare else []
    if view.host:
        name = fit_middle(view.host, _POOL_WIDTH if spare else _POOL_WIDTH // 2, look.glyphs.ellipsis).rstrip()
        left += [Span(f" {name} ", "badge-host"), Span(" ")]
    left += [machine, Span(f" {printable(view.description)}", "muted")]
    right = [_elsewhere(view.elsewhere, look, spare), Span(" ")] if view.elsewhere is not None else []
    right += [Span(" READ-ONLY ", "badge-warn"), Span(" ")] if view.read_only else []
    word = "LOST" if view.host and fresh.flow is Flow.FAILING else _flow(fresh, look)
    if width > _TINY:
        right.append(Span(f" {word} ", _FLOW_ROLES[fresh.flow]))
    if spare:
        right.append(Span(f" every {fresh.interval_seconds:g} s ", "muted"))
    return [spread(left, right, width, look.glyphs.ellipsis)]


def _elsewhere(wrong: Elsewhere, look: Look, spare: bool) -> Span:
    """The worst of the hosts that are not shown."""
    sign = look.glyphs.crit if wrong.critical else look.glyphs.warn
    name = fit_middle(wrong.host, _POOL_WIDTH if spare else _POOL_WIDTH // 3, look.glyphs.ellipsis).rstrip()
    more = f" +{wrong.others}" if wrong.others else ""
    return Span(f" {sign} {name} {wrong.word}{more} ", "badge-crit" if wrong.critical else "badge-warn")


def moment_lines(view: TopView, look: Look, width: int) -> list[Line]:
    """When the figures were taken; apart from the line beside it, as it alone changes with every sample."""
    sample_at = view.freshness.sample_at
    return [crop((Span("" if sample_at is None else f" {moment(sample_at)} ", "strong"),), width)]


def notice_lines(view: TopView, look: Look, width: int) -> list[Line]:
    """The most important thing to say: that the figures are old, the worst alert, what cannot be read, the banner."""
    fresh = view.freshness
    old = "nothing shown yet" if fresh.sample_at is None else f"figures are {age(fresh.age_seconds)} old"
    sign = look.glyphs.warn
    if fresh.flow is Flow.LATE:
        text, role = f"{sign} no answer for {age(fresh.silent_seconds)} {look.glyphs.dot} {old}", "crit"
    elif fresh.flow is Flow.FAILING:
        text, role = f"{sign} {look.glyphs.dot.join(_failing(view, old))}", "crit"
    elif fresh.flow is Flow.PAUSED:
        text, role = f"{sign} PAUSED {look.glyphs.dot} {old} {look.glyphs.dot} space resumes, r polls once", "warn"
    elif view.notice is not None and (view.notice.alert.severity >= Severity.WARN or not view.problems):
        return [_alert_line(view, view.notice, look, width)]
    elif view.problems:
        first, *others = view.problems
        more = f" (+{len(others)} more)" if others else ""
        text, role = f"{sign} {printable(first)}{more}", "warn"
    else:
        text, role = printable(view.banner), "muted"
    return [crop((Span(" "), Span(text, role)), width, look.glyphs.ellipsis)]


def _failing(view: TopView, old: str) -> list[str]:
    """That it fails, how old the figures are, and why; of a host when it is tried again."""
    fresh = view.freshness
    if fresh.retry_seconds is None:
        return ["poll failed, still trying ", f" {old} ", f" {printable(fresh.error)}"]
    again = f"tries again in {age(fresh.retry_seconds)}" if fresh.retry_seconds else "trying again"
    return [f"{old} ", f" {again} ", f" {printable(fresh.error).removeprefix(f'host {view.host}: ')}"]


def _alert_line(view: TopView, notice: Notice, look: Look, width: int) -> Line:
    """How bad, where, what, and where there is room what to do; at the right end since when, and how many more."""
    alert, glyphs = notice.alert, look.glyphs
    level = Level(int(alert.severity))
    wide = width >= _WIDE
    since = moment(alert.began_at)
    more = f"+{notice.others} more" if notice.others else ""
    seen = "A acknowledges" if notice.selected and wide else ""
    tails = [(f"since {since if wide else since[:5]}", more, *each) for each in ((seen,), ())]
    tail, *shorter = (f" {glyphs.dot} ".join(part for part in parts if part) for parts in tails)
    pool = fit_middle(printable(alert.pool), _POOL_WIDTH if wide else _POOL_WIDTH // 2, glyphs.ellipsis).rstrip()
    head = (Span(f" {level.sign(glyphs)} {level.word} ", f"badge-{level.role}"), Span(f" {pool} ", "strong"))
    room = width - width_of(head) - len(f"{tail} ") - 1
    texts = _texts(notice)
    text = next((each for each in texts if cell_len(each) <= room), texts[-1])
    step = ""
    if wide and alert.next_step is not None:
        # What to do is more than the length of the text, and than which key acknowledges: that stands at the bottom.
        whole = [each for each in texts if cell_len(each) <= room]
        steps = _steps(view, alert.next_step)
        ways = [(each, step, end) for step in steps for each in whole for end in (tail, *shorter)]
        room += len(tail)
        fitting = (way for way in ways if sum(map(cell_len, way)) <= room)
        text, step, tail = next(fitting, (text, "", tail))
    right = (Span(f"{tail} ", "muted"),)
    left = (*head, Span(text, level.role), *((Span(step, "strong"),) if step else ()))
    return spread(left, right, width, glyphs.ellipsis)


def _texts(notice: Notice) -> tuple[str, ...]:
    """What is wrong, in several lengths, longest first."""
    alert = notice.alert
    long, brief = printable(alert.text), printable(alert.brief or alert.text)
    return notice.texts or (long, without_aside(long, 0), brief, without_aside(brief, 0))


def _steps(view: TopView, step: NextStep) -> tuple[str, ...]:
    """What to do in several lengths: one command says more than words; of words the first are what to do first."""
    words = step_words(step, view.can_change)
    keyed = step.action and view.can_change
    command = step.commands if len(step.commands) == 1 and not keyed else ()
    told = (*command, words, words.partition(",")[0])
    return tuple(f"  next: {printable(each)}" for each in told)


def _flow(fresh: Freshness, look: Look) -> str:
    if fresh.flow is Flow.LIVE:
        return f"{look.glyphs.ok} {fresh.flow.value}"
    if fresh.flow is Flow.REPLAY and fresh.position is not None:
        return f"{fresh.flow.value} {fresh.position.index + 1}/{fresh.position.count}{' paused' if fresh.held else ''}"
    return fresh.flow.value
