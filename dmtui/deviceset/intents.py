"""What a process is about to do to a device or to the pool, on disk while it does it.

An operation that lets others work while it takes its time (making a file system, discarding, waiting for a busy
device) claims its device by a file of ours under ``dmtui/work``. While its process lives, the file is locked and
others are told who has it. After a kill the file is there and free: the next start reads it and finishes or undoes
the operation. Source of the idea: the per-device locks of the original, which do not survive it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import field
from typing import Any, cast

from dmtui.deviceset.store import RecordStore
from dmtui.machine.durable import InUseError, Lock, is_leftover
from dmtui.machine.errors import FileMissingError
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

POOL = "%pool"
"""Claims the pool itself: it is made, taken down or extended. No device can have such a name."""
SNAPSHOT = "%snapshot"
"""Claims the pool's one metadata snapshot."""
LVM = "%lvm"
"""Claims the volume group that direct-lvm makes."""
_BASE = "base"
_TITLES = {POOL: "pool", SNAPSHOT: "the pool's metadata snapshot", LVM: "the setup of direct-lvm"}


class UnfinishedError(DmtuiError):
    """An operation was left behind by a kill, and could not be finished since."""


@frozen
class Intent:
    """An operation on one device (by its name on file, empty for the base), on `POOL`, `SNAPSHOT` or `LVM`.

    Attributes:
        details: what the next start needs to know beyond that; plain JSON values.
        ends: its device is gone afterwards, and so is whatever was left half done on it.
    """

    name: str
    operation: str
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    ends: bool = False


@frozen
class Claim:
    """An intent on disk, locked by this process.

    Attributes:
        earlier: the note of what had been left half done there; empty where nothing was.
    """

    intent: Intent
    path: str
    lock: Lock
    earlier: str = ""


@frozen
class Intents:
    """The intents of one graph directory."""

    store: RecordStore

    @property
    def directory(self) -> str:
        """Where they are."""
        return f"{self.store.own_directory}/work"

    def claim(self, intent: Intent, since: str) -> Claim:
        """Write an intent and hold it.

        Raises:
            InUseError: another process has this device (or the pool) in work.
            UnfinishedError: another operation on it was left behind and could not be finished so far.
        """
        self.store.files.make_directory(self.directory)
        path = self._path(intent.name)
        # Reserving a metadata snapshot is nothing that could be done twice: one that is held would be forgotten.
        same = "" if intent.name == SNAPSHOT else intent.operation
        if not intent.ends:
            self.check_finished([intent.name], but=same)
        left = self._read_if_there(intent.name)
        note = {
            "operation": intent.operation,
            "details": dict(intent.details),
            "pid": os.getpid(),
            "since": since,
        }
        lock = self._lock(path, intent.name, json.dumps(note))
        return Claim(intent, path, lock, json.dumps(left) if left else "")

    def take_back(self, claim: Claim) -> None:
        """Its operation is undone: the intent is again what it was before, or forgotten."""
        if claim.earlier:
            self.store.durable.append(claim.path, claim.earlier)
            claim.lock.release()
        else:
            self.drop(claim)

    def drop(self, claim: Claim) -> None:
        """Its operation is whole: forget the intent, and what it took up."""
        self.store.durable.remove(claim.path)
        claim.lock.release()

    def note(self, name: str, details: Mapping[str, Any]) -> None:
        """Add details to an intent that this process holds; on disk when this returns."""
        path = self._path(name)
        note = self._read(path) or {}
        note["details"] = {**note.get("details", {}), **details}
        self.store.durable.append(path, json.dumps(note))

    def noted(self, name: str) -> Mapping[str, Any]:
        """The details of an intent as they are on disk; none where there is no intent."""
        note = self._read_if_there(name) or {}
        return cast("Mapping[str, Any]", note.get("details", {}))

    def check_free(self, names: Iterable[str]) -> None:
        """Raise `InUseError` where another process has one of these in work."""
        there = self.store.durable.names(self.directory)
        for name in names:
            if (name or _BASE) in there:
                self._lock(self._path(name), name, None).release()

    def check_finished(self, names: Iterable[str], *, but: str = "") -> None:
        """Raise `UnfinishedError` where another operation than one was left half done on one of these.

        Raises:
            InUseError: it is not left: another process has it in work.
        """
        for name in names:
            left = self._read_if_there(name)
            if left is None:
                continue
            self.check_free([name])
            if left["operation"] != but:
                raise UnfinishedError(
                    _TITLES.get(name) or f"device {name or _BASE}",
                    f"has an unfinished operation: {left['operation']}",
                    "it is finished as soon as the pool allows: `dmtui info` tells what the pool is in need of",
                )

    def left_behind(self, since: str, wanted: Callable[[str], bool]) -> list[Claim]:
        """The intents of processes that are gone, those of wanted names, now held by this one; the pool's first."""
        found: list[Claim] = []
        names = [each for each in self.store.durable.names(self.directory) if wanted(each) and not is_leftover(each)]
        for each in sorted(names, key=lambda name: (name != POOL, name)):
            path = f"{self.directory}/{each}"
            with suppress(InUseError, FileMissingError):
                note = self._read(path)
                if note is None:
                    self.store.durable.remove(path)  # killed before it was written: nothing was begun
                    continue
                intent = Intent("" if each == _BASE else each, str(note["operation"]), note.get("details", {}))
                note |= {"taken over by": os.getpid(), "taken over": since}
                found.append(Claim(intent, path, self._lock(path, intent.name, json.dumps(note))))
        return found

    def _path(self, name: str) -> str:
        return f"{self.directory}/{name or _BASE}"

    def _lock(self, path: str, name: str, note: str | None) -> Lock:
        try:
            return self.store.durable.lock(path, note, durable=True)
        except InUseError:
            holder = self._read(path) or {}
            who = f"process {holder.get('pid', 'unknown')} since {holder.get('since', 'unknown')}"
            what = _TITLES.get(name) or f"device {name or _BASE}"
            doing = holder.get("operation", "work")
            raise InUseError(what, f"is in use by {who}: {doing}", "wait for it or stop it") from None

    def _read_if_there(self, name: str) -> dict[str, Any] | None:
        if (name or _BASE) not in self.store.durable.names(self.directory):
            return None
        return self._read(self._path(name))

    def _read(self, path: str) -> dict[str, Any] | None:
        """The last note that was written as a whole."""
        for line in reversed(self.store.durable.read(path).splitlines()):
            with suppress(ValueError):
                note = json.loads(line)
                if isinstance(note, dict) and "operation" in note:
                    return cast("dict[str, Any]", note)
        return None
