"""A small populated emulated machine for a first look: a pool on loop files, a base, images and containers.

The engine makes it all, so that ``dmtui info``, the dashboard and every command find what they would find elsewhere.
"""

from __future__ import annotations

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.graph import Graph
from dmtui.deviceset.options import parse_options
from dmtui.lab.traffic import Flow, keep_plan
from dmtui.machine.emulated import EmulatedMachine

_MIB = 1024**2
_OPTIONS = ("dm.loopdatasize=24G", "dm.loopmetadatasize=64M", "dm.basesize=10G", "dm.fs=xfs")
_TREE: tuple[tuple[str, str, int, bool], ...] = (
    # name, parent, MiB written after the snapshot, left active
    ("debian", "", 142, False),
    ("python", "debian", 918, False),
    ("postgres", "debian", 604, False),
    ("web-init", "python", 1, False),
    ("web", "web-init", 388, True),
    ("worker-init", "python", 1, False),
    ("worker", "worker-init", 1240, True),
    ("db-init", "postgres", 1, False),
    ("db", "db-init", 3450, True),
)
"""The tree is made in this order; a write begins where its parent's data end, so most blocks stay shared."""
_TRAFFIC: tuple[tuple[str, int, int, int, int], ...] = (
    # name, MiB of its range, MiB of the largest write, KiB of the smallest, how often
    ("web", 256, 2, 64, 3),
    ("worker", 192, 8, 256, 2),
    ("db", 768, 12, 1024, 2),
)
"""What the containers write while somebody looks: behind what they have, and before what xfs keeps at each quarter."""


def populate(machine: EmulatedMachine, graph_directory: str) -> Graph:
    """Fill a fresh emulated machine; the graph directory is made where it is missing."""
    engine = open_engine(machine, graph_directory, parse_options(_OPTIONS), making=True)
    try:
        plans, devices = engine.plans, engine.devices
        engine.run(plans.start("the first start"))
        written = {"": 64 * _MIB}
        for name, parent, mib, active in _TREE:
            engine.run(plans.create(name, parent))
            engine.run(plans.activate(name))
            offset_bytes = written[parent]
            machine.write(devices.device(name), offset_bytes=offset_bytes, length_bytes=mib * _MIB)
            machine.flush(devices.device(name))
            written[name] = offset_bytes + mib * _MIB
            if not active:
                engine.run(plans.deactivate(name))
        keep_plan(graph_directory, [_flow(devices.device(each[0]), written[each[0]], each) for each in _TRAFFIC])
        return devices.graph
    finally:
        engine.close()


def _flow(device: str, begin_bytes: int, traffic: tuple[str, int, int, int, int]) -> Flow:
    _, range_mib, most_mib, least_kib, weight = traffic
    return Flow(device, begin_bytes, range_mib * _MIB, least_kib * 1024, most_mib * _MIB, weight)
