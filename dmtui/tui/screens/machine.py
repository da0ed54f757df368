"""The screen of the machine: what it is made of, what is missing and how to get it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.message import Message
from textual.types import CSSPathType

from dmtui.tui.actions import Scope, bindings
from dmtui.tui.look import stylesheet
from dmtui.tui.paint.machine import MachineView, loops_lines, machine_lines, programs_lines
from dmtui.tui.screens.base import DashboardScreen, boxed, titled
from dmtui.tui.state import DashboardState
from dmtui.tui.widgets.panel import Panel


class MachineScreen(DashboardScreen):
    """Arranges three panels; what they show is asked for when the screen opens."""

    SCOPE = Scope.MACHINE
    BINDINGS = bindings(Scope.MACHINE)
    CSS_PATH: ClassVar[CSSPathType | None] = stylesheet("machine.tcss")

    class FactsWanted(Message):
        """The machine is to be asked."""

    def compose_body(self) -> ComposeResult:
        """Versions, programs, loop devices."""
        with VerticalScroll(id="machine-body"):
            with Container(id="machine-columns"):
                yield boxed(Panel(machine_lines, id="machine-versions"))
                yield boxed(Panel(programs_lines, id="machine-programs"))
            yield boxed(Panel(loops_lines, id="machine-loops"))

    def on_mount(self) -> None:
        """Ask at once."""
        self.post_message(self.FactsWanted())

    def show_body(self, state: DashboardState) -> None:
        """Show what is known."""
        inquiry, look = state.inquiry, state.look
        if inquiry is None:
            return
        facts = inquiry.facts
        silent = 0 if inquiry.asking_since is None else max(0, int(state.now - inquiry.asking_since))
        view = MachineView(facts, inquiry.error, silent)
        missing = len(facts.missing) if facts else 0
        self.set_class(facts is None, "-unknown")
        for name, title in (
            ("versions", "Machine"),
            ("programs", f"Programs, {missing} missing" if missing else "Programs"),
            ("loops", f"Loop devices {len(facts.loops)}" if facts else "Loop devices"),
        ):
            self.panel(f"machine-{name}").entitle(titled(title, look))
            self.panel(f"machine-{name}").show(view, look)

    def action_ask_again(self) -> None:
        """Ask the machine anew."""
        self.post_message(self.FactsWanted())
