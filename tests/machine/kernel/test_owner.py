"""A thread that owns something, and callers that never wait without an end."""

import threading
import time

import pytest

from dmtui.machine.errors import TimedOutError
from dmtui.machine.kernel import owner
from dmtui.machine.kernel.owner import Owner


@pytest.fixture
def hung():
    """Work that hangs until the test is over."""
    release = threading.Event()
    yield lambda: release.wait(30)
    release.set()


def given_up(shared, work, seconds):
    with pytest.raises(TimedOutError):
        shared.call(work, "x", "removing", seconds)


def test_a_call_returns_what_its_work_returns():
    assert Owner("t").call(lambda: 7, "x", "working", 5) == 7


def test_a_call_raises_what_its_work_raises():
    with pytest.raises(KeyError):
        Owner("t").call(lambda: {}["none"], "x", "working", 5)


def test_all_work_is_done_in_one_thread():
    shared = Owner("t")
    assert len({shared.call(threading.get_ident, "x", "working", 5) for _ in range(5)}) == 1


def test_a_call_that_hangs_is_given_up_after_its_deadline(hung):
    started = time.monotonic()
    with pytest.raises(TimedOutError, match=r"x: suspending has not ended after 0.1 s"):
        Owner("t").call(hung, "x", "suspending", 0.1)
    assert time.monotonic() - started < 2


def test_the_next_call_gets_through_after_one_hangs(hung):
    shared = Owner("t")
    with pytest.raises(TimedOutError):
        shared.call(hung, "x", "removing", 0.05)
    assert shared.call(lambda: "resumed", "x", "resuming", 5) == "resumed"


def test_a_call_behind_a_hanging_one_is_never_begun_late(hung):
    shared, begun = Owner("t"), []
    first = threading.Thread(target=given_up, args=(shared, hung, 0.4))
    first.start()
    time.sleep(0.05)
    with pytest.raises(TimedOutError, match="was not begun"):
        shared.call(lambda: begun.append(1), "y", "removing", 0.05)
    first.join()
    shared.call(lambda: None, "z", "working", 5)
    assert begun == []


def test_a_call_waiting_behind_a_hanging_one_goes_on_when_that_is_given_up(hung):
    shared = Owner("t")
    first = threading.Thread(target=given_up, args=(shared, hung, 0.2))
    first.start()
    time.sleep(0.05)
    assert shared.call(lambda: "done", "y", "working", 5) == "done"
    first.join()


def test_too_many_hanging_calls_are_told_instead_of_added_to(hung, monkeypatch):
    monkeypatch.setattr(owner, "_MOST_ABANDONED", 1)
    shared = Owner("t")
    with pytest.raises(TimedOutError):
        shared.call(hung, "x", "removing", 0.02)
    with pytest.raises(TimedOutError, match="1 earlier calls hang"):
        shared.call(lambda: None, "y", "working", 5)


def test_a_call_that_comes_back_late_makes_room_again(monkeypatch):
    monkeypatch.setattr(owner, "_MOST_ABANDONED", 1)
    shared, release = Owner("t"), threading.Event()
    with pytest.raises(TimedOutError):
        shared.call(release.wait, "x", "removing", 0.02)
    release.set()
    time.sleep(0.2)
    assert shared.call(lambda: 1, "y", "working", 5) == 1
