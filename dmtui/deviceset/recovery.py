"""What a new start finishes or undoes after a kill: the open transaction, and the operations that were under way.

Source: processPendingTransaction and rollbackTransaction of the original. Mended: the record goes with the thin id and
no stale entry stays; an id whose deletion fails is never freed but flagged for deferred deletion; the closed state is
written, so that a rollback is not repeated; a parent left suspended by a kill in the middle of a snapshot is resumed;
a device left without a table by a kill in the middle of its making is removed; an id that somebody else had all along
is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.intents import SNAPSHOT
from dmtui.deviceset.leftovers import settle
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.snapshot import metadata_snapshot
from dmtui.deviceset.store import Transaction
from dmtui.machine.errors import DeviceBusyError, DeviceMissingError, NoSuchThinIdError
from dmtui.thinpool.errors import DmtuiError


def recover(devices: DeviceSet, since: str, *, killed: bool = False) -> list[str]:
    """Bring records and pool together after whatever ended the last writer; returns what was done, a line each.

    `killed` says that the last writer is known not to have come to its end.

    Raises:
        MachineError: the pool refuses the change that is needed (read-only, say).
    """
    # The one metadata snapshot is needed to settle a transaction, so one that was left behind goes first.
    notes = _settle_left(devices, since, lambda name: name == SNAPSHOT)
    notes += recover_writer(devices, since, killed=killed)
    return notes + _settle_left(devices, since, lambda name: name != SNAPSHOT)


def _settle_left(devices: DeviceSet, since: str, wanted: Callable[[str], bool]) -> list[str]:
    """Finish or undo what was under way on the wanted names."""
    notes: list[str] = []
    for claim in devices.intents.left_behind(since, wanted):
        try:
            note = settle(devices, claim.intent)
        except DmtuiError as error:
            notes.append(f"{claim.intent.operation} of {title(claim.intent.name)} cannot be finished yet: {error}")
            claim.lock.release()
            continue
        except BaseException:
            claim.lock.release()
            raise
        if note is None:
            claim.lock.release()
        else:
            notes += [note] if note else []
            devices.intents.drop(claim)
    return notes


def recover_writer(devices: DeviceSet, since: str, *, killed: bool) -> list[str]:
    """Mend what the last holder of the lock may have left, but for its intents: those keep what they claim."""
    notes = _clear_away(devices) if killed else []
    if devices.pool.exists() and devices.pool.gives_figures():
        notes += _settle_transaction(devices, since)
    return notes


def _settle_transaction(devices: DeviceSet, since: str) -> list[str]:
    transaction, current_id = devices.store.read_transaction(), devices.pool.transaction_id()
    if transaction is None or transaction.open_id == current_id:
        return []
    if transaction.open_id < current_id:
        return [
            f"the open transaction {transaction.open_id} is older than the pool's {current_id}: "
            "the records were restored from a copy, or somebody else uses the pool"
        ]
    notes = [*_clear_away(devices), _roll_back(devices, transaction, since)]
    devices.store.write_transaction(replace(transaction, open_id=current_id))
    devices.reload()
    return notes


def _roll_back(devices: DeviceSet, transaction: Transaction, since: str) -> str:
    """Delete what the transaction was about: that undoes a creation and finishes a deletion."""
    name = transaction.hash_name
    subject = f"transaction {transaction.open_id} on {title(name)} (id {transaction.device_id})"
    known = next((each for each in devices.state.records.values() if each.device_id == transaction.device_id), None)
    if known is not None and known.hash_name != name:
        return f"{subject} is not rolled back: {title(known.hash_name)} has that id"
    if known is None and _is_foreign(devices, transaction, since):
        return f"{subject} had found the id taken by somebody else: nothing is to be rolled back"
    with suppress(DeviceMissingError, DeviceBusyError):
        devices.machine.device_mapper.remove(devices.device(name))  # a busy one makes the deletion fail, see below
    try:
        devices.pool.message(f"delete {transaction.device_id}")
    except NoSuchThinIdError:
        pass  # the kill came before the pool made it, or after it deleted it
    except DeviceBusyError:
        _flag_deleted(devices, transaction)
        return f"{subject} waits: the device is busy, its deletion is deferred"
    devices.store.remove_record(name)
    parents = devices.store.read_parents()
    if parents.pop(name, None) is not None:
        devices.store.write_parents(parents)
    return f"{subject} was rolled back"


def _is_foreign(devices: DeviceSet, transaction: Transaction, since: str) -> bool:
    """Whether the pool had the id before the transaction was opened.

    A kill between the pool's answer "exists" and the next line of the transaction file leaves somebody else's id in
    it. The pool knows under which of its transaction ids each device was made. Where it cannot be asked, the file is
    believed, as the original does.
    """
    try:
        with metadata_snapshot(devices, since) as metadata:
            entries = devices.machine.thin_tools.list_thins(metadata, snapshot=True)
    except DmtuiError:
        return False
    made = next((entry for entry in entries if entry.thin_id == transaction.device_id), None)
    return made is not None and made.transaction_id != transaction.open_id - 1


def _flag_deleted(devices: DeviceSet, transaction: Transaction) -> None:
    name = transaction.hash_name
    known = devices.state.records.get(name)
    fresh = DeviceRecord(name, transaction.device_id, 0, transaction.open_id, False, True)
    devices.store.write_record(replace(known, deleted=True) if known else fresh)


def _clear_away(devices: DeviceSet) -> list[str]:
    """Resume and remove what a kill in the middle of a change left of our devices.

    A snapshot suspends its parent for a moment: its users would hang for ever. A device is made, given its table and
    resumed, in three steps of the kernel: without a live table it is of no use to anybody.
    """
    notes: list[str] = []
    mapper, pool = devices.machine.device_mapper, devices.graph.prefix.pool_name
    for entry in mapper.list_devices():
        if not entry.name.startswith(f"{devices.graph.prefix}-"):
            continue
        with suppress(DeviceMissingError):
            info = mapper.info(entry.name)
            if not info.live_table:
                mapper.remove(entry.name)
                notes.append(f"{entry.name} was left without a table and is removed")
            elif info.suspended and entry.name != pool:  # the pool's suspension is its extension's to end
                mapper.resume(entry.name)
                notes.append(f"{entry.name} was left suspended and is resumed")
    return notes
