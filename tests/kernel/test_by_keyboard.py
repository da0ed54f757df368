"""Every operation of the dashboard on the real kernel, from key press to changed machine and audit line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dmtui.deviceset.graph import open_graph
from tests.kernel.docker import OUT
from tests.kernel.keyboard import Keyboard
from tests.kernel.terminal import Terminal

pytestmark = pytest.mark.kernel
OPTIONS = ("dm.loopdatasize=256M", "dm.loopmetadatasize=8M", "dm.basesize=64M", "dm.fs=ext4")


@pytest.fixture
def machine_kind():
    return "kernel"


class Place:
    """A graph directory with nothing in it, and what comes of it."""

    def __init__(self, machine, home: Path):
        self.machine, self.graph = machine, home / "graph"
        self.graph.mkdir()

    def words(self) -> list[str]:
        options = [word for option in OPTIONS for word in ("--storage-opt", option)]
        return [sys.executable, "-m", "dmtui", "--machine", self.machine.kind, "--graph", str(self.graph), *options]

    @property
    def active(self) -> set[str]:
        """Names of the active devices of this graph, without their prefix."""
        prefix = f"{open_graph(self.machine.files, str(self.graph)).prefix}-"
        names = [entry.name for entry in self.machine.device_mapper.list_devices()]
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    @property
    def recorded(self) -> set[str]:
        names = {path.name for path in (self.graph / "metadata").iterdir()}
        return {name for name in names if not name.startswith(".")} - {"deviceset-metadata", "transaction-metadata"}

    @property
    def mounted(self) -> set[str]:
        mounts = Path("/proc/self/mounts").read_text().split("\n")
        places = (line.split()[1] for line in mounts if line)
        return {place.rpartition("/")[2] for place in places if place.startswith(f"{self.graph}/mnt/")}

    @property
    def data_bytes(self) -> int:
        """Size of the data file."""
        return self.machine.files.identify(f"{self.graph}/devicemapper/data").size_bytes

    def audited(self) -> list[tuple[str, str, str]]:
        lines = (self.graph / "dmtui" / "audit.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        return [(entry["operation"], entry["object"], entry["result"]) for entry in entries]


@pytest.fixture
def place(machine, home):
    return Place(machine, home)


def test_every_operation_is_had_from_the_keyboard(place):
    with Terminal("keyboard", 120, 40) as terminal:
        terminal.start(*place.words())
        terminal.wait_for(lambda screen: "^p Palette" in screen or "Quit" in screen)
        try:
            use(Keyboard(terminal), place)
            terminal.keys("q")
            terminal.wait_for(lambda screen: "Quit" not in screen)
        finally:
            (OUT / "last-screen.txt").write_text(terminal.screen())
    pool = f"{next(name for _, name, _ in place.audited() if name.endswith('-pool'))}"
    assert [entry for entry in place.audited() if entry[0] != "recover"] == [
        ("create pool", pool, "done"),
        ("create", "one", "done"),
        ("create", "two", "done"),
        ("create", "three", "done"),
        ("activate", "one", "done"),
        ("deactivate", "one", "done"),
        ("mount", "two", "done"),
        ("trim", pool, "done"),
        ("check pool", pool, "done"),
        ("extend pool", pool, "done"),
        ("unmount", "two", "done"),
        ("remove", "three", "done"),
        ("remove pool", pool, "done"),
    ]
    assert place.active == set()


def use(keyboard: Keyboard, place: Place) -> None:
    """One operation after the other, and what it changed."""
    keyboard.operate("P", "Create or activate the pool")
    assert place.active == {"pool"}
    keyboard.operate("n", "Create a device", "one", "", "", "")
    keyboard.operate("n", "Create a device", "two three", "one", "96M", "")
    assert place.recorded == {"base", "one", "two", "three"}
    keyboard.operate("a", "Activate", "one")
    assert place.active == {"pool", "one"}
    subprocess.run(["udevadm", "settle"])
    keyboard.operate("d", "Deactivate", "one", "")
    assert place.active == {"pool"}
    keyboard.operate("m", "Mount", "two")
    assert place.mounted == {"two"}
    keyboard.operate("T", "Trim")
    keyboard.operate("C", "Check the metadata")
    before = place.data_bytes
    keyboard.operate("E", "Extend the pool", "320M", "")
    assert place.data_bytes > before
    keyboard.operate("u", "Unmount", "two")
    assert place.mounted == set()
    keyboard.operate("x", "Remove", "three", confirm="three")
    assert place.recorded == {"base", "one", "two"}
    assert "three" in keyboard.look("5", "Past operations")
    keyboard.operate("X", "Take the pool down", from_cancel=True)
