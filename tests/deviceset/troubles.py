"""What goes wrong under the engine: a call that fails, a device that somebody holds, a pool out of metadata."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import pytest

from dmtui.deviceset.reaping import reap
from dmtui.machine.errors import MachineError, PoolRefusesError, TimedOutError
from dmtui.thinpool.status import PoolMode


@dataclass
class Failing:
    """A call of the machine that fails at some of its turns, counted from 1.

    It does nothing then; one that gets no answer in time (`unanswered`) does it all the same.
    """

    call: object
    turns: tuple[int, ...] = (1,)
    unanswered: bool = False
    made: int = 0

    def __call__(self, *arguments, **named):
        self.made += 1
        if self.made in self.turns:
            if self.unanswered:
                self.call(*arguments, **named)
                raise TimedOutError("the machine", "does not answer", "look again")
            raise MachineError("the machine", "does not want to", "ask it again")
        return self.call(*arguments, **named)


def let_fail(monkeypatch, machine, part: str, method: str, *turns: int, unanswered: bool = False) -> Failing:
    """Let a machine's method fail at those turns."""
    failing = Failing(getattr(getattr(machine, part), method), turns or (1,), unanswered)
    monkeypatch.setattr(getattr(machine, part), method, failing)
    return failing


class Holder:
    """Somebody who has a mapped device open, in a way that no unmount ends."""

    def __init__(self, machine, name: str):
        self.machine = machine
        emulated = machine.kind == "emulated"
        self.handle = machine.leaks.begin(name) if emulated else os.open(f"/dev/mapper/{name}", os.O_RDONLY)

    def let_go(self) -> None:
        if self.machine.kind == "emulated":
            self.machine.leaks.end(self.handle)
        else:
            os.close(self.handle)


def reaped_when_closed(engine) -> list[bool]:
    """What became of each deleted device, now that nobody holds one: the kernel closes it in its own time."""
    give_up_at = time.monotonic() + 10
    while True:
        gone = [result.gone for result in reap(engine)]
        if all(gone) or time.monotonic() > give_up_at:
            return gone
        time.sleep(0.05)


def fill_metadata(engine) -> None:
    """Make thin devices until the pool has no metadata left for one more."""
    with pytest.raises(PoolRefusesError):
        for thin_id in range(1000, 3000):
            engine.devices.pool.message(f"create_thin {thin_id}")
    assert engine.devices.pool.status().mode is PoolMode.READ_ONLY
