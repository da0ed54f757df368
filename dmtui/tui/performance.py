"""A request is read as plans and performed, device by device; what fails for one leaves the others alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from dmtui.deviceset.engine import Engine
from dmtui.deviceset.operations import Operation, Prepared
from dmtui.deviceset.plan import NOTE, Phase, Plan, PlanFailedError, Progress
from dmtui.thinpool.errors import DmtuiError
from dmtui.tui.deliveries import Finished, OpenEngine, Part, Request, Sheet, Step

_AMOUNT = re.compile(r"[\d.]+ [kKMGTP]?i?B\b")


class Run:
    """Performs the plans of a request one after the other; one that fails keeps no other from being performed.

    Args:
        open_engine: opens the device set.
        deliver: takes every step.
        began: when, by `time.monotonic`.

    Attributes:
        engine: the device set that is open at present.
        prepared: what is performed.
    """

    def __init__(
        self, open_engine: OpenEngine, request: Request, deliver: Callable[[Step], None], began: float
    ) -> None:
        self._open_engine, self._request, self._deliver, self._began = open_engine, request, deliver, began
        self._lost = ""
        self._open()
        self._subjects = self.prepared.subjects or ("",)

    def close(self) -> None:
        """Let go of the device set."""
        if not self._lost:
            self.engine.close()

    def part(self, index: int, sheet: Sheet) -> Part:
        """Perform one plan; one that was refused stays refused."""
        subject, started = self._subjects[index], time.monotonic()
        if sheet.refusal or self._lost:
            return Part(subject, error=sheet.refusal or self._lost)
        try:
            # What is not there any more was finished when the device set was opened again.
            make = self._makers.get(subject)
            plan = make() if make is not None else None
        except DmtuiError as error:
            return Part(subject, error=str(error))
        undone: list[str] = []

        def watch(progress: Progress) -> None:
            if progress.phase is Phase.UNDONE:
                undone.append(progress.text)
            self._deliver(Step(self._request, progress, time.monotonic() - self._began, index))

        try:
            if plan is not None:
                self.engine.run(plan, watch)
        except DmtuiError as error:
            outcome = error.outcome if isinstance(error, PlanFailedError) else None
            unfinished = outcome is not None and outcome.unfinished
            if unfinished and index + 1 < len(self._subjects):
                self._open_again()
            return Part(subject, time.monotonic() - started, str(error), tuple(undone), unfinished)
        return Part(subject, time.monotonic() - started)

    def _open(self) -> None:
        self.engine = self._open_engine(recovering=True, making=makes(self._request.operation))
        try:
            self.prepared = self._request.operation.prepare(self.engine.plans, self._request.values)
        except BaseException:
            self.engine.close()
            raise
        self._makers = dict(zip(self.prepared.subjects or ("",), self.prepared.makers, strict=True))

    def _open_again(self) -> None:
        """Nothing more can be done with a device set that has something unfinished: a new one finishes it."""
        self.engine.close()
        try:
            self._open()
        except DmtuiError as error:
            self._lost = f"not begun, because of what was left before: {error}"


def signature(engine: Engine, lines: tuple[str, ...]) -> tuple[str, ...]:
    """What must not have changed when the plan is run.

    That is all but what moves by itself: the prefix that a directory yet to be made gives its devices' names, and the
    amounts that a note tells of a pool in use.
    """
    named = (line.replace(str(engine.devices.graph.prefix), "PREFIX") for line in lines)
    return tuple(_AMOUNT.sub("SIZE", line) if line.startswith(NOTE) else line for line in named)


def read(request: Request, prepared: Prepared) -> tuple[tuple[Sheet, ...], tuple[str, ...]]:
    """A sheet for each plan, and the lines of all; what cannot be planned for one of several is refused there."""
    sheets: list[Sheet] = []
    lines: list[str] = []
    for make, subject in zip(prepared.makers, prepared.subjects or ("",), strict=True):
        try:
            plan = make()
        except DmtuiError as error:
            if len(prepared.makers) == 1:
                raise
            sheets.append(Sheet(f"{request.operation.id.split()[-1]} {subject}", (), refusal=str(error)))
            lines.append(str(error))
            continue
        sheets.append(_sheet(plan))
        lines += plan.lines()
    return tuple(sheets), tuple(lines)


def ended(request: Request, seconds: float, parts: tuple[Part, ...], result: Callable[[], tuple[str, ...]]) -> Finished:
    """The end of the whole, from the ends of its parts."""
    failed = tuple(part for part in parts if part.error)
    undone = tuple(step for part in failed for step in part.undone)
    unfinished = any(part.unfinished for part in failed)
    if len(parts) == 1:
        error = failed[0].error if failed else ""
        return Finished(request, seconds, error, undone, unfinished, () if failed else result())
    error = f"{len(failed)} of {len(parts)} were not done" if failed else ""
    return Finished(request, seconds, error, undone, unfinished, result(), parts=parts)


def _sheet(plan: Plan) -> Sheet:
    steps = tuple((step.text, step.command) for step in plan.steps)
    return Sheet(f"{plan.operation} {plan.subject}", steps, plan.notices)


def makes(operation: Operation) -> bool:
    """Whether an operation makes the graph directory."""
    return operation.id == "pool create"
