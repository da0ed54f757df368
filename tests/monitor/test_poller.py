"""The poller: one poll in flight, errors handed on, never in the way of quitting."""

import threading
import time

import pytest

from dmtui.machine.errors import DeviceBusyError
from dmtui.monitor.poller import Poller, PollFailed
from dmtui.monitor.sample import Sample

SAMPLE = Sample(1.0, 0.1, "kernel", "test")


class Outcomes:
    """Collects what a poller delivers."""

    def __init__(self):
        self.seen = []
        self.arrived = threading.Condition()

    def __call__(self, outcome):
        with self.arrived:
            self.seen.append(outcome)
            self.arrived.notify_all()

    def wait_for(self, count: int) -> list:
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.seen) >= count, 20)
            return list(self.seen)


@pytest.fixture
def outcomes():
    return Outcomes()


@pytest.fixture
def polling(outcomes):
    """Start a poller over a function, and stop it in the end."""
    pollers = []

    def start(take, interval_seconds=0.1):
        poller = Poller(take, outcomes, interval_seconds)
        pollers.append(poller)
        poller.start()
        return poller

    yield start
    for poller in pollers:
        poller.stop()


def test_samples_come_one_after_another(polling, outcomes):
    polling(lambda: SAMPLE)
    assert outcomes.wait_for(3)[:3] == [SAMPLE] * 3


def test_an_error_is_handed_on_and_polling_goes_on(polling, outcomes):
    answers = iter([DeviceBusyError("pool x", "is busy", "wait"), SAMPLE, RuntimeError("boom"), SAMPLE])

    def take():
        answer = next(answers, SAMPLE)
        if isinstance(answer, Exception):
            raise answer
        return answer

    polling(take)
    first, second, third, fourth = outcomes.wait_for(4)[:4]
    assert isinstance(first, PollFailed)
    assert first.message == "pool x: is busy; wait"
    assert second == SAMPLE
    assert "RuntimeError: boom" in third.message
    assert fourth == SAMPLE


def test_a_hanging_poll_is_told_and_does_not_hold_up_the_stop(polling, outcomes):
    release, entered = threading.Event(), threading.Event()

    def take():
        entered.set()
        release.wait(30)
        return SAMPLE

    poller = polling(take)
    assert entered.wait(10)
    assert poller.waiting_since is not None
    began = time.monotonic()
    poller.stop()
    assert time.monotonic() - began < 5
    release.set()
    time.sleep(0.2)
    assert outcomes.seen == []


def test_never_two_polls_at_once(polling, outcomes):
    running, worst = [], []

    def take():
        running.append(1)
        worst.append(len(running))
        time.sleep(0.15)
        running.pop()
        return SAMPLE

    poller = polling(take)
    for _ in range(5):
        poller.poll_now()
    outcomes.wait_for(4)
    assert max(worst) == 1


def test_a_paused_poller_rests_but_polls_on_request(polling, outcomes):
    poller = polling(lambda: SAMPLE, interval_seconds=0.1)
    outcomes.wait_for(1)
    poller.paused = True
    time.sleep(0.3)
    count = len(outcomes.seen)
    time.sleep(0.4)
    assert len(outcomes.seen) == count
    poller.poll_now()
    outcomes.wait_for(count + 1)
    poller.paused = False
    outcomes.wait_for(count + 3)


def test_the_interval_changes_while_it_waits(polling, outcomes):
    poller = polling(lambda: SAMPLE, interval_seconds=60)
    outcomes.wait_for(1)
    poller.interval_seconds = 0.1
    outcomes.wait_for(3)


@pytest.mark.parametrize(("asked", "got"), [(0, 0.1), (1000, 60), (2.5, 2.5)])
def test_the_interval_has_bounds(asked, got):
    poller = Poller(lambda: SAMPLE, lambda _: None)
    poller.interval_seconds = asked
    assert poller.interval_seconds == got
