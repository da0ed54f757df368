"""What the operator asks the engine for: refused on the spot, planned in a dialog, performed in the background."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from textual.app import App
from textual.message import Message

from dmtui.monitor.alerts import Alert
from dmtui.monitor.nextsteps import NextStep
from dmtui.monitor.sample import Pool, Sample, ThinDevice
from dmtui.thinpool.text import printable
from dmtui.tui.figures import Look
from dmtui.tui.overlays import lay_over, take_off
from dmtui.tui.owners import refusal

if TYPE_CHECKING:  # the engine is loaded when an operation is asked for
    from dmtui.deviceset.operations import Operation
    from dmtui.tui.course import Course
    from dmtui.tui.deliveries import Delivery, Finished, OpenEngine, Preview, Request, Step, Survey
    from dmtui.tui.operator import Operator
    from dmtui.tui.screens.operation import OperationScreen

KEPT_COURSES = 100
_MANY_STEPS = 100
_DRAWING_SECONDS = 0.5
"""Of an operation with more steps than that, what has become of it is drawn so often at most."""
PATIENCE_SECONDS = 0.7
"""After so long without an answer of the machine the operator is told that it is being asked."""


class Delivered(Message):
    """Something came from the threads that plan and perform."""

    def __init__(self, delivery: Delivery) -> None:
        super().__init__()
        self.delivery = delivery

    def can_replace(self, message: Message) -> bool:
        """Of plans only the newest matters; of steps every one."""
        return (
            isinstance(message, Delivered)
            and type(self.delivery) is type(message.delivery)
            and hasattr(self.delivery, "signature")
        )


class Target(NamedTuple):
    """What was selected when an operation was asked for.

    Attributes:
        device_key: name of the thin device, as the sample has it.
        marked: names of the devices that are marked, the same way; empty: the selected one.
        alerts: of all pools, worst first.
    """

    sample: Sample | None
    pool: Pool | None
    device_key: str | None
    look: Look
    marked: frozenset[str] = frozenset()
    alerts: tuple[Alert, ...] = ()

    @property
    def device(self) -> ThinDevice | None:
        """The selected thin device, if there is one."""
        devices = self.pool.devices if self.pool is not None else ()
        return next((device for device in devices if device.name == self.device_key), None)

    @property
    def device_name(self) -> str:
        """What the graph directory calls the selected device, active or only recorded; empty where there is none."""
        return self._display_names.get(self.device_key or "", "")

    @property
    def marked_names(self) -> str:
        """The same of all that are marked, in the order of the pool's table."""
        return " ".join(text for name, text in self._display_names.items() if name in self.marked)

    def begins_with(self, wanted: Operation, pool: str) -> Mapping[str, str]:
        """What the form begins with for the sake of a pool's alerts."""
        action = wanted.id.replace(" ", "_")
        steps = (alert.next_step for alert in self.alerts if alert.pool == pool)
        return dict(next((step.values for step in steps if step is not None and step.action == action), ()))

    def left_once_down(self, pool: str) -> NextStep | None:
        """What is left to do about a pool's alerts when it has been taken down for them."""
        steps = (alert.next_step for alert in self.alerts if alert.pool == pool)
        return next((step.once_down for step in steps if step is not None and step.once_down is not None), None)

    @property
    def _display_names(self) -> Mapping[str, str]:
        pool = self.pool
        recorded = (pool.recorded if pool is not None else None) or ()
        names = {record.name: record.display_name for record in recorded}
        return names | {device.name: device.display_name for device in (pool.devices if pool is not None else ())}


class Changes:
    """The operations of one dashboard, one at a time.

    Args:
        open_engine: opens the device set of the session's graph directory; None where nothing can be changed.
        clock: seconds since the epoch.
        told: called when an operation has begun, come further or ended, or a dialog has closed.
        changed: called when the machine may have changed.

    Attributes:
        performing: the operation under way.
        finished: those of this session, newest first.
    """

    def __init__(
        self,
        app: App[None],
        open_engine: OpenEngine | None,
        clock: Callable[[], float],
        told: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self._app, self._open_engine, self._clock = app, open_engine, clock
        self._told, self._changed = told, changed
        self._asked: tuple[Operation, Target] | None = None
        self._dialog: OperationScreen | None = None
        self._operator: Operator | None = None
        self._names: tuple[str, ...] = ()
        self._pools: tuple[Pool, ...] = ()
        self._look = Look()
        self._own_pool = ""
        self._left: NextStep | None = None
        self._drawing = False
        self.performing: Course | None = None
        self.finished: tuple[Course, ...] = ()

    @property
    def operator(self) -> Operator:
        """Who plans and performs; made when it is first needed."""
        from dmtui.tui.operator import Operator  # noqa: PLC0415 - the engine is loaded when it is asked for

        if self._operator is None:
            if self._open_engine is None:
                raise AssertionError("nothing can be changed without a device set")
            self._operator = Operator(self._open_engine, self._deliver)
        return self._operator

    def use(self, operator: Operator) -> None:
        """Let another plan and perform, for tests and screenshots."""
        self._operator = operator

    def took_down(self, pool: str) -> bool:
        """Whether the last operation of this session took that pool down: that it is gone is no news."""
        last = next(iter(self.finished), None)
        return last is not None and last.request.operation.id == "pool remove" and self._own_pool == pool

    def begin(self, operation_id: str, target: Target) -> None:
        """The operator wants it: find out whether it can be, then show its dialog."""
        from dmtui.deviceset.operations import operation  # noqa: PLC0415 - loaded when it is asked for

        if self.performing is not None:
            title = self.performing.request.operation.title
            self._refuse(f"{title} is under way: one operation at a time, 5 shows it")
            return
        wanted = operation(operation_id)
        self._asked = (wanted, target)
        self.operator.survey(wanted)
        self._app.set_timer(PATIENCE_SECONDS, lambda: self._say_asking(target))

    def leave(self, exit_app: Callable[[], None], ascii_only: bool) -> None:
        """Leave the dashboard at once, or ask while an operation is under way; asked for again meanwhile, leave."""
        from dmtui.tui.screens.leave import LeaveScreen  # noqa: PLC0415 - read when it is asked for

        if self.performing is None or isinstance(self._app.screen, LeaveScreen):
            exit_app()
            return
        lay_over(self._app, LeaveScreen(self._under_way, ascii_only), lambda leaves: exit_app() if leaves else None)

    def _under_way(self) -> str:
        """What is under way, and how far it is; empty where nothing is."""
        from dmtui.tui.paint.verdict import under_way  # noqa: PLC0415 - loaded already

        course = self.performing
        if course is None:
            return ""
        what = f"{course.request.operation.title} {printable(course.subject)}".strip()
        return f"{what}: {under_way(course, self._clock() - (course.began_at or 0.0), self._look)[2:]}"

    def take_in(self, delivery: Delivery) -> None:
        """Something came from the operator's threads."""
        from dmtui.tui.deliveries import Finished, Preview, Survey  # noqa: PLC0415 - loaded already

        if isinstance(delivery, Survey):
            self._surveyed(delivery)
        elif isinstance(delivery, Preview):
            if self._dialog is not None:
                self._dialog.show_preview(delivery)
        elif isinstance(delivery, Finished):
            self._end(delivery)
        else:
            self._follow(delivery)

    def follow(self, sample: Sample) -> None:
        """The machine was looked at: what the dialog has planned may be another plan now."""
        if self._dialog is None:
            return
        if self._pools != sample.pools:
            self._dialog.plan_again()
        self._pools = sample.pools

    def preview(self, request: Request) -> None:
        """Plan for the dialog."""
        self.operator.preview(request)

    def perform(self, seen: Preview) -> bool:
        """Perform for the dialog."""
        from dataclasses import replace  # noqa: PLC0415

        from dmtui.tui.course import planned  # noqa: PLC0415 - loaded already

        if not self.operator.perform(seen):
            return False
        self.performing = replace(planned(seen), began_at=self._clock())
        self._show(self.performing)
        self._told()
        return True

    def turn_to(self, wanted: Operation, values: Mapping[str, str]) -> None:
        """Show another dialog instead of the one there is."""
        if self._dialog is not None:
            take_off(self._dialog, None)
        self._open(wanted, values)

    def _deliver(self, delivery: Delivery) -> None:
        if self._app.is_running:
            self._app.post_message(Delivered(delivery))

    def _surveyed(self, survey: Survey) -> None:
        if self._asked is None or self._asked[0] is not survey.operation:
            return
        (wanted, target), self._asked = self._asked, None
        if survey.error:
            self._refuse(survey.error)
            return
        why = _misplaced(wanted, target, survey.pool)
        if why:
            self._refuse(why)
            return
        self._names, self._look, self._own_pool = survey.names, target.look, survey.pool
        self._left = target.left_once_down(survey.pool) if wanted.id == "pool remove" else None
        self._pools = target.sample.pools if target.sample else ()
        self._open(wanted, {**_prefilled(wanted, target, survey), **target.begins_with(wanted, survey.pool)})

    def _open(self, wanted: Operation, values: Mapping[str, str]) -> None:
        from dmtui.tui.screens.operation import OperationScreen  # noqa: PLC0415 - loaded when it is asked for

        dialog = OperationScreen(wanted, values, names=self._names, desk=self, look=self._look, clock=self._clock)
        self._dialog = dialog

        def closed(_: object) -> None:
            if self._dialog is dialog:
                self._dialog = None
            self._told()

        lay_over(self._app, dialog, closed)

    def _follow(self, step: Step) -> None:
        if self.performing is not None:
            self.performing = self.performing.after(step)
            if len(self.performing.rows) <= _MANY_STEPS:
                self._draw()
            elif not self._drawing:
                self._drawing = True
                self._app.set_timer(_DRAWING_SECONDS, self._draw)

    def _draw(self) -> None:
        self._drawing = False
        if self.performing is not None:
            self._show(self.performing)
            self._told()

    def _end(self, finished: Finished) -> None:
        course, self.performing = self.performing, None
        if course is None:
            return
        if self._left is not None and finished.request.operation.id == "pool remove" and not finished.error:
            finished = _with_what_is_left(finished, self._left)
        course = course.ended(finished, self._clock())
        if not finished.changed:
            self.finished = (course, *self.finished[: KEPT_COURSES - 1])
        if self._dialog is None or not self._show(course):
            self._tell(finished)
        self._told()
        self._changed()

    def _show(self, course: Course) -> bool:
        """Hand it to the dialog if it is its own."""
        dialog = self._dialog
        if dialog is None or dialog.course is None or dialog.course.request is not course.request:
            return False
        dialog.show_course(course)
        return True

    def _tell(self, finished: Finished) -> None:
        from dmtui.tui.paint.verdict import outcome  # noqa: PLC0415 - loaded when it is asked for

        title = finished.request.operation.title
        if finished.changed:
            text, severity = "the plan had changed meanwhile, nothing was done", "warning"
        else:
            text, severity = outcome(finished, self._look).text, "error" if finished.error else "information"
        self._app.notify(printable(text.replace("\n", " ")), title=title, severity=severity, markup=False)

    def _refuse(self, why: str) -> None:
        self._app.notify(printable(why), title="Refused", severity="warning", markup=False)

    def _say_asking(self, target: Target) -> None:
        if self._asked is not None and self._asked[1] is target:
            self._app.notify("the machine is being asked and has not answered yet", markup=False)


def _with_what_is_left(finished: Finished, left: NextStep) -> Finished:
    """A pool was taken down to be mended: what told of it goes with it, so it is told here."""
    from dataclasses import replace  # noqa: PLC0415 - as elsewhere here

    told = (f"next: {left.text}", *(f"  {command}" for command in left.commands))
    return replace(finished, result=(*finished.result, *told))


def _misplaced(wanted: Operation, target: Target, own_pool: str) -> str:
    """Why it cannot be done to what is selected; empty where it can."""
    pool = target.pool
    if pool is None or pool.name == own_pool:
        return ""
    own = target.sample.pool(own_pool) if target.sample else None
    if wanted.id == "pool create":
        return f"{own.display_name} is active already" if own else ""
    emulated = target.sample is not None and target.sample.machine == "emulated"
    why = refusal(wanted.id.replace(" ", "_"), pool, target.device, emulated=emulated)
    return f"{why}. This session changes {own.display_name}" if own else why


def _prefilled(wanted: Operation, target: Target, survey: Survey) -> Mapping[str, str]:
    """The marked devices, else the selected one, in the first field that takes recorded ones."""
    from dmtui.deviceset.operations import Kind  # noqa: PLC0415 - loaded already

    field = next((field for field in wanted.fields if field.kind is Kind.DEVICE), None)
    if field is None:
        return {}
    if target.marked and field.name == "name":
        return {field.name: target.marked_names}
    return {field.name: target.device_name} if target.device_name in survey.names else {}
