"""Machines to test on: the emulated one anywhere, the kernel's in the lab (marker ``kernel``)."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest


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
    _remove_new_devices(machine, found)
    for loop in machine.loops.list_bound():
        if loop.backing_path and loop.backing_path.startswith(str(home)):
            machine.loops.detach(loop.path)
    machine.close()


def _remove_new_devices(machine, found: set[str]) -> None:
    from dmtui.machine.errors import MachineError

    for _ in range(20):  # what stands on others goes first: try until nothing is left
        left = [entry.name for entry in machine.device_mapper.list_devices() if entry.name not in found]
        for name in left:
            for step in (machine.device_mapper.resume, machine.device_mapper.remove):
                with suppress(MachineError):
                    step(name)
        if not left:
            return
