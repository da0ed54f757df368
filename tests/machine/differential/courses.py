"""Playing courses: on one machine into a transcript, and a transcript against another machine."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dmtui.machine.emulated import EmulatedMachine
from tests.machine.differential.emulated import EmulatedSide
from tests.machine.differential.operations import Operation, Shape
from tests.machine.differential.player import Player


@dataclass
class Transcript:
    """A course with what was seen: before the first operation, after each, and the mappings at the end."""

    seed: int
    shape: Shape
    operations: list[Operation]
    seen: list[list[str]] = field(default_factory=list)

    @property
    def points(self) -> int:
        return sum(map(len, self.seen))


@dataclass(frozen=True)
class Difference:
    """Where two machines part: after `step` operations (0: at the creation; one past the last: in the mappings)."""

    seed: int
    step: int
    operation: Operation
    lines: tuple[tuple[str, str], ...]

    def text(self) -> str:
        lines = "".join(f"\n      kernel   {kernel}\n      emulated {emulated}" for kernel, emulated in self.lines)
        return f"seed {self.seed}, step {self.step}: {self.operation}{lines}"


def play(player: Player, transcript: Transcript) -> None:
    """Play a course from its beginning to its end, and note what is seen."""
    transcript.seen = [player.first]
    transcript.seen += (player.play(operation) for operation in transcript.operations)
    transcript.seen.append(player.end())


def play_emulated(seed: int, shape: Shape, operations: Sequence[Operation]) -> Transcript:
    """Play a course on a fresh emulated machine."""
    with tempfile.TemporaryDirectory() as directory:
        machine = EmulatedMachine.open(Path(directory) / "machine")
        transcript = Transcript(seed, shape, list(operations))
        try:
            play(Player(machine, EmulatedSide(machine), "/course", shape), transcript)
        finally:
            machine.close()
    return transcript


def difference(kernel: Transcript, emulated: Transcript) -> Difference | None:
    """The first difference: what follows one only repeats it."""
    for step, (ours, theirs) in enumerate(zip(emulated.seen, kernel.seen, strict=True)):
        if ours == theirs:
            continue
        width = max(len(ours), len(theirs))
        padded = [[*lines, *["-"] * (width - len(lines))] for lines in (theirs, ours)]
        lines = tuple(pair for pair in zip(*padded, strict=True) if pair[0] != pair[1])
        played = (
            kernel.operations[step - 1] if 0 < step <= len(kernel.operations) else ("creation" if not step else "end",)
        )
        return Difference(kernel.seed, step, played, lines[:8])
    return None


def append(path: Path, transcript: Transcript) -> None:
    """Add a transcript to a file: one JSON line."""
    plain = [transcript.seed, transcript.shape.plain(), transcript.operations, transcript.seen]
    with gzip.open(path, "at") as file:
        file.write(f"{json.dumps(plain)}\n")


def read(path: Path) -> list[Transcript]:
    """Read what `append` wrote."""
    with gzip.open(path, "rt") as file:
        plain = [json.loads(line) for line in file]
    return [
        Transcript(seed, Shape.read(shape), [tuple(operation) for operation in operations], seen)
        for seed, shape, operations, seen in plain
    ]
