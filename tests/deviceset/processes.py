"""A process of the product that dies at a call, for the tests of the pool's operations."""

from __future__ import annotations

from pathlib import Path

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import Options
from dmtui.deviceset.patience import Patience
from dmtui.machine.durable import DurableFiles
from dmtui.machine.emulated import EmulatedMachine
from tests.deviceset.killing import KilledError, KillingMachine, Reaper


def patience_with(machine) -> Patience:
    """None with the emulated machine, where nobody comes by; with a kernel as much as udev needs."""
    if machine.kind == "emulated":
        return Patience(busy_seconds=0.1, lock_seconds=0.1, sleep=lambda _: None)
    return Patience(busy_seconds=4.0, lock_seconds=1.0)


def lives_through(home: Path, directory: str, options: Options, operate, at: int) -> bool:
    """A process of its own that dies at its n-th call; whether it came to its end alive."""
    machine, reaper = EmulatedMachine.open(home), Reaper(at)
    try:
        killing, durable = KillingMachine(machine, reaper), reaper.wrap(DurableFiles())
        engine = open_engine(killing, directory, options, durable=durable, patience=patience_with(machine))
        operate(engine)
        engine.close()
    except KilledError:
        return False
    else:
        return True
    finally:
        # The kernel closes what a dead process held.
        reaper.bury()
        machine.close()
