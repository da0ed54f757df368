"""A small device set made by hand, without a file system, and machines that behave differently in one respect."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from dmtui.deviceset.engine import open_engine
from dmtui.deviceset.graph import Graph
from dmtui.deviceset.options import Options
from dmtui.deviceset.poollink import PoolLink
from dmtui.machine.durable import DurableFiles
from dmtui.machine.errors import DeviceBusyError, ExistsError
from dmtui.machine.protocols import DeviceReading
from dmtui.thinpool.table import PoolTable, Target, ThinTable
from tests.deviceset.graphs import DATA_BYTES, MIB, make_graph, make_pool, write_record
from tests.deviceset.killing import PARTIAL, KilledError, KillingMachine, Manner, Reaper

SIZE_BYTES = 16 * MIB


def make_small_set(machine, home) -> Graph:
    """A graph directory with a pool, a base device (thin id 1) and a device ``one`` (thin id 2)."""
    graph = make_graph(machine, home)
    make_pool(machine, graph)
    for thin_id, name in ((1, "base"), (2, "one")):
        machine.device_mapper.message(graph.prefix.pool_name, f"create_thin {thin_id}")
        machine.device_mapper.message(graph.prefix.pool_name, f"set_transaction_id {thin_id - 1} {thin_id}")
        record(graph, name, thin_id, initialized=name == "base")
    write_record(graph, "transaction-metadata", open_transaction_id=2, device_hash="one", device_id=2)
    return graph


def record(graph: Graph, name: str, thin_id: int, **fields) -> None:
    """Write a record of the transaction of that thin id's number."""
    default = {"device_id": thin_id, "size": SIZE_BYTES, "transaction_id": thin_id, "initialized": False}
    write_record(graph, name, **(default | {"deleted": False} | fields))


def make_thin(machine, graph: Graph, thin_id: int) -> None:
    """Make a thin id that no record claims, where there is none yet."""
    with suppress(ExistsError):
        machine.device_mapper.message(graph.prefix.pool_name, f"create_thin {thin_id}")


def activate(machine, graph: Graph, name: str, thin_id: int, size_bytes: int = SIZE_BYTES) -> None:
    """Make a device active under any device-mapper name, and wait until udev has looked at it."""
    table = ThinTable(f"/dev/mapper/{graph.prefix.pool_name}", thin_id)
    machine.device_mapper.create(name, [table.target(size_bytes // 512)])
    give_up_at = time.monotonic() + 5
    while machine.device_mapper.info(name).open_count and time.monotonic() < give_up_at:
        time.sleep(0.05)


def take_down(machine, graph: Graph) -> None:
    """Remove the pool, on which nothing may stand any more; its loop devices go with it."""
    for attempt in range(50):  # udev may look at it for a moment longer
        try:
            machine.device_mapper.remove(graph.prefix.pool_name)
        except DeviceBusyError:
            if attempt == 49:
                raise
            time.sleep(0.1)
        else:
            return


def bring_up(machine, graph: Graph) -> None:
    """Make the pool active again on its files."""
    loops = [machine.loops.attach(path) for path in (graph.data_file, graph.metadata_file)]
    table = PoolTable(loops[1].path, loops[0].path, 128, 0, ("skip_block_zeroing",))
    machine.device_mapper.create(graph.prefix.pool_name, [table.target(DATA_BYTES // 512)])
    for loop in loops:
        machine.loops.release(loop)


def held_block(machine, graph: Graph) -> int | None:
    """The metadata block of the pool's held metadata snapshot."""
    return PoolLink(machine.device_mapper, graph.prefix.pool_name).figures().held_root_block


def work(graph: Graph) -> list[str]:
    """Names of the intents on disk."""
    directory = Path(graph.directory) / "dmtui" / "work"
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


class Altered:
    """Something that behaves differently in the named respects."""

    def __init__(self, original, **respects):
        self._original = original
        self.__dict__.update(respects)

    def __getattr__(self, name: str):
        return getattr(self._original, name)


def with_part(machine, part: str, **methods):
    """A machine one part of which has other methods."""
    return Altered(machine, **{part: Altered(getattr(machine, part), **methods)})


def answering(machine, graph: Graph, line: str):
    """A machine whose pool answers the status that line."""
    mapper, pool = machine.device_mapper, graph.prefix.pool_name

    def status(name: str) -> DeviceReading:
        if name != pool:
            return mapper.status(name)
        return DeviceReading(mapper.info(name), (Target(0, DATA_BYTES // 512, "thin-pool", line),))

    return with_part(machine, "device_mapper", status=status)


def deaths(machine, graph: Graph, perform, arrange=lambda: None):
    """Perform something in a process that dies at each of its calls in turn, in each manner; yields after each death.

    What was under way when it died is for the one who goes on to look at. Ends when all manners of all calls are
    through.
    """
    arrange()
    trace = _live(machine, graph, perform, Reaper()).trace
    assert len(trace) > 10, "the reaper counted no calls"
    for at in range(1, len(trace) + 1):
        for manner in Manner:
            if manner in (Manner.BEFORE, Manner.AFTER) or manner in PARTIAL.get(trace[at - 1], {}):
                arrange()
                _live(machine, graph, perform, Reaper(at, manner))
                yield f"{manner.value} call {at} of {len(trace)}, {trace[at - 1]}"


def _live(machine, graph: Graph, perform, reaper: Reaper) -> Reaper:
    killing = KillingMachine(machine, reaper)
    try:
        engine = open_engine(killing, graph.directory, Options(), durable=reaper.wrap(DurableFiles()))
        perform(engine)
        engine.close()
    except KilledError:
        pass
    finally:
        reaper.bury()
    return reaper
