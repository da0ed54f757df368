"""Reconciling records, pool and active devices: looking where they disagree, and clearing away what is left over.

Source: the operators' procedure "clean orphans" and the reference's wish for a dry-run clean-up. Looking reserves the
pool's metadata snapshot for a moment, so it is a plan of its own, performed under the lock and audited; what it found
can then be shown, or cleared away by a second plan. Each of that one's steps is right by itself: none is undone for
another's sake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dmtui.deviceset.comparison import Bucket, Compared, Node, Reconciliation, Seen, compare
from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.metadatareading import find_source, reading_plan, reading_step
from dmtui.deviceset.plan import Plan, Step, perform
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.standing import openers
from dmtui.deviceset.transactions import OpenTransaction
from dmtui.deviceset.upkeep import read_quarantine
from dmtui.machine.errors import DeviceBusyError, DeviceMissingError
from dmtui.machine.protocols import DeviceReading
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN, ThinTable
from dmtui.thinpool.units import sectors_to_bytes
from dmtui.thinpool.values import frozen

INSPECT = "inspect pool"
RECONCILE = "reconcile"
_TOOL = "thin_ls"
_BUSY_SHARE = 0.1
"""A device that nobody has open may be looked at by udev for a moment, no longer."""


@frozen
class Inspection:
    """A look at records, pool and active devices: its plan, and after that has been performed what it found."""

    plan: Plan
    _found: list[Reconciliation]

    @property
    def result(self) -> Reconciliation | None:
        """What was found; None before the look was taken."""
        return self._found[0] if self._found else None


def inspect(devices: DeviceSet) -> Inspection:
    """Plan the comparison of records, the pool's own list and the active devices, all as of one instant.

    Raises:
        MissingError: the pool is not active, and its metadata are not ours or not there.
        SnapshotHeldError: somebody else holds the pool's one metadata snapshot.
        PoolUnusableError: something else than a pool has its name.
        DmtuiError: thin_ls is missing, the pool has failed or is read-only, or its metadata are in use.
    """
    source = find_source(devices, _TOOL)
    seen, found = list[Seen](), list[Reconciliation]()

    def look() -> None:
        seen[:] = [_look(devices, active=source.live)]

    def read() -> None:
        thins = devices.machine.thin_tools.list_thins(source.path, snapshot=source.live)
        found[:] = [compare(seen[0], thins)]

    first = Step("read records and active devices", look, "dmsetup table --target thin")
    slow = reading_step(f"list the thin devices in the metadata on {source.path}", source, _TOOL, read)
    return Inspection(reading_plan(devices, source, INSPECT, slow, (first,)), found)


def plan_reconcile(devices: DeviceSet, found: Reconciliation, *, delete_orphans: bool = False) -> Plan:
    """Plan to clear away what an inspection found left over.

    A record whose thin id is gone goes to quarantine; a node without a record is deactivated where nobody has it
    open; a thin id without a record is deleted only with `delete_orphans`, and only in a pool that is all ours. What
    clashes is never touched. The inspection may be of earlier on: what has changed since is left alone.
    """
    clearing = _Clearing(devices, found)
    records = tuple(clearing.dead_records())
    nodes = tuple(clearing.idle_nodes())
    orphans = tuple(clearing.deletable_orphans()) if delete_orphans else ()
    steps = (
        *(clearing.record_step(name, record) for name, record in records),
        *(clearing.node_step(name, node) for name, node in nodes),
        *(clearing.orphan_step(thin_id) for thin_id in orphans),
    )
    if not delete_orphans:
        clearing.tell_of_orphans()
    clearing.tell_of_clashes()
    touches = (*(name for name, _ in records), *(name for name, _ in nodes))
    return Plan(RECONCILE, devices.pool.name, steps, tuple(clearing.notices), touches)


def _look(devices: DeviceSet, *, active: bool) -> Seen:
    mapper, pool = devices.machine.device_mapper, devices.pool
    pool_dev = mapper.info(pool.name).dev if active else None
    quarantine = read_quarantine(devices.store)
    return Seen(
        pool.name,
        devices.options.external_pool_name is not None,
        active,
        pool.transaction_id() if active else None,
        pool.table().block_bytes if active else None,
        dict(devices.state.records),
        tuple(_nodes(devices, pool_dev)),
        quarantine.claims,
        quarantine.unreadable,
    )


def _nodes(devices: DeviceSet, pool_dev: DeviceNumber | None) -> Iterator[Node]:
    own_pool = devices.graph.prefix.pool_name
    for entry in devices.machine.device_mapper.list_devices():
        if entry.name not in (own_pool, devices.pool.name):
            node = _node(devices, entry.name, pool_dev)
            if node is not None:
                yield node


def _node(devices: DeviceSet, device: str, pool_dev: DeviceNumber | None) -> Node | None:
    """A device with our prefix, or on our pool; None for any other, and for one that has gone."""
    try:
        reading = devices.machine.device_mapper.table(device)
    except DeviceMissingError:
        return None
    start, base = f"{devices.graph.prefix}-", devices.device("")
    name = ("" if device == base else device.removeprefix(start)) if device.startswith(start) else None
    thin_id, otherwise = _identity(reading, pool_dev)
    if name is None and thin_id is None:
        return None
    size_bytes = sectors_to_bytes(sum(target.length_sectors for target in reading.targets))
    return Node(device, name, thin_id, size_bytes, reading.info.open_count, otherwise)


def _identity(reading: DeviceReading, pool_dev: DeviceNumber | None) -> tuple[int | None, str]:
    """The thin id of a device in our pool, or what it is instead."""
    types = {target.type for target in reading.targets}
    if len(reading.targets) != 1 or types != {THIN}:
        return None, f"no thin device ({', '.join(sorted(types)) or 'no table'})"
    params = reading.targets[0].params
    if not params.split()[1:]:
        return None, "a thin device that does not tell its thin id"
    table = ThinTable.parse(params)
    if pool_dev is None or DeviceNumber.parse(table.pool_device) != pool_dev:
        return None, f"a thin device of another pool ({table.pool_device})"
    return table.thin_id, ""


@dataclass(slots=True)
class _Clearing:
    """What of a reconciliation can be cleared away, and why the rest cannot."""

    devices: DeviceSet
    found: Reconciliation
    notices: list[str] = field(default_factory=list[str])

    def dead_records(self) -> Iterator[tuple[str, DeviceRecord]]:
        """The records whose thin id the pool does not have; where that holds for all, the pool is the wrong one."""
        dead = self.found.of(Bucket.RECORD_ONLY)
        if dead and not self.found.of(Bucket.WHOLE):
            self.notices.append(
                f"no record at all is of a device in pool {self.found.seen.pool}, so none is moved: it may be another "
                "pool than last time; `dmtui device remove NAME` forgets a single device"
            )
            return
        for each in dead:
            if each.record is not None and self.devices.state.records.get(each.record.hash_name) == each.record:
                yield each.record.hash_name, each.record
        if any(each.name == "" for each in dead):
            self.notices.append("the base device is gone: the next `dmtui pool create` makes a new one")

    def idle_nodes(self) -> Iterator[tuple[str, Node]]:
        """The nodes of our prefix that no record is of, on our pool, that nobody has open."""
        for each in self.found.of(Bucket.NODE_ONLY):
            if each.node is None or each.name is None:
                continue
            if each.node.otherwise:
                self.notices.append(f"{each.node.device} stays: it is {each.node.otherwise}")
            elif each.node.open_count:
                self.notices.append(f"{each.node.device} stays: it is {openers(each.node.open_count)}")
            else:
                yield each.name, each.node

    def deletable_orphans(self) -> Iterator[int]:
        """The thin ids that can only be ours, that nothing has active and nothing in quarantine may claim."""
        seen, orphans = self.found.seen, self.found.of(Bucket.POOL_ONLY)
        why = ""
        if seen.external:
            why = f"pool {seen.pool} is external, they may be somebody else's"
        elif not self.devices.pool.exists():
            why = f"pool {seen.pool} is not active"
        elif seen.unreadable:
            why = f"they may belong to what cannot be read: {', '.join(seen.unreadable)}; mend it or move it away first"
        if why and orphans:
            self.notices.append(f"{_ids(orphans)} not deleted: {why}")
            return
        for each in orphans:
            if each.thin_id is None:
                continue
            if each.node is not None:
                self.notices.append(f"thin id {each.thin_id} is not deleted: it is active as {each.node.device}")
            elif each.thin_id in seen.quarantined:
                claim = seen.quarantined[each.thin_id]
                self.notices.append(
                    f"thin id {each.thin_id} is not deleted: the record {claim} in quarantine claims it"
                )
            else:
                yield each.thin_id

    def tell_of_orphans(self) -> None:
        """Without being asked nothing is deleted in the pool."""
        orphans = self.found.of(Bucket.POOL_ONLY)
        if orphans:
            self.notices.append(f"{_ids(orphans)} kept: deleted only when that is asked for")

    def tell_of_clashes(self) -> None:
        """Nothing tells which side of a clash is right."""
        for each in self.found.of(Bucket.ID_CLASH):
            if each.name is not None:
                self.notices.append(
                    f"{title(each.name)} is left alone: {'; '.join(each.findings)}; look at what is in it (mount it "
                    "read-only), then remove the device that is not what its record says"
                )

    def record_step(self, name: str, record: DeviceRecord) -> Step:
        """Put a dead record away."""
        store, state = self.devices.store, self.devices.state

        def act() -> None:
            if state.records.get(name) != record:
                self.devices.patience.tell(f"{title(name)} has changed meanwhile and is left alone")
                return
            store.quarantine(store.record_path(name))
            del state.records[name]
            state.ids.free(record.device_id)
            if state.parents.pop(name, None) is not None:
                store.write_parents(state.parents)

        text = f"put the record {title(name)} in quarantine: the pool has no thin id {record.device_id}"
        return Step(text, act, f"mv {store.record_path(name)} {store.quarantine_directory}/")

    def node_step(self, name: str, node: Node) -> Step:
        """Deactivate a device that no record is of."""
        mapper, patience = self.devices.machine.device_mapper, self.devices.patience

        def act() -> None:
            now = _node(self.devices, node.device, mapper.info(self.devices.pool.name).dev)
            if now is None:
                return
            record = self.devices.state.records.get(name)
            if replace(now, open_count=0) != node or (record is not None and record.device_id != node.thin_id):
                patience.tell(f"{node.device} has changed meanwhile and is left alone")
                return
            try:
                patience.retry(lambda: mapper.remove(node.device), lambda: node.device, share=_BUSY_SHARE)
            except DeviceBusyError:
                patience.tell(f"{node.device} was opened meanwhile and is left alone")

        return Step(f"deactivate {node.device}, thin id {node.thin_id}", act, f"dmsetup remove {node.device}")

    def orphan_step(self, thin_id: int) -> Step:
        """Delete a thin id that no record claims, in a transaction of its own.

        It is noted under a name that no device can have: after a kill the next start finishes the deletion, or finds
        the id older than the transaction and leaves it an orphan.
        """
        state = self.devices.state

        def act() -> None:
            if any(record.device_id == thin_id for record in state.records.values()):
                self.devices.patience.tell(f"thin id {thin_id} has a record meanwhile and is left alone")
                return
            nobody = DeviceRecord(f".tmp-orphan-{thin_id}", thin_id, 0, 0, initialized=False, deleted=False)
            removal = OpenTransaction(self.devices, nobody)
            steps = (removal.open_step(), removal.delete_step(deferring=False), removal.close_step())
            perform(Plan(RECONCILE, f"thin id {thin_id}", steps))

        text = f"delete thin id {thin_id}, which no record claims, in a transaction"
        return Step(text, act, self.devices.pool.message_command(f"delete {thin_id}"))


def _ids(orphans: tuple[Compared, ...]) -> str:
    return f"thin id{'s' if len(orphans) > 1 else ''} {', '.join(str(each.thin_id) for each in orphans)}"
