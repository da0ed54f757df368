"""What a graph directory and its machine really say, read past the engine: files as JSON, the pool's own metadata."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.emulated.host import GRANULE_BYTES, _chunk
from dmtui.machine.emulated.mapping import stretches
from dmtui.machine.errors import FileMissingError
from dmtui.thinpool.names import GraphPrefix
from tests.deviceset.modelled import Device, Model

BASE_FILE = "base"
_ROOM_BYTES = 1024**3
OTHER_FILES = ("deviceset-metadata", "transaction-metadata")


@dataclass
class World:
    """Everything there is.

    Attributes:
        shown: the devices and the pool as the model tells them.
        ids: thin id of each device by its record.
        thins: every thin of the pool with its mappings, data block by block; None while there is no usable pool.
        mode: of the pool, empty while there is none.
        oddities: what must never be, a line each.
    """

    shown: Model
    ids: dict[str, int] = field(default_factory=dict)
    thins: dict[int, dict[int, int]] | None = None
    mode: str = ""
    needs_check: bool = False
    free_blocks: int = 0
    total_blocks: int = 0
    free_metadata_blocks: int = 0
    total_metadata_blocks: int = 0
    oddities: list[str] = field(default_factory=list)


class Observer:
    """Looks at one graph directory on one emulated machine."""

    def __init__(self, machine: EmulatedMachine, directory: str, defers: tuple[bool, bool]):
        self.machine, self.directory, self.defers = machine, directory, defers

    @property
    def prefix(self) -> GraphPrefix:
        identity = self.machine.files.identify(self.directory)
        return GraphPrefix(identity.dev, identity.inode)

    def records(self) -> dict[str, dict]:
        """Every record on disk by the device's name."""
        directory = Path(self.directory) / "metadata"
        paths = sorted(directory.iterdir()) if directory.exists() else []
        found = {path.name: json.loads(path.read_text()) for path in paths if _is_record(path)}
        return {"" if name == BASE_FILE else name: fields for name, fields in found.items()}

    def own_file(self, name: str) -> dict:
        path = Path(self.directory) / "dmtui" / name
        return json.loads(path.read_text()) if path.exists() else {}

    def names(self, folder: str) -> list[str]:
        """Names in a folder of the graph directory, on the machine."""
        path = f"{self.directory}/{folder}"
        real = Path(path)
        return sorted(entry.name for entry in real.iterdir()) if real.exists() else []

    def is_suspended(self) -> bool:
        """Whether a kill has left the pool suspended."""
        return self.machine.device_mapper.info(self.prefix.pool_name).suspended

    def transaction(self) -> int | None:
        path = Path(self.directory) / "metadata" / "transaction-metadata"
        return json.loads(path.read_text())["open_transaction_id"] if path.exists() else None

    def look(self) -> World:
        """Look at all of it."""
        world = World(Model(*self.defers))
        if not Path(self.directory).exists():
            return world
        mapper, prefix = self.machine.device_mapper, self.prefix
        active = {entry.name: mapper.info(entry.name) for entry in mapper.list_devices()}
        world.shown.pool = prefix.pool_name in active
        self._look_at_devices(world, active)
        self._look_at_loops(world)
        world.shown.data_bytes, world.shown.metadata_bytes = self._file_size("data"), self._file_size("metadata")
        if world.shown.pool:
            free_bytes = self.machine.host_space.free_bytes
            self.machine.set_host_space(max(free_bytes, _ROOM_BYTES))  # looking must not be what fills the host
            self._look_at_pool(world)
            self.machine.set_host_space(free_bytes)
        if world.thins is not None:
            world.shown.strangers = set(world.thins) - set(world.ids.values())
        return world

    def _file_size(self, name: str) -> int:
        try:
            return self.machine.files.identify(f"{self.directory}/devicemapper/{name}").size_bytes
        except FileMissingError:
            return 0

    def _look_at_devices(self, world: World, active: dict) -> None:
        parents, counts = self.own_file("parents.json"), self.own_file("mounts.json")
        known = {self.prefix.pool_name}
        for name, fields in self.records().items():
            world.ids[name] = fields["device_id"]
            device = Device(fields["size"], parents.get(name), flagged=fields["deleted"])
            world.shown.devices[name] = device
            node = self.prefix.device_name(name)
            known.add(node)
            if not name and not fields["initialized"]:
                world.oddities.append("the base device is not whole")
            if node not in active:
                continue
            info, place = active[node], f"{self.directory}/mnt/{name}"
            mounts = [mount for mount in self.machine.filesystems.mounts() if mount.dev == info.dev]
            ours = [mount for mount in mounts if mount.directory == place]
            device.active, device.going = True, info.deferred_remove
            if ours:
                count = counts.get(name, {})
                device.users = count["count"] if count.get("mount_id") == ours[0].mount_id else 1
            device.holders = info.open_count - bool(mounts)
            world.oddities += [f"{name} is mounted at {mount.directory}" for mount in mounts if mount not in ours]
            self._look_at_table(world, name, fields, node)
        world.oddities += [f"{name} is active without a record" for name in sorted(set(active) - known)]
        world.oddities += [f"{info.name} is suspended" for info in active.values() if info.suspended]

    def _look_at_table(self, world: World, name: str, fields: dict, node: str) -> None:
        (target,) = self.machine.device_mapper.table(node).targets
        if target.params.split()[1:] != [str(fields["device_id"])]:
            world.oddities.append(f"{name} is active as {target.params}, recorded is {fields['device_id']}")
        if target.length_sectors * 512 != fields["size"]:
            world.oddities.append(f"{name} is active with {target.length_sectors} sectors of {fields['size']} bytes")

    def _look_at_loops(self, world: World) -> None:
        mapper = self.machine.device_mapper
        used = {dev for entry in mapper.list_devices() for dev in mapper.dependencies(entry.name)}
        for loop in self.machine.loops.list_bound():
            if loop.dev not in used:
                world.oddities.append(f"nothing stands on {loop.path}")

    def _look_at_pool(self, world: World) -> None:
        mapper, name = self.machine.device_mapper, self.prefix.pool_name
        (status,) = mapper.status_flush(name).targets
        words = status.params.split()
        world.mode, world.needs_check = words[4] if words[4:] else words[0], "needs_check" in words
        if world.mode not in ("rw", "out_of_data_space"):
            return
        world.free_metadata_blocks, world.total_metadata_blocks = _free(words[1])
        world.free_blocks, world.total_blocks = _free(words[2])
        world.shown.data_bytes = world.total_blocks * GRANULE_BYTES
        world.shown.metadata_bytes = world.total_metadata_blocks * 4096
        if words[3] != "-":
            world.oddities.append("a metadata snapshot is held")
            return
        mapper.message(name, "reserve_metadata_snap")
        (table,) = mapper.table(name).targets
        entries = self.machine.thin_tools.list_thins(f"/dev/{_loop(table.params.split()[0])}", snapshot=True)
        mapper.message(name, "release_metadata_snap")
        world.thins = self._mappings()
        listed = {entry.thin_id: entry.mapped_blocks for entry in entries}
        counted = {thin_id: len(mapped) for thin_id, mapped in world.thins.items()}
        if listed != counted:
            world.oddities.append(f"thin_ls counts {listed}, mapped are {counted}")
        blocks = {block for mapped in world.thins.values() for block in mapped.values()}
        if len(blocks) != world.total_blocks - world.free_blocks:
            world.oddities.append(f"{len(blocks)} data blocks are mapped, used are {words[2]}")
        lost = blocks - self._blocks_with_space(world.total_blocks)
        if lost:
            world.oddities.append(f"{len(lost)} mapped data blocks have no space in the file")
        if self.transaction() != int(words[0]):
            world.oddities.append(f"the transaction on file is {self.transaction()}, the pool's {words[0]}")

    def _mappings(self) -> dict[int, dict[int, int]]:
        with self.machine._store.write() as connection:
            (metadata_id,) = connection.execute("SELECT metadata_id FROM pools").fetchone()
            pool = self.machine._pools.metadata(connection, metadata_id)
            found: dict[int, dict[int, int]] = {}
            for thin_id, thin in pool.thins.items():
                runs = stretches(pool, thin_id, 0, thin.highest_block + 1)
                found[thin_id] = {
                    run.begin + offset: run.data_block + offset
                    for run in runs
                    if run.data_block is not None
                    for offset in range(run.count)
                }
        return found

    def _blocks_with_space(self, total: int) -> set[int]:
        """The data blocks, of the size of a granule, that the data file has space for."""
        inode = self.machine.files.identify(f"{self.directory}/devicemapper/data").inode
        with self.machine._store.read() as connection:
            granules = bytes(_chunk(connection, inode, 0))
        return {block for block in range(total) if granules[block]}

    def filesystem_sizes(self) -> dict[int, int]:
        """Size of the file system on each thin, bytes."""
        with self.machine._store.read() as connection:
            rows = connection.execute("SELECT thin_id, size_bytes FROM filesystems WHERE metadata_id <> 0").fetchall()
        return dict(rows)


def _is_record(path: Path) -> bool:
    return path.name not in OTHER_FILES and not path.name.startswith(".")


def _free(text: str) -> tuple[int, int]:
    used, _, total = text.partition("/")
    return int(total) - int(used), int(total)


def _loop(dev: str) -> str:
    return f"loop{dev.partition(':')[2]}"
