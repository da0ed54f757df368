"""A change as a plan: the exact steps before, progress during, undone as a whole when a step fails.

Each step names what it does in device-mapper's terms and, where there is one, the command line that would do the same.
A step that fails is followed by the undoing of those before it, last first. A process killed between two steps is
mended at the next start (`dmtui.deviceset.recovery`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import Enum

from dmtui.deviceset.intents import Intent
from dmtui.machine.durable import InUseError
from dmtui.machine.errors import TimedOutError
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

NOTE = "  note: "


def _nothing() -> None:
    """What undoes a step that leaves nothing behind."""


@frozen
class Step:
    """One step of a plan.

    Attributes:
        text: what it does, in the field's words.
        act: does it.
        command: the command line that would do the same; empty for work on our own records.
        undo: takes it back.
        slow: it may take long, so others may work meanwhile (the plan's intents keep them off its devices).
        frees: its undo lets go of what others wait for (a suspended device), and is done whatever else fails; it does
            no harm where there is nothing to let go of.
        irrevocable: once done there is no way back; what fails after it is finished at the next start.
    """

    text: str
    act: Callable[[], None]
    command: str = ""
    undo: Callable[[], None] = _nothing
    slow: bool = False
    frees: bool = False
    irrevocable: bool = False


@frozen
class Plan:
    """The steps of one operation on one object, and what the operator should know before.

    Attributes:
        touches: names on file of the devices that nobody else may have in work.
        intents: what is on disk while it runs, for the next start to know after a kill.
        builds_on: names on file of the devices on which nothing may be left half done by a kill.
    """

    operation: str
    subject: str
    steps: tuple[Step, ...]
    notices: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    intents: tuple[Intent, ...] = ()
    builds_on: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The plan as text, a line a step, each with its command below."""
        text = [f"{self.operation} {self.subject}"]
        for number, step in enumerate(self.steps, start=1):
            text.append(f"  {number}. {step.text}")
            if step.command:
                text.append(f"     # {step.command}")
        if not self.steps:
            text.append("  nothing to do")
        return [*text, *(f"{NOTE}{notice}" for notice in self.notices)]


class Phase(Enum):
    """Where a step is."""

    BEGUN = "begun"
    NOTED = "note"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


@frozen
class Progress:
    """A step of a plan that changed its phase; steps count from 1."""

    step: int
    of: int
    text: str
    phase: Phase


@dataclass(slots=True)
class Outcome:
    """What an operation came to, for the audit log.

    Attributes:
        seconds: how long it took.
        unfinished: it failed where there is no way back, or its way back failed: the next start has work to do.
    """

    plan: Plan
    seconds: float = 0.0
    error: str = ""
    undone: list[str] = field(default_factory=list[str])
    unfinished: bool = False


class LostLockError(InUseError):
    """Another process keeps the lock that was let go for a slow step.

    Nothing may be touched any more, but for letting go of what others wait for (`Step.frees`).
    """


def perform(
    plan: Plan,
    watch: Callable[[Progress], None] = lambda _: None,
    aside: Callable[[], AbstractContextManager[None]] = nullcontext,
    clock: Callable[[], float] = time.monotonic,
) -> Outcome:
    """Carry a plan out; its slow steps run within `aside`.

    Raises:
        PlanFailedError: a step failed; what was done before is undone, as far as there is a way back.
    """
    outcome, began, of = Outcome(plan), clock(), len(plan.steps)
    for number, step in enumerate(plan.steps, start=1):
        watch(Progress(number, of, step.text, Phase.BEGUN))
        try:
            with aside() if step.slow else nullcontext():
                step.act()
        except DmtuiError as error:
            watch(Progress(number, of, step.text, Phase.FAILED))
            outcome.error = str(error)
            outcome.unfinished = _has_no_way_back(error)
            # Whether a step acted that got no answer is unknown: nobody is left waiting for that.
            perhaps_done = step.frees and isinstance(error, TimedOutError)
            _undo(plan, number if perhaps_done else number - 1, outcome, watch)
            outcome.seconds = clock() - began
            raise PlanFailedError(outcome, error) from error
        except KeyboardInterrupt:
            # How far the step came is not known: the next start looks. Nobody is left waiting until then.
            outcome.unfinished = True
            _undo(plan, number, outcome, watch)
            raise
        watch(Progress(number, of, step.text, Phase.DONE))
    outcome.seconds = clock() - began
    return outcome


def _has_no_way_back(error: DmtuiError) -> bool:
    """Whether a step failed where nothing can be undone: without the lock, or in a plan within the plan."""
    return isinstance(error, LostLockError) or (isinstance(error, PlanFailedError) and error.outcome.unfinished)


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
        next_step = cause.next_step
        if outcome.unfinished:
            next_step = f"{next_step}; the next command finishes what is left".removeprefix("; ")
        super().__init__(cause.subject, cause.happened, next_step)


def _undo(plan: Plan, done: int, outcome: Outcome, watch: Callable[[Progress], None]) -> None:
    """Undo the first `done` steps, last first; what cannot be undone now is left to the next start."""
    for number in range(done, 0, -1):
        step = plan.steps[number - 1]
        outcome.unfinished = outcome.unfinished or step.irrevocable
        if step.undo is _nothing or (outcome.unfinished and not step.frees):
            continue
        try:
            step.undo()
        except DmtuiError as error:
            outcome.unfinished = True
            outcome.undone.append(f"not undone: {step.text}: {error}")
        else:
            outcome.undone.append(step.text)
            watch(Progress(number, len(plan.steps), step.text, Phase.UNDONE))
