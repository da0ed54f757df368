"""The kill matrix on the kernel: processes that really die by SIGKILL, at calls spread over every operation."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dmtui.machine.errors import MachineError
from tests.deviceset.dying import Server
from tests.deviceset.killing import PARTIAL, Manner
from tests.deviceset.operations import OPERATIONS, Operation
from tests.deviceset.sites import Site
from tests.deviceset.survival import Expected, survive

pytestmark = pytest.mark.kernel
POINTS_AN_OPERATION = 2
LEAST_POINTS = 60


@pytest.fixture(scope="module")
def ground():
    """A device set at rest on a machine, and the server of processes that die."""
    from dmtui.machine.kernel import KernelMachine

    ground = Ground(Site(KernelMachine(), Path(os.environ["DMTUI_SCRATCH"], "killed"), busy_seconds=5))
    yield ground
    ground.close()


@dataclass
class Ground:
    """A graph directory that can be had as it was made, as often as it is to be ruined."""

    site: Site
    points: int = 0
    seconds: float = 0.0
    _scenes: dict[str, tuple[Expected, list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home = self.site.home
        self.kept = Path(f"{self.home}-kept")
        self.clear(fresh=True)
        self.server = Server(Path(os.environ.get("DMTUI_OUT", "/tmp")))
        self.site.start()
        self._take_down()
        shutil.rmtree(self.kept, ignore_errors=True)
        subprocess.run(["cp", "-a", "--sparse=always", self.site.directory, self.kept], check=True)

    def scene(self, title: str) -> tuple[Expected, list[str]]:
        """What may come of an operation, and the calls of a whole run of it."""
        if title not in self._scenes:
            operation = self.begin(title)
            before, faults = self.site.picture(), frozenset(self.site.faults())
            assert operation.mends == bool(faults), faults
            trace = self.server.run(self.home, title)
            faults_after = self.site.faults()
            assert faults_after == []
            self._scenes[title] = Expected(operation, before, self.site.picture(), faults), trace
        return self._scenes[title]

    def begin(self, title: str) -> Operation:
        """Let there be what is there before an operation."""
        operation = OPERATIONS[title]
        self.clear(fresh=operation.fresh)
        self.site.external = operation.external
        if not operation.fresh:
            Path(self.site.directory).mkdir(exist_ok=True)
            subprocess.run(["cp", "-a", "--sparse=always", f"{self.kept}/.", self.site.directory], check=True)
            self.site.start()
        operation.prepare(self.site)
        return operation

    def kill(self, title: str, at: int, manner: Manner) -> None:
        """Let a process die, and see what it left."""
        began = time.monotonic()
        expected, trace = self.scene(title)
        self.begin(title)
        made = self.server.run(self.home, title, at, manner)
        wrong = survive(self.site, expected)
        point = f"{title!r}, killed {manner.value} call {at} of {len(trace)} (... {' '.join(made[-4:])})"
        assert wrong == [], "\n  ".join([point, *wrong])
        self.points += 1
        self.seconds += time.monotonic() - began

    def clear(self, *, fresh: bool) -> None:
        """Take down whatever is there, without the engine; the directory itself keeps its number unless `fresh`."""
        self.site.let_go()
        self.site.external = False
        if Path(self.site.directory).is_dir():
            self._take_down()
            for path in Path(self.site.directory).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            if fresh:
                Path(self.site.directory).rmdir()
        self.site.take_back()
        self.home.mkdir(exist_ok=True)

    def _take_down(self) -> None:
        machine, prefix = self.site.machine, f"{self.site.graph.prefix}-"
        for mount in reversed(machine.filesystems.mounts()):
            if mount.directory.startswith(f"{self.site.directory}/"):
                machine.filesystems.unmount(mount.directory)
        for _ in range(50):  # what stands on others goes first; udev may look at something
            left = [entry.name for entry in machine.device_mapper.list_devices() if entry.name.startswith(prefix)]
            for name in sorted(left, key=lambda name: name.endswith("-pool")):
                with suppress(MachineError):
                    if machine.device_mapper.info(name).suspended:
                        machine.device_mapper.resume(name)
                    machine.device_mapper.remove(name)
            if not left:
                return
            time.sleep(0.1)
        raise AssertionError(f"cannot be taken down: {left}")

    def close(self) -> None:
        self.server.close()
        self.clear(fresh=True)
        shutil.rmtree(self.kept)
        self.site.machine.close()


def points_of(trace: list[str], count: int, first: int) -> list[tuple[int, Manner]]:
    """Calls at even distances, `first` on; of calls of several steps, in their midst."""
    distance = len(trace) / count
    found: list[tuple[int, Manner]] = []
    for number in range(count):
        at = min(len(trace), int(number * distance + first % max(1, int(distance))) + 1)
        manners = [Manner.BEFORE, *PARTIAL.get(trace[at - 1], {})]
        found.append((at, manners[(first + number) % len(manners)]))
    return found


@pytest.mark.parametrize("title", OPERATIONS)
def test_killed_for_real_an_operation_is_whole_or_undone(ground, title):
    _, trace = ground.scene(title)
    for at, manner in points_of(trace, POINTS_AN_OPERATION, list(OPERATIONS).index(title) * 7 + 3):
        ground.kill(title, at, manner)


@pytest.mark.parametrize(
    ("title", "call"),
    [
        ("start on an empty directory", "filesystems.make"),
        ("create with a larger size", "filesystems.grow"),
        ("remove", "filesystems.discard"),
        ("trim mounted devices", "filesystems.trim"),
        ("trim an inactive pool", "thin_tools.trim"),
        ("check", "thin_tools.check"),
    ],
)
def test_killed_while_a_program_of_its_own_works_an_operation_is_whole_or_undone(ground, title, call):
    """The program outlives its master, and may have a device open when the next one comes."""
    _, trace = ground.scene(title)
    ground.kill(title, trace.index(call) + 1, Manner.DURING)


def test_enough_points_were_tried(ground, capsys):
    with capsys.disabled():
        print(f" {ground.points} points on the kernel, {ground.seconds / max(1, ground.points):.1f} s each")
    assert ground.points >= LEAST_POINTS
