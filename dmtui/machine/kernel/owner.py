"""A thread that owns what only one thread may use, so that no caller ever waits without an end."""

from __future__ import annotations

import errno
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dmtui.machine.errors import TimedOutError

_T = TypeVar("_T")
_MOST_ABANDONED = 8


@dataclass(slots=True, eq=False)
class _Job:
    """One call on its way through the thread; `state` changes under the owner's lock."""

    work: Callable[[], Any]
    done: threading.Event = field(default_factory=threading.Event)
    state: str = "waiting"
    result: Any = None
    error: BaseException | None = None


class Owner:
    """Runs calls one after the other in a daemon thread, each with a deadline.

    A call that misses its deadline while it runs is abandoned together with its thread, and a new thread takes over:
    removing a device of a suspended pool blocks until that pool is resumed, and the resume has to get through.
    The abandoned thread sits in the kernel, where it touches nothing of ours; it ends when its call returns.
    """

    def __init__(self, name: str) -> None:
        """Prepare an owner; its thread starts with the first call and is called `name`."""
        self._name = name
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._abandoned = 0

    def call(self, work: Callable[[], _T], subject: str, doing: str, seconds: float) -> _T:
        """Run `work` in the thread and return what it returns, or raise what it raises.

        Raises:
            TimedOutError: it did not end within so many seconds.
        """
        job = _Job(work)
        with self._lock:
            if self._abandoned >= _MOST_ABANDONED:
                raise _timed_out(subject, f"{doing} was not begun: {self._abandoned} earlier calls hang in the kernel")
            if self._thread is None:
                self._start()
        self._waiting.put(job)
        if not job.done.wait(seconds):
            self._give_up(job, subject, doing, seconds)
        if job.error is not None:
            raise job.error
        return job.result

    def close(self) -> None:
        """Let the thread end when it is done with what waits."""
        with self._lock:
            if self._thread is not None:
                self._waiting.put(None)
                self._thread = None

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._serve, name=self._name, daemon=True)
        self._thread.start()

    def _give_up(self, job: _Job, subject: str, doing: str, seconds: float) -> None:
        with self._lock:
            if job.state == "done":
                return
            begun = job.state == "running"
            job.state = "abandoned"
            if begun:
                self._abandoned += 1
                self._start()  # others may wait behind it
        if begun:
            raise _timed_out(subject, f"{doing} has not ended after {seconds:g} s; whether it will is unknown")
        raise _timed_out(subject, f"{doing} was not begun: another call has kept device-mapper for {seconds:g} s")

    def _serve(self) -> None:
        while True:
            job = self._waiting.get()
            if job is None:
                return
            with self._lock:
                if job.state == "abandoned":
                    continue
                job.state = "running"
            try:
                job.result = job.work()
            except BaseException as error:  # it is raised again, in the caller
                job.error = error
            with self._lock:
                mine = job.state == "running"
                job.state = "done"
                if not mine:  # another thread has taken over meanwhile
                    self._abandoned -= 1
                    return
            job.done.set()


class Owners:
    """As many owners as calls run at the same time, so that no call waits behind another that hangs."""

    def __init__(self, name: str) -> None:
        """Prepare them; their threads start with the first calls and are called `name`."""
        self._name = name
        self._idle: queue.SimpleQueue[Owner] = queue.SimpleQueue()

    def call(self, work: Callable[[], _T], subject: str, doing: str, seconds: float) -> _T:
        """Run `work` in a thread and return what it returns, or raise what it raises.

        Raises:
            TimedOutError: it did not end within so many seconds.
        """
        try:
            owner = self._idle.get_nowait()
        except queue.Empty:
            owner = Owner(self._name)
        try:
            return owner.call(work, subject, doing, seconds)
        finally:
            self._idle.put(owner)

    def close(self) -> None:
        """Let the threads end when they are done with what they are at."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


def _timed_out(subject: str, happened: str) -> TimedOutError:
    return TimedOutError(subject, happened, "look again before repeating it", errno.ETIMEDOUT)
