"""Graph directories go back and forth between the engine and a real Docker 20.10."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.graph import open_graph
from dmtui.deviceset.listing import DeviceView, list_views
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.status import read_status
from dmtui.machine.kernel import KernelMachine
from dmtui.thinpool.errors import DmtuiError
from tests.deviceset.troubles import reaped_when_closed
from tests.kernel.docker import SCRATCH, Docker, containerd

pytestmark = pytest.mark.kernel
OPTIONS = ("dm.loopdatasize=2G", "dm.loopmetadatasize=32M", "dm.basesize=400M", "dm.fs=ext4")


@pytest.fixture(scope="module", autouse=True)
def daemon():
    """The containerd that every dockerd of this module uses."""
    with containerd():
        yield


@pytest.fixture
def machine_kind():
    return "kernel"


@pytest.fixture
def root(machine):
    """A data root of its own, with everything on it taken down afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="roundtrip-", dir=SCRATCH))
    yield directory
    with suppress(DmtuiError):
        Engine(machine, directory / "devicemapper").do(lambda plans: plans.remove_pool(force=True))
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        place = line.split()[4]
        if place.startswith(str(directory)):  # what a killed dockerd leaves: its root, mounted on itself
            subprocess.run(["umount", "-l", place], capture_output=True)
    shutil.rmtree(directory, ignore_errors=True)


class Engine:
    """The engine on one graph directory; opened for each operation, as by a command, but without its start."""

    def __init__(self, machine: KernelMachine, graph: Path, *options: str):
        self.machine, self.graph, self.options = machine, str(graph), parse_options(options)

    def do(self, make) -> None:
        engine = open_engine(self.machine, self.graph, self.options, making=True)
        try:
            engine.run(make(engine.plans))
        finally:
            engine.close()

    def reap(self) -> None:
        """Delete what could not be deleted at once because something had it open, as the deletion worker does."""
        engine = open_engine(self.machine, self.graph, self.options, making=True)
        try:
            assert all(reaped_when_closed(engine))
        finally:
            engine.close()

    def devices(self) -> dict[str, DeviceView]:
        views = list_views(self.machine, open_graph(self.machine.files, self.graph))
        return {view.record.hash_name or "base": view for view in views}

    def agrees(self) -> None:
        """The transaction on file is the pool's, and nothing is under way."""
        report = read_status(self.machine, open_graph(self.machine.files, self.graph), self.options)
        transaction = json.loads((Path(self.graph) / "metadata" / "transaction-metadata").read_text())
        assert transaction["open_transaction_id"] == report.status.figures.transaction_id
        work = Path(self.graph) / "dmtui" / "work"
        assert not work.exists() or os.listdir(work) == []


def container_of(docker: Docker, name: str) -> str:
    device = docker.client("inspect", "--format", "{{.GraphDriver.Data.DeviceName}}", name).strip()
    return device.split("-", 3)[3]


def filled_docker(root: Path) -> Docker:
    """A running Docker with an image and two containers."""
    docker = Docker(root, *OPTIONS)
    docker.start()
    docker.import_image("tiny")
    for name in ("one", "two"):
        docker.client("create", "--name", name, "tiny", "/busybox", "true")
    return docker


def goes_on(docker: Docker) -> None:
    """Docker works as ever: it creates, removes and tells."""
    docker.client("create", "--name", "three", "tiny", "/busybox", "true")
    docker.client("rm", "three")
    docker.client("rm", "one")
    assert "Pool Name: docker-" in docker.client("info")


def use(engine: Engine, container: str) -> None:
    """List, activate, mount, snapshot and remove, as an operator would."""
    assert container in engine.devices()
    engine.do(lambda plans: plans.mount(container))
    mounted = Path(engine.devices()[container].mounted_at)
    assert (mounted / "rootfs" / "busybox").is_file()
    engine.do(lambda plans: plans.create("mine", container))
    engine.do(lambda plans: plans.mount("mine"))
    inside = Path(engine.devices()["mine"].mounted_at)
    assert (inside / "rootfs" / "busybox").read_bytes() == (mounted / "rootfs" / "busybox").read_bytes()
    engine.do(lambda plans: plans.unmount("mine"))
    engine.do(lambda plans: plans.unmount(container))
    assert not engine.devices()[container].active
    engine.do(lambda plans: plans.activate("mine"))
    assert engine.devices()["mine"].active
    engine.do(lambda plans: plans.remove("mine"))
    assert "mine" not in engine.devices()
    engine.agrees()


def start(plans):
    return plans.start("now")


def take_down(plans):
    return plans.remove_pool()


def test_docker_made_it_stopped_in_order_the_engine_uses_it_and_docker_goes_on(root, machine):
    docker = filled_docker(root)
    container = container_of(docker, "one")
    docker.stop()
    engine = Engine(machine, docker.graph, *OPTIONS)
    engine.do(start)
    use(engine, container)
    engine.do(take_down)
    docker.start()
    try:
        goes_on(docker)
    finally:
        docker.stop()


def test_docker_was_killed_the_engine_uses_what_it_left_and_docker_goes_on(root, machine):
    docker = filled_docker(root)
    container = container_of(docker, "one")
    docker.kill()
    engine = Engine(machine, docker.graph, *OPTIONS)
    use(engine, container)
    docker.start()
    try:
        goes_on(docker)
    finally:
        docker.stop()


@pytest.mark.parametrize("active", [True, False], ids=["with its pool active", "with its pool taken down"])
def test_the_engine_made_it_from_nothing_and_docker_starts_on_it(root, machine, active):
    docker = Docker(root, *OPTIONS)
    engine = Engine(machine, docker.graph, *OPTIONS)
    engine.do(start)
    engine.do(lambda plans: plans.create("ours"))
    if not active:
        engine.do(take_down)
    docker.start()
    try:
        docker.import_image("tiny")
        docker.client("create", "--name", "one", "tiny", "/busybox", "true")
        block = docker.storage_block()
        assert "Base Device Size: 419.4MB" in block
        container = container_of(docker, "one")
    finally:
        docker.stop()
    engine.do(start)
    assert {"base", "ours", container} <= set(engine.devices())
    use(engine, container)
    engine.do(lambda plans: plans.remove("ours"))
    engine.agrees()


def test_the_engine_was_killed_while_it_worked_and_docker_goes_on(root, machine):
    docker = filled_docker(root)
    container = container_of(docker, "one")
    docker.kill()
    engine = Engine(machine, docker.graph, *OPTIONS)
    for calls in (9, 17, 30):  # wherever these are: the kill matrix knows all of them
        kill_in_the_middle(docker.graph, f"killed-{calls}", container, calls)
    docker.start()
    try:
        goes_on(docker)
        docker.client("create", "--name", "four", "tiny", "/busybox", "true")
    finally:
        docker.stop()
    engine.do(start)
    engine.reap()
    assert not any(view.record.deleted for view in engine.devices().values())
    engine.agrees()


def kill_in_the_middle(graph: Path, name: str, parent: str, calls: int) -> None:
    """A process of its own creates a larger device and is killed with SIGKILL at that call to the machine."""
    words = [sys.executable, "-c", KILLED, str(graph), name, parent, str(calls), *OPTIONS]
    done = subprocess.run(words, capture_output=True, text=True, timeout=180)
    assert done.returncode == -signal.SIGKILL, done.stderr


KILLED = """
import os, signal, sys
from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from dmtui.machine.kernel import KernelMachine
from tests.deviceset.killing import KillingMachine, Reaper
graph, name, parent, calls, *options = sys.argv[1:]
reaper = Reaper(int(calls), die=lambda: os.kill(os.getpid(), signal.SIGKILL))
engine = open_engine(KillingMachine(KernelMachine(), reaper), graph, parse_options(options))
engine.run(engine.plans.create(name, parent, 500 << 20))
"""
