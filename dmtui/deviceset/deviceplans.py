"""The plans of the device operations: create, activate, deactivate, remove.

Source: AddDevice, activateDeviceIfNeeded, deactivateDevice and deleteDevice of the original. A creation or a removal
is a transaction: its intent (thin id and name, under the pool's next transaction id) is on disk before the pool hears
of it, and moving the pool's transaction id, a compare-and-swap of the kernel, makes it whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dmtui.deviceset.devicenames import check_new_name
from dmtui.deviceset.ids import ThinIds
from dmtui.deviceset.plan import Plan, Step
from dmtui.deviceset.poollink import PoolLink
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.store import RecordStore, Transaction
from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, ExistsError, NoSuchThinIdError
from dmtui.machine.protocols import DeviceInfo
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError
from dmtui.thinpool.names import UUID_PREFIX
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.table import ThinTable
from dmtui.thinpool.units import SECTOR_BYTES, bytes_to_sectors

BUSY_ATTEMPTS = 200
BUSY_PAUSE_SECONDS = 0.1


class NoRoomError(DmtuiError):
    """The pool has less free space than the gate asks for."""


@dataclass(slots=True)
class DeviceSetState:
    """What the engine knows while it holds the lock; steps keep it in step with the files."""

    records: dict[str, DeviceRecord]
    parents: dict[str, str]
    ids: ThinIds


@dataclass(frozen=True, slots=True)
class DevicePlans:
    """Makes the plans of one graph directory's devices.

    Attributes:
        min_free_percent: the free-space gate (``dm.min_free_space``), 0 for none.
        deferred_deletion: whether a busy device's removal is put off instead of refused.
        attempts: how often a busy device is tried, `pause_seconds` apart.
    """

    store: RecordStore
    pool: PoolLink
    state: DeviceSetState
    min_free_percent: int = 10
    deferred_deletion: bool = True
    attempts: int = BUSY_ATTEMPTS
    pause_seconds: float = BUSY_PAUSE_SECONDS
    sleep: Callable[[float], None] = time.sleep

    def record(self, name: str) -> DeviceRecord:
        """The record of a device; raises `MissingError`."""
        record = self.state.records.get(name)
        if record is None:
            raise MissingError(f"device {name or 'base'}", "is not recorded", "`dmtui device list` names all")
        return record

    def active(self, name: str) -> DeviceInfo | None:
        """What device-mapper says of a device; None while it is not active."""
        try:
            return self.pool.mapper.info(self._device(name))
        except DeviceMissingError:
            return None

    def create(self, name: str, parent: str = "", size_bytes: int | None = None) -> Plan:
        """Plan a snapshot of `parent` (the base device when empty), of the parent's size or larger.

        Raises:
            BadUsageError: a name that cannot be, or a size that is none.
            MissingError: the parent is not recorded.
            NoRoomError: less free space than the gate asks for.
            DmtuiError: the name is taken, or the parent waits for its deletion.
        """
        check_new_name(name, self.store.graph.prefix)
        origin = self.record(parent)
        self._check_creation(name, origin, size_bytes)
        size = size_bytes or origin.size_bytes
        thin_id, opened = self.state.ids.next_free(), self.pool.transaction_id() + 1
        record = DeviceRecord(name, thin_id, size, opened, False, False)
        return Plan(
            "create",
            name,
            (
                self._open_step(record, opened),
                *self._suspend_steps(parent, self._snapshot_step(record, origin, opened)),
                self._record_step(record, parent),
                self._close_step(opened),
            ),
        )

    def activate(self, name: str) -> Plan:
        """Plan the activation of a device; nothing to do where it is active."""
        record = self.record(name)
        if record.deleted:
            raise DmtuiError(f"device {name}", "waits for its deletion", "create another")
        if self.active(name) is not None:
            return Plan("activate", name or "base", (), ("is active already",))
        device = self._device(name)
        table = ThinTable(self.pool.path, record.device_id).target(bytes_to_sectors(record.size_bytes))

        def act() -> None:
            self.pool.mapper.create(device, [table], uuid=f"{UUID_PREFIX}{device}")

        command = f"dmsetup create {device} --uuid {UUID_PREFIX}{device} --table '{table}'"
        text = f"activate {device}, {format_size(record.size_bytes)}"
        return Plan("activate", name or "base", (Step(text, act, command, lambda: self.pool.mapper.remove(device)),))

    def deactivate(self, name: str, *, deferred: bool = False) -> Plan:
        """Plan the deactivation of a device; nothing to do where it is not active."""
        self.record(name)
        info = self.active(name)
        if info is None:
            return Plan("deactivate", name or "base", (), ("is not active",))
        notices = (f"it is open {info.open_count} times",) if info.open_count else ()
        return Plan("deactivate", name or "base", (self._deactivate_step(name, deferred),), notices)

    def remove(self, name: str) -> Plan:
        """Plan the removal of a device and all its data; its snapshots keep theirs."""
        record = self.record(name)
        children = sorted(child for child, parent in self.state.parents.items() if parent == name)
        notices = [f"all data of {name or 'base'} are lost"]
        if children:
            notices.append(f"its snapshots stay whole: {', '.join(children)}")
        steps: list[Step] = []
        if self.active(name) is not None:
            steps.append(self._deactivate_step(name, self.deferred_deletion))
        opened = self.pool.transaction_id() + 1
        steps += [self._open_step(record, opened), self._delete_step(record), self._close_step(opened)]
        return Plan("remove", name or "base", tuple(steps), tuple(notices))

    def _device(self, name: str) -> str:
        return self.store.graph.prefix.device_name(name)

    def _check_creation(self, name: str, origin: DeviceRecord, size_bytes: int | None) -> None:
        known = self.state.records.get(name)
        if known is not None:
            waiting = " and waits for its deletion" if known.deleted else ""
            raise DmtuiError(f"device {name}", f"exists{waiting}", "choose another name")
        if origin.deleted:
            raise DmtuiError(f"device {origin.hash_name}", "waits for its deletion", "choose another parent")
        if size_bytes is not None and (size_bytes % SECTOR_BYTES or size_bytes < origin.size_bytes):
            least = format_size(origin.size_bytes)
            raise BadUsageError(
                f"size {size_bytes}", "is no whole number of sectors or below the parent's", f"give at least {least}"
            )
        self._check_room()

    def _check_room(self) -> None:
        if self.min_free_percent == 0:
            return
        figures = self.pool.figures()
        for what, usage in (("data", figures.data), ("metadata", figures.metadata)):
            needed = max(1, usage.total_blocks * self.min_free_percent // 100)
            if usage.free_blocks < needed:
                raise NoRoomError(
                    f"pool {self.pool.name}",
                    f"has {usage.free_blocks} free {what} blocks, the gate asks for {needed}",
                    "extend the pool, remove devices, or lower dm.min_free_space",
                )

    def _open_step(self, record: DeviceRecord, opened: int) -> Step:
        intent = Transaction(opened, record.hash_name, record.device_id)
        return Step(
            f"note transaction {opened}: {record.hash_name or 'base'}, thin id {record.device_id}",
            lambda: self.store.write_transaction(intent),
            undo=lambda: self.store.write_transaction(replace(intent, open_id=opened - 1)),
        )

    def _close_step(self, opened: int) -> Step:
        message = f"set_transaction_id {opened - 1} {opened}"
        text = f"close transaction {opened}"
        return Step(text, lambda: self.pool.message(message), self.pool.message_command(message))

    def _snapshot_step(self, record: DeviceRecord, origin: DeviceRecord, opened: int) -> Step:
        """Make the thin id in the pool; an id that the pool turns out to have is passed over for the next."""
        made = [record.device_id]

        def act() -> None:
            while True:
                self.state.ids.take(made[0])
                try:
                    self.pool.message(f"create_snap {made[0]} {origin.device_id}")
                except ExistsError:
                    # It stays taken: whoever's it is, a rollback of ours must never delete it.
                    made[0] = self.state.ids.next_free()
                    self.store.write_transaction(Transaction(opened, record.hash_name, made[0]))
                else:
                    break
            self.state.records[record.hash_name] = replace(record, device_id=made[0])

        def undo() -> None:
            self.pool.message(f"delete {made[0]}")
            self.state.records.pop(record.hash_name, None)
            self.state.ids.free(made[0])

        message = f"create_snap {record.device_id} {origin.device_id}"
        text = f"make thin id {record.device_id} a snapshot of {origin.device_id} ({origin.hash_name or 'base'})"
        return Step(text, act, self.pool.message_command(message), undo)

    def _suspend_steps(self, parent: str, snapshot: Step) -> tuple[Step, ...]:
        """An active origin must be suspended for a consistent image (kernel document)."""
        info = self.active(parent)
        if info is None or info.suspended:
            return (snapshot,)
        device, mapper = self._device(parent), self.pool.mapper
        suspend = Step(
            f"suspend {device}, so that the image is consistent",
            lambda: mapper.suspend(device),
            f"dmsetup suspend {device}",
            lambda: mapper.resume(device),
        )
        resume = Step(f"resume {device}", lambda: mapper.resume(device), f"dmsetup resume {device}")
        return (suspend, snapshot, resume)

    def _record_step(self, record: DeviceRecord, parent: str) -> Step:
        name = record.hash_name

        def act() -> None:
            self.state.parents[name] = parent
            self.store.write_parents(self.state.parents)
            self.store.write_record(self.state.records[name])

        def undo() -> None:
            self.store.remove_record(name)
            self.state.parents.pop(name, None)
            self.store.write_parents(self.state.parents)

        return Step(f"record {name}", act, undo=undo)

    def _deactivate_step(self, name: str, deferred: bool) -> Step:
        device = self._device(name)

        def act() -> None:
            for attempt in range(1, self.attempts + 1):
                try:
                    self.pool.mapper.remove(device, deferred=deferred)
                except DeviceMissingError:
                    return
                except DeviceBusyError:
                    if attempt == self.attempts:
                        raise
                    self.sleep(self.pause_seconds)
                else:
                    return

        text = f"deactivate {device}" + (" as soon as nobody has it open" if deferred else "")
        return Step(text, act, f"dmsetup remove {'--deferred ' if deferred else ''}{device}")

    def _delete_step(self, record: DeviceRecord) -> Step:
        name, message = record.hash_name, f"delete {record.device_id}"

        def act() -> None:
            try:
                self.pool.message(message)
            except NoSuchThinIdError:
                pass  # deleted already: only its record is left
            except DeviceBusyError:
                if not self.deferred_deletion:
                    raise
                self.state.records[name] = replace(record, deleted=True)
                self.store.write_record(self.state.records[name])
                return
            self.store.remove_record(name)
            self.state.records.pop(name, None)
            self.state.ids.free(record.device_id)
            if self.state.parents.pop(name, None) is not None:
                self.store.write_parents(self.state.parents)

        text = f"delete thin id {record.device_id} and its record {name or 'base'}"
        return Step(text, act, self.pool.message_command(message))
