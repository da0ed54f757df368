"""A machine with one graph directory: who works on it, what is to be seen of it, and what must never be wrong."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dmtui.deviceset.engine import Engine, open_engine
from dmtui.deviceset.graph import Graph, open_graph
from dmtui.deviceset.options import parse_options
from dmtui.deviceset.patience import Patience
from dmtui.deviceset.poollink import PoolLink
from dmtui.deviceset.records import read_records
from dmtui.deviceset.store import RecordStore
from dmtui.machine.durable import DurableFiles
from dmtui.machine.errors import DeviceMissingError, FileMissingError, MachineError
from dmtui.machine.protocols import LoopDevice, Machine
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import MissingError
from dmtui.thinpool.table import THIN, PoolTable
from dmtui.thinpool.units import SECTOR_BYTES

MIB = 1024**2
_MOMENT_SECONDS = 2.0
EXTERNAL_POOL = "dmtui-test-external"
_NOW = 1_700_000_000.0
OPTIONS = ("dm.loopdatasize=256M", "dm.loopmetadatasize=4M", "dm.basesize=32M", "dm.fs=ext4")


@dataclass(frozen=True)
class Picture:
    """What a user of the device set can see of it.

    Attributes:
        pool: blocks of its data and metadata; None while it is not active.
        files: sizes of the two loop files that are there.
        base: file system of the base device, and whether its uuid is known.
        records: size, initialised, deleted, by name.
        parents: of the recorded ones.
        active: size of each active device, and whether its removal is pending.
        counts: users of each mounted device, and the names at its top.
        put_away: names of files in quarantine.
    """

    pool: tuple[int, int] | None
    files: dict[str, int]
    base: tuple[str, bool]
    records: dict[str, tuple[int, bool, bool]]
    parents: dict[str, str]
    active: dict[str, tuple[int, bool]]
    counts: dict[str, tuple[int, tuple[str, ...]]]
    put_away: tuple[str, ...] = ()

    def differences(self, other: Picture) -> str:
        pairs = ((name, getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return "; ".join(f"{name} is {mine}, not {theirs}" for name, mine, theirs in pairs if mine != theirs)


@dataclass
class Site:
    """A machine and the graph directory ``graph`` in a home directory.

    Attributes:
        external: the pool is `EXTERNAL_POOL`, which somebody else has made.
    """

    machine: Machine
    home: Path
    busy_seconds: float = 0.1
    external: bool = False
    _held: list[int] = field(default_factory=list)

    @property
    def directory(self) -> str:
        return str(self.home / "graph")

    @property
    def graph(self) -> Graph:
        return open_graph(self.machine.files, self.directory)

    @property
    def store(self) -> RecordStore:
        return RecordStore(self.graph, self.machine.files, DurableFiles())

    @property
    def pool(self) -> PoolLink:
        name = EXTERNAL_POOL if self.external else self.graph.prefix.pool_name
        return PoolLink(self.machine.device_mapper, name)

    def engine(self, *options: str, making: bool = False, durable: DurableFiles | None = None) -> Engine:
        """A process's engine; it does not wait for others, of whom there are none."""
        given = parse_options([*OPTIONS, *(option.format_map(self.given()) for option in options)])
        patience = Patience(busy_seconds=self.busy_seconds, lock_seconds=0.1)
        return open_engine(
            self.machine, self.directory, given, making=making, durable=durable, patience=patience, now=lambda: _NOW
        )

    def start(self) -> None:
        engine = self.engine(making=True)
        engine.run(engine.plans.start("now"))
        engine.close()

    def device(self, name: str) -> str:
        return self.graph.prefix.device_name(name)

    def given(self) -> dict[str, str]:
        """The nodes of the devices that `give_devices` gave."""
        bound = self.machine.loops.list_bound()
        return {each.backing_path.rpartition("-")[2]: each.path for each in bound if self._is_given(each)}

    def give_devices(self) -> None:
        """Somebody has block devices for a pool."""
        for what, size_bytes in (("data", 256 * MIB), ("metadata", 4 * MIB)):
            path = f"{self.home}/given-{what}"
            self.machine.files.make_directory(str(self.home))
            with suppress(MachineError):
                self.machine.files.make_sparse_file(path, size_bytes)
            if what not in self.given():
                self.machine.loops.attach(path, autoclear=False)

    def give_pool(self) -> None:
        """Somebody has made a pool, and activates it."""
        self.give_devices()
        nodes = self.given()
        table = PoolTable(nodes["metadata"], nodes["data"], 128, 0)
        self.machine.device_mapper.create(EXTERNAL_POOL, [table.target(256 * MIB // SECTOR_BYTES)])

    def take_back(self) -> None:
        """What was given goes."""
        with suppress(DeviceMissingError):
            self.machine.device_mapper.remove(EXTERNAL_POOL)
        for what, node in self.given().items():
            self.machine.loops.detach(node)
            self.machine.files.remove_file(f"{self.home}/given-{what}")

    def _is_given(self, loop: LoopDevice) -> bool:
        return (loop.backing_path or "").startswith(f"{self.home}/given-")

    def id_of(self, name: str) -> int:
        return read_records(self.graph.records_directory).devices[name].device_id

    def hold(self, name: str) -> None:
        """Somebody opens a device, in a way that no unmount ends."""
        if self.machine.kind == "emulated":
            self.machine.leaks.begin(self.device(name))
        else:
            self._held.append(os.open(f"/dev/mapper/{self.device(name)}", os.O_RDONLY))

    def let_go(self) -> None:
        if self.machine.kind == "emulated":
            for leak in self.machine.leaks.list_held():
                self.machine.leaks.end(leak.pid)
        while self._held:
            os.close(self._held.pop())

    def holders(self) -> int:
        return len(self.machine.leaks.list_held()) if self.machine.kind == "emulated" else len(self._held)

    def picture(self) -> Picture:
        """What is to be seen now."""
        try:
            graph = self.graph
        except MissingError:
            return Picture(self._blocks() if self.external else None, {}, ("", False), {}, {}, {}, {})
        store, records = self.store, read_records(graph.records_directory)
        whole = store.read_state()
        counts = store.read_mount_counts()
        return Picture(
            self._blocks(),
            self._loop_files(graph),
            (whole.base_filesystem, bool(whole.base_uuid)),
            {name: (each.size_bytes, each.initialized, each.deleted) for name, each in records.devices.items()},
            {name: parent for name, parent in store.read_parents().items() if name in records.devices},
            self._active(graph),
            {name: (counts[name].count, self._inside(name)) for name in self._mounts(graph) if name in counts},
            store.durable.names(store.quarantine_directory),
        )

    def faults(self, *, rebooted: bool = False) -> list[str]:
        """What no kill may leave behind once the engine was opened again, a line each.

        On a kernel udev looks at a device for a moment, and a loop device goes a moment after its pool.
        """
        give_up_at = time.monotonic() + (_MOMENT_SECONDS if self.machine.kind == "kernel" else 0)
        while True:
            found = self._faults(rebooted=rebooted)
            if not found or time.monotonic() >= give_up_at:
                return found
            time.sleep(0.1)

    def _faults(self, *, rebooted: bool) -> list[str]:
        try:
            graph = self.graph
        except MissingError:
            return []
        return [
            *read_records(graph.records_directory).broken,
            *self._faults_of_ids(graph),
            *self._faults_of_devices(graph),
            *self._faults_of_mounts(graph, rebooted=rebooted),
            *self._faults_of_files(graph),
            *self._faults_of_loops(),
        ]

    def _blocks(self) -> tuple[int, int] | None:
        if not self.pool.exists():
            return None
        if not self.pool.gives_figures():
            return (0, 0)
        figures = self.pool.figures()
        return figures.data.total_blocks, figures.metadata.total_blocks

    def _loop_files(self, graph: Graph) -> dict[str, int]:
        found: dict[str, int] = {}
        for path in (graph.data_file, graph.metadata_file):
            with suppress(FileMissingError):
                found[os.path.basename(path)] = self.machine.files.identify(path).size_bytes
        return found

    def _active(self, graph: Graph) -> dict[str, tuple[int, bool]]:
        found: dict[str, tuple[int, bool]] = {}
        for entry in self.machine.device_mapper.list_devices():
            if entry.name.startswith(f"{graph.prefix}-") and entry.name != graph.prefix.pool_name:
                reading = self.machine.device_mapper.table(entry.name)
                size = sum(target.length_sectors for target in reading.targets) * SECTOR_BYTES
                name = entry.name.removeprefix(f"{graph.prefix}-")
                found["" if name == "base" else name] = (size, reading.info.deferred_remove)
        return found

    def _inside(self, name: str) -> tuple[str, ...]:
        return self.machine.filesystems.names_inside(f"{self.directory}/mnt/{name}")

    def _mounts(self, graph: Graph) -> dict[str, int]:
        """Number of each mount at its place, by device name; paths are as the kernel tells them."""
        place = f"{os.path.realpath(graph.directory)}/mnt/"
        mounts = self.machine.filesystems.mounts()
        return {m.directory.removeprefix(place): m.mount_id for m in mounts if m.directory.startswith(place)}

    def _ids_in_pool(self, graph: Graph) -> set[int]:
        tools = self.machine.thin_tools
        if not self.pool.exists():
            path = self.given().get("metadata", graph.metadata_file)
            try:
                return {entry.thin_id for entry in tools.list_thins(path, snapshot=False)}
            except MachineError:  # no file, or no pool was ever on it
                return set()
        dev = DeviceNumber.parse(self.pool.table().metadata_device)
        path = self.machine.files.device_path(dev)
        self.pool.message("reserve_metadata_snap")
        try:
            return {entry.thin_id for entry in tools.list_thins(path, snapshot=True)}
        finally:
            self.pool.message("release_metadata_snap")

    def _faults_of_ids(self, graph: Graph) -> list[str]:
        faults: list[str] = []
        if self.pool.exists():
            if not self.pool.gives_figures():
                return ["the pool has no live table"]
            if self.pool.figures().held_root_block is not None:
                return ["the pool's metadata snapshot is held"]
            transaction, current = self.store.read_transaction(), self.pool.transaction_id()
            on_file = transaction.open_id if transaction else 0
            if on_file != current:
                faults.append(f"the pool's transaction id is {current}, on file is {on_file}")
        records = read_records(graph.records_directory).devices.values()
        recorded, ids = {record.device_id for record in records}, self._ids_in_pool(graph)
        if ids != recorded:
            faults.append(f"ids in the pool are {sorted(ids)}, in the records {sorted(recorded)}")
        return faults

    def _faults_of_devices(self, graph: Graph) -> list[str]:
        faults: list[str] = []
        mapper, pool = self.machine.device_mapper, self.pool
        names = {graph.prefix.device_name(name) for name in read_records(graph.records_directory).devices}
        mounted = {graph.prefix.device_name(name) for name in self._mounts(graph)}
        ours = [each.name for each in mapper.list_devices() if each.name.startswith(f"{graph.prefix}-")]
        opened = 0
        for name in ours:
            reading = mapper.table(name)
            if reading.info.suspended or not reading.targets:
                faults.append(f"{name} is suspended or without a table")
            if name == pool.name:
                continue
            if name not in names:
                faults.append(f"{name} is active without a record")
            if reading.targets and reading.targets[0].type != THIN:
                faults.append(f"{name} is no thin device")
            opened += reading.info.open_count - (name in mounted)
        if opened != self.holders():
            faults.append(f"devices are open {opened} times beside their mounts, {self.holders()} hold them")
        thins = [name for name in ours if name != pool.name]
        if pool.exists() and mapper.info(pool.name).open_count != len(thins):
            faults.append(f"the pool is open {mapper.info(pool.name).open_count} times, devices: {ours}")
        return faults

    def _faults_of_mounts(self, graph: Graph, *, rebooted: bool) -> list[str]:
        place, mounts = os.path.realpath(graph.directory), self._mounts(graph)
        counts = self.store.read_mount_counts()
        below = [m.directory for m in self.machine.filesystems.mounts() if m.directory.startswith(f"{place}/")]
        faults = [f"{each} is mounted" for each in below if not each.startswith(f"{place}/mnt/")]
        for name, mount_id in mounts.items():
            if name not in counts or counts[name].mount_id != mount_id:
                faults.append(f"the mount of {name} is not counted")
        points = Path(graph.directory, "mnt")
        made = {path.name for path in points.iterdir()} if points.is_dir() else set()
        recorded = set(read_records(graph.records_directory).devices) if rebooted else set(mounts)
        if not set(mounts) <= made <= recorded | set(mounts):  # a reboot leaves mount points, which are used again
            faults.append(f"mount points are {sorted(made)}, mounted are {sorted(mounts)}")
        return faults

    def _faults_of_files(self, graph: Graph) -> list[str]:
        found = [path for path in Path(graph.directory).rglob("*") if path.name.startswith(".tmp")]
        own = Path(graph.directory, "dmtui")
        found += list((own / "grow").glob("*"))
        if self.pool.exists():  # what has to do with the pool waits for it
            found += list((own / "work").glob("*"))
        return [f"{path.relative_to(graph.directory)} is left" for path in found]

    def _faults_of_loops(self) -> list[str]:
        mapper = self.machine.device_mapper
        used = {dev for entry in mapper.list_devices() for dev in mapper.dependencies(entry.name)}
        loops = self.machine.loops.list_bound()
        bound = [loop for loop in loops if (loop.backing_path or "").startswith(self.directory)]
        faults = [f"{loop.path} is bound, nothing stands on it" for loop in bound if loop.dev not in used]
        paths = [loop.backing_path for loop in bound]
        return [*faults, *(f"{path} is bound twice" for path in set(paths) if paths.count(path) > 1)]

    def audited(self) -> list[dict]:
        """The audit log; raises where a line of it is broken."""
        return [json.loads(line) for line in Path(self.store.audit_path).read_text().splitlines()]
