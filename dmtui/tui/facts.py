"""Asks for the facts of the machine in a daemon thread, one question at a time; the answer comes as a message."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

from dmtui.thinpool.errors import DmtuiError

if TYPE_CHECKING:  # the engine is loaded when the machine is asked
    from dmtui.monitor.machinefacts import MachineFacts


class FactsCame(Message):
    """The machine has answered, or cannot."""

    def __init__(self, answer: MachineFacts | str) -> None:
        super().__init__()
        self.answer = answer


class Inquiry:
    """What is known of the machine.

    Attributes:
        facts: the newest answer; None before the first.
        error: why there is none; empty otherwise.
        asking_since: when the question that is not answered yet was asked; None while there is none.
    """

    def __init__(
        self,
        ask: Callable[[], MachineFacts] | None,
        deliver: Callable[[FactsCame], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask, self._deliver, self._clock = ask, deliver, clock
        self.facts: MachineFacts | None = None
        self.error = "" if ask else "there is no machine to ask: this is a recording"
        self.asking_since: float | None = None

    def begin(self) -> None:
        """Ask, unless a question is still open: a machine that hangs is not asked twice."""
        if self._ask is not None and self.asking_since is None:
            self.asking_since = self._clock()
            threading.Thread(target=self._run, args=(self._ask,), name="dmtui-facts", daemon=True).start()

    def take_in(self, message: FactsCame) -> None:
        """Take the answer."""
        self.asking_since = None
        if isinstance(message.answer, str):
            self.error = message.answer
        else:
            self.facts, self.error = message.answer, ""

    def _run(self, ask: Callable[[], MachineFacts]) -> None:
        try:
            answer: MachineFacts | str = ask()
        except DmtuiError as error:
            answer = str(error)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        self._deliver(FactsCame(answer))
