"""A small populated emulated machine for a first look: a pool on loop files, a base, images and containers.

Everything goes through the machine's own operations and the original's files, so that ``dmtui info`` and the
dashboard read it like any other graph directory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from dmtui.deviceset.graph import Graph, open_graph
from dmtui.machine.emulated import EmulatedMachine
from dmtui.thinpool.names import UUID_PREFIX
from dmtui.thinpool.table import PoolTable, ThinTable
from dmtui.thinpool.units import MIN_BLOCK_SECTORS, bytes_to_sectors

_MIB = 1024**2
_GIB = 1024**3
_DATA_FILE_BYTES = 24 * _GIB
_METADATA_FILE_BYTES = 64 * _MIB
_BASE_SIZE_BYTES = 10 * _GIB
_LOW_WATER_MARK_BLOCKS = 32768
_TREE: tuple[tuple[str, str, int, bool], ...] = (
    # name, parent, MiB written after the snapshot, left active
    ("base", "", 36, False),
    ("debian", "base", 142, False),
    ("python", "debian", 918, False),
    ("postgres", "debian", 604, False),
    ("web-init", "python", 1, False),
    ("web", "web-init", 388, True),
    ("worker-init", "python", 1, False),
    ("worker", "worker-init", 1240, True),
    ("db-init", "postgres", 1, False),
    ("db", "db-init", 3450, True),
)
"""The tree is made in this order; a write begins where its parent's data ends, so most blocks stay shared."""


def populate(machine: EmulatedMachine, graph_directory: str) -> Graph:
    """Fill a fresh emulated machine; the graph directory is made where it is missing."""
    machine.files.make_directory(f"{graph_directory}/devicemapper")
    machine.files.make_directory(f"{graph_directory}/metadata")
    graph = open_graph(machine.files, graph_directory)
    pool = _create_pool(machine, graph)
    written: dict[str, int] = {}
    for number, (name, parent, mib, active) in enumerate(_TREE, start=1):
        mapper = machine.device_mapper
        parent_id = 1 + next((index for index, entry in enumerate(_TREE) if entry[0] == parent), -1)
        mapper.message(pool, f"create_snap {number} {parent_id}" if parent else f"create_thin {number}")
        mapper.message(pool, f"set_transaction_id {number - 1} {number}")
        hash_name = "" if name == "base" else name
        device = graph.prefix.device_name(hash_name)
        table = ThinTable(f"/dev/mapper/{pool}", number).target(bytes_to_sectors(_BASE_SIZE_BYTES))
        mapper.create(device, [table], uuid=f"{UUID_PREFIX}{device}")
        offset_bytes = written.get(parent, 0)
        machine.write(device, offset_bytes=offset_bytes, length_bytes=mib * _MIB)
        written[name] = offset_bytes + mib * _MIB
        if not active:
            mapper.remove(device)
        record = {"device_id": number, "size": _BASE_SIZE_BYTES, "transaction_id": number, "initialized": not parent}
        _write_record(graph, name, record | {"deleted": False})
    state = {"next_device_id": len(_TREE), "BaseDeviceUUID": "b2b0c7e4-0000-4000-8000-000000000001"}
    _write_record(graph, "deviceset-metadata", state | {"BaseDeviceFilesystem": "xfs"})
    closed = {"open_transaction_id": len(_TREE), "device_hash": _TREE[-1][0], "device_id": len(_TREE)}
    _write_record(graph, "transaction-metadata", closed)
    return graph


def _create_pool(machine: EmulatedMachine, graph: Graph) -> str:
    machine.files.make_sparse_file(graph.data_file, _DATA_FILE_BYTES)
    machine.files.make_sparse_file(graph.metadata_file, _METADATA_FILE_BYTES)
    data, metadata = machine.loops.attach(graph.data_file), machine.loops.attach(graph.metadata_file)
    table = PoolTable(metadata.path, data.path, MIN_BLOCK_SECTORS, _LOW_WATER_MARK_BLOCKS, ("skip_block_zeroing",))
    name = graph.prefix.pool_name
    target = table.target(bytes_to_sectors(_DATA_FILE_BYTES))
    machine.device_mapper.create(name, [target], uuid=f"{UUID_PREFIX}{name}")
    machine.loops.release(data)
    machine.loops.release(metadata)
    return name


def _write_record(graph: Graph, name: str, fields: Mapping[str, object]) -> None:
    path = Path(graph.records_directory) / name
    path.write_text(json.dumps(dict(fields), separators=(",", ":")) + "\n", encoding="utf-8")
    path.chmod(0o600)
