"""The same random courses on the kernel and on the emulated machine, compared after every operation.

The kernel is right by definition. A longer run, and the shortest course that shows a difference:
``tests/kernel/run --module tests.machine.differential --operations 100000``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.machine.differential.__main__ import Kernel, compare
from tests.machine.differential.operations import CUTS, LEANS, operations, shape

LENGTH = 125
COURSES = [*((seed, None) for seed in range(24)), *((seed, CUTS) for seed in range(8))]


@pytest.fixture(scope="module")
def kernel():
    with Kernel() as kernel:
        yield kernel


@pytest.mark.kernel
@pytest.mark.parametrize(("seed", "lean"), COURSES)
def test_both_machines_tell_the_same_after_every_operation(kernel, seed, lean):
    transcript = kernel.play(seed, shape(seed, lean), list(operations(seed, LENGTH, lean)))
    found = compare(transcript)
    with (Path(os.environ.get("DMTUI_OUT", "/tmp")) / "differential.txt").open("a") as log:
        log.write(f"seed {seed} ({transcript.shape.lean}): {LENGTH} operations, {transcript.points} points compared\n")
        log.write(f"  {found.text()}\n" if found else "")
    assert found is None, found.text()


def test_the_courses_come_to_three_thousand_operations_and_meet_every_lean():
    assert len(COURSES) * LENGTH >= 3000
    assert {shape(*course).lean for course in COURSES} == {*LEANS, CUTS}


def test_a_seed_is_always_the_same_course():
    assert list(operations(7, 80)) == list(operations(7, 80))
    assert list(operations(7, 80))[:40] == list(operations(7, 40))
    assert list(operations(7, 40)) != list(operations(13, 40))
