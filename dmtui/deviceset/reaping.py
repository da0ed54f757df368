"""The deferred deletion: devices that were busy when they were removed are tried again, by hand and by a worker.

Source: cleanupDeletedDevices and startDeviceDeletionWorker of the original (every 30 s). Mended: the worker runs from
the first start on, also on fresh loop files; it backs off while a device stays busy, tells its last error, and can be
told to try now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.engine import Engine
from dmtui.deviceset.plan import Progress
from dmtui.deviceset.removal import flagged, plan_remove
from dmtui.deviceset.standing import openers
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

PERIOD_SECONDS = 30.0
LONGEST_PERIOD_SECONDS = 600.0


@frozen
class Reaped:
    """What became of one device that waited for its deletion.

    Attributes:
        gone: whether it was deleted.
        why: why it still waits; empty where it is gone.
    """

    name: str
    gone: bool
    why: str = ""


def reap(engine: Engine, watch: Callable[[Progress], None] = lambda _: None) -> list[Reaped]:
    """Try to delete every device that waits for it; one that is still busy goes on waiting."""
    results: list[Reaped] = []
    for name in flagged(engine.devices):
        try:
            engine.run(plan_remove(engine.devices, name, deferring=True), watch)
        except DmtuiError as error:
            results.append(Reaped(name, gone=False, why=str(error)))
            continue
        if name in engine.devices.state.records:
            results.append(Reaped(name, gone=False, why=_why(engine.devices, name)))
        else:
            results.append(Reaped(name, gone=True))
    return results


def _why(devices: DeviceSet, name: str) -> str:
    info = devices.active(name)
    return "the pool calls it busy" if info is None else f"it is {openers(info.open_count)}"


@frozen
class WorkerState:
    """How the worker stands.

    Attributes:
        results: of its last round.
        error: why its last round could not be made; empty where it was.
        next_seconds: pause until the next round.
    """

    results: tuple[Reaped, ...] = ()
    error: str = ""
    next_seconds: float = PERIOD_SECONDS


class DeletionWorker:
    """Reaps in a thread of its own, until `stop`."""

    def __init__(self, open_engine: Callable[[], Engine], tell: Callable[[WorkerState], None]) -> None:
        """Prepare a worker that opens the device set for each round, and tells how each went (from its thread)."""
        self._open_engine = open_engine
        self._tell = tell
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="deletion worker", daemon=True)

    def start(self) -> None:
        """Begin with a first round."""
        self._thread.start()

    def trigger(self) -> None:
        """Make the next round now."""
        self._wake.set()

    def stop(self) -> None:
        """Make no further round; one that is under way ends by itself."""
        self._stopped = True
        self._wake.set()

    def _work(self) -> None:
        period = PERIOD_SECONDS
        while not self._stopped:
            state = self._round(period)
            stuck = bool(state.error) or any(not each.gone for each in state.results)
            period = min(2 * period, LONGEST_PERIOD_SECONDS) if stuck else PERIOD_SECONDS
            self._tell(state)
            if self._wake.wait(period):
                self._wake.clear()
                period = PERIOD_SECONDS

    def _round(self, period: float) -> WorkerState:
        try:
            engine = self._open_engine()
            try:
                return WorkerState(tuple(reap(engine)), "", period)
            finally:
                engine.close()
        except DmtuiError as error:
            return WorkerState((), str(error), period)
