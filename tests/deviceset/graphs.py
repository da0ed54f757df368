"""Graph directories with a pool on loop files, made by the machine's own operations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dmtui.deviceset.graph import Graph, open_graph
from dmtui.deviceset.options import Options
from dmtui.deviceset.status import read_status
from dmtui.machine.protocols import LoopDevice, Machine
from dmtui.thinpool.table import PoolTable

MIB = 1024**2
DATA_BYTES = 64 * MIB
METADATA_BYTES = 4 * MIB


@dataclass
class Pool:
    """A pool and what it stands on."""

    machine: Machine
    graph: Graph
    data: LoopDevice
    metadata: LoopDevice

    def report(self, options: Options | None = None):
        return read_status(self.machine, self.graph, options or Options())


def make_graph(machine: Machine, home: Path) -> Graph:
    directory = home / "graph"
    machine.files.make_directory(f"{directory}/devicemapper")
    machine.files.make_directory(f"{directory}/metadata")
    return open_graph(machine.files, str(directory))


def make_pool(machine: Machine, graph: Graph, data: str | None = None, metadata: str | None = None, **names) -> Pool:
    """A pool on sparse files, by default on the graph directory's own."""
    data, metadata = data or graph.data_file, metadata or graph.metadata_file
    for path, size in ((data, DATA_BYTES), (metadata, METADATA_BYTES)):
        machine.files.make_sparse_file(path, size)
    loops = [machine.loops.attach(path) for path in (data, metadata)]
    table = PoolTable(loops[1].path, loops[0].path, 128, 0, ("skip_block_zeroing",))
    name = names.get("name", graph.prefix.pool_name)
    machine.device_mapper.create(name, [table.target(DATA_BYTES // 512)], uuid=names.get("uuid", ""))
    for loop in loops:
        machine.loops.release(loop)
    return Pool(machine, graph, loops[0], loops[1])


def write_record(graph: Graph, name: str, **fields) -> None:
    (Path(graph.records_directory) / name).write_text(json.dumps(fields) + "\n")
