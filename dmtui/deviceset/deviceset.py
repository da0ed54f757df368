"""The device set of one graph directory as plans see it: its machine, its pool, its records, its options."""

from __future__ import annotations

from dataclasses import dataclass

from dmtui.deviceset.graph import Graph
from dmtui.deviceset.ids import ThinIds
from dmtui.deviceset.intents import Intents
from dmtui.deviceset.optionrules import Ruling
from dmtui.deviceset.options import Options
from dmtui.deviceset.patience import Patience
from dmtui.deviceset.poollink import PoolLink
from dmtui.deviceset.records import DeviceRecord, read_records
from dmtui.deviceset.store import RecordStore, SetState
from dmtui.machine.errors import DeviceMissingError
from dmtui.machine.filesystems import Mount
from dmtui.machine.protocols import DeviceInfo, Machine
from dmtui.thinpool.errors import MissingError
from dmtui.thinpool.values import frozen


@dataclass(slots=True)
class DeviceSetState:
    """What the engine knows while it holds the lock; steps keep it in step with the files."""

    records: dict[str, DeviceRecord]
    parents: dict[str, str]
    ids: ThinIds
    whole: SetState


@frozen
class DeviceSet:
    """What every plan of one graph directory works with. Names are those on file: the base device's is empty."""

    machine: Machine
    store: RecordStore
    pool: PoolLink
    options: Options
    ruling: Ruling
    patience: Patience
    state: DeviceSetState

    @property
    def graph(self) -> Graph:
        """The graph directory."""
        return self.store.graph

    @property
    def intents(self) -> Intents:
        """What is under way on it."""
        return Intents(self.store)

    def record(self, name: str) -> DeviceRecord:
        """The record of a device; raises `MissingError`."""
        record = self.state.records.get(name)
        if record is None:
            next_step = "`dmtui device list` names all" if name else "`dmtui pool create` makes one"
            raise MissingError(f"device {title(name)}", "is not recorded", next_step)
        return record

    def active(self, name: str) -> DeviceInfo | None:
        """What device-mapper says of a device; None while it is not active."""
        try:
            return self.machine.device_mapper.info(self.device(name))
        except DeviceMissingError:
            return None

    def active_names(self) -> tuple[str, ...]:
        """Names on file of every active device of the set by its device-mapper name, recorded or not, the base last."""
        start, pool = f"{self.graph.prefix}-", self.graph.prefix.pool_name
        listed = (entry.name for entry in self.machine.device_mapper.list_devices())
        names = {name.removeprefix(start) for name in listed if name.startswith(start) and name != pool}
        base = self.device("").removeprefix(start)
        return (*sorted(names - {base}), *([""] if base in names else []))

    def mount(self, name: str) -> Mount | None:
        """Where a device is mounted at its place of the graph directory; None where it is not."""
        info = self.active(name)
        if info is None:
            return None
        ours = [mount for mount in self.machine.filesystems.mounts() if mount.dev == info.dev]
        # The kernel tells paths with their symbolic links resolved, so only the end is compared.
        return next((mount for mount in ours if mount.directory.endswith(f"/mnt/{name}")), None)

    def device(self, name: str) -> str:
        """The device-mapper name of a device."""
        return self.graph.prefix.device_name(name)

    def node(self, name: str) -> str:
        """The node of a device."""
        return f"/dev/mapper/{self.device(name)}"

    def mount_point(self, name: str) -> str:
        """Where a device is mounted."""
        return f"{self.graph.directory}/mnt/{name}"

    def reload(self) -> None:
        """Read records and state anew: somebody else may have changed them while the lock was not ours."""
        fresh = load_state(self.store)
        # An id that the pool turned out to have stays taken for this process.
        fresh.ids.take_all(self.state.ids)
        self.state.records, self.state.parents = fresh.records, fresh.parents
        self.state.ids, self.state.whole = fresh.ids, fresh.whole


def title(name: str) -> str:
    """How a device is called before the operator."""
    return name or "base"


def load_state(store: RecordStore) -> DeviceSetState:
    """Read every record, parent and the state of the set."""
    records = read_records(store.graph.records_directory).devices
    # A parent without a record is one whose device is gone: its children still name it truly. A child without one is
    # what a kill left of an undone creation.
    parents = {name: parent for name, parent in store.read_parents().items() if name in records}
    whole = store.read_state()
    taken = (record.device_id for record in records.values())
    return DeviceSetState(dict(records), parents, ThinIds(taken, whole.next_device_id), whole)
