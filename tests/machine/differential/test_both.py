"""The same random courses on the kernel and on the emulated machine, compared after every operation.

The kernel is right by definition. A longer run, and the shortest course that shows a difference:
``tests/kernel/run --module tests.machine.differential --operations 100000``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.machine.differential.__main__ import Kernel, compare
from tests.machine.differential.operations import LEANS, operations, shape

LENGTH = 125
COURSES = 24


@pytest.fixture(scope="module")
def kernel():
    with Kernel() as kernel:
        yield kernel


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(COURSES))
def test_both_machines_tell_the_same_after_every_operation(kernel, seed):
    transcript = kernel.play(seed, shape(seed), list(operations(seed, LENGTH)))
    found = compare(transcript)
    with (Path(os.environ.get("DMTUI_OUT", "/tmp")) / "differential.txt").open("a") as log:
        log.write(f"seed {seed}: {LENGTH} operations, {transcript.points} points compared\n")
        log.write(f"  {found.text()}\n" if found else "")
    assert found is None, found.text()


def test_the_courses_come_to_three_thousand_operations_and_meet_every_lean():
    assert COURSES * LENGTH >= 3000
    assert {shape(seed).lean for seed in range(COURSES)} == set(LEANS)


def test_a_seed_is_always_the_same_course():
    assert list(operations(7, 80)) == list(operations(7, 80))
    assert list(operations(7, 80))[:40] == list(operations(7, 40))
    assert list(operations(7, 40)) != list(operations(13, 40))
