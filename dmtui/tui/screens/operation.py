"""The dialog of one operation: its form, the engine's word on it, the exact plan, its progress, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, cast

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.types import CSSPathType
from textual.widgets import Button, Input, Label

from dmtui.deviceset.operations import Operation, Risk, operation
from dmtui.tui.copying import copy
from dmtui.tui.course import Course, planned
from dmtui.tui.deliveries import Preview, Request
from dmtui.tui.figures import Look
from dmtui.tui.glyphs import ASCII
from dmtui.tui.look import stylesheet
from dmtui.tui.overlays import take_off
from dmtui.tui.paint.course import CourseView, course_lines, verdict_lines
from dmtui.tui.paint.verdict import Stage, hint_of, verdict_of
from dmtui.tui.widgets.entry import Entry
from dmtui.tui.widgets.form import OperationForm
from dmtui.tui.widgets.panel import Panel
from dmtui.tui.widgets.top import Top

DEBOUNCE_SECONDS = 0.15
REPLAN_SECONDS = 1.0
"""So long after the machine has moved it is planned once more; what moves all the time is planned no more often."""
HOLD_SECONDS = 1.0
"""A plan that has become another by itself cannot be run before it could be read."""
_OTHER_PLAN = "The machine has moved and the plan with it: read it again."
_SEVERAL = 2
OPPOSITES: Mapping[str, str] = {
    "device create": "device remove",
    "device activate": "device deactivate",
    "device deactivate": "device activate",
    "device mount": "device unmount",
    "device unmount": "device mount",
    "pool create": "pool remove",
    "pool remove": "pool create",
}
"""What takes an operation back."""


class Desk(Protocol):
    """Who plans and performs for the dialog, in the background; what comes of it is handed to `OperationScreen`."""

    def preview(self, request: Request) -> None:
        """Plan it."""
        ...

    def perform(self, seen: Preview) -> bool:
        """Perform what was previewed; False while another operation is under way."""
        ...

    def turn_to(self, wanted: Operation, values: Mapping[str, str]) -> None:
        """Show the dialog of another operation instead."""
        ...


class OperationScreen(ModalScreen[None]):
    """Lies over a screen, which goes on meanwhile.

    Args:
        values: what the form begins with.
        names: the recorded devices, to be suggested.
        clock: seconds since the epoch.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("operation.tcss")
    AUTO_FOCUS = None
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "scroll_plan(1)", "Down"),
        Binding("up", "scroll_plan(-1)", "Up"),
        Binding("pagedown", "scroll_plan(8)", "Page down"),
        Binding("pageup", "scroll_plan(-8)", "Page up"),
        Binding("right", "app.focus_next", "Next"),
        Binding("left", "app.focus_previous", "Previous"),
        Binding("u", "undo", "Undo"),
        Binding("y,ctrl+y", "copy", "Copy"),
    ]

    def __init__(
        self,
        wanted: Operation,
        values: Mapping[str, str],
        *,
        names: tuple[str, ...],
        desk: Desk,
        look: Look,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(classes="-ascii" if look.glyphs is ASCII else "")
        self.set_class(wanted.risk is Risk.DESTROYS, "-destroys")
        self._operation, self._begins, self._names = wanted, values, names
        self._desk, self._look, self._clock = desk, look, clock
        self._stage = Stage.FORM
        self._preview: Preview | None = None
        self._course: Course | None = None
        self._warning = ""
        self._held = False
        self._words = ("", "", "")
        self._asking: Timer | None = None
        self._ticking: Timer | None = None

    def compose(self) -> ComposeResult:
        """From what it is to what is to be pressed."""
        yield Top(over=True)
        with Container(id="dialog"):
            yield Label(self._operation.help, id="operation-help", markup=False)
            yield OperationForm(self._operation, self._begins, self._names)
            yield Panel(verdict_lines, id="verdict")
            with VerticalScroll(id="plan", can_focus=False):
                yield Panel(course_lines, id="course")
            with Horizontal(id="confirm"):
                yield Label("", id="confirm-label", markup=False)
                yield Entry(id="typed", compact=True)
            with Horizontal(id="buttons"):
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(_verb(self._operation), id="run", compact=True, disabled=True)
                yield Button("Back", id="back", compact=True)
                yield Button("Undo", id="undo", compact=True)

    def on_mount(self) -> None:
        """Ask for the plan at once; what destroys begins where its name is typed or on Cancel: enter runs nothing."""
        destroys = self._operation.risk is Risk.DESTROYS
        self._entitle()
        self.query_one("#plan").border_title = "Plan"
        asks_for_nothing = all(self._begins.get(field.name) or not field.required for field in self._operation.fields)
        careful = destroys or self._operation.id == "pool remove"
        self._ask()
        if careful and asks_for_nothing and self._to_be_typed:
            self._typed.focus()
        elif (careful and asks_for_nothing) or not self.query_one(OperationForm).focus_first():
            self._button("cancel").focus()

    def on_resize(self) -> None:
        """What the fields take stands beside them where there is room."""
        self.query_one(OperationForm).narrow(self.size.width < 110)

    @property
    def course(self) -> Course | None:
        """The operation as it is shown."""
        return self._course

    def show_preview(self, preview: Preview) -> None:
        """A plan has come; one for what the form no longer says is passed over."""
        if self._stage is not Stage.FORM or preview.request != self._request:
            return
        before, self._preview, self._course = self._preview, preview, planned(preview)
        if before is not None and before.request == preview.request:
            self._tell_other_plan(before, preview)
        self._draw()
        if not self._operation.fields and self._can_run and self._operation.risk is not Risk.DESTROYS:
            self._button("run").focus()

    def plan_again(self) -> None:
        """The machine has moved: see what that makes of the plan."""
        if self._stage is Stage.FORM and self._asking is None and self._preview is not None:
            self._asking = self.set_timer(REPLAN_SECONDS, self._ask)

    def show_course(self, course: Course) -> None:
        """The operation has come further, or has ended."""
        if self._stage is not Stage.RUNNING:
            return
        self._course = course
        if course.finished is not None:
            self._end(course)
        self._draw()
        self._follow()

    def action_close(self) -> None:
        """Leave; an operation that is under way goes on."""
        if self._stage is Stage.RUNNING:
            self.notify(f"{self._operation.title} goes on; 5 shows it", markup=False)
        take_off(self, None)

    def action_scroll_plan(self, lines: int) -> None:
        """Scroll the plan."""
        self.query_one("#plan", VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_copy(self) -> None:
        """Copy the command lines of the plan."""
        commands = self._course.commands if self._course is not None else ()
        if commands:
            app = cast("App[Any]", self.app)  # pyright: ignore[reportUnknownMemberType]
            copy(app, f"commands of {self._operation.title.lower()}", "\n".join(commands))
        else:
            self.notify("there is no command to copy", severity="warning", markup=False)

    def action_undo(self) -> None:
        """Turn to the operation that takes this one back."""
        if self._can_undo:
            names = " ".join(self._course.done) if self._course is not None else ""
            self._desk.turn_to(operation(OPPOSITES[self._operation.id]), {"name": names} if names else {})

    @on(OperationForm.Changed)
    def _plan_anew(self) -> None:
        self._warning = ""
        self._draw()
        if self._asking is not None:
            self._asking.stop()
        self._asking = self.set_timer(DEBOUNCE_SECONDS, self._ask)

    @on(Input.Changed, "#typed")
    def _compare(self) -> None:
        self._draw()

    @on(OperationForm.Submitted)
    def _leave_form(self) -> None:
        if self._operation.confirm and self._request.values.get(self._operation.confirm):
            self._typed.focus()
        else:
            self._run()

    @on(Input.Submitted, "#typed")
    @on(Button.Pressed, "#run")
    def _run(self) -> None:
        """Perform what is shown, and nothing else."""
        if not self._can_run or self._preview is None:
            return
        if not self._desk.perform(self._preview):
            self._warning = "another operation is under way: wait for its end"
            self._draw()
            return
        self._stage, self._warning = Stage.RUNNING, ""
        self._ticking = self.set_interval(1.0, self._draw)
        self._draw()
        self._button("cancel").focus()

    @on(Button.Pressed, "#cancel")
    def _cancel(self) -> None:
        self.action_close()

    @on(Button.Pressed, "#back")
    def _back(self) -> None:
        self._return_to_form("")

    @on(Button.Pressed, "#undo")
    def _undo(self) -> None:
        self.action_undo()

    @property
    def _request(self) -> Request:
        return Request(self._operation, self.query_one(OperationForm).values)

    @property
    def _typed(self) -> Input:
        return self.query_one("#typed", Input)

    @property
    def _fresh(self) -> bool:
        return self._preview is not None and self._preview.request == self._request

    @property
    def _to_be_typed(self) -> str:
        """What must be typed before it runs: the name, or how many of several."""
        names = tuple(dict.fromkeys(self._request.values.get(self._operation.confirm, "").split()))
        if len(names) < _SEVERAL:
            return "".join(names)
        count = self._preview.able if self._fresh and self._preview is not None else len(names)
        return f"{_verb(self._operation).lower()} {count}"

    @property
    def _can_run(self) -> bool:
        preview = self._preview
        sound = self._stage is Stage.FORM and self._fresh and preview is not None and not preview.error
        return sound and not self._held and " ".join(self._typed.value.split()) == self._to_be_typed

    @property
    def _can_undo(self) -> bool:
        finished = self._course.finished if self._course else None
        some = self._course is not None and bool(self._course.done)
        sheets = self._course.sheets if self._course else ()
        idle = bool(sheets) and not any(sheet.steps for sheet in sheets)
        done = self._stage is Stage.ENDED and finished is not None and not idle and (some or not finished.error)
        return done and self._operation.id in OPPOSITES

    def _tell_other_plan(self, before: Preview, preview: Preview) -> None:
        """What was confirmed was another plan; and nobody can have read this one yet."""
        if (before.signature, bool(before.error)) == (preview.signature, bool(preview.error)):
            return
        self._warning, self._typed.value, self._held = _OTHER_PLAN, "", True
        self.set_timer(HOLD_SECONDS, self._release)

    def _release(self) -> None:
        self._held = False
        self._draw()

    def _ask(self) -> None:
        self._asking = None
        self._desk.preview(self._request)
        self._draw()

    def on_descendant_focus(self) -> None:
        """What enter does depends on where it is pressed."""
        self._entitle()

    def _entitle(self) -> None:
        """Say what is done, to how many devices, what is to be pressed and typed; drawn only when it is another."""
        count = len(dict.fromkeys(self._request.values.get("name", "").split()))
        several = f" {count} devices" if count >= _SEVERAL and self._operation.id != "device create" else ""
        destroys = ": DESTROYS" if self._operation.risk is Risk.DESTROYS else ""
        title = f"{self._operation.title}{several}{destroys}"
        hint = hint_of(self._stage, self._operation, on_cancel=self.focused is self._button("cancel"))
        confirm = f"Type {self._to_be_typed} to enable {_verb(self._operation)}:"
        if self._words == (title, hint, confirm):
            return
        self._words, dialog = (title, hint, confirm), self.query_one("#dialog")
        dialog.border_title, dialog.border_subtitle = Content(title), hint
        self.query_one("#confirm-label", Label).update(Content(confirm))

    def _end(self, course: Course) -> None:
        if self._ticking is not None:
            self._ticking.stop()
        if course.finished is not None and course.finished.changed:
            self._return_to_form("The plan has changed meanwhile, nothing was done. Read it again, then run it.")
        else:
            self._stage = Stage.ENDED

    def _return_to_form(self, warning: str) -> None:
        self._stage, self._warning, self._preview = Stage.FORM, warning, None
        self._typed.value = ""
        self._ask()
        if not self.query_one(OperationForm).focus_first():
            self._button("cancel").focus()

    def _draw(self) -> None:
        try:
            form, cancel, run, undo = self.query_one(OperationForm), *map(self._button, ("cancel", "run", "undo"))
        except NoMatches:  # a timer's last call, after the dialog was taken down
            return
        self._entitle()
        stage, course = self._stage, self._course
        failed = bool(course and course.finished and course.finished.error)
        form.display = stage is Stage.FORM
        self.query_one("#confirm").display = stage is Stage.FORM and bool(self._to_be_typed)
        cancel.label = "Cancel" if stage is Stage.FORM else "Close"
        run.display, run.disabled = stage is Stage.FORM, not self._can_run
        self._button("back").display = stage is Stage.ENDED and failed
        undo.display = self._can_undo
        if self._can_undo:
            undo.label = Content(f"Undo: {_verb(operation(OPPOSITES[self._operation.id]))}")
        elapsed = 0.0 if course is None or course.began_at is None else self._clock() - course.began_at
        preview = self._preview if self._fresh else None
        self.query_one("#plan").visible = stage is not Stage.FORM or preview is None or not preview.error
        self._panel("verdict").show(
            verdict_of(
                stage,
                self._operation,
                preview=preview,
                course=course,
                warning=self._warning,
                elapsed_seconds=elapsed,
                look=self._look,
            ),
            self._look,
        )
        if course is not None:
            self._panel("course").show(CourseView(course, elapsed), self._look)

    def _follow(self) -> None:
        """Keep the step under way, or the one that failed, in sight."""
        signs = (self._look.glyphs.cursor, self._look.glyphs.crit)
        lines = self._panel("course").lines
        heads = [spans[0].text if spans else "" for spans in lines]
        at = next((heads.index(sign) for sign in signs if sign in heads), None)
        plan = self.query_one("#plan", VerticalScroll)
        if at is not None:
            plan.scroll_to(y=max(0, at - plan.size.height // 2), animate=False)
        elif self._stage is Stage.ENDED:
            plan.scroll_end(animate=False)

    def _button(self, name: str) -> Button:
        return self.query_one(f"#{name}", Button)

    def _panel(self, name: str) -> Panel[object]:
        return cast("Panel[object]", self.query_one(f"#{name}"))


def _verb(wanted: Operation) -> str:
    return {"pool remove": "Take down"}.get(wanted.id, wanted.title.split()[0])
