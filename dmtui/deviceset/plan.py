"""A change as a plan: the exact steps before, progress during, undone as a whole when a step fails.

Each step names what it does in device-mapper's terms and, where there is one, the command line that would do the same.
A step that fails is followed by the undoing of those before it, last first. A process killed between two steps is
mended at the next start (`dmtui.deviceset.recovery`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from dmtui.thinpool.errors import DmtuiError


def _nothing() -> None:
    """What undoes a step that leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan.

    Attributes:
        text: what it does, in the field's words.
        act: does it.
        command: the command line that would do the same; empty for work on our own records.
        undo: takes it back.
    """

    text: str
    act: Callable[[], None]
    command: str = ""
    undo: Callable[[], None] = _nothing


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one operation on one object, and what the operator should know before."""

    operation: str
    subject: str
    steps: tuple[Step, ...]
    notices: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The plan as text, a line a step, each with its command below."""
        text = [f"{self.operation} {self.subject}"]
        for number, step in enumerate(self.steps, start=1):
            text.append(f"  {number}. {step.text}")
            if step.command:
                text.append(f"     # {step.command}")
        return [*text, *(f"  note: {notice}" for notice in self.notices)]


class Phase(Enum):
    """Where a step is."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a plan that changed its phase; steps count from 1."""

    step: int
    of: int
    text: str
    phase: Phase


@dataclass(slots=True)
class Outcome:
    """What an operation came to, for the audit log. `seconds` is how long it took."""

    plan: Plan
    seconds: float = 0.0
    error: str = ""
    undone: list[str] = field(default_factory=list[str])


def perform(
    plan: Plan, watch: Callable[[Progress], None] = lambda _: None, clock: Callable[[], float] = time.monotonic
) -> Outcome:
    """Carry a plan out.

    Raises:
        DmtuiError: a step failed; what was done before is undone. The error has an `outcome` in its notes.
    """
    outcome, began, of = Outcome(plan), clock(), len(plan.steps)
    for number, step in enumerate(plan.steps, start=1):
        watch(Progress(number, of, step.text, Phase.BEGUN))
        try:
            step.act()
        except DmtuiError as error:
            watch(Progress(number, of, step.text, Phase.FAILED))
            outcome.error = str(error)
            _undo(plan, number - 1, outcome, watch)
            outcome.seconds = clock() - began
            raise PlanFailedError(outcome, error) from error
        watch(Progress(number, of, step.text, Phase.DONE))
    outcome.seconds = clock() - began
    return outcome


class PlanFailedError(DmtuiError):
    """A step of a plan failed.

    Attributes:
        outcome: how far it went and what was undone.
        cause: the error of the step.
    """

    def __init__(self, outcome: Outcome, cause: DmtuiError) -> None:
        self.outcome = outcome
        self.cause = cause
        self.exit_status = cause.exit_status
        super().__init__(cause.subject, cause.happened, cause.next_step)


def _undo(plan: Plan, done: int, outcome: Outcome, watch: Callable[[Progress], None]) -> None:
    for number in range(done, 0, -1):
        step = plan.steps[number - 1]
        if step.undo is _nothing:
            continue
        try:
            step.undo()
        except DmtuiError as error:
            # What cannot be undone now is undone at the next start: recovery finds the open transaction.
            outcome.undone.append(f"not undone: {step.text}: {error}")
            return
        outcome.undone.append(step.text)
        watch(Progress(number, len(plan.steps), step.text, Phase.UNDONE))
