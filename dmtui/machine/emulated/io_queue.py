"""Input and output of the machine's users: done at once, or held until there is space or the device is resumed."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from dmtui.machine.emulated import clock, devices, queued
from dmtui.machine.emulated.device_io import DeviceIo, Held
from dmtui.machine.emulated.queued import Part, QueuedIo
from dmtui.machine.emulated.ranges import Range
from dmtui.machine.emulated.store import Store
from dmtui.machine.emulated.waiting import Waiting
from dmtui.machine.errors import MachineError, NoSpaceError, machine_error

WRITE, DISCARD, FLUSH = "write", "discard", "flush"


class IoQueue:
    """Takes input and output, and goes on with what waits as soon as a change of the machine lets it."""

    def __init__(
        self,
        store: Store,
        io: DeviceIo,
        waiting: Waiting,
        open_device: Callable[[str], None],
        close_device: Callable[[str], None],
    ) -> None:
        self._store, self._io, self._waiting = store, io, waiting
        self._open_device, self._close_device = open_device, close_device

    def write(self, name: str, *, offset_bytes: int, length_bytes: int) -> None:
        """Write to a mapped device, in bytes; every block touched is written in order, up to the device's end.

        Raises:
            DeviceMissingError: no such device.
            NoSpaceError: past the end, or the pool has no block left; under ``queue_if_no_space`` the rest of the
                write waits, and the text says so.
            TimedOutError: the device is suspended, and the write waits; or it hangs, and nothing was done.
            MachineError: EIO where the pool takes no changes, its disk gives errors or the host's file system is full.
        """
        self._now(name, WRITE, (offset_bytes, length_bytes))

    def discard(self, name: str, *, offset_bytes: int, length_bytes: int) -> None:
        """Discard a range of a mapped device, in bytes; only the blocks it covers completely are unmapped.

        Raises:
            DeviceMissingError: no such device.
            PoolRefusesError: the pool was made with ``ignore_discard`` (EOPNOTSUPP).
            TimedOutError: the device is suspended, and the discard waits; or it hangs, and nothing was done.
        """
        self._now(name, DISCARD, (offset_bytes, length_bytes))

    def flush(self, name: str) -> None:
        """Flush a thin device, as fsync does.

        Raises:
            DeviceMissingError: no such device.
            NoSpaceError: the pool is out of data space and block 0 of the thin is not mapped; under
                ``queue_if_no_space`` the flush waits, and the text says so.
            MachineError: EIO where the pool is read-only and block 0 is not mapped.
            TimedOutError: the device is suspended, and the flush waits; or it hangs.
        """
        self._now(name, FLUSH, (0, 0))

    def _now(self, name: str, kind: str, asked: Range) -> None:
        held = self.submit(name, kind, asked)
        if held is not None:
            raise held[1]

    def submit(self, name: str, kind: str, asked: Range) -> tuple[int, MachineError] | None:
        """Do something; returns None when it is done, or the number by which it waits with why.

        Args:
            name: of a mapped device.
            kind: `WRITE`, `DISCARD` or `FLUSH`.
            asked: offset and length in bytes; a flush is of the whole device.

        Raises:
            MachineError: as `write`, `discard` and `flush`, but for what waits.
        """
        doing = _doing(kind, asked)
        self._waiting.for_device(name, doing)
        number = 0
        with self._store.write() as connection:
            device = devices.find(connection, name, doing)
            outcome = self._attempt(connection, device, kind, asked)
            if isinstance(outcome, Held):
                self._open_device(name)
                outcome = replace(outcome, failed=self._io.told(connection, device.dev, outcome.failed))
                number = queued.add(connection, device.minor, kind, asked, outcome)
            else:
                outcome = self._io.told(connection, device.dev, outcome)
        if isinstance(outcome, Held):
            return self._held(number, outcome.error, device.name, doing)
        if outcome:
            raise machine_error(outcome, f"device {name}", doing)
        return None

    def _held(self, number: int, why: MachineError, name: str, doing: str) -> tuple[int, MachineError] | None:
        """What to tell of something that was queued a moment ago: it may have come to its end since."""
        error = self.ended(number)
        if error:
            raise machine_error(error, f"device {name}", doing)
        told = f"{why.happened}; it waits as number {number}"
        return None if error == 0 else (number, type(why)(why.subject, told, why.next_step, why.errno))

    def ended(self, number: int) -> int | None:
        """With which errno something that waited has ended, 0 for none; None while it waits.

        Raises:
            MachineError: nothing of that number is known (ESRCH).
        """
        with clock.looking(self._store) as connection:
            row = connection.execute("SELECT error FROM queued_io WHERE number = ?", (number,)).fetchone()
        if row is None:
            raise machine_error(errno.ESRCH, f"emulated input or output {number}", "asking for it")
        return row[0]

    def list_waiting(self, name: str | None = None) -> tuple[tuple[str, QueuedIo], ...]:
        """What waits, with the name of its device, oldest first; of one device only, where it is named."""
        with clock.looking(self._store) as connection:
            names = dict(connection.execute("SELECT minor, name FROM devices").fetchall())
            found = [(names[io.minor], io) for io in queued.waiting(connection)]
        return tuple((of, io) for of, io in found if name in (None, of))

    def settle(self, connection: sqlite3.Connection) -> None:
        """Go on with what need not wait any more, inside a transaction; each gets as far as it can."""
        came_on = True
        while came_on:
            came_on, refused = False, list[tuple[QueuedIo, Part]]()
            for io, part in queued.in_turn(connection):
                device = self._device(connection, io)
                outcome = self._attempt(connection, device, io.kind, (part.offset, part.length))
                left = outcome.ranges if isinstance(outcome, Held) else ()
                came_on = came_on or left != ((part.offset, part.length),)
                failed = outcome.failed if isinstance(outcome, Held) else outcome
                parts = queued.shorten(connection, io, part, left, failed)
                if isinstance(outcome, Held) and isinstance(outcome.error, NoSpaceError):
                    refused.extend((io, each) for each in parts)
                elif isinstance(outcome, Held) and io.aside:
                    queued.let_rest(connection, io.number)
            if came_on:
                self._end_done(connection)
            if came_on or any(io.aside for io, _ in refused):
                queued.put_back(connection, [(io.number, part) for io, part in refused])

    def _end_done(self, connection: sqlite3.Connection) -> None:
        """Note what the pools, now through with all, tell of what failed; and end that of which nothing waits."""
        for io in queued.waiting(connection):
            device = self._device(connection, io)
            failed = self._io.told(connection, device.dev, io.failed)
            if io.parts:
                queued.note_failed(connection, io.number, failed)
            else:
                queued.end(connection, io.number, failed)
                self._close_device(device.name)

    @staticmethod
    def _device(connection: sqlite3.Connection, io: QueuedIo) -> devices.Device:
        device = devices.by_minor(connection, io.minor)
        assert device is not None  # noqa: S101 - what waits keeps it open
        return device

    def _attempt(self, connection: sqlite3.Connection, device: devices.Device, kind: str, asked: Range) -> int | Held:
        if kind == FLUSH:
            return self._io.flush(connection, device)
        return self._io.attempt(connection, device.dev, *asked, kind == DISCARD)


def _doing(kind: str, asked: Range) -> str:
    if kind == FLUSH:
        return "flushing it"
    return f"{'discarding' if kind == DISCARD else 'writing'} {asked[1]} bytes at {asked[0]}"
