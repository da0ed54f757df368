"""What a snapshot costs from the request to its node: the engine, the bare ioctls, and containerd's `prepare`.

Run in the lab, as root: ``python -m tests.kernel.bench.create GRAPH-DIRECTORY [ROUNDS]``. Prints medians and ratios.
"""

from __future__ import annotations

import os
import stat
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path

from dmtui.deviceset.engine import Engine, open_engine
from dmtui.deviceset.options import parse_options
from dmtui.machine.kernel import KernelMachine
from dmtui.thinpool.table import ThinTable
from tests.kernel.bench.bare import Bare

OPTIONS = parse_options(["dm.loopdatasize=1G", "dm.loopmetadatasize=16M", "dm.basesize=64M", "dm.fs=ext4"])


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def by_engine(engine: Engine) -> None:
    engine.run(engine.plans.create("measured"))
    engine.run(engine.plans.activate("measured"))


def counted_syncs(work: Callable[[], None]) -> tuple[int, int]:
    """How many files and directories a piece of work syncs."""
    counts = {True: 0, False: 0}
    real = os.fsync

    def count(descriptor: int) -> None:
        counts[stat.S_ISDIR(os.fstat(descriptor).st_mode)] += 1
        real(descriptor)

    os.fsync = count
    try:
        work()
    finally:
        os.fsync = real
    return counts[False], counts[True]


class Until(Enum):
    """How long the floor takes: the engine, as every user of libdevmapper, returns when udev is done."""

    RETURNED = "bare ioctls"
    NODE_IS_THERE = "bare ioctls until the node is there"
    UDEV_IS_DONE = "bare ioctls until udev is done"
    COOKIE_IS_DONE = "the same by libdevmapper, whose cookie udev completes by a program of its own"


class Floor:
    """The same sequence by bare ioctls, on the same pool."""

    def __init__(self, engine: Engine, directory: Path):
        self._devices = engine.devices
        self._bare = Bare(directory)
        self._sectors = engine.devices.record("").size_bytes // 512
        self._base_id = engine.devices.record("").device_id

    def make(self, thin_id: int, syncs: tuple[int, int], until: Until) -> None:
        pool, now = self._devices.pool.name, self._devices.pool.transaction_id()
        self._bare.sync(*syncs)
        if until is Until.COOKIE_IS_DONE:
            self._by_library(pool, thin_id, now)
            return
        self._bare.message(pool, f"create_snap {thin_id} {self._base_id}")
        self._bare.message(pool, f"set_transaction_id {now} {now + 1}")
        self._bare.create("measured-bare", self._sectors, ThinTable(f"/dev/mapper/{pool}", thin_id).params())
        if until is Until.RETURNED:
            return
        while not Path("/dev/mapper/measured-bare").exists():
            time.sleep(0.0005)
        while until is Until.UDEV_IS_DONE and Path("/run/udev/queue").exists():
            time.sleep(0.0005)

    def _by_library(self, pool: str, thin_id: int, now: int) -> None:
        mapper = self._devices.machine.device_mapper
        mapper.message(pool, f"create_snap {thin_id} {self._base_id}")
        mapper.message(pool, f"set_transaction_id {now} {now + 1}")
        mapper.create("measured-bare", [ThinTable(f"/dev/mapper/{pool}", thin_id).target(self._sectors)])

    def unmake(self, thin_id: int) -> None:
        subprocess.run(["udevadm", "settle"], check=True)
        self._bare.remove("measured-bare")
        self._bare.message(self._devices.pool.name, f"delete {thin_id}")
        # The engine's transaction id on file has to stay that of the pool.
        now = self._devices.pool.transaction_id()
        transaction = self._devices.store.read_transaction()
        assert transaction is not None
        self._bare.message(self._devices.pool.name, f"set_transaction_id {now} {transaction.open_id}")


def by_containerd(ctr: list[str], key: str) -> tuple[float, float]:
    """Seconds of a `prepare`, and of a command that does nothing but ask: what the client itself costs."""
    prepare = timed(lambda: subprocess.run([*ctr, "prepare", key, "base"], check=True, capture_output=True))
    asking = timed(lambda: subprocess.run([*ctr, "info", key], check=True, capture_output=True))
    subprocess.run([*ctr, "rm", key], check=True, capture_output=True)
    return prepare, asking


def main(graph: str, rounds: int = 30, ctr: list[str] | None = None) -> None:
    """Measure in a pool of its own, which is gone afterwards."""
    machine = KernelMachine()
    engine = open_engine(machine, graph, OPTIONS, making=True)
    engine.run(engine.plans.start("now"))
    try:
        measure(engine, Path(graph), rounds, ctr)
    finally:
        engine.run(engine.plans.remove_pool())
        engine.close()
        machine.close()


def measure(engine: Engine, graph: Path, rounds: int, ctr: list[str] | None) -> None:
    floor = Floor(engine, graph / "dmtui" / "bench")
    syncs = counted_syncs(lambda: by_engine(engine))
    engine.run(engine.plans.remove("measured"))
    ours: list[float] = []
    floors: dict[Until, list[float]] = {until: [] for until in Until}
    theirs: list[tuple[float, float]] = []
    for number in range(rounds):
        thin_id = 1000 + number
        for until, values in floors.items():
            values.append(timed(partial(floor.make, thin_id, syncs, until)))
            floor.unmake(thin_id)
        ours.append(timed(lambda: by_engine(engine)))
        engine.run(engine.plans.remove("measured"))
        if ctr is not None and number < max(1, rounds // 3):
            theirs.append(by_containerd(ctr, f"measured-{number}"))
    report(syncs, ours, floors, theirs)


def report(
    syncs: tuple[int, int], ours: list[float], floors: dict[Until, list[float]], theirs: list[tuple[float, float]]
) -> None:
    engine = statistics.median(ours) * 1000
    print(
        f"create + activate a snapshot, {len(ours)} rounds, medians; {syncs[0]} files and {syncs[1]} directories synced"
    )
    print(f"engine {engine:.2f} ms")
    for until, values in floors.items():
        floor = statistics.median(values) * 1000
        print(f"{until.value} {floor:.2f} ms, ratio {engine / floor:.2f}")
    if theirs:
        prepare, asking = (statistics.median(values) * 1000 for values in zip(*theirs, strict=True))
        print(f"ctr snapshots prepare {prepare:.2f} ms, of which the client itself {asking:.2f} ms")
        print(f"ratio to ctr snapshots prepare: {engine / prepare:.3f} (at most 0.2)")
        print(f"ratio to its part in the daemon alone: {engine / max(0.01, prepare - asking):.3f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 30)
