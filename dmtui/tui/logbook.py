"""The audit log of the session's graph directory, read as it grows, in the poller's thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from textual.message import Message

from dmtui.monitor.audit import AuditEntry, AuditLog
from dmtui.monitor.events import Event
from dmtui.monitor.sample import Sample

KEPT_ENTRIES = 500


class Noted(Message):
    """The log has grown."""

    def __init__(self, entries: tuple[AuditEntry, ...]) -> None:
        super().__init__()
        self.entries = entries


class Logbook:
    """Keeps the newest entries of one log.

    Args:
        graph: the graph directory; empty where there is none to be looked at.
        post: takes a message, from any thread.

    Attributes:
        entries: the newest ones, newest first.
    """

    def __init__(self, graph: str, post: Callable[[Message], object]) -> None:
        self._graph, self._post = graph, post
        self._log = AuditLog(str(PurePosixPath(graph) / "dmtui" / "audit.jsonl")) if graph else None
        self.entries: tuple[AuditEntry, ...] = ()

    @property
    def problem(self) -> str:
        """Why the log cannot be read; empty where it can."""
        return self._log.problem if self._log is not None else ""

    def read(self) -> None:
        """Look for new entries; called in a thread that may wait."""
        found = self._log.read_new() if self._log is not None else ()
        if found:
            self._post(Noted(found))

    def take_in(self, entries: tuple[AuditEntry, ...], sample: Sample | None) -> list[Event]:
        """Keep entries, and return them as events of the graph directory's pool."""
        self.entries = (*reversed(entries), *self.entries)[:KEPT_ENTRIES]
        data_file = str(PurePosixPath(self._graph) / "devicemapper" / "data")
        pools = sample.pools if sample is not None else ()
        name = next((pool.name for pool in pools if pool.data_backing.loop_file == data_file), "")
        return [entry.event(name) for entry in entries]
