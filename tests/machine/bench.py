"""What the emulated machine costs: ``python -m tests.machine.bench`` prints it beside its goals.

For 10,000 thin devices in a pool of 2^24 blocks of 64 KiB, in a process of its own, over a store that another has made.
Processor time says what it costs where other programs run, too; elapsed time is what a caller waits.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dmtui.machine.emulated import EmulatedMachine
from dmtui.monitor.discover import Discoverer
from dmtui.monitor.sample import Sample
from dmtui.thinpool.table import Target

BLOCKS, BLOCK = 1 << 24, 65536
METADATA_BYTES = 256 << 20
THIN_SECTORS = 1 << 21


def thin(machine: EmulatedMachine, thin_id: int, origin: int | None = None) -> None:
    """Make a thin, or a snapshot, and activate it."""
    mapper = machine.device_mapper
    mapper.message("bench", f"create_thin {thin_id}" if origin is None else f"create_snap {thin_id} {origin}")
    mapper.create(f"thin-{thin_id}", [Target(0, THIN_SECTORS, "thin", f"/dev/mapper/bench {thin_id}")])


def make(directory: Path, devices: int) -> None:
    """Make the pool and its devices, each with a block written."""
    machine = EmulatedMachine.open(directory)
    machine.set_host_space(1 << 42)
    machine.files.make_directory("/bench")
    nodes = []
    for name, size in (("data", BLOCKS * BLOCK), ("metadata", METADATA_BYTES)):
        machine.files.make_sparse_file(f"/bench/{name}", size)
        nodes.append(machine.loops.attach(f"/bench/{name}", autoclear=False).path)
    machine.device_mapper.create("bench", [Target(0, BLOCKS * 128, "thin-pool", f"{nodes[1]} {nodes[0]} 128 0")])
    for thin_id in range(devices):
        thin(machine, thin_id)
        machine.write(f"thin-{thin_id}", offset_bytes=0, length_bytes=BLOCK)
    machine.close()


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each of several calls: elapsed, and of the processor."""

    elapsed: list[float]
    processor: list[float]


def times(work: Callable[[int], object], count: int) -> Times:
    """Call it so many times."""
    found = Times([], [])
    for number in range(count):
        began, used = time.perf_counter(), time.process_time()
        work(number)
        found.processor.append((time.process_time() - used) * 1000)
        found.elapsed.append((time.perf_counter() - began) * 1000)
    return found


def tell(what: str, found: Times, goal_ms: float | None = None) -> None:
    """Print the medians."""
    elapsed, processor = (statistics.median(each) for each in (found.elapsed, found.processor))
    goal = "" if goal_ms is None else f", goal {goal_ms:g} ms"
    print(f"{what}: {elapsed:.3f} ms, of the processor {processor:.3f} ms{goal}", flush=True)


def measure(directory: Path, devices: int) -> None:
    """Measure what the machine of a directory takes."""
    machine = EmulatedMachine.open(directory)
    mapper = machine.device_mapper
    tell("status of the pool", times(lambda _: mapper.status("bench"), 200), 1)
    tell("status of a thin device", times(lambda n: mapper.status(f"thin-{n * 47 % devices}"), 200), 1)
    discoverer = Discoverer(machine)
    tell("first poll of everything", times(lambda _: discoverer.take(), 1))
    other = EmulatedMachine.open(directory)

    def changed_and_polled(number: int) -> Sample:
        other.write(f"thin-{number * 47 % devices}", offset_bytes=(900 + number) * BLOCK, length_bytes=BLOCK)
        return discoverer.take()

    tell("a poll of everything, after a write of another process", times(changed_and_polled, 10), 200)
    tell("the same where nothing has changed", times(lambda _: discoverer.take(), 10), 200)
    tell("first change", times(lambda _: mapper.message("bench", f"create_thin {devices}"), 1))
    first = devices + 1
    tell("create_thin", times(lambda n: mapper.message("bench", f"create_thin {first + n}"), 200), 2)
    tell("create_snap", times(lambda n: mapper.message("bench", f"create_snap {first + 1000 + n} {n}"), 200), 2)
    tell("a thin device made and activated", times(lambda n: thin(machine, first + 2000 + n), 200), 2)
    tell("a snapshot made and activated", times(lambda n: thin(machine, first + 3000 + n, n), 200), 2)
    tell(
        "a block written", times(lambda n: machine.write(f"thin-{n}", offset_bytes=BLOCK * 9, length_bytes=BLOCK), 200)
    )
    tell("status with a commit", times(lambda _: mapper.status_flush("bench"), 100))
    tell("a thin device removed", times(lambda n: mapper.remove(f"thin-{first + 2000 + n}"), 200))
    tell("delete", times(lambda n: mapper.message("bench", f"delete {first + 2000 + n}"), 200))
    other.close()
    machine.close()
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, goal 200 MB")


def main() -> None:
    """Make a machine, and measure it in another process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--devices", type=int, default=10_000, metavar="N", help="how many thin devices (default: 10000)"
    )
    parser.add_argument("--measure", type=Path, metavar="DIR", help="measure a machine that is there")
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure, arguments.devices)
        return
    with tempfile.TemporaryDirectory() as directory:
        began = time.perf_counter()
        make(Path(directory), arguments.devices)
        took = time.perf_counter() - began
        print(f"{arguments.devices} devices made and written to: {took / arguments.devices * 1000:.2f} ms each")
        words = [sys.executable, "-m", __spec__.name, "--devices", str(arguments.devices), "--measure", directory]
        subprocess.run(words, check=True)


if __name__ == "__main__":
    main()
