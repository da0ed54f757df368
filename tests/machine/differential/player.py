"""Plays a course on one machine and tells after every operation all that can be seen of it."""

from __future__ import annotations

import errno
import random
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from dmtui.machine.errors import DeviceMissingError, MachineError, TimedOutError, machine_error
from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading, Machine
from dmtui.thinpool.table import PoolTable, Target
from tests.machine.differential.operations import CUTS, STACKED, Operation, Shape

SECTOR = 512
METADATA_BLOCK = 4096
METADATA_SECTORS = METADATA_BLOCK // SECTOR
TICK_SECONDS = 1.5
"""What need not wait any more goes on at the next round of the pool's worker, which comes every second."""
WAITS = "waits"
OPEN = "pool uncommitted: "
"""Begins what a status without a flush tells, which may be of an open transaction."""
DISK = "disk-"
_SHOWS_TABLES = ("create", "create_over", "load", "load_pool", "resume", "restart")


_INPUT_OUTPUT = ("read", "write", "scatter", "discard", "flush")
_COMMITS = ("flush", "message")
"""What has committed when it is done; the rest the kernel commits by its clock."""
_CHANGES = ("suspend", "resume", "remove", "load")


class TickedError(Exception):
    """The kernel's clock has brought a commit where the course allows for none: it is to be played again."""


class Side(Protocol):
    """What a player needs of a machine's device-mapper: changes, readings, and input and output in bytes."""

    def create(self, name: str, targets: list[Target], *, read_only: bool = False) -> object: ...
    def load(self, name: str, targets: list[Target], *, read_only: bool = False) -> None: ...
    def suspend(self, name: str, *, flush: bool, lock_filesystem: bool) -> None: ...
    def resume(self, name: str) -> None: ...
    def remove(self, name: str, *, deferred: bool = False) -> None: ...
    def message(self, name: str, text: str) -> object: ...
    def list_devices(self) -> tuple[DeviceEntry, ...]: ...
    def info(self, name: str) -> DeviceInfo: ...
    def table(self, name: str) -> DeviceReading: ...
    def status(self, name: str) -> DeviceReading: ...
    def status_flush(self, name: str) -> DeviceReading: ...
    def read(self, name: str, offset: int, length: int) -> None: ...
    def begin(self, verb: str, name: str, offset: int, length: int) -> None: ...
    def ended(self) -> list[tuple[str, int]]: ...
    def settle(self) -> None: ...
    def waiting(self) -> set[str]: ...
    def write(self, name: str, offset: int, length: int) -> None: ...
    def discard(self, name: str, offset: int, length: int) -> None: ...
    def open(self, name: str) -> None: ...
    def close(self, name: str) -> None: ...
    def close_all(self) -> None: ...
    def keep_disk(self, metadata_path: str) -> None: ...
    def keep_what_is_committed(self, *, commits: bool) -> None: ...
    def cut_power(self, clear: Callable[[], None]) -> None: ...
    def clear_needs_check(self, metadata_path: str, disk: str) -> None: ...
    @property
    def ticked(self) -> bool: ...
    def dump(self, metadata_path: str) -> list[str]: ...


class Player:
    """One pool of a shape on one machine; `end` leaves nothing behind."""

    def __init__(self, machine: Machine, side: Side, home: str, shape: Shape) -> None:
        self.machine, self.side, self.shape = machine, side, shape
        self.files = {"data": f"{home}/data", "metadata": f"{home}/metadata"}
        machine.files.make_directory(home)
        machine.files.make_sparse_file(self.files["data"], shape.data_blocks * shape.block_sectors * SECTOR)
        machine.files.make_sparse_file(self.files["metadata"], shape.metadata_blocks * METADATA_BLOCK)
        self._attach()
        self.data_blocks = shape.data_blocks
        self.sizes = {name: loop_sectors(shape, name) for name in self.files}
        if shape.lean in STACKED:
            self._stack()
        self.line = (shape.block_sectors, shape.low_water_blocks, shape.features)
        self.opened: dict[str, int] = {}
        self.metadata_broken = False
        self.told: list[str] = []
        self.first = [self._outcome(self._create_pool), *self.seen(tables=True)]

    def _attach(self) -> None:
        paths = self.files.items()
        self.loops = {name: self.machine.loops.attach(path, autoclear=False) for name, path in paths}
        self.disks = {name: str(loop.dev) for name, loop in self.loops.items()}

    def _pool_target(self, sectors: int | None = None, line=None) -> Target:
        block_sectors, low_water, features = line or self.line
        table = PoolTable(self.disks["metadata"], self.disks["data"], block_sectors, low_water, tuple(features))
        return table.target(self.data_blocks * self.shape.block_sectors if sectors is None else sectors)

    def _create_pool(self) -> None:
        self.side.create("pool", [self._pool_target()])

    def _stack(self) -> None:
        """Put the pool on linear devices over the loop devices, which can be broken."""
        for name, loop in self.loops.items():
            self.side.create(f"{DISK}{name}", [Target(0, self.sizes[name], "linear", f"{loop.dev} 0")])
            self.disks[name] = str(self.side.info(f"{DISK}{name}").dev)

    def _devices(self) -> list[DeviceEntry]:
        return [entry for entry in self.side.list_devices() if not entry.name.startswith(DISK)]

    def play(self, operation: Operation) -> list[str]:
        """Play one operation: what came of it, then all that is seen."""
        verb, *values = operation
        self.told.clear()
        outcome = self._outcome(lambda: self._unless_it_hangs(verb, *values))
        ended = [f"wait on {name} ended: {errno.errorcode.get(number, 'done')}" for name, number in self.side.ended()]
        return [outcome, *self.told, *ended, *self.seen(tables=verb in _SHOWS_TABLES)]

    def _unless_it_hangs(self, verb: str, *values) -> None:
        """Play it, but tell of what would wait in the kernel, perhaps for ever, instead of doing it.

        That is input and output on a suspended device or over an origin that does not answer, and changes of a device
        that its pool has suspended.
        """
        if verb in _INPUT_OUTPUT + _CHANGES:
            info = self.side.info(values[0])
            waits = verb in _INPUT_OUTPUT and (info.suspended or self._origin_waits(values[0]))
            if verb in ("suspend", "resume") and values[0] in self.side.waiting():
                waits = waits or self._waits_for_waiting(verb, info, *values[1:])
            if waits or (info.internal_suspend and verb != "remove"):
                raise TimedOutError(info.name, "would wait", "", errno.ETIMEDOUT)
        getattr(self, f"_{verb}")(*values)

    def _waits_for_waiting(self, verb: str, info: DeviceInfo, flush: bool = True, lock_filesystem: bool = True) -> bool:
        """Whether a change of a device ends only when the writes have ended that wait inside it."""
        return flush if verb == "suspend" else info.inactive_table and not info.suspended

    def _origin_waits(self, name: str, above: frozenset[str] = frozenset()) -> bool:
        """Whether a device stands on a suspended one, or on its own thin, whose blocks the kernel has locked then."""
        thins = [words for target in self.side.table(name).targets if len(words := target.params.split()) in (2, 3)]
        ids, origins = {words[1] for words in thins}, {words[2] for words in thins if len(words) == 3}
        below = [entry.name for entry in self.side.list_devices() if str(entry.dev) in origins]
        if ids & above or any(self.side.info(each).suspended for each in below):
            return True
        return any(self._origin_waits(each, above | ids) for each in below)

    def _outcome(self, act) -> str:
        try:
            act()
        except TimedOutError:
            return WAITS
        except MachineError as error:
            return errno.errorcode.get(error.errno, str(error.errno))
        return "done"

    def seen(self, *, tables: bool) -> list[str]:
        """Everything a user can see; the pool is asked first, with a commit, the others as they are then."""
        lines: list[str] = []
        with suppress(DeviceMissingError):
            if self.shape.lean == CUTS:
                lines += [f"{OPEN}{_masked(str(target))}" for target in self.side.status("pool").targets]
            lines += self._lines("pool", self.side.status_flush("pool"))
            self.side.settle()  # that commit may have found space
        for entry in self._devices():
            lines.append(f"{entry.name}: listed with event {entry.event_nr}")
            if entry.name != "pool":
                lines += self._lines(entry.name, self.side.status(entry.name))
            if tables:
                lines += self._tables(entry.name)
        return lines

    def _lines(self, name: str, reading: DeviceReading) -> list[str]:
        info = reading.info
        # Whether a commit has come before this query, and its events with it, is the clock's business: see the list.
        words = [f"open {info.open_count}"]
        flags = ("suspended", "read_only", "live_table", "inactive_table", "deferred_remove", "internal_suspend")
        words += [flag for flag in flags if getattr(info, flag)]
        return [f"{name}: {' '.join(words)}", *(f"{name}: {_masked(str(target))}" for target in reading.targets)]

    def _tables(self, name: str) -> list[str]:
        known = {dev: name for name, dev in self.disks.items()}
        known |= {str(entry.dev): entry.name for entry in self._devices()}
        lines = (str(target) for target in self.side.table(name).targets)
        return [f"{name} table: {re.sub(r'[0-9]+:[0-9]+', lambda m: known.get(m[0], '?'), line)}" for line in lines]

    def end(self) -> list[str]:
        """Remove everything, and tell every mapping that the metadata hold."""
        self._clear()
        self._unstack()
        for loop in self.loops.values():
            self.machine.loops.refresh_capacity(loop.path)
        mappings = self.side.dump(self.loops["metadata"].path)
        for name, loop in self.loops.items():
            self.machine.loops.detach(loop.path)
            self.machine.files.remove_file(self.files[name])
        return mappings

    def _unstack(self) -> None:
        for name in self.disks:
            with suppress(DeviceMissingError):
                self.side.remove(f"{DISK}{name}")

    def _clear(self) -> None:
        self.side.close_all()
        self.opened.clear()
        if self.shape.lean in STACKED:
            for name in self.disks:
                self._mend(name)
        # A pool that cannot resume under its present table would keep its thin devices suspended.
        with suppress(MachineError):
            self.side.load("pool", [self._table_without_space() if self.side.waiting() else self._pool_target()])
        with suppress(MachineError):
            self.side.resume("pool")
        for name in self.side.waiting():
            with suppress(MachineError):
                self.side.resume(name)
        self.side.ended()
        self._remove_all()

    def _remove_all(self) -> None:
        # An origin goes after what stands on it, the pool after its thins.
        while names := [entry.name for entry in self._devices()]:
            for name in names:
                with suppress(MachineError):
                    self.side.remove(name)
            if names == [entry.name for entry in self._devices()]:
                return

    def _table_without_space(self) -> Target:
        """What tells all that waits for space that there is none: no growth, of which it would get some in a race."""
        features = (*(set(self.line[2]) - {"read_only"}), "error_if_no_space")
        return self._pool_target(self.side.table("pool").targets[0].length_sectors, (*self.line[:2], features))

    # The verbs.

    def _message(self, name: str, text: str) -> None:
        # Refused in any case, but Linux 6.1.176 changes something first, which may show; 6.1.192 looks first.
        if name == "pool" and text == "reserve_metadata_snap" and self._holds_snapshot():
            raise machine_error(errno.EBUSY, name, text)
        if name == "pool" and text == "release_metadata_snap" and self.metadata_broken and self._holds_snapshot():
            if self.side.info("pool").suspended:
                raise machine_error(errno.EIO, name, text)
        self.side.message(name, text)

    def _holds_snapshot(self) -> bool:
        """Whether the pool takes messages and holds a metadata snapshot."""
        with suppress(DeviceMissingError):
            words = " ".join(target.params for target in self.side.status("pool").targets).split()
            return len(words) > 4 and words[3] != "-" and words[4] != "ro"
        return False

    def _thin_target(self, thin_id: object, sectors: int, *origin: object) -> Target:
        return Target(0, sectors, "thin", " ".join(map(str, (self.side.info("pool").dev, thin_id, *origin))))

    def _create(self, name: str, thin_id: int, sectors: int, read_only: bool) -> None:
        self.side.create(name, [self._thin_target(thin_id, sectors)], read_only=read_only)

    def _create_over(self, name: str, thin_id: int, sectors: int, origin: str) -> None:
        self.side.create(name, [self._thin_target(thin_id, sectors, self.side.info(origin).dev)])

    def _load(self, name: str, kind: str, thin_id: int, sectors: int) -> None:
        thin = self._thin_target(thin_id, sectors)
        tables = {
            "thin": [thin],
            "error": [Target(0, sectors, "error", "")],
            "zero": [Target(0, sectors, "zero", "")],
            "words": [Target(0, sectors, "thin", thin.params.split()[0])],
            "number": [Target(0, sectors, "thin", f"{thin.params}x")],
            "empty": [Target(0, 0, "thin", thin.params)],
            "huge": [Target(0, 2**54, "thin", thin.params)],
            "twice": [thin, Target(sectors, 64, "thin", thin.params)],
        }
        self.side.load(name, tables[kind])

    def _load_pool(self, kind: str, low_water: int, features: list[str], resume: bool) -> None:
        line = (self.shape.block_sectors, low_water, tuple(features))
        size = self.data_blocks * self.shape.block_sectors
        plain = self._pool_target(size, line)
        tables = {
            "same": [plain],
            "block": [self._pool_target(size, (self.shape.block_sectors * 2, *line[1:]))],
            "other": [Target(0, size, "thin-pool", " ".join(reversed(plain.params.split()[:2])) + " 128 0")],
            "short": [self._pool_target(size // 2, line)],
            "long": [self._pool_target(size + self.shape.block_sectors * 4, line)],
            "readonly": [plain],
            "linear": [Target(0, 128, "linear", f"{self.disks['data']} 0")],
            "thin": [self._thin_target(0, 128)],
            "count": [Target(0, size, "thin-pool", f"{plain.params.split(' 0')[0]} 7")],
        }
        self.side.load("pool", tables[kind], read_only=kind == "readonly")
        if kind == "same":
            self.line = line
        if resume:
            self.side.resume("pool")

    def _suspend(self, name: str, flush: bool, lock_filesystem: bool) -> None:
        self.side.suspend(name, flush=flush, lock_filesystem=lock_filesystem)

    def _resume(self, name: str) -> None:
        self.side.resume(name)

    def _remove(self, name: str, deferred: bool) -> None:
        self.side.remove(name, deferred=deferred)

    def _open(self, name: str) -> None:
        self.side.open(name)
        self.opened[name] = self.opened.get(name, 0) + 1

    def _close(self, name: str) -> None:
        if self.opened.get(name):
            self.opened[name] -= 1
            self.side.close(name)

    def _read(self, name: str, sector: int, sectors: int) -> None:
        self.side.read(name, sector * SECTOR, sectors * SECTOR)

    def _write(self, name: str, sector: int, sectors: int) -> None:
        self.side.begin("write", name, sector * SECTOR, sectors * SECTOR)

    def _scatter(self, name: str, seed: int, count: int) -> None:
        chance = random.Random(seed)
        blocks = self.shape.thin_sectors // self.shape.block_sectors
        for _ in range(count):
            self.side.write(name, chance.randrange(blocks) * self.shape.block_sectors * SECTOR, SECTOR)

    def _discard(self, name: str, sector: int, sectors: int) -> None:
        self.side.discard(name, sector * SECTOR, sectors * SECTOR)

    def _flush(self, name: str) -> None:
        self.side.begin("flush", name, 0, 0)

    def _resize_data(self, blocks: int) -> None:
        self.data_blocks = blocks
        self._resize("data", blocks * self.shape.block_sectors * SECTOR)

    def _resize_metadata(self, blocks: int) -> None:
        self._resize("metadata", blocks * METADATA_BLOCK)

    def _resize(self, name: str, size_bytes: int) -> None:
        self.machine.files.resize_file(self.files[name], size_bytes)
        self.machine.loops.refresh_capacity(self.loops[name].path)
        self.sizes[name] = size_bytes // SECTOR
        if self.shape.lean in STACKED:
            self._mend(name)

    def _break(self, name: str) -> None:
        """From now on the disk under the pool gives errors to everything."""
        self.metadata_broken = self.metadata_broken or name == "metadata"
        self._put(name, Target(0, self.sizes[name], "error", ""))

    def _mend(self, name: str) -> None:
        self.metadata_broken = self.metadata_broken and name != "metadata"
        self._put(name, Target(0, self.sizes[name], "linear", f"{self.loops[name].dev} 0"))

    def _put(self, name: str, target: Target) -> None:
        disk = f"{DISK}{name}"
        self.side.load(disk, [target])
        self.side.suspend(disk, flush=False, lock_filesystem=False)
        self.side.resume(disk)

    def _cut(self, burst: list[Operation]) -> None:
        """Do all that and cut the power at once; the pool is activated anew over what is on its metadata's disk."""
        self._burst(burst)
        self.side.cut_power(self._clear)
        self.opened.clear()
        self._unstack()
        for loop in self.loops.values():
            with suppress(MachineError):
                self.machine.loops.detach(loop.path)
        self._attach()
        self._stack()
        self._create_pool()

    def _abort(self, disk: str, burst: list[Operation], seen: bool = True) -> None:
        """Do all that, let a disk break at once, and look; then it is mended, the pool checked and activated anew.

        Where it is not `seen`, all is deactivated over the broken disk, without a look that would commit before.
        """
        self._burst(burst)
        self._break(disk)
        self.side.keep_what_is_committed(commits=False)
        if self.side.ticked:
            raise TickedError
        if seen:
            self.told += [f"broken: {line}" for line in self.seen(tables=False)]
        else:
            self._remove_all()
        self._mend(disk)
        self._clear()
        self.side.clear_needs_check(self.files["metadata"], self.disks["metadata"])
        self._create_pool()

    def _burst(self, burst: list[Operation]) -> None:
        """Do all that without a look in between, which would commit."""
        self.side.keep_disk(self.files["metadata"])
        for verb, *values in burst:
            outcome = self._outcome(lambda verb=verb, values=values: self._unless_it_hangs(verb, *values))
            self.told.append(f"{verb}: {outcome}")
            self.side.keep_what_is_committed(commits=outcome == "done" and verb in _COMMITS)

    def _restart(self) -> None:
        self._clear()
        self._create_pool()


def loop_sectors(shape: Shape, name: str) -> int:
    """Size of the data or the metadata device at first."""
    blocks = {"data": shape.data_blocks * shape.block_sectors, "metadata": shape.metadata_blocks * METADATA_SECTORS}
    return blocks[name]


def _masked(line: str) -> str:
    """A status line without the block number of a held root, which depends on where the kernel put its copies."""
    words = line.split(" ")
    if words[2:3] == ["thin-pool"] and len(words) > 7 and words[6] != "-":
        words[6] = "held"
    return " ".join(words)
