from __future__ import annotations

import pytest

from dmtui.machine.emulated import EmulatedMachine
from tests.machine.emulated.bench import Bench


@pytest.fixture
def emulated(tmp_path):
    machine = EmulatedMachine.open(tmp_path / "machine")
    yield machine
    machine.close()


@pytest.fixture
def bench(emulated):
    """A pool of 1024 blocks with the default features."""
    return Bench(emulated)


@pytest.fixture
def make_bench(emulated):
    return lambda **settings: Bench(emulated, **settings)
