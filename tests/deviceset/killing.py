"""A machine that kills its user: at the n-th call nothing happens any more, now and ever after."""

from __future__ import annotations


class KilledError(BaseException):
    """The process is gone. No handler of the product catches it."""


class Reaper:
    """Counts the calls of every part of a machine and kills at one of them."""

    def __init__(self, at: int | None = None):
        self.at = at
        self.calls = 0

    def wrap(self, part):
        return _Part(part, self)

    def count(self) -> None:
        self.calls += 1
        if self.at is not None and self.calls >= self.at:
            raise KilledError(self.calls)


class _Part:
    def __init__(self, part, reaper: Reaper):
        self._part, self._reaper = part, reaper

    def __getattr__(self, name: str):
        attribute = getattr(self._part, name)
        if not callable(attribute):
            return attribute

        def call(*arguments, **named):
            self._reaper.count()
            return attribute(*arguments, **named)

        return call


class KillingMachine:
    """A machine behind a reaper."""

    def __init__(self, machine, reaper: Reaper):
        self.kind = machine.kind
        self.description = machine.description
        self.device_mapper = reaper.wrap(machine.device_mapper)
        self.loops = reaper.wrap(machine.loops)
        self.files = reaper.wrap(machine.files)
        self.processes = reaper.wrap(machine.processes)
        self.close = machine.close
