"""A machine that kills its user at the n-th call: before it, in the midst of it, or after it and before its answer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dmtui.machine.durable import InUseError, Lock
from dmtui.thinpool.errors import DmtuiError

_DURING_SECONDS = 0.05


class KilledError(BaseException):
    """The process is gone. No handler of the product catches it."""


class Manner(Enum):
    """When death comes to a call. What is between two calls changes nothing, so this is every moment there is.

    `DURING` is for calls whose work goes on in another program; only a real death can come then.
    """

    BEFORE = "before"
    HALFWAY = "halfway"
    FURTHER = "further on"
    AFTER = "after"
    DURING = "during"


def _raise() -> None:
    raise KilledError


@dataclass
class Reaper:
    """Counts the calls of every part of a machine and kills at one of them.

    Attributes:
        at: the call that is the last, from 1; None for a life to its end.
        die: what death is: an exception that stands for it, or a real signal.
        trace: the calls so far, ``part.name`` each.
        locks: taken so far; the kernel lets go of a dead process's, `bury` of these.
    """

    at: int | None = None
    manner: Manner = Manner.BEFORE
    die: Callable[[], None] = _raise
    trace: list[str] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)

    def wrap(self, part, title: str = "durable"):
        return _Part(part, self, title)

    def again(self) -> Reaper:
        """One that comes at the same moment."""
        return Reaper(self.at, self.manner, self.die)

    def __str__(self) -> str:
        at = self.at or len(self.trace)
        return f"{self.manner.value} call {at} (... {' '.join(self.trace[max(0, at - 4) : at])})"

    def bury(self) -> None:
        for lock in self.locks:
            lock.release()

    def call(self, part, title: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]):
        self.trace.append(f"{title}.{name}")
        count = len(self.trace)
        if self.at is not None and count > self.at:
            raise KilledError  # handlers of the product may run on in a process that is only taken for dead
        if count == self.at:
            if self.manner is Manner.AFTER:
                with suppress(DmtuiError):
                    self._act(part, name, arguments, named)
            elif self.manner is Manner.DURING:
                threading.Timer(_DURING_SECONDS, self.die).start()
                self._act(part, name, arguments, named)
                time.sleep(2 * _DURING_SECONDS)
            elif self.manner is not Manner.BEFORE:
                PARTIAL[self.trace[-1]][self.manner](part, *arguments, **named)
            self.die()
        return self._act(part, name, arguments, named)

    def _act(self, part, name: str, arguments: tuple[Any, ...], named: dict[str, Any]):
        result = getattr(part, name)(*arguments, **named)
        if isinstance(result, Lock):
            self.locks.append(result)
        return result


class _Part:
    def __init__(self, part, reaper: Reaper, title: str):
        self._part, self._reaper, self._title = part, reaper, title

    def __getattr__(self, name: str):
        attribute = getattr(self._part, name)
        if not callable(attribute):
            return attribute
        return lambda *arguments, **named: self._reaper.call(self._part, self._title, name, arguments, named)


class KillingMachine:
    """A machine behind a reaper."""

    def __init__(self, machine, reaper: Reaper):
        self.kind = machine.kind
        self.description = machine.description
        for part in ("device_mapper", "loops", "files", "processes", "filesystems", "thin_tools", "programs"):
            setattr(self, part, reaper.wrap(getattr(machine, part), part))
        self.close = machine.close


def _half_a_write(durable, path: str, content: bytes) -> None:
    """The temporary is there, not all of it, and never took the file's place."""
    with open(f"{os.path.dirname(path)}/.tmp-dmtui-{os.getpid()}", "wb") as file:
        file.write(content[: len(content) // 2])


def _half_a_line(durable, path: str, line: str) -> None:
    with open(path, "a") as file:
        file.write(line[: len(line) // 2])


def _lock_without_its_note(files, path: str, note: str | None, *, durable: bool = False) -> None:
    """The lock is taken and its note half written; one that another process has is not."""
    try:
        files.lock(path, None).release()
    except InUseError:
        return
    if note is not None:
        with open(path, "a" if durable else "r+") as file:
            file.write(note[: len(note) // 2])


def _file_without_its_size(files, path: str, size_bytes: int) -> None:
    with suppress(DmtuiError):
        files.make_sparse_file(path, 0)


def _directory_above(files, path: str, mode: int = 0o700) -> None:
    files.make_directory(os.path.dirname(path))


def _device_without_a_table(mapper, name: str, targets, *, uuid: str = "", read_only: bool = False) -> None:
    """The first of three ioctls: the device is made, has no table and is not resumed."""
    if hasattr(mapper, "_store"):
        from dmtui.machine.emulated import devices

        with mapper._store.write() as connection:
            devices.add(connection, name, uuid)
        return
    from dmtui.machine.kernel.libdevmapper import Kind, Task

    mapper._change(Task(Kind.CREATE, name, uuid=uuid), "creating it")


def _device_before_its_resume(mapper, name: str, targets, *, uuid: str = "", read_only: bool = False) -> None:
    """The second of three ioctls: the table is loaded and holds what it stands on, but is not live."""
    _device_without_a_table(mapper, name, targets, uuid=uuid)
    with suppress(DmtuiError):
        mapper.load(name, targets, read_only=read_only)


PARTIAL = {
    "durable.write": {Manner.HALFWAY: _half_a_write},
    "durable.append": {Manner.HALFWAY: _half_a_line},
    "durable.lock": {Manner.HALFWAY: _lock_without_its_note},
    "files.make_sparse_file": {Manner.HALFWAY: _file_without_its_size},
    "files.make_directory": {Manner.HALFWAY: _directory_above},
    "device_mapper.create": {Manner.HALFWAY: _device_without_a_table, Manner.FURTHER: _device_before_its_resume},
}
"""Calls of several steps, and what a death between two of them leaves."""
