"""The listener: the machine's events are answered at once, storms of them as one, and silence by nothing."""

from __future__ import annotations

import queue
import threading
import time

from dmtui.machine.errors import MachineError
from dmtui.monitor.listener import Listener


class Bell:
    """A machine's events, rung by hand."""

    def __init__(self):
        self.rung, self.asked = queue.Queue(), 0

    def wait(self, seconds: float) -> bool:
        self.asked += 1
        try:
            event = self.rung.get(timeout=min(seconds, 0.05))
        except queue.Empty:
            return False
        if isinstance(event, Exception):
            raise event
        return True


def listening(bell: Bell):
    heard = threading.Semaphore(0)
    listener = Listener(bell.wait, heard.release)
    listener.start()
    return listener, heard


def test_an_event_is_heard_and_so_is_the_next():
    bell = Bell()
    listener, heard = listening(bell)
    for _ in range(2):
        bell.rung.put("event")
        assert heard.acquire(timeout=5)
    listener.stop()


def test_where_nothing_happens_nothing_is_heard():
    bell = Bell()
    listener, heard = listening(bell)
    assert not heard.acquire(timeout=0.2)
    assert bell.asked > 1
    listener.stop()


def test_a_machine_that_tells_of_no_events_is_not_asked_again():
    bell = Bell()
    bell.rung.put(MachineError("control", "tells of no events", "poll"))
    listener, heard = listening(bell)
    assert not heard.acquire(timeout=0.2)
    assert bell.asked == 1
    listener.stop()


def test_what_happens_after_the_stop_is_not_heard():
    bell = Bell()
    listener, heard = listening(bell)
    listener.stop()
    time.sleep(0.1)
    bell.rung.put("event")
    assert not heard.acquire(timeout=0.2)
