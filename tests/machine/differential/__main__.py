"""Play random courses on the kernel and on the emulated machine, and tell where they differ.

    tests/kernel/run --module tests.machine.differential --seed 1 --operations 3000

plays both in a guest. With ``--record`` the kernel alone is played, and ``--against`` compares what was recorded with
the emulated machine, anywhere and much faster. Exit status: 0 only if no machine told anything else than the other.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.machine.differential import courses
from tests.machine.differential.courses import Difference, Transcript
from tests.machine.differential.operations import CUTS, LEANS, Operation, Shape, operations, shape
from tests.machine.differential.player import TickedError
from tests.machine.differential.shrinking import shrink

_ATTEMPTS = 5
"""A course is spoilt now and then, by the kernel's clock: as often it is played at the most."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.machine.differential", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first course; the others follow it")
    parser.add_argument("--operations", type=int, default=3000, help="in all")
    parser.add_argument("--length", type=int, default=150, help="operations of one course")
    parser.add_argument(
        "--lean", choices=(*LEANS, CUTS), help=f"courses of this one only; `{CUTS}` come in no other way"
    )
    parser.add_argument("--seconds", type=float, default=10**9, help="begin no course after that")
    parser.add_argument("--keep-going", action="store_true", help="do not shrink; go on after a difference")
    parser.add_argument("--record", type=Path, help="play the kernel alone and keep what it told (.jsonl.gz)")
    parser.add_argument("--again", type=Path, help="play the courses of a recording instead of random ones")
    parser.add_argument("--against", type=Path, nargs="+", help="play the emulated machine against recordings")
    arguments = parser.parse_args()
    count = -(-arguments.operations // arguments.length)
    lean = arguments.lean if arguments.lean == CUTS else None
    wanted = (seed for seed in itertools.count(arguments.seed) if arguments.lean in (None, shape(seed, lean).lean))
    seeds = itertools.islice(wanted, count)
    chosen = ((seed, shape(seed, lean), list(operations(seed, arguments.length, lean))) for seed in seeds)
    if arguments.again:
        chosen = ((each.seed, each.shape, each.operations) for each in courses.read(arguments.again))
    if arguments.against:
        recorded = [transcript for path in arguments.against for transcript in courses.read(path)]
        return report([(transcript, compare(transcript)) for transcript in recorded])
    with Kernel() as kernel:
        give_up_at = time.monotonic() + arguments.seconds
        played: list[tuple[Transcript, Difference | None]] = []
        for seed, drawn, course in chosen:
            if time.monotonic() > give_up_at:
                break
            began = time.monotonic()
            transcript = kernel.play(seed, drawn, course)
            between = time.monotonic()
            found = None if arguments.record else compare(transcript)
            took = f"{between - began:.1f} s + {time.monotonic() - between:.1f} s"
            print(f"seed {seed} ({transcript.shape.lean}): {transcript.points} points, {took}", flush=True)
            played.append((transcript, found))
            if arguments.record:
                courses.append(arguments.record, transcript)
            elif found and not arguments.keep_going:
                print(found.text())
                shortest(kernel.play, transcript, found)
                break
        return report(played)


def compare(transcript: Transcript) -> Difference | None:
    emulated = courses.play_emulated(transcript.seed, transcript.shape, transcript.operations)
    return courses.difference(transcript, emulated)


def shortest(
    play: Callable[[int, Shape, list[Operation]], Transcript], transcript: Transcript, found: Difference
) -> None:
    """Print the shortest course that still ends in a difference."""

    def differs(candidate: list[Operation]) -> bool:
        return compare(play(transcript.seed, transcript.shape, candidate)) is not None

    kept = shrink(transcript.operations[: found.step], differs)
    print(f"shortest course found of {transcript.shape}:")
    print("".join(f"  {operation!r},\n" for operation in kept), flush=True)
    last = compare(play(transcript.seed, transcript.shape, kept))
    if last:
        print(last.text())


def report(played: list[tuple[Transcript, Difference | None]]) -> int:
    """Print what was compared; returns the exit status."""
    found = [difference for _, difference in played if difference]
    for difference in found:
        print(difference.text())
    # What comes after a difference is not compared.
    steps = sum(difference.step if difference else len(transcript.operations) for transcript, difference in played)
    points = sum(sum(map(len, t.seen[: d.step + 1 if d else None])) for t, d in played)
    print(f"{len(played)} courses, {steps} operations, {points} points compared, {len(found)} differences")
    return 1 if found or not played else 0


class Kernel:
    """The kernel of the guest, without udev meanwhile."""

    def __enter__(self) -> Kernel:
        from dmtui.machine.kernel import KernelMachine
        from tests.machine.differential.kernel import KernelSide, quiet

        self._quiet = quiet()
        self._quiet.__enter__()
        self._machine, self._side = KernelMachine(), KernelSide()
        return self

    def __exit__(self, *_: object) -> None:
        self._machine.close()
        self._quiet.__exit__(None, None, None)

    def play(self, seed: int, shape: Shape, course: list[Operation]) -> Transcript:
        for _ in range(_ATTEMPTS):
            transcript = Transcript(seed, shape, course)
            # In memory, without a journal: each commit of the pool flushes these files.
            with tempfile.TemporaryDirectory(dir="/dev/shm") as home:
                player = courses.Player(self._machine, self._side, f"{home}/course", shape)
                try:
                    courses.play(player, transcript)
                except TickedError:
                    player.end()
                else:
                    return transcript
        raise AssertionError(f"seed {seed}: the kernel's clock has spoilt it {_ATTEMPTS} times")


if __name__ == "__main__":
    sys.exit(main())
