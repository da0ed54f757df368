"""A transaction of one device: opened on file, worked in the pool, recorded, closed by the pool's transaction id.

Source: openTransaction, closeTransaction and createRegisterSnapDevice of the original. The intent (thin id and name,
under the pool's next transaction id) is on disk before the pool hears of it, and moving the pool's transaction id, a
compare-and-swap of the kernel, makes it whole. A kill in between is mended at the next start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.plan import Step
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.store import Transaction
from dmtui.machine.errors import DeviceBusyError, ExistsError, NoSuchThinIdError
from dmtui.thinpool.errors import DmtuiError


@dataclass(slots=True)
class OpenTransaction:
    """The transaction of one plan; numbers are settled when it is opened, not when it is planned.

    Attributes:
        record: of the device it is about, with the thin id that is tried.
        number: the pool's transaction id once it is closed.
        taken_back: all of it was undone by a transaction of its own.
        deleted: the pool has deleted the thin id, which nothing brings back.
    """

    devices: DeviceSet
    record: DeviceRecord
    number: int = 0
    taken_back: bool = False
    deleted: bool = False

    @property
    def name(self) -> str:
        """Name on file of the device."""
        return self.record.hash_name

    def open_step(self) -> Step:
        """Note on disk what is about to be done."""
        text = f"note the transaction on {title(self.name)}, thin id {self.record.device_id}"
        return Step(text, self._open, undo=self._unopen)

    def make_step(self, message: Callable[[int], str], text: str) -> Step:
        """Make the thin id in the pool by a message; an id that the pool turns out to have is passed over."""
        command = self.devices.pool.message_command(message(self.record.device_id))
        return Step(text, lambda: self._make(message), command, self._unmake)

    def record_step(self, parent: str | None) -> Step:
        """Record the device, and its parent where it has one."""
        return Step(f"record {title(self.name)}", lambda: self._record(parent), undo=self._unrecord)

    def delete_step(self, *, deferring: bool) -> Step:
        """Delete the thin id in the pool, then its record; a busy one is flagged instead where that is allowed."""
        message = f"delete {self.record.device_id}"
        text = f"delete thin id {self.record.device_id} and its record {title(self.name)}"
        info = self.devices.active(self.name)
        if deferring and info is not None and info.open_count:
            text += ", put off while it is open"
        return Step(text, lambda: self._delete(deferring=deferring), self.devices.pool.message_command(message))

    def close_step(self) -> Step:
        """Close the transaction; from here on it is whole, and taking it back takes another."""
        now = self.devices.pool.transaction_id() if self.devices.pool.exists() else 0
        command = self.devices.pool.message_command(f"set_transaction_id {now} {now + 1}")
        return Step("close the transaction", self._close, command, self._take_back)

    def _open(self) -> None:
        self.number = self.devices.pool.transaction_id() + 1
        self._write(self.number)

    def _unopen(self) -> None:
        if self.deleted:  # the transaction stays open: the next start forgets the device
            raise DmtuiError(f"thin id {self.record.device_id}", "is deleted, which nothing brings back")
        if not self.taken_back:
            self._write(self.number - 1)

    def _write(self, number: int) -> None:
        self.devices.store.write_transaction(Transaction(number, self.name, self.record.device_id))

    def _make(self, message: Callable[[int], str]) -> None:
        ids = self.devices.state.ids
        while True:
            ids.take(self.record.device_id)
            try:
                self.devices.pool.message(message(self.record.device_id))
            except ExistsError:
                # Whoever's it is, a rollback of ours must never delete it.
                ids.pass_over(self.record.device_id)
                self.record = replace(self.record, device_id=ids.next_free())
                self._write(self.number)
            else:
                break
        self.record = replace(self.record, transaction_id=self.number)

    def _unmake(self) -> None:
        if self.taken_back:
            return
        self.devices.pool.message(f"delete {self.record.device_id}")
        self.devices.state.ids.free(self.record.device_id)

    def _record(self, parent: str | None) -> None:
        state = self.devices.state
        if parent is not None:
            self.devices.store.write_parents({**state.parents, self.name: parent})
        self.devices.store.write_record(self.record)
        state.records[self.name] = self.record
        if parent is not None:
            state.parents[self.name] = parent

    def _unrecord(self) -> None:
        if not self.taken_back:
            self._forget()

    def _forget(self) -> None:
        state = self.devices.state
        self.devices.store.remove_record(self.name)
        state.records.pop(self.name, None)
        if state.parents.pop(self.name, None) is not None:
            self.devices.store.write_parents(state.parents)

    def _delete(self, *, deferring: bool) -> None:
        try:
            self.devices.pool.message(f"delete {self.record.device_id}")
        except NoSuchThinIdError:
            pass  # deleted already: only its record is left
        except DeviceBusyError:
            if not deferring:
                raise
            self.record = replace(self.record, deleted=True)
            self.devices.store.write_record(self.record)
            self.devices.state.records[self.name] = self.record
            self.devices.patience.tell(f"{title(self.name)} is busy: its deletion is put off until `dmtui pool reap`")
            return
        self.deleted = True
        self._forget()
        self.devices.state.ids.free(self.record.device_id)

    def _close(self) -> None:
        self.devices.pool.message(f"set_transaction_id {self.number - 1} {self.number}")

    def _take_back(self) -> None:
        """Undo a whole creation: by a transaction of its own, so that a kill in it is mended like any other."""
        again = OpenTransaction(self.devices, self.devices.state.records.get(self.name, self.record))
        again._open()
        again._delete(deferring=False)
        again._close()
        self.taken_back = True
