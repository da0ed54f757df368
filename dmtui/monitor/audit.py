"""Reads the audit log of a graph directory: what the engine did there, entry by entry, as it grows."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, cast

from dmtui.monitor.severity import Severity
from dmtui.thinpool.values import frozen

if TYPE_CHECKING:
    from dmtui.monitor.events import Event

MOST_BYTES = 1 << 20
"""Of a longer log only the end is read: some 2,000 operations."""


@frozen
class AuditEntry:
    """One operation as the log has it.

    Attributes:
        began_at: when it began, seconds since the epoch.
        who: name of the user.
        pid: of the process; None when the log has none.
        operation: what was done, such as ``create``; ``recover`` for what a start had to finish or undo.
        subject: to what.
        steps: its steps, as commands where there are such.
        failed: it did not succeed.
        error: why not.
        undone: steps that were undone after the failure.
        unfinished: something is left for the next start.
        seconds: how long it took; None when the log does not say.
    """

    began_at: float
    who: str
    pid: int | None
    operation: str
    subject: str
    steps: tuple[str, ...] = ()
    failed: bool = False
    error: str = ""
    undone: tuple[str, ...] = ()
    unfinished: bool = False
    seconds: float | None = None

    def event(self, pool: str) -> Event:
        """The operation as an event of the pool of its graph directory, at the time at which it ended."""
        from dmtui.monitor.events import Event, Source  # noqa: PLC0415 - reading the log alone needs no timeline

        words = [self.operation, self.subject] if self.subject not in self.operation else [self.operation]
        if self.failed:
            words.append(f"failed: {self.error}" if self.error else "failed")
            words.append("(left for the next start)" if self.unfinished else "(undone)")
        if self.seconds is not None:
            words.append(f"in {self.seconds:.2f} s")
        if self.who:
            words.append(f"by {self.who}")
        severity = Severity.WARN if self.failed or self.operation == "recover" else Severity.INFO
        return Event(self.began_at + (self.seconds or 0.0), Source.OPERATION, severity, pool, " ".join(words))


def parse_entries(lines: Iterable[str]) -> tuple[tuple[AuditEntry, ...], int]:
    """The entries of lines of the log, and how many lines were none; empty lines count as nothing."""
    entries: list[AuditEntry] = []
    broken = 0
    for line in lines:
        if not line.strip():
            continue
        try:
            entries.append(_entry(json.loads(line)))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            broken += 1
    return tuple(entries), broken


class AuditLog:
    """The log of one graph directory, read a piece at a time.

    Attributes:
        path: the file.
        broken: lines so far that were no entries.
        problem: why the log cannot be read; empty while it can, or where there is none yet.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.broken = 0
        self.problem = ""
        self._inode: int | None = None
        self._offset = 0

    def read_new(self) -> tuple[AuditEntry, ...]:
        """The entries that came since the last call; at first the newest ones (`MOST_BYTES`). Raises nothing."""
        try:
            # Never waits, whatever has taken the file's name.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            self.problem = ""
            return ()
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror}"
            return ()
        try:
            text = self._read(descriptor)
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror}"
            return ()
        finally:
            os.close(descriptor)
        entries, broken = parse_entries(text.splitlines())
        self.broken += broken
        return entries

    def _read(self, descriptor: int) -> str:
        """The whole lines since the last call."""
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            self.problem = f"{self.path}: is no regular file"
            return ""
        self.problem = ""
        if found.st_ino != self._inode or found.st_size < self._offset:
            self._inode, self._offset = found.st_ino, 0
        start = max(self._offset, found.st_size - MOST_BYTES)
        content = os.pread(descriptor, found.st_size - start, start)
        # What stands behind the last line's end is still being written, or was cut short by a kill.
        whole = content[: content.rfind(b"\n") + 1]
        if start > self._offset:
            whole = whole[whole.find(b"\n") + 1 :]
        self._offset = start + content.rfind(b"\n") + 1
        return whole.decode(errors="replace")


def _entry(fields: object) -> AuditEntry:
    if not isinstance(fields, dict):
        raise ValueError("no object")  # noqa: TRY004 - a broken line, as any other
    given = cast("dict[str, object]", fields)
    began_at = datetime.fromisoformat(_text(given["when"])).timestamp()
    pid, seconds = given.get("pid"), given.get("seconds")
    return AuditEntry(
        began_at=began_at,
        who=_text(given.get("who", "")),
        pid=pid if type(pid) is int else None,
        operation=_text(given["operation"]),
        subject=_text(given.get("object", "")),
        steps=_texts(given.get("steps", [])),
        failed=given.get("result") == "failed",
        error=_text(given.get("error", "")),
        undone=_texts(given.get("undone", [])),
        unfinished=given.get("unfinished") is True,
        seconds=float(seconds) if isinstance(seconds, int | float) and math.isfinite(seconds) else None,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")  # noqa: TRY004
    return value


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise ValueError("no list")  # noqa: TRY004
    return tuple(_text(value) for value in cast("list[object]", values))
