"""The stage of a demonstration: an emulated machine in a directory of its own, changed as a real one would be.

Operations are the engine's own; what a container, a broken disk or a careless colleague would do are the machine's
acts. Whatever changes something notes the command that would do the same, so that what is printed is what was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dmtui.deviceset.engine import Engine, open_engine
from dmtui.deviceset.graph import Graph, open_graph
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.patience import Patience
from dmtui.deviceset.plan import Phase, Plan, Progress
from dmtui.deviceset.plans import Plans
from dmtui.lab.reading import Reading, read
from dmtui.machine.durable import InUseError
from dmtui.machine.emulated import EmulatedMachine
from dmtui.thinpool.errors import DmtuiError

GRAPH_INODE = 1048700
"""Inode of every demonstration's graph directory: it stands in each name, and must not depend on where that is."""
MOMENT = 1_436_292_849.0
"""2015-07-07, 18:14:09 UTC: where the clock stands, so that each run is the same, what the engine notes too."""
_PAUSE_SECONDS = 2
_LOCK_TRIES = 50
_COPY_BYTES = 64 * 1024


class _Killed(BaseException):
    """The engine's process dies here: nothing of ours may catch it, as nothing catches a kill."""


def _at_once() -> None:
    """Nobody watches: there is no need to wait."""


class Stage:
    """A machine with the device set of one graph directory, and what the present step did to it.

    Attributes:
        machine: the emulated machine.
        graph_directory: where its device set lives, inside the machine's directory.
        commands: the command lines that would do what the present step did.
        errors: what was refused meanwhile, in the words of whoever refused it.
        notes: what the engine said meanwhile, that it recovered something for one.
        before: the figures before the present step.
        now: the figures at present, as of the last `look`.
        beat: called between the parts of a long act; it may wait, so that a watcher sees the figures move.
    """

    def __init__(
        self,
        directory: Path,
        options: Sequence[str],
        frozen_at: float | None = MOMENT,
    ) -> None:
        """Make the machine of a directory, or open it.

        Args:
            directory: the machine's.
            options: storage options of its device set.
            frozen_at: where the clock of a new machine stands still, seconds since the epoch; None lets it run.
        """
        self.machine = EmulatedMachine.open(directory)
        # Where somebody looks on, what is done is noted by the clock on the wall: the machine's is moved by the story.
        self._noted_at = time.time if frozen_at is None else self.machine.clock.now
        self.graph_directory = str(directory.absolute() / "devicemapper")
        self.beat: Callable[[], None] = _at_once
        self.commands: list[str] = []
        self.errors: list[str] = []
        self.notes: list[str] = []
        self.before, self.now = Reading(), Reading()
        self.options = parse_options(options)
        if self.machine.is_new:
            if frozen_at is not None:
                self.machine.clock.freeze(frozen_at)
            self._settle_inode()
        self.graph: Graph = open_graph(self.machine.files, self.graph_directory)

    def _settle_inode(self) -> None:
        """Use inodes up, so that the graph directory gets the same one wherever the machine's directory lies."""
        path = "/passing"
        while self.machine.files.make_sparse_file(path, 0).inode < GRAPH_INODE - 1:
            self.machine.files.remove_file(path)
        self.machine.files.remove_file(path)
        self.machine.files.make_directory(self.graph_directory)

    @property
    def pool_name(self) -> str:
        """The pool's device-mapper name."""
        return self.graph.prefix.pool_name

    def device(self, name: str) -> str:
        """The device-mapper name of a device; the base device's name on file is empty."""
        return self.graph.prefix.device_name(name)

    def begin(self) -> None:
        """A new step begins."""
        self.commands, self.errors, self.notes = [], [], []
        self.look()
        self.before = self.now

    def look(self) -> Reading:
        """Read the figures anew."""
        self.now = read(self.machine, self.graph, self.pool_name)
        return self.now

    def open_engine(self, *, recovering: bool = True, making: bool = False) -> Engine:
        """Open the device set; somebody else who has it is waited for, as an operator may work beside us."""
        for _ in range(_LOCK_TRIES):
            try:
                return self._open(recovering=recovering, making=making)
            except InUseError:
                time.sleep(0.1)
        return self._open(recovering=recovering, making=making)

    def _open(self, *, recovering: bool, making: bool) -> Engine:
        patience = Patience(sleep=lambda _: None)  # the machine is emulated, so are the waits
        return open_engine(
            self.machine,
            self.graph_directory,
            self.options,
            recovering=recovering,
            making=making,
            patience=patience,
            now=self._noted_at,
        )

    @contextmanager
    def _engine(self) -> Generator[Engine]:
        engine = self.open_engine()
        self.notes += engine.recovered
        try:
            yield engine
        finally:
            engine.close()

    def perform(self, *makers: Callable[[Plans], Plan]) -> None:
        """Let the engine plan and perform operations, one after another."""
        with self._engine() as engine:
            for make in makers:
                plan = make(engine.plans)
                self.commands += [step.command for step in plan.steps if step.command]
                engine.run(plan, self._note)
                self.beat()

    def _note(self, progress: Progress) -> None:
        if progress.phase is Phase.NOTED:
            self.notes.append(progress.text)

    def start(self) -> None:
        """Make or activate the pool and its base device."""
        self.perform(lambda plans: plans.start("a demonstration"))

    def create(self, name: str, parent: str = "", *, active: bool = True) -> None:
        """Create a snapshot of a device, and activate it."""
        self.perform(lambda plans: plans.create(name, parent))
        if active:
            self.activate(name)

    def activate(self, *names: str) -> None:
        """Activate devices."""
        self.perform(*(partial(Plans.activate, name=name) for name in names))

    def deactivate(self, *names: str, deferred: bool = False) -> None:
        """Deactivate devices."""
        self.perform(*(partial(Plans.deactivate, name=name, deferred=deferred) for name in names))

    def remove(self, name: str) -> None:
        """Remove a device and its data."""
        self.perform(lambda plans: plans.remove(name))

    def check_offline(self) -> None:
        """Take the pool down, check its metadata, clear the mark that asks for it, and activate the pool again."""
        self.perform(lambda plans: plans.remove_pool())
        self.perform(lambda plans: plans.check().plan)
        self.commands.append(f"thin_check --clear-needs-check-flag {self.graph.metadata_file}")
        self.machine.faults.clear_needs_check(self.graph.metadata_file)
        self.start()

    def kill_during(self, make: Callable[[Plans], Plan], before: str) -> None:
        """Let the engine's process be killed just before the step whose text begins so."""
        engine = self.open_engine()
        plan = make(engine.plans)
        number = next(number for number, step in enumerate(plan.steps, start=1) if step.text.startswith(before))
        self.commands += [step.command for step in plan.steps[: number - 1] if step.command]

        def watch(progress: Progress) -> None:
            if progress.step == number and progress.phase is Phase.BEGUN:
                raise _Killed

        try:
            engine.run(plan, watch)
        except _Killed:
            self.commands.append("kill -9 (the process that did this)")
        # Neither closed nor recovered: its lock goes with the last that knows of it, as with a process.

    def write(self, name: str, offset_bytes: int, length_bytes: int, *, parts: int = 1, flush: bool = False) -> None:
        """Write to an active device from some place on, in parts between which a watcher may look, and flush it."""
        self.commands.append(
            f"dd if=/dev/urandom of=/dev/mapper/{self.device(name)} bs=64K seek={offset_bytes // _COPY_BYTES}"
            f" count={length_bytes // _COPY_BYTES} oflag=direct{' conv=fsync' * flush}"
        )
        part = length_bytes // parts // _COPY_BYTES * _COPY_BYTES
        for number in range(parts):
            begin = offset_bytes + number * part
            length = offset_bytes + length_bytes - begin if number == parts - 1 else part
            self.machine.write(self.device(name), offset_bytes=begin, length_bytes=length)
            self.beat()
        if flush:
            self.machine.flush(self.device(name))

    def discard(self, name: str, offset_bytes: int, length_bytes: int) -> None:
        """Discard a range of an active device."""
        self.commands.append(
            f"blkdiscard --offset {offset_bytes} --length {length_bytes} /dev/mapper/{self.device(name)}"
        )
        self.machine.discard(self.device(name), offset_bytes=offset_bytes, length_bytes=length_bytes)
        self.beat()

    @contextmanager
    def within_a_second(self) -> Generator[None]:
        """What is done here comes after a pause and takes no time by the machine's clock, however long it is shown."""
        clock = self.machine.clock
        runs = not clock.read().frozen
        clock.freeze()
        clock.step(_PAUSE_SECONDS)
        try:
            yield
        finally:
            if runs:
                clock.run()

    def cut_power(self) -> None:
        """Boot the machine without having shut it down."""
        self.commands.append("echo b > /proc/sysrq-trigger")
        self.machine.power_cut()
        self.beat()

    def refused(self, act: Callable[[], None]) -> None:
        """Do what is going to be refused, and keep the words of the refusal.

        Raises:
            DmtuiError: it was not refused.
        """
        try:
            act()
        except DmtuiError as error:
            self.errors.append(str(error))
        else:
            raise DmtuiError("demonstration", "what should be refused was done", "go one step back")

    def close(self) -> None:
        """Let go of the machine."""
        self.machine.close()
