"""From an event in the real kernel to the changed screen: a write finds no free block, until the dashboard says so.

Run in the lab, as root: ``python -m tests.kernel.bench.event DIRECTORY [ROUNDS]``. Prints each round and the budget.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.tui.bench import Budget
from tests.tui.terminal import Terminal

BLOCK_BYTES = 65536
BLOCKS = 32
POOL, THIN = "event-pool", "event-thin"
FULL = "no free data block"


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@contextmanager
def full_pool(directory: Path) -> Iterator[int]:
    """A pool whose last block is taken, with one thin; gives a descriptor of that."""
    loops: list[str] = []
    try:
        for name, size in (("data", BLOCKS * BLOCK_BYTES), ("metadata", 4 << 20)):
            path = directory / f"event-{name}"
            run("truncate", "-s", str(size), str(path))
            loops.append(run("losetup", "-f", "--show", str(path)))
            path.unlink()
        features = "2 skip_block_zeroing error_if_no_space"
        table = f"0 {BLOCKS * 128} thin-pool {loops[1]} {loops[0]} 128 0 {features}"
        run("dmsetup", "create", POOL, "--table", table)
        run("dmsetup", "message", POOL, "0", "create_thin 0")
        run("dmsetup", "create", THIN, "--table", f"0 {BLOCKS * 256} thin /dev/mapper/{POOL} 0")
        thin = os.open(f"/dev/mapper/{THIN}", os.O_RDWR | os.O_DIRECT)
        try:
            for block in range(BLOCKS):
                write(thin, block)
            os.fsync(thin)
            yield thin
        finally:
            os.close(thin)
    finally:
        for name in (THIN, POOL):
            with suppress(subprocess.CalledProcessError):
                run("dmsetup", "remove", "--retry", name)
        for loop in loops:
            run("losetup", "-d", loop)


def write(thin: int, block: int) -> None:
    with mmap.mmap(-1, BLOCK_BYTES) as content:
        os.pwrite(thin, content, block * BLOCK_BYTES)


def measured(directory: Path, moment: float) -> float:
    """Milliseconds from the write to the screen; `moment` seconds after the dashboard has come to rest."""
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "HOME": str(directory)}
    with full_pool(directory) as thin:
        terminal = Terminal([sys.executable, "-m", "dmtui", "--machine", "kernel", "--read-only"], environment)
        try:
            terminal.wait_for(POOL, within=120)
            terminal.watch(moment)
            terminal.press("")  # what was written so far does not count
            began = time.perf_counter()
            with suppress(OSError):
                write(thin, BLOCKS)
            terminal.wait_for(FULL, within=60)
            return (time.perf_counter() - began) * 1000
        finally:
            terminal.kill()


def main(directory: str, rounds: int = 5) -> None:
    took = [measured(Path(directory), 4.0 + number * 0.23) for number in range(rounds)]
    print("milliseconds:", *(f"{each:.0f}" for each in took))
    print(Budget("event in the real kernel to changed screen, the longest", max(took), 200.0))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
