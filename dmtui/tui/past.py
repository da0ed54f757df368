"""The operations of the past as one list: those of this session with all their steps, the others from the audit log."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dmtui.monitor.audit import AuditEntry
from dmtui.thinpool.values import frozen

if TYPE_CHECKING:  # the engine is loaded when an operation is asked for
    from dmtui.tui.course import Course

_SLACK_SECONDS = 1.0


@frozen
class Past:
    """An operation that has ended; either its course or its entry in the log is there.

    Attributes:
        key: its name among others.
        at: when it began, seconds since the epoch.
        seconds: how long it took; None when the log does not say.
        outcome: ``done``, ``failed, undone``, ``unfinished``, ``failed``, ``partly done`` (some of several
            devices), or ``recovered``.
    """

    key: str
    at: float
    who: str
    what: str
    subject: str
    outcome: str
    seconds: float | None
    course: Course | None = None
    entry: AuditEntry | None = None

    @property
    def commands(self) -> tuple[str, ...]:
        """The command lines of its steps; of a step without one, its text."""
        return self.course.commands if self.course is not None else self.entry.steps if self.entry is not None else ()


def past_operations(logged: Iterable[AuditEntry], finished: Iterable[Course]) -> tuple[Past, ...]:
    """All of them, newest first; what the log has of this session's operations is not told twice."""
    courses = tuple(finished)
    own, others = _parted(logged)
    others += [entry for entry in own if not any(_is_of(entry, course) for course in courses)]
    found = [*(_of_course(course, own) for course in courses), *map(_of_entry, others)]
    return tuple(sorted(found, key=lambda past: past.at, reverse=True))


def _parted(logged: Iterable[AuditEntry]) -> tuple[list[AuditEntry], list[AuditEntry]]:
    """The entries of this process, and those of others."""
    entries, pid = list(logged), os.getpid()
    return [each for each in entries if each.pid == pid], [each for each in entries if each.pid != pid]


def _is_of(entry: AuditEntry, course: Course) -> bool:
    """Whether an entry of this process is of an operation: of its time, and of a device that it names."""
    names = course.subjects
    if names and entry.subject not in names:
        return False
    return (course.began_at or 0.0) - _SLACK_SECONDS <= entry.began_at <= course.ended_at + _SLACK_SECONDS


def _of_course(course: Course, own: Iterable[AuditEntry]) -> Past:
    finished = course.finished
    if finished is None:
        raise AssertionError("it has not ended")
    word = _outcome(bool(finished.error), finished.unfinished, bool(finished.undone))
    if finished.error and not finished.unfinished and course.done:
        word = "partly done"
    request, at = course.request, course.began_at or 0.0
    thing, verb = request.operation.id.split()
    # A pool has its name from its graph directory, which may not have been there yet when it was planned.
    logged = next((entry.subject for entry in own if _is_of(entry, course)), "")
    subject = course.subject or logged or (course.sheets[0].title.split()[-1] if course.sheets else "")
    what = verb if thing == "device" else f"{verb} {thing}"
    return Past(f"course {at}", at, "this session", what, subject, word, finished.seconds, course=course)


def _of_entry(entry: AuditEntry) -> Past:
    recovered = entry.operation == "recover"
    word = "recovered" if recovered else _outcome(entry.failed, entry.unfinished, bool(entry.undone))
    key = f"entry {entry.began_at} {entry.pid} {entry.operation} {entry.subject}"
    return Past(key, entry.began_at, entry.who, entry.operation, entry.subject, word, entry.seconds, entry=entry)


def _outcome(failed: bool, unfinished: bool, undone: bool) -> str:
    if not failed:
        return "done"
    return "unfinished" if unfinished else "failed, undone" if undone else "failed"
