"""Every operation, killed at every machine call: afterwards it is whole or undone, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from dmtui.deviceset.engine import Engine
from dmtui.machine.durable import DurableFiles
from dmtui.machine.emulated import EmulatedMachine
from tests.deviceset.killing import PARTIAL, KilledError, KillingMachine, Manner, Reaper
from tests.deviceset.operations import OPERATIONS, Operation
from tests.deviceset.sites import Site
from tests.deviceset.survival import Expected, survive, survive_power_cut

_TABLES = ("settings", "files", "loops", "loop_holders", "devices", "targets", "uses", "metadata", "pools", "processes")
_TABLES += ("thins", "filesystems", "mounts", "held_thins", "queued_io")


@dataclass
class Scene:
    """An operation whose beginning can be had as often as it is to be killed.

    Attributes:
        expected: what may be afterwards.
        trace: the calls of a whole run.
        known: what was left by some death, and looked at.
    """

    title: str
    home: Path
    operation: Operation
    expected: Expected
    trace: list[str]
    known: set[Hashable]
    _files: dict[str, bytes]

    @classmethod
    def prepare(cls, title: str, home: Path) -> Scene:
        operation, machine = OPERATIONS[title], EmulatedMachine.open(home)
        site = Site(machine, home, external=operation.external)
        if not operation.fresh:
            site.start()
        operation.prepare(site)
        faults, before = frozenset(site.faults()), site.picture()
        assert operation.mends == bool(faults), faults
        machine.close()
        scene = cls(title, home, operation, Expected(operation, before, before), [], set(), _contents(home))
        scene.trace = scene.run(Reaper())
        machine = EmulatedMachine.open(home)
        site = Site(machine, home, external=operation.external)
        faults_after = site.faults()
        assert faults_after == []
        scene.expected = Expected(operation, before, site.picture(), faults)
        machine.close()
        return scene

    def run(self, reaper: Reaper) -> list[str]:
        """Begin anew, and live until the reaper comes; returns the calls that were made."""
        self.put(self._files)
        return self.live(reaper, self.operation.perform)

    def deaths(self, manner: Manner = Manner.BEFORE, step: int = 1) -> Iterator[Reaper]:
        """Be dead before (or after) every `step`-th call, by one life in which photographs are taken then.

        A death by a signal changes nothing, so what it leaves is what was there. Where that is what the death before
        left, it was met already.
        """
        photographer = _Photographer(self.home, manner)
        self.run(photographer)
        before: dict[str, bytes] | None = None
        for at, files in list(enumerate(photographer.taken, start=1))[::step]:
            if files != before:
                self.put(files)
                EmulatedMachine.open(self.home).close()  # the kernel closes what a dead process held
                yield Reaper(at, manner, trace=self.trace[:at])
            before = files

    def put(self, files: dict[str, bytes]) -> None:
        """Let the machine be as it was when these were its files."""
        shutil.rmtree(self.home)
        self.home.mkdir()
        for path, content in files.items():
            if path.endswith("/"):
                os.mkdir(path)
            else:
                with open(path, "wb") as file:
                    file.write(content)

    def live(self, reaper: Reaper, perform: Callable[[Engine], None]) -> list[str]:
        """A process opens the engine, performs something and comes to its end or to its death; returns its calls."""
        machine = EmulatedMachine.open(self.home)
        try:
            site = Site(KillingMachine(machine, reaper), self.home, external=self.operation.external)
            engine = site.engine(
                *self.operation.options, making=self.operation.starts, durable=reaper.wrap(DurableFiles())
            )
            perform(engine)
            engine.close()
        except KilledError:
            pass
        finally:
            # The kernel closes what a dead process held.
            reaper.bury()
            machine.close()
        return reaper.trace

    def check(self, reaper: Reaper, surviving=survive, *, then: Reaper | None = None) -> None:
        """Open the engine anew after a death, or after that of the recovery, too; the same remains are judged once."""
        machine = EmulatedMachine.open(self.home)
        site = Site(machine, self.home, external=self.operation.external)
        try:
            if surviving is survive_power_cut:
                machine.reboot()
                self.operation.revive(site)
            if not self.is_new(machine):
                return
            wrong = surviving(site, self.expected)
        finally:
            machine.close()
        deaths = [str(each) for each in (reaper, then) if each is not None]
        assert wrong == [], "\n  ".join([f"{self.title!r}, killed {', its recovery killed '.join(deaths)}", *wrong])

    def is_new(self, machine: EmulatedMachine) -> bool:
        """Whether these remains of a process were not met before.

        All that a machine and a graph directory are, but for blocks, and for what the audit log says.
        """
        log = str(self.home / "graph/dmtui/audit.jsonl")
        files = _contents(self.home / "graph")
        if log in files:
            files[log] = files[log][-1:]
        with machine._store.read() as connection:
            rows = tuple(tuple(connection.execute(f"SELECT * FROM {table}").fetchall()) for table in _TABLES)
        remains = (tuple(files.items()), rows)
        met = remains in self.known
        self.known.add(remains)
        return not met

    def points(self, *manners: Manner) -> list[tuple[int, Manner]]:
        return points(self.trace, *manners)


class _Photographer(Reaper):
    """Comes to nobody; keeps what was on disk when each call began, or had ended."""

    def __init__(self, home: Path, manner: Manner) -> None:
        super().__init__()
        self._home, self._manner = home, manner
        self.taken: list[dict[str, bytes]] = []

    def call(self, part, title: str, name: str, arguments: tuple[Any, ...], named: dict[str, Any]):
        if self._manner is Manner.BEFORE:
            self._take()
        try:
            return super().call(part, title, name, arguments, named)
        finally:
            if self._manner is Manner.AFTER:
                self._take()

    def _take(self) -> None:
        # The index of SQLite's log is memory that its processes share: it goes with the last one.
        self.taken.append({path: each for path, each in _contents(self._home).items() if not path.endswith("-shm")})


def _contents(directory: Path) -> dict[str, bytes]:
    """Every file below a directory, and every directory before what is in it."""
    found: dict[str, bytes] = {}
    for above, directories, files in os.walk(directory):
        found |= {f"{above}/{name}/": b"" for name in sorted(directories)}
        for name in sorted(files):
            with open(f"{above}/{name}", "rb") as file:
                found[f"{above}/{name}"] = file.read()
    return found


def points(trace: list[str], *manners: Manner) -> list[tuple[int, Manner]]:
    """Every call, with each of these ways to die in it that it has."""
    always = (Manner.BEFORE, Manner.AFTER)
    calls = enumerate(trace, start=1)
    return [(at, how) for at, call in calls for how in manners if how in always or how in PARTIAL.get(call, {})]


@pytest.fixture
def scene(request, tmp_path) -> Iterator[Scene]:
    # What is killed here is a process, not a machine: its files may be in memory, where nothing waits for a disk.
    memory = Path("/dev/shm")
    home = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else tmp_path))
    yield Scene.prepare(request.param, home / "emulated")
    shutil.rmtree(home)


every_operation = pytest.mark.parametrize("scene", OPERATIONS, indirect=True)


# A class each, so that they are spread over the processes of a test run.
@every_operation
class TestDeath:
    def test_killed_at_any_call_an_operation_is_whole_or_undone(self, scene):
        """Between two calls nothing changes, so that dying after one is tried at every fourth only."""
        for reaper in chain(scene.deaths(), scene.deaths(Manner.AFTER, step=4)):
            scene.check(reaper)
        for at, manner in scene.points(Manner.HALFWAY, Manner.FURTHER):
            reaper = Reaper(at, manner)
            scene.run(reaper)
            scene.check(reaper)


@every_operation
class TestPowerCut:
    def test_after_a_power_cut_at_any_call_a_start_brings_all_back(self, scene):
        for reaper in scene.deaths(step=3):
            scene.check(reaper, survive_power_cut)


@every_operation
class TestRecovery:
    def test_a_recovery_that_is_killed_as_well_is_recovered_from(self, scene):
        """At one call of each recovery, at another one in each."""
        for reaper in scene.deaths(step=2):
            left = _contents(scene.home)
            machine = EmulatedMachine.open(scene.home)
            is_new = scene.is_new(machine)
            machine.close()
            if is_new:
                deaths = points(scene.live(Reaper(), _only_open), Manner.BEFORE, Manner.HALFWAY)
                then = Reaper(*deaths[(reaper.at or 0) * 7 % len(deaths)])
                scene.put(left)
                scene.live(then, _only_open)
                scene.check(reaper, then=then)


def _only_open(_: Engine) -> None:
    """Nothing but the recovery."""
