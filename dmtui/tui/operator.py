"""Plans and performs the engine's operations in daemon threads, so that no screen ever waits for the machine.

A plan that is asked for replaces one that was asked for before; one operation is performed at a time. What comes of
them is delivered from those threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dmtui.deviceset.deviceset import title
from dmtui.deviceset.operations import Operation
from dmtui.thinpool.errors import DmtuiError, NotGivenError
from dmtui.tui.deliveries import Delivery, Finished, OpenEngine, Preview, Request, Survey
from dmtui.tui.performance import Run, ended, makes, read, signature


@dataclass(slots=True)
class Operator:
    """Works for one dashboard."""

    open_engine: OpenEngine
    deliver: Callable[[Delivery], None]
    _wanted: Request | None = None
    _planning: bool = False
    _performing: Request | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def performing(self) -> Request | None:
        """The operation under way."""
        return self._performing

    def survey(self, wanted: Operation) -> None:
        """Find out what there is, for the form of an operation."""
        threading.Thread(target=lambda: self.deliver(self._surveyed(wanted)), name="dmtui-survey", daemon=True).start()

    def preview(self, request: Request) -> None:
        """Plan a request, changing nothing; of several asked for in a row only the last is delivered for sure."""
        with self._lock:
            self._wanted = request
            if self._planning:
                return
            self._planning = True
        threading.Thread(target=self._plan_newest, name="dmtui-plan", daemon=True).start()

    def perform(self, seen: Preview) -> bool:
        """Perform what was previewed if its plan is still the same; False while another operation is under way."""
        with self._lock:
            if self._performing is not None:
                return False
            self._performing = seen.request
        threading.Thread(target=self._perform, args=(seen,), name="dmtui-perform", daemon=True).start()
        return True

    def _plan_newest(self) -> None:
        while True:
            with self._lock:
                request, self._wanted = self._wanted, None
                if request is None:
                    self._planning = False
                    return
            self.deliver(self._planned(request))

    def _surveyed(self, wanted: Operation) -> Survey:
        try:
            engine = self.open_engine(recovering=False, making=makes(wanted))
            try:
                names = sorted(title(name) for name in engine.devices.state.records)
                return Survey(wanted, engine.devices.pool.name, tuple(names))
            finally:
                engine.close()
        except DmtuiError as error:
            return Survey(wanted, error=str(error))

    def _planned(self, request: Request) -> Preview:
        try:
            request.operation.check(request.values)
            engine = self.open_engine(recovering=False, making=makes(request.operation))
            try:
                sheets, lines = read(request, request.operation.prepare(engine.plans, request.values))
                refused = tuple(sheet.refusal for sheet in sheets if sheet.refusal)
                if refused and len(refused) == len(sheets):
                    return Preview(request, error="\n".join(refused))
                return Preview(request, lines, "", signature(engine, lines), sheets)
            finally:
                engine.close()
        except NotGivenError as error:
            return Preview(request, error=str(error), asks=error.next_step)
        except DmtuiError as error:
            return Preview(request, error=str(error))

    def _perform(self, seen: Preview) -> None:
        finished = self._outcome(seen.request, seen, time.monotonic())
        with self._lock:
            self._performing = None
        self.deliver(finished)

    def _outcome(self, request: Request, seen: Preview, began: float) -> Finished:
        try:
            request.operation.check(request.values)
            run = Run(self.open_engine, request, self.deliver, began)
            try:
                sheets, lines = read(request, run.prepared)
                if signature(run.engine, lines) != seen.signature:
                    return Finished(request, changed=lines)
                parts = tuple(run.part(index, sheet) for index, sheet in enumerate(sheets))
                return ended(request, time.monotonic() - began, parts, run.prepared.result)
            finally:
                run.close()
        except DmtuiError as error:
            return Finished(request, time.monotonic() - began, str(error))
