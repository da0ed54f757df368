"""Processes of the product with a fate: one call of theirs to machine or files is where they die, fail or are met.

Finer than `tests.deviceset.killing`: a process may die before a call, after it, or in the middle of writing a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dmtui.deviceset.engine import Engine, open_engine
from dmtui.deviceset.options import Options
from dmtui.deviceset.patience import Patience
from dmtui.machine.durable import DurableFiles, Lock
from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError

FALLIBLE = frozenset(
    "create load suspend resume remove message attach refresh_capacity make_directory make_sparse_file resize_file"
    " remove_directory make grow mount unmount make_inside write_inside trim discard list_thins check"
    " write append move lock".split()
)
"""The calls that change something, and that a machine or a full disk may refuse."""
PARTS = ("device_mapper", "loops", "files", "processes", "filesystems", "thin_tools", "programs")


class DiedError(BaseException):
    """The process is gone. No handler of the product catches it."""


@dataclass(frozen=True)
class Death:
    """Death at the n-th call: before it, after it, or torn (a file half written; any other call: before it)."""

    at: int
    how: str = "before"


@dataclass(frozen=True)
class Failure:
    """The n-th call, or the first fallible one after it, is refused and does nothing."""

    at: int


@dataclass(frozen=True)
class Meeting:
    """Somebody else acts right before the n-th call."""

    at: int
    act: Callable[[], None] = field(repr=False)


Fate = Death | Failure | Meeting


@dataclass
class Course:
    """The calls of one process so far, and what happens at some of them."""

    fates: tuple[Fate, ...] = ()
    calls: int = 0
    dead: bool = False
    failed: bool = False
    locks: list[Lock] = field(default_factory=list)

    def begin(self, *fates: Fate) -> None:
        """Count anew, to new fates."""
        self.fates, self.calls, self.failed = fates, 0, False

    def pass_call(self, name: str, call: Callable[[], object], tear: Callable[[], None] | None = None) -> object:
        """Make a call, unless fate has it otherwise."""
        if self.dead:
            raise DiedError
        self.calls += 1
        for fate in self.fates:
            if isinstance(fate, Failure):
                if fate.at <= self.calls and name in FALLIBLE and not self.failed:
                    self.failed = True
                    raise MachineError(f"the call {name}", "fails by fate")
            elif fate.at == self.calls and isinstance(fate, Meeting):
                fate.act()
            elif fate.at == self.calls:
                self._die(fate, call, tear)
        return call()

    def _die(self, fate: Death, call: Callable[[], object], tear: Callable[[], None] | None) -> None:
        if fate.how == "after":
            call()
        if fate.how == "torn" and tear is not None:
            tear()
        self.dead = True
        raise DiedError


class _Part:
    def __init__(self, part: object, course: Course):
        self._part, self._course = part, course

    def __getattr__(self, name: str):
        attribute = getattr(self._part, name)
        if not callable(attribute):
            return attribute
        return lambda *args, **named: self._course.pass_call(name, lambda: attribute(*args, **named))


class FatedMachine:
    """A machine as a process with a fate sees it."""

    def __init__(self, machine: EmulatedMachine, course: Course):
        self.kind, self.description = machine.kind, machine.description
        for name in PARTS:
            setattr(self, name, _Part(getattr(machine, name), course))


class FatedFiles(DurableFiles):
    """Small files as a process with a fate writes them."""

    def __init__(self, course: Course):
        self._course = course

    def read(self, path: str) -> bytes:
        return self._course.pass_call("read", lambda: DurableFiles.read(self, path))  # type: ignore[return-value]

    def names(self, directory: str) -> tuple[str, ...]:
        return self._course.pass_call("names", lambda: DurableFiles.names(self, directory))  # type: ignore[return-value]

    def remove(self, path: str) -> None:
        self._course.pass_call("remove", lambda: DurableFiles.remove(self, path))

    def move(self, path: str, target: str) -> None:
        self._course.pass_call("move", lambda: DurableFiles.move(self, path, target))

    def write(self, path: str, content: bytes) -> None:
        def tear() -> None:
            beside = Path(path).parent / f".tmp-dmtui-{os.getpid()}"
            beside.write_bytes(content[: len(content) // 2])

        self._course.pass_call("write", lambda: DurableFiles.write(self, path, content), tear)

    def append(self, path: str, line: str) -> None:
        def tear() -> None:
            with open(path, "a") as file:
                file.write(line[: len(line) // 2])

        self._course.pass_call("append", lambda: DurableFiles.append(self, path, line), tear)

    def lock(self, path: str, note: str | None, *, durable: bool = False) -> Lock:
        def take() -> Lock:
            lock = DurableFiles.lock(self, path, note, durable=durable)
            self._course.locks.append(lock)
            return lock

        def tear() -> None:
            take().release()
            if note is not None:
                whole = Path(path).read_bytes()
                Path(path).write_bytes(whole[: len(whole) - len(note) // 2])

        return self._course.pass_call("lock", take, tear)  # type: ignore[return-value]


class Process:
    """A process that has the engine of a graph directory open, or died on the way there."""

    def __init__(self, machine: EmulatedMachine, *fates: Fate):
        self.machine = machine
        self.course = Course(fates)

    def open(self, directory: str, options: Options, **more) -> Engine:
        """Open the engine."""
        patience = Patience(busy_seconds=0.2, lock_seconds=0.2, sleep=lambda _: None)
        machine, files = FatedMachine(self.machine, self.course), FatedFiles(self.course)
        self.engine = open_engine(machine, directory, options, durable=files, patience=patience, **more)  # type: ignore[arg-type]
        self.course.begin()
        return self.engine

    def leave(self) -> None:
        """The process is gone, and held no loop device: those of a process are told by its pid, which all share."""
        self.course.dead = True
        for lock in self.course.locks:
            lock.release()

    def end(self) -> None:
        """The process is gone: the kernel closes what it held."""
        self.leave()
        self.machine.loops.release_all()
