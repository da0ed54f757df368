"""The same random operations on the emulated machine and on the kernel, compared after every step.

The kernel is right by definition. Compared are the errno of the operation, the committed status line of the pool (the
block number of a held root masked: it depends on where the kernel put its copies) and that of every active thin device.
"""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path

import pytest

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError
from tests.machine.contract.conftest import BLOCK, MIB, EmulatedIo, KernelIo, Rig

pytestmark = pytest.mark.kernel
POOL = "dmtui-test-pool"
IDS = 10
THIN_BYTES = 48 * MIB
STEPS = int(os.environ.get("DMTUI_DIFFERENTIAL_STEPS", "150"))


@pytest.fixture
def machine_kind():
    return "kernel"


@pytest.fixture
def rig(machine, home):
    return Rig(machine, home)


@pytest.fixture
def emulated_rig(tmp_path):
    machine = EmulatedMachine.open(tmp_path / "emulated")
    yield Rig(machine, tmp_path / "emulated")
    machine.close()


class Player:
    """Plays operations on one machine and tells what came of each."""

    def __init__(self, rig: Rig, io, features: tuple[str, ...], data_bytes: int):
        self.rig, self.io = rig, io
        rig.pool(data_bytes=data_bytes, features=features)
        self.active: set[int] = set()

    def play(self, verb: str, *numbers: int) -> str:
        try:
            getattr(self, f"_{verb}")(*numbers)
        except MachineError as error:
            return errno.errorcode.get(error.errno, str(error.errno))
        return "done"

    def lines(self) -> list[str]:
        pool = self.rig.committed(POOL).split()
        pool[6] = "held" if pool[6] != "-" else "-"
        thins = [f"{thin}: {self.rig.committed(self._name(thin))}" for thin in sorted(self.active)]
        return [" ".join(pool), *thins]

    def _name(self, thin: int) -> str:
        return f"dmtui-test-thin-{thin}"

    def _message(self, text: str) -> None:
        self.rig.mapper.message(POOL, text)

    def _thin(self, thin: int) -> None:
        self._message(f"create_thin {thin}")

    def _snap(self, thin: int, origin: int) -> None:
        self._message(f"create_snap {thin} {origin}")

    def _delete(self, thin: int) -> None:
        self._message(f"delete {thin}")

    def _transaction(self, old: int, new: int) -> None:
        self._message(f"set_transaction_id {old} {new}")

    def _hold(self) -> None:
        self._message("reserve_metadata_snap")

    def _let_go(self) -> None:
        self._message("release_metadata_snap")

    def _activate(self, thin: int) -> None:
        if thin not in self.active:
            self.rig.activate(thin, size_bytes=THIN_BYTES)
            self.active.add(thin)

    def _deactivate(self, thin: int) -> None:
        if thin in self.active:
            self.rig.mapper.remove(self._name(thin))
            self.active.discard(thin)

    def _write(self, thin: int, block: int, blocks: int) -> None:
        if thin in self.active:
            self.io.write(self._name(thin), block * BLOCK, blocks * BLOCK)

    def _discard(self, thin: int, block: int, blocks: int) -> None:
        if thin in self.active:
            self.io.discard(self._name(thin), block * BLOCK, blocks * BLOCK)


def operations(seed: int, steps: int):
    """A random course of operations: mostly sensible ones, some that must fail."""
    chance = random.Random(seed)
    transaction = 0
    last_block = THIN_BYTES // BLOCK
    for _ in range(steps):
        verb = chance.choices(
            ["thin", "snap", "delete", "activate", "deactivate", "write", "discard", "transaction", "hold", "let_go"],
            [6, 8, 5, 10, 5, 40, 14, 3, 2, 2],
        )[0]
        thin, other = chance.randrange(IDS), chance.randrange(IDS)
        if verb in ("write", "discard"):
            blocks = chance.choice([1, 1, 1, 2, 5, 16])
            yield verb, thin, chance.randrange(last_block - blocks), blocks
        elif verb == "snap":
            yield verb, thin, other
        elif verb == "transaction":
            wrong = chance.random() < 0.2
            yield verb, transaction + wrong, transaction + 1
            transaction += not wrong
        elif verb in ("hold", "let_go"):
            yield (verb,)
        else:
            yield verb, thin


@pytest.mark.parametrize(
    ("seed", "features"),
    [
        (1, ("skip_block_zeroing", "error_if_no_space")),
        (2, ("error_if_no_space",)),
        (3, ("skip_block_zeroing", "no_discard_passdown", "error_if_no_space")),
        (4, ("skip_block_zeroing", "ignore_discard", "error_if_no_space")),
    ],
)
def test_both_machines_tell_the_same_after_every_operation(rig, emulated_rig, seed, features):
    kernel = Player(rig, KernelIo(), features, 256 * MIB)
    emulated = Player(emulated_rig, EmulatedIo(emulated_rig.machine), features, 256 * MIB)
    course, differences, points = [], [], 0
    for operation in operations(seed, STEPS):
        course.append(operation)
        told = [(player.play(*operation), *player.lines()) for player in (kernel, emulated)]
        points += len(told[0])
        if told[0] != told[1]:
            differences.append((len(course), operation, *told))
            break  # what follows a difference only repeats it
    out = Path(os.environ.get("DMTUI_OUT", "/tmp"))
    with (out / "differential.txt").open("a") as log:
        log.write(f"seed {seed}: {len(course)} operations, {points} points compared, {len(differences)} differences\n")
        log.writelines(f"  {difference}\n" for difference in differences)
    assert differences == []
