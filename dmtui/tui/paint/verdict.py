"""What the dialog of an operation says: refused and why, ready, under way, done, failed; and what its keys do."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from dmtui.tui.figures import Look, age
from dmtui.tui.paint.course import Verdict, seconds_text

if TYPE_CHECKING:  # the engine is loaded when an operation is asked for
    from dmtui.deviceset.operations import Operation
    from dmtui.tui.course import Course
    from dmtui.tui.deliveries import Finished, Preview

_MOST_FAILURES = 3
"""So many are told above the plan; the others beside their plans."""


class Stage(Enum):
    """How far a dialog is."""

    FORM = auto()
    RUNNING = auto()
    ENDED = auto()


def hint_of(stage: Stage, wanted: Operation, *, on_cancel: bool) -> str:
    """What keys do at a stage; `on_cancel`: the focus is where enter runs nothing, as at the start of what destroys."""
    if stage is Stage.RUNNING:
        return "y copies the commands, esc closes, it goes on"
    if stage is Stage.ENDED:
        return "up and down scroll, y copies the commands, esc closes"
    if on_cancel:
        return "tab next, up and down scroll, ^y copies, enter or esc cancels"
    enter = "enter next, the last runs" if len(wanted.fields) > 1 else "tab next, enter runs"
    return f"{enter}, up and down scroll, ^y copies, esc cancels"


def verdict_of(
    stage: Stage,
    wanted: Operation,
    *,
    preview: Preview | None,
    course: Course | None,
    warning: str,
    elapsed_seconds: float,
    look: Look,
) -> Verdict:
    """The line for a stage; `preview` is None while there is none for what the form says."""
    if stage is Stage.FORM:
        return _of_form(wanted, preview, warning, look)
    if course is None or course.finished is None:
        return Verdict(under_way(course, elapsed_seconds, look), "accent")
    return outcome(course.finished, look)


def outcome(finished: Finished, look: Look) -> Verdict:
    """What became of an operation."""
    if finished.parts:
        return _of_several(finished, look)
    if not finished.error:
        lines = (f"{look.glyphs.ok} done in {seconds_text(finished.seconds)}", *finished.result)
        return Verdict("\n".join(lines), "ok")
    left = _left(finished.undone, finished.unfinished)
    return Verdict(f"{look.glyphs.crit} failed: {finished.error}\n{left}", "crit")


def _of_several(finished: Finished, look: Look) -> Verdict:
    """How many were done, and what became of the others."""
    failed, count = [part for part in finished.parts if part.error], len(finished.parts)
    took = seconds_text(finished.seconds)
    if not failed:
        return Verdict("\n".join((f"{look.glyphs.ok} done in {took}, all {count}", *finished.result)), "ok")
    done = count - len(failed)
    sign, role = (look.glyphs.warn, "warn") if done else (look.glyphs.crit, "crit")
    lines = [f"{sign} {done} of {count} done in {took}" if done else f"{sign} failed: none of {count} was done"]
    for part in failed[:_MOST_FAILURES]:
        left = f" {_left(part.undone, part.unfinished)}" if part.undone or part.unfinished else ""
        lines.append(f"{look.glyphs.crit} {part.subject}: {part.error}.{left}")
    if len(failed) > _MOST_FAILURES:
        lines.append(f"and {len(failed) - _MOST_FAILURES} more, each told below")
    return Verdict("\n".join((*lines, *finished.result)), role)


def _left(undone: tuple[str, ...], unfinished: bool) -> str:
    if unfinished:
        return "What is left is finished by the next command."
    if undone:
        return f"What was done before is undone: {len(undone)} step{'s' if len(undone) > 1 else ''}."
    return "Nothing was changed."


def _of_form(wanted: Operation, preview: Preview | None, warning: str, look: Look) -> Verdict:
    if warning and (preview is None or not preview.error):
        return Verdict(f"{look.glyphs.warn} {warning}", "warn")
    if preview is None or preview.asks:
        return Verdict("planning ..." if preview is None else f"{look.glyphs.cursor} {preview.asks}", "muted")
    if preview.error:
        errors = preview.error.split("\n")
        more = f"\nand {len(errors) - _MOST_FAILURES} more are refused" if len(errors) > _MOST_FAILURES else ""
        told = "\n".join(f"{look.glyphs.crit} {error}" for error in errors[:_MOST_FAILURES])
        return Verdict(f"{told}{more}", "crit")
    count = sum(len(sheet.steps) for sheet in preview.sheets)
    steps = f"{count} step{'' if count == 1 else 's'}" if count else "nothing to do"
    able, all_of = preview.able, len(preview.sheets)
    if all_of > 1:
        steps += f" for {able} devices" if able == all_of else f" for {able} of {all_of} devices"
    if able < all_of:
        refused = f"{all_of - able} {'is' if all_of - able == 1 else 'are'} refused, as told below"
        undo = " This cannot be undone." if wanted.confirm else ""
        return Verdict(f"{look.glyphs.warn} {steps}: {refused}.{undo}", "warn")
    if wanted.confirm:
        return Verdict(f"{look.glyphs.warn} {steps}. This cannot be undone.", "warn")
    return Verdict(f"{look.glyphs.ok} {steps}, exactly as below", "ok")


def under_way(course: Course | None, elapsed_seconds: float, look: Look) -> str:
    """How far an operation is, and what it waits for."""
    if course is None:
        return f"{look.glyphs.cursor} begun"
    at = next((row for row in course.rows if row.phase is not None and row.seconds is None), None)
    plan = max((row.plan for row in course.rows if row.phase is not None), default=0) if at is None else at.plan
    own = [row for row in course.rows if row.plan == plan]
    ended = sum(row.seconds is not None for row in own)
    text = f"{look.glyphs.cursor} under way for {age(elapsed_seconds)}, "
    if len(course.sheets) > 1:
        title = course.sheets[plan].title if plan < len(course.sheets) else ""
        text += f"{plan + 1} of {len(course.sheets)}: {title}, "
    text += f"step {min(ended + 1, len(own))} of {len(own)}"
    return f"{text}\n{course.note}" if course.note else text
