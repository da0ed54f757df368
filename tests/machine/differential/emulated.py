"""The emulated machine as a player uses it."""

from __future__ import annotations

import errno
from collections.abc import Callable

from dmtui.machine.emulated import EmulatedMachine, devices
from dmtui.machine.emulated.node import TIME_BITS
from dmtui.machine.errors import TimedOutError
from dmtui.thinpool.devno import DeviceNumber
from tests.machine.differential.dumps import Dump
from tests.machine.differential.player import TICK_SECONDS


class EmulatedSide:
    """Device-mapper, input and output of an emulated machine."""

    def __init__(self, machine: EmulatedMachine) -> None:
        self._machine = machine
        self._mapper = mapper = machine.device_mapper
        self._opened: list[str] = []
        self._waiting: dict[int, str] = {}
        machine.clock.freeze()
        machine.clock.set_no_space_timeout(0)  # how long writers wait is not what is compared
        self.create, self.load, self.suspend = mapper.create, mapper.load, mapper.suspend
        self.resume, self.remove, self.message = mapper.resume, mapper.remove, mapper.message
        self.list_devices, self.info, self.table = mapper.list_devices, mapper.info, mapper.table
        self.status, self.status_flush = mapper.status, mapper.status_flush

    def read(self, name: str, offset: int, length: int) -> None:
        self._machine.read(name, offset_bytes=offset, length_bytes=length)

    def write(self, name: str, offset: int, length: int) -> None:
        self._machine.write(name, offset_bytes=offset, length_bytes=length)

    def begin(self, verb: str, name: str, offset: int, length: int) -> None:
        """Do what may have to wait for space."""
        held = self._machine.queue.submit(name, verb, (offset, length))
        if held is not None:
            self._waiting[held[0]] = name
            raise TimedOutError(name, "waits", "", errno.ETIMEDOUT)

    def settle(self) -> None:
        """Nothing to wait for: what can go on has done so."""

    def ended(self) -> list[tuple[str, int]]:
        """What has waited and has ended since this was asked, oldest first: its device, its errno or 0."""
        found = {number: self._machine.queue.ended(number) for number in self._waiting}
        ended = [number for number, error in found.items() if error is not None]
        return [(self._waiting.pop(number), found[number] or 0) for number in ended]

    def waiting(self) -> set[str]:
        """Devices inside which something waits."""
        return set(self._waiting.values())

    def discard(self, name: str, offset: int, length: int) -> None:
        if self._waiting:
            self._machine.clock.step(TICK_SECONDS)  # as long as the kernel's player waits then
        self._machine.discard(name, offset_bytes=offset, length_bytes=length)

    def open(self, name: str) -> None:
        self._mapper.open_device(name)
        self._opened.append(name)

    def close(self, name: str) -> None:
        self._mapper.close_device(name)
        self._opened.remove(name)

    def close_all(self) -> None:
        for name in list(self._opened):
            self.close(name)

    def keep_disk(self, metadata_path: str) -> None:
        """Nothing to be kept: the machine can lose its power itself."""

    def keep_what_is_committed(self, *, commits: bool) -> None:
        """See `keep_disk`."""

    def cut_power(self, clear: Callable[[], None]) -> None:
        self._machine.power_cut()
        self._opened.clear()
        self._waiting.clear()

    def clear_needs_check(self, metadata_path: str, disk: str) -> None:
        self._machine.faults.clear_needs_check(metadata_path)

    @property
    def ticked(self) -> bool:
        """Never: the clock stands still."""
        return False

    def dump(self, metadata_path: str) -> list[str]:
        # The mappings are nobody's business but the model's: there is no public way to all of them.
        with self._machine._store.write() as connection:
            number = int(metadata_path.removeprefix("/dev/loop"))
            place = devices.storage(connection, DeviceNumber(7, number))
            row = connection.execute("SELECT id FROM metadata WHERE inode = ? AND offset_sectors = ?", place).fetchone()
            if row is None:
                return ["no metadata"]
            pool = self._machine._pools.metadata(connection, row[0])
            dump = Dump(pool.superblock.transaction_id, pool.superblock.time)
            for thin_id in sorted(pool.thins):
                thin = pool.thins[thin_id]
                times = (thin.creation_time, thin.snapshotted_time)
                dump.thin(thin_id, thin.mapped_blocks, thin.transaction_id, *times)
                for block, value in pool.mappings.items(pool.root_of(thin_id)):
                    dump.mapping(block, value >> TIME_BITS, value & ((1 << TIME_BITS) - 1), 1)
            return dump.lines()
