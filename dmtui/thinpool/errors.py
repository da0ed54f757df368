"""The errors of the product: each names an object, says what happened, and gives the operator's next step."""

from __future__ import annotations

from enum import IntEnum

from dmtui.thinpool.text import printable


class ExitStatus(IntEnum):
    """Exit status of the command line (DESIGN.md section 5)."""

    DONE = 0
    FAILED = 1
    BAD_USAGE = 2
    MISSING = 3
    NOT_PERMITTED = 4


class DmtuiError(Exception):
    """Base of every error meant for the operator.

    Attributes:
        subject: the object it is about (a pool, a device, a path, an option).
        happened: what happened, without the subject.
        next_step: what the operator can do now; empty where nothing sensible can be said.
    """

    exit_status: ExitStatus = ExitStatus.FAILED

    def __init__(self, subject: str, happened: str, next_step: str = "") -> None:
        self.subject = subject
        self.happened = happened
        self.next_step = next_step
        super().__init__(subject, happened, next_step)

    def __str__(self) -> str:
        line = f"{self.subject}: {self.happened}"
        line = f"{line}; {self.next_step}" if self.next_step else line
        return printable(" ".join(line.split()))


class BadUsageError(DmtuiError):
    """The caller asked for something that cannot be asked for."""

    exit_status = ExitStatus.BAD_USAGE


class NotGivenError(BadUsageError):
    """The caller has not yet said all that is needed; nothing that was said is wrong."""


class MissingError(DmtuiError):
    """The pool or device asked for does not exist."""

    exit_status = ExitStatus.MISSING


class NotPermittedError(DmtuiError):
    """The operating system refuses us."""

    exit_status = ExitStatus.NOT_PERMITTED


class MalformedError(DmtuiError, ValueError):
    """A text that should follow a known form does not."""
