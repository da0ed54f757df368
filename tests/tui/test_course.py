"""The course of an operation, folded from what the operator's thread delivers."""

from __future__ import annotations

from types import SimpleNamespace

from dmtui.deviceset.plan import Phase, Progress
from dmtui.tui.course import planned
from dmtui.tui.deliveries import Finished, Part, Preview, Request, Sheet, Step

ENDS = (Phase.BEGUN, Phase.DONE)
REQUEST = Request(SimpleNamespace(id="device create"), {"name": " one   two "})
SHEETS = (
    Sheet("create one", (("note one", ""), ("make thin id 2", "dmsetup message pool 0 'create_snap 2 1'"))),
    Sheet("mount busy", ()),
    Sheet("create two", (("note two", ""), ("make thin id 2", "dmsetup message pool 0 'create_snap 2 1'"))),
)


def course(*happened):
    followed = planned(Preview(REQUEST, ("",), sheets=SHEETS))
    for number, of, text, phase, seconds, *part in happened:
        followed = followed.after(Step(REQUEST, Progress(number, of, text, phase), seconds, *part))
    return followed


def told(followed):
    return [(row.plan, row.text, row.phase and row.phase.value) for row in followed.rows]


def test_what_is_planned_has_not_begun():
    assert told(course())[0] == (0, "note one", None)
    assert not course().begun
    assert course().subject == "one two"


def test_a_step_takes_as_long_as_from_its_beginning_to_its_end():
    followed = course((1, 2, "note one", Phase.BEGUN, 1.0), (1, 2, "note one", Phase.DONE, 1.5))
    assert followed.rows[0].seconds == 0.5
    assert followed.done_steps == 1


def test_a_step_belongs_to_the_plan_that_it_names():
    ended = [(n, 2, text, p, 0.1) for n, text in ((1, "note one"), (2, "make thin id 2")) for p in ENDS]
    followed = course(*ended, (1, 2, "note two", Phase.BEGUN, 0.2, 2))
    assert told(followed)[2] == (2, "note two", "begun")


def test_what_a_later_plan_does_is_told_by_the_step_itself_not_by_what_was_shown_before():
    ended = [(n, 2, text, p, 0.1) for n, text in ((1, "note one"), (2, "make thin id 2")) for p in ENDS]
    followed = course(
        *ended,
        (1, 3, "note two", Phase.BEGUN, 0.2, 2),
        (1, 3, "note two", Phase.DONE, 0.2, 2),
        (2, 3, "make thin id 3", Phase.BEGUN, 0.3, 2),
    )
    assert [row.text for row in followed.rows if row.plan == 2] == ["note two", "make thin id 3", ""]
    assert followed.rows[3].command == ""


def test_what_is_waited_for_is_told_until_the_next_step():
    followed = course((1, 2, "note one", Phase.BEGUN, 0), (0, 2, "waiting for the lock", Phase.NOTED, 3))
    assert followed.note == "waiting for the lock"
    assert followed.after(Step(REQUEST, Progress(1, 2, "note one", Phase.DONE), 4)).note == ""


def test_a_failure_and_what_it_undoes():
    followed = course(
        (1, 2, "note one", Phase.BEGUN, 0),
        (1, 2, "note one", Phase.DONE, 1),
        (2, 2, "make thin id 2", Phase.BEGUN, 1),
        (2, 2, "make thin id 2", Phase.FAILED, 3),
        (1, 2, "note one", Phase.UNDONE, 4),
    )
    assert [row.phase for row in followed.rows][:2] == [Phase.UNDONE, Phase.FAILED]
    assert followed.done_steps == 0


def test_only_devices_for_which_something_was_done_are_those_to_be_undone():
    parts = (Part("one"), Part("busy"), Part("two", error="no"))
    assert course().ended(Finished(REQUEST, parts=parts), 0).done == ("one",)


def test_a_device_that_was_already_as_it_is_wanted_is_not_to_be_undone():
    single = planned(Preview(REQUEST, ("",), sheets=SHEETS[1:2]))
    assert single.ended(Finished(REQUEST), 0).done == ()
