"""The course of an operation: its steps as they are planned, then as they begin, end, fail and are undone."""

from __future__ import annotations

from dataclasses import replace

from dmtui.deviceset.plan import Phase
from dmtui.thinpool.values import frozen
from dmtui.tui.deliveries import Finished, Preview, Request, Sheet, Step


@frozen
class Row:
    """A step of one of the plans.

    Attributes:
        plan: which of the plans it belongs to, from 0.
        phase: None until it begins.
        began: seconds after the operation's beginning.
        seconds: how long it took; None until it has ended.
    """

    plan: int
    text: str
    command: str = ""
    phase: Phase | None = None
    began: float = 0.0
    seconds: float | None = None


@frozen
class Course:
    """An operation from its preview to its end.

    Attributes:
        began_at: seconds since the epoch; None for one that is only planned.
        note: what it waits for at present.
        finished: None until it has ended.
        ended_at: seconds since the epoch.
    """

    request: Request
    sheets: tuple[Sheet, ...] = ()
    rows: tuple[Row, ...] = ()
    began_at: float | None = None
    note: str = ""
    finished: Finished | None = None
    ended_at: float = 0.0

    @property
    def subject(self) -> str:
        """What it is about: the names that it was given."""
        return " ".join(self.subjects)

    @property
    def subjects(self) -> tuple[str, ...]:
        """The devices that it is about, each by its name."""
        named = tuple(self.request.values.get("name", "").split())
        made = tuple(part.subject for part in self.finished.parts) if self.finished is not None else ()
        return made or named

    @property
    def done(self) -> tuple[str, ...]:
        """The devices for which something has been done: not those that were already as they are wanted."""
        if self.finished is None:
            return ()
        idle = {number for number, sheet in enumerate(self.sheets) if not sheet.steps}
        if not self.finished.parts:
            return () if self.finished.error or 0 in idle else self.subjects
        parts = enumerate(self.finished.parts)
        return tuple(part.subject for number, part in parts if not part.error and number not in idle)

    @property
    def commands(self) -> tuple[str, ...]:
        """The command lines that would do the same."""
        return tuple(row.command for row in self.rows if row.command)

    @property
    def done_steps(self) -> int:
        """How many steps have been done and not been undone."""
        return sum(row.phase is Phase.DONE for row in self.rows)

    @property
    def begun(self) -> bool:
        """Whether any step has begun."""
        return any(row.phase is not None for row in self.rows)

    def after(self, step: Step) -> Course:
        """The course with one more thing that happened."""
        progress = step.progress
        if progress.phase is Phase.NOTED:
            return replace(self, note=progress.text)
        at, rows = step.part, self.rows
        rows = _sized(rows, at, progress.of)
        place = next(index for index, row in enumerate(rows) if row.plan == at) + progress.step - 1
        changed = _changed(rows[place], progress.text, progress.phase, step.seconds)
        return replace(self, rows=(*rows[:place], changed, *rows[place + 1 :]), note="")

    def ended(self, finished: Finished, at: float) -> Course:
        """The course with its end."""
        return replace(self, finished=finished, ended_at=at, note="")


def planned(preview: Preview) -> Course:
    """The course of what is only planned."""
    rows = (Row(number, *step) for number, sheet in enumerate(preview.sheets) for step in sheet.steps)
    return Course(preview.request, preview.sheets, tuple(rows))


def _sized(rows: tuple[Row, ...], plan: int, count: int) -> tuple[Row, ...]:
    """The rows with so many of that plan: made when those before it were performed, it may be another than shown."""
    if sum(row.plan == plan for row in rows) == count:
        return rows
    before = tuple(row for row in rows if row.plan < plan)
    own = tuple(row for row in rows if row.plan == plan)[:count]
    rest = tuple(row for row in rows if row.plan > plan)
    return (*before, *own, *(Row(plan, "") for _ in range(count - len(own))), *rest)


def _changed(row: Row, text: str, phase: Phase, at: float) -> Row:
    # Plans behind the first were shown as if they were the first: their ids are others by now.
    command = row.command if text == row.text and row.plan == 0 else ""
    if phase is Phase.BEGUN:
        return replace(row, text=text, command=command, phase=phase, began=at)
    if phase is Phase.UNDONE:
        return replace(row, phase=phase)
    return replace(row, phase=phase, seconds=max(0.0, at - row.began))
