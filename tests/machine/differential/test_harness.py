"""The driver itself: it notices a difference, finds the shortest course to it, and forgets nothing it wrote down."""

from __future__ import annotations

from dataclasses import replace

from tests.machine.differential import courses
from tests.machine.differential.__main__ import report, shortest
from tests.machine.differential.courses import Transcript, play_emulated
from tests.machine.differential.operations import Shape, operations, shape
from tests.machine.differential.shrinking import shrink

SMALL = Shape(128, 64, 1024, 0, ("error_if_no_space",), 4, 6400, "roomy")
COURSE = [
    ("message", "pool", "create_thin 1"),
    ("create", "t0", 1, 6400, False),
    ("message", "pool", "create_thin 2"),
    ("write", "t0", 0, 128),
    ("flush", "t0"),
]


def wrong(seed: int, shape: Shape, course: list) -> Transcript:
    """A machine that counts a block too many in its thin devices."""
    told = play_emulated(seed, shape, course)
    told.seen = [[line.replace("thin 128 127", "thin 256 127") for line in lines] for lines in told.seen]
    return told


def test_the_same_machine_twice_has_no_difference():
    once, again = (play_emulated(1, SMALL, COURSE) for _ in range(2))
    assert courses.difference(once, again) is None
    assert report([(once, None)]) == 0


def test_a_difference_tells_its_step_and_both_lines():
    found = courses.difference(wrong(1, SMALL, COURSE), play_emulated(1, SMALL, COURSE))
    assert (found.step, found.operation) == (4, ("write", "t0", 0, 128))
    assert found.lines == (("t0: 0 6400 thin 256 127", "t0: 0 6400 thin 128 127"),)
    assert report([(play_emulated(1, SMALL, COURSE), found)]) == 1


def altered(told: Transcript, step: int, old: str, new: str) -> Transcript:
    """The same with something else in one step and those after it."""
    seen = [[line.replace(old, new) for line in lines] if at >= step else lines for at, lines in enumerate(told.seen)]
    return Transcript(told.seed, told.shape, told.operations, seen)


def test_the_clock_decides_how_often_a_discard_tells_of_low_metadata():
    told = play_emulated(1, SMALL, [*COURSE, ("discard", "t0", 0, 128), ("flush", "t0")])
    more = altered(told, 6, "pool: listed with event 0", "pool: listed with event 1")
    assert courses.difference(more, told) is None
    assert (
        courses.difference(altered(told, 5, "pool: listed with event 0", "pool: listed with event 1"), told).step == 5
    )
    assert (
        courses.difference(altered(told, 6, "pool: listed with event 0", "pool: listed with event 2"), told).step == 6
    )


def test_which_of_several_waiting_writes_came_first_is_no_difference_but_how_many_is():
    queueing = replace(SMALL, lean="queueing")
    told = play_emulated(1, queueing, [*COURSE, ("write", "t0", 256, 128)])
    assert told.seen[-1][2:4] == ["0 at 0 time 0 x 1", "2 at 1 time 0 x 1"]
    other = Transcript(1, queueing, told.operations, [list(lines) for lines in told.seen])
    other.seen[-1][2:4] = ["0 at 1 time 0 x 1", "2 at 0 time 0 x 1"]
    assert courses.difference(other, told) is None
    other.seen[-1][3] = "2 at 1 time 0 x 1"
    assert courses.difference(other, told).operation == ("end",)


def test_a_run_without_any_course_is_no_success():
    assert report([]) == 1


def test_the_shortest_course_keeps_what_the_difference_needs(capsys):
    told = wrong(1, SMALL, COURSE)
    shortest(wrong, told, courses.difference(told, play_emulated(1, SMALL, COURSE)))
    printed = capsys.readouterr().out
    assert [line.strip() for line in printed.splitlines()[1:4]] == [f"{COURSE[step]!r}," for step in (0, 1, 3)]


def test_shrinking_asks_no_more_often_than_it_may():
    asked = []
    kept = shrink(list(range(100)), lambda candidate: asked.append(candidate) or {3, 97} <= set(candidate), tries=10)
    assert len(asked) == 10
    assert {3, 97} <= set(kept)


def test_a_transcript_is_read_as_it_was_written(tmp_path):
    drawn = shape(4)
    told = play_emulated(4, drawn, list(operations(4, 20)))
    courses.append(tmp_path / "kept.jsonl.gz", told)
    (read,) = courses.read(tmp_path / "kept.jsonl.gz")
    assert (read.shape, read.seen) == (drawn, told.seen)
    assert courses.difference(read, play_emulated(4, read.shape, read.operations)) is None


def test_everything_is_gone_when_a_course_ends(tmp_path):
    from dmtui.machine.emulated import EmulatedMachine
    from tests.machine.differential.emulated import EmulatedSide
    from tests.machine.differential.player import Player

    machine = EmulatedMachine.open(tmp_path / "machine")
    player = Player(machine, EmulatedSide(machine), "/course", SMALL)
    told = [player.play(operation) for operation in [*COURSE, ("open", "t0"), ("remove", "t0", True)]]
    assert told[-1][0] == "done"
    assert player.end() == ["transaction 0 time 0", *player_lines()]
    assert machine.device_mapper.list_devices() == ()
    assert machine.loops.list_bound() == ()
    machine.close()


def player_lines() -> list[str]:
    return [
        "thin 1: 1 mapped, transaction 0, time 0 0",
        "0 at 0 time 0 x 1",
        "thin 2: 0 mapped, transaction 0, time 0 0",
    ]
