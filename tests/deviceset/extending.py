"""What the tests of an extension ask: sizes of devices and files, whether the pool runs, whether all is as before."""

from __future__ import annotations

import os

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.options import parse_options
from tests.deviceset.graphs import MIB
from tests.deviceset.processes import patience_with

OPTIONS = ("dm.loopdatasize=256M", "dm.loopmetadatasize=4M", "dm.basesize=64M", "dm.fs=ext4")
DATA, METADATA = 256 * MIB, 4 * MIB
BLOCK = 64 * 1024


def opened(machine, home, *more: str, making=True):
    options = parse_options([*OPTIONS, *more])
    return open_engine(machine, str(home / "graph"), options, making=making, patience=patience_with(machine))


def totals(engine) -> tuple[int, int]:
    """Bytes of data and of metadata that the pool says it has."""
    figures = engine.devices.pool.figures()
    return figures.data.total_blocks * BLOCK, figures.metadata_total_bytes


def sizes(engine) -> tuple[int, int]:
    """Sizes of the two files."""
    files, graph = engine.devices.machine.files, engine.devices.graph
    return files.identify(graph.data_file).size_bytes, files.identify(graph.metadata_file).size_bytes


def runs(engine) -> bool:
    """Whether the pool is resumed and no table waits for the next resume."""
    info = engine.devices.pool.mapper.info(engine.devices.pool.name)
    return not info.suspended and not info.inactive_table


def is_as_before(engine) -> bool:
    machine = engine.devices.machine
    (target,) = machine.device_mapper.table(engine.devices.pool.name).targets
    directory = os.path.realpath(engine.devices.graph.directory)
    loops = [loop for loop in machine.loops.list_bound() if (loop.backing_path or "").startswith(directory)]
    return (
        runs(engine)
        and totals(engine) == (DATA, METADATA)
        and sizes(engine) == (DATA, METADATA)
        and target.length_sectors * 512 == DATA
        and sorted(loop.size_bytes for loop in loops) == [METADATA, DATA]
    )
