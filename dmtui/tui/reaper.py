"""The deletion worker of the dashboard: off until it is asked for, and what is new in each of its rounds in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from textual.app import App
from textual.message import Message

from dmtui.thinpool.text import printable

if TYPE_CHECKING:  # the engine is loaded when it is asked for
    from dmtui.deviceset.engine import Engine
    from dmtui.deviceset.reaping import DeletionWorker, WorkerState


class Reaped(Message):
    """The deletion worker made a round."""

    def __init__(self, state: WorkerState) -> None:
        super().__init__()
        self.state = state


class Told(NamedTuple):
    """Something to tell the operator."""

    title: str
    text: str
    failed: bool = False


class Reaper:
    """Starts and stops the worker.

    Args:
        open_engine: opens the device set whose deferred deletions the worker makes; None offers none.
        deliver: takes a message after each round, in the worker's thread.
    """

    def __init__(self, open_engine: Callable[[], Engine] | None, deliver: Callable[[Reaped], object]) -> None:
        self._open_engine, self._deliver = open_engine, deliver
        self._before: WorkerState | None = None
        self.worker: DeletionWorker | None = None

    @property
    def able(self) -> bool:
        """Whether there is a device set to work for."""
        return self._open_engine is not None

    def start(self) -> None:
        """Start the worker."""
        from dmtui.deviceset.reaping import DeletionWorker  # noqa: PLC0415 - read when it is asked for

        if self._open_engine is not None:
            self.worker = DeletionWorker(self._open_engine, self._deliver_round)
            self.worker.start()

    def stop(self) -> None:
        """Stop the worker; one that hangs ends with the process."""
        if self.worker is not None:
            self.worker.stop()
            self.worker, self._before = None, None

    def _deliver_round(self, state: WorkerState) -> None:
        self._deliver(Reaped(state))

    def tell(self, app: App[None], state: WorkerState) -> None:
        """Tell the operator what is new in a round."""
        for title, text, failed in self.news(state):
            app.notify(text, title=title, severity="error" if failed else "information", markup=False)

    def news(self, state: WorkerState) -> Iterator[Told]:
        """What is new in a round; a device that goes on waiting for the same reason is told once."""
        before, self._before = self._before, state
        if state.error and (before is None or state.error != before.error):
            yield Told("Not reaped", printable(state.error), failed=True)
        for result in state.results:
            if result.gone:
                yield Told("Reaped", f"{printable(result.name)} is deleted")
            elif before is None or result not in before.results:
                yield Told(f"{printable(result.name)} still waits", printable(result.why))
        if before is None and not state.results and not state.error:
            yield Told("Reaped", "no device waits for its deletion")
