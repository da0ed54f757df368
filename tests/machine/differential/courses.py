"""Playing courses: on one machine into a transcript, and a transcript against another machine."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import MachineError
from tests.machine.differential.emulated import EmulatedSide
from tests.machine.differential.operations import Operation, Shape
from tests.machine.differential.player import OPEN, Player

_POOL_EVENT = "pool: listed with event "


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
        except MachineError as error:
            transcript.seen.append([f"cannot be cleared away: {error}"])
        finally:
            machine.close()
    return transcript


def difference(kernel: Transcript, emulated: Transcript) -> Difference | None:
    """The first difference: what follows one only repeats it."""
    ticks = _Ticks()
    for step, (ours, theirs) in enumerate(zip(emulated.seen, kernel.seen, strict=True)):
        at_end = step > len(kernel.operations)
        verb = kernel.operations[step - 1][0] if 0 < step <= len(kernel.operations) else ""
        if at_end and kernel.shape.lean == "queueing":
            ours, theirs = _unplaced(ours), _unplaced(theirs)  # noqa: PLW2901
        theirs = _as_open(ours, ticks.without(verb, ours, theirs))  # noqa: PLW2901
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


class _Ticks:
    """Takes out of what the kernel told the events by which its clock alone decides.

    A discard changes the metadata, goes down to the disk, and changes them again. A commit of the clock's may fall
    between: then low metadata are told of twice, or not at all, instead of once.
    """

    def __init__(self) -> None:
        self._more = 0

    def without(self, verb: str, ours: list[str], theirs: list[str]) -> list[str]:
        """The kernel's lines with the event number that it would show without what the clock brought so far."""
        known, told = _pool_event(ours), _pool_event(theirs)
        if known is None or told is None or verb == "restart":
            self._more = 0
        elif verb == "discard" and abs(told - known - self._more) == 1:
            self._more = told - known
        if told is None:
            return theirs
        return [f"{_POOL_EVENT}{told - self._more}" if line.startswith(_POOL_EVENT) else line for line in theirs]


def _as_open(ours: list[str], theirs: list[str]) -> list[str]:
    """The kernel's lines; where its clock had committed already what we have open, it is as if we had told that."""
    told = list(theirs)
    for index, (known, line) in enumerate(zip(ours, theirs, strict=False)):
        if line.startswith(OPEN) and f"pool: {line.removeprefix(OPEN)}" in ours[index : index + 3]:
            told[index] = known
    return told


def _pool_event(lines: list[str]) -> int | None:
    return next((int(line.removeprefix(_POOL_EVENT)) for line in lines if line.startswith(_POOL_EVENT)), None)


def _unplaced(lines: list[str]) -> list[str]:
    """Mappings with their data blocks numbered as they come: which are the same ones stays, where they are does not.

    Of several writes that wait for space in one device, the timing of the kernel's processors decides which one comes
    first, where it has more than one.
    """
    names: dict[int, int] = {}
    told: list[str] = []
    for line in lines:
        words = line.split()
        if words[1:2] != ["at"]:
            told.append(line)
            continue
        begin, data, count = int(words[0]), int(words[2]), int(words[6])
        blocks = ((begin + index, names.setdefault(data + index, len(names))) for index in range(count))
        told.extend(f"{block} at {name} time {words[4]}" for block, name in blocks)
    return told


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
