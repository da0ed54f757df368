"""Two processes at once on one emulated machine, one of them killed at a random moment; and what must hold then."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from dmtui.machine.emulated import EmulatedMachine
from dmtui.machine.errors import NoSpaceError
from dmtui.thinpool.table import Target
from tests.machine.emulated.bench import BLOCK, Bench, check_counts

DATA_BLOCKS, THIN_BLOCKS = 6000, 1000
LAST_ID = 16_000_000
WORDS = "0 1 error_if_no_space"
"""Of the pool: a write that waits in it would outlive its process, and keep its device."""
_spawn = multiprocessing.get_context("spawn")


class Worker:
    """One process: makes, snapshots, writes, discards and deletes thins of its own range of ids, until it is ended.

    It notes each thing before it asks for it (``?``) and when the machine has answered (``!``), so that afterwards
    it is known what must be there.
    """

    def __init__(self, directory: Path, notes: Path, first_id: int, seed: int):
        self.machine = EmulatedMachine.open(directory)
        self.mapper = self.machine.device_mapper
        self.notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.random = random.Random(seed)
        self.ids: list[int] = []
        self.next_id = first_id

    def note(self, sign: str, verb: str, thin_id: int) -> None:
        os.write(self.notes, f"{sign} {verb} {thin_id}\n".encode())

    def run(self) -> None:
        while True:
            self.random.choice([self.create, self.snapshot, self.write, self.write, self.discard, self.delete])()

    def create(self, origin: int | None = None) -> None:
        thin_id, self.next_id = self.next_id, self.next_id + 1
        self.note("?", "create", thin_id)
        self.mapper.message("p", f"create_thin {thin_id}" if origin is None else f"create_snap {thin_id} {origin}")
        self.note("!", "create", thin_id)
        self.ids.append(thin_id)
        table = Target(0, THIN_BLOCKS * BLOCK // 512, "thin", f"/dev/mapper/p {thin_id}")
        self.mapper.create(f"t{thin_id}", [table])

    def snapshot(self) -> None:
        if self.ids:
            self.create(self.random.choice(self.ids))

    def write(self) -> None:
        self.touch(self.machine.write)

    def discard(self) -> None:
        self.touch(self.machine.discard)

    def touch(self, act) -> None:
        if self.ids:
            first = self.random.randrange(THIN_BLOCKS - 50)
            count = self.random.randint(1, 50)
            try:
                act(f"t{self.random.choice(self.ids)}", offset_bytes=first * BLOCK, length_bytes=count * BLOCK)
            except NoSpaceError:
                self.delete()

    def delete(self) -> None:
        if len(self.ids) > 3:
            thin_id = self.ids.pop(self.random.randrange(len(self.ids)))
            self.mapper.remove(f"t{thin_id}")
            self.note("?", "delete", thin_id)
            self.mapper.message("p", f"delete {thin_id}")
            self.note("!", "delete", thin_id)


def work(directory: Path, notes: Path, first_id: int, seed: int, started) -> None:
    """What a process does."""
    worker = Worker(directory, notes, first_id, seed)
    started.set()
    worker.run()


@dataclass(frozen=True, slots=True)
class Noted:
    """What the notes of a process say: ids that must be there, and the one that may be (asked for, not answered)."""

    certain: frozenset[int]
    doubtful: frozenset[int]
    operations: int


def read_notes(path: Path) -> Noted:
    """Read what a process noted."""
    certain: set[int] = set()
    asked: set[int] = set()
    operations = 0
    for line in path.read_text().splitlines():
        sign, verb, text = line.split()
        thin_id = int(text)
        operations += sign == "!"
        if sign == "?":
            asked.add(thin_id)
            certain.discard(thin_id)
            continue
        asked.discard(thin_id)
        if verb == "create":
            certain.add(thin_id)
    return Noted(frozenset(certain), frozenset(asked), operations)


def make(directory: Path) -> None:
    """A machine with a pool and nothing in it."""
    machine = EmulatedMachine.open(directory)
    Bench(machine, blocks=DATA_BLOCKS, words=WORDS)
    machine.close()


def play(directory: Path, seed: int) -> int:
    """Let two processes work, kill the one and then the other; returns how many messages they had answered."""
    draw = random.Random(seed)
    notes = [directory / f"notes-{seed}-{number}" for number in range(2)]
    started = [_spawn.Event() for _ in notes]
    workers = [
        _spawn.Process(target=work, args=(directory, path, 1 + number * 1_000_000, 2 * seed + number, event))
        for number, (path, event) in enumerate(zip(notes, started, strict=True))
    ]
    for worker in workers:
        worker.start()
    assert all(event.wait(60) for event in started)
    for worker in workers:
        time.sleep(draw.uniform(0.02, 0.4))
        assert worker.is_alive(), "it failed by itself"
        os.kill(worker.pid, signal.SIGKILL)
        worker.join(30)
    noted = [read_notes(path) for path in notes]
    check(directory, noted)
    return sum(each.operations for each in noted)


def check(directory: Path, noted: list[Noted]) -> None:
    """What must hold after a kill: the file is whole, the counts agree, nothing answered is lost, and work goes on."""
    connection = sqlite3.connect(directory / "machine.sqlite3")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    machine = EmulatedMachine.open(directory)
    mapper = machine.device_mapper
    with machine._store.write() as store:
        pool = machine._pools.metadata(store, 1)
        pool.commit()
        check_counts(pool)
        figures = f"{pool.data.state.used_blocks}/{DATA_BLOCKS}"
    assert mapper.status_flush("p").targets[0].params.split()[2] == figures
    for entry in mapper.list_devices():
        if entry.name != "p":
            mapper.remove(entry.name)
    mapper.message("p", f"create_thin {LAST_ID}")
    mapper.remove("p")
    assert machine.thin_tools.check("/b/meta", snapshot=False).sound
    found = {thin.thin_id for thin in machine.thin_tools.list_thins("/b/meta", snapshot=False)}
    certain = frozenset().union(*(each.certain for each in noted))
    doubtful = frozenset().union(*(each.doubtful for each in noted))
    assert certain <= found - {LAST_ID} <= certain | doubtful
    assert len(doubtful) <= len(noted)
    mapper.create("p", [Target(0, DATA_BLOCKS * BLOCK // 512, "thin-pool", f"/dev/loop1 /dev/loop0 128 {WORDS}")])
    for thin_id in found:
        mapper.message("p", f"delete {thin_id}")
    assert mapper.status_flush("p").targets[0].params.split()[2] == f"0/{DATA_BLOCKS}"
    machine.close()
