"""Machines to test on: the emulated one anywhere, the kernel's in the lab (marker ``kernel``)."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The machine that runs them may be slow: no test fails for that. Where CI says so, every run takes the same examples.
settings.register_profile(
    "dmtui", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("dmtui")

# A dashboard is some 50,000 objects in cycles. The usual thresholds look through all of them, and through every test
# module and library, again and again while the next one is built: 40 % of the processor time of tests/tui.
gc.set_threshold(50_000, 10, 10)

# A shell without job control lets its background jobs ignore ctrl+c, and they their children: tests that send it to a
# process of theirs would wait for ever. A handler of ours is none of the process that is started.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def starter_once(tmp_path_factory):
    """The populated machine of the first look, made once for the tests of a process."""
    from tests.kept import Starter

    return Starter(tmp_path_factory.mktemp("starter"))


@pytest.fixture
def starter(starter_once):
    """That machine as it was made."""
    starter_once.put()
    return starter_once


@pytest.fixture
def run(capsys):
    """Run the command and return its status, standard output and standard error."""

    from dmtui.cli import main

    def run(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as done:
            status = done.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture(params=["emulated", pytest.param("kernel", marks=pytest.mark.kernel)])
def machine_kind(request) -> str:
    return request.param


@pytest.fixture
def home(machine_kind, tmp_path):
    """A directory whose files can back loop devices on the machine under test."""
    if machine_kind == "emulated":
        yield tmp_path / "emulated"
        return
    directory = Path(tempfile.mkdtemp(dir=os.environ["DMTUI_SCRATCH"]))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_behind():
    """Hold every module that runs in the guest to leaving no mapped device to the next one."""
    if not os.environ.get("DMTUI_SCRATCH"):
        yield
        return
    found = _mapped_devices()
    yield
    give_up_at = time.monotonic() + 20
    while (left := _mapped_devices() - found) and time.monotonic() < give_up_at:
        time.sleep(0.5)  # udev may look at what goes
    assert not left, f"left behind: {sorted(left)}"


def _mapped_devices() -> set[str]:
    found: set[str] = set()
    for name in Path("/sys/block").glob("dm-*/dm/name"):
        with suppress(OSError):  # it has gone meanwhile
            found.add(name.read_text().strip())
    return found


@pytest.fixture
def machine(machine_kind, home):
    """The machine under test, left as it was found."""
    if machine_kind == "emulated":
        from dmtui.machine.emulated import EmulatedMachine

        machine = EmulatedMachine.open(home)
        yield machine
        machine.close()
        return
    from dmtui.machine.kernel import KernelMachine

    machine = KernelMachine()
    found = {entry.name for entry in machine.device_mapper.list_devices()}
    yield machine
    _unmount_below(machine, home)
    _remove_new_devices(machine, found)
    for loop in machine.loops.list_bound():
        if loop.backing_path and loop.backing_path.startswith(str(home)):
            machine.loops.detach(loop.path)
    machine.close()


def _unmount_below(machine, directory: Path) -> None:
    from dmtui.machine.errors import MachineError

    for mount in reversed(machine.filesystems.mounts()):  # what is mounted on others goes first
        if mount.directory.startswith(f"{directory}/"):
            with suppress(MachineError):
                machine.filesystems.unmount(mount.directory)


def _remove_new_devices(machine, found: set[str]) -> None:
    from dmtui.machine.errors import MachineError

    give_up_at = time.monotonic() + 20
    while True:  # what stands on others goes first, and udev may look at something: try until nothing is left
        left = [entry.name for entry in machine.device_mapper.list_devices() if entry.name not in found]
        for name in left:
            for step in (machine.device_mapper.resume, machine.device_mapper.remove):
                with suppress(MachineError):
                    step(name)
        if not left:
            return
        assert time.monotonic() < give_up_at, f"devices that cannot be removed: {left}"
        time.sleep(0.05)
