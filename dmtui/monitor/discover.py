"""From a machine to a `Sample`: every thin pool, its owner, its devices, and what lies beneath it.

Reading only: status without a flush, no activation, no commit. A device that vanishes between two questions is no
error; a device that cannot be read is a problem in the sample, and the others are still shown.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dmtui.deviceset.recognition import host_of_loop_file, limited_by_host
from dmtui.machine.errors import (
    DeviceMissingError,
    FileMissingError,
    MachineError,
    MachineNotPermittedError,
    NoDeviceMapperError,
)
from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading, FileIdentity, LoopDevice, Machine
from dmtui.monitor.nospace import queues
from dmtui.monitor.recorded import RecordReader, completed, read_recorded
from dmtui.monitor.sample import Backing, Pool, Sample, Space, ThinDevice
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import MalformedError
from dmtui.thinpool.names import Owner, lvm_display_name, owner_of
from dmtui.thinpool.status import PoolMode, PoolStatus, ThinStatus
from dmtui.thinpool.table import THIN, THIN_POOL, PoolTable, Target, ThinTable
from dmtui.thinpool.units import sectors_to_bytes

_TABLE_AGE_POLLS = 10
"""A thin device's table is read again after so many polls: it changes only by a reload of its owner."""
_FAILED_TABLES = ("Fail", "-")
_PREFIX = re.compile(r"^(docker|container)-\d+:\d+-\d+-")
"""What a graph directory puts in front of the names of its devices."""


@dataclass(slots=True)
class _Thin:
    """A thin device of one poll."""

    info: DeviceInfo
    target: Target
    thin_id: int | None


@dataclass(slots=True)
class Discoverer:
    """Takes samples of one machine; keeps the tables of thin devices between polls, which halves the questions.

    Attributes:
        records: of the graph directory whose devices are told also while they are not active, and with which it is
            told where devices are mounted; None asks for neither.
    """

    machine: Machine
    now: Callable[[], float] = time.time
    records: RecordReader | None = None
    _tables: dict[tuple[str, str, int], tuple[ThinTable, int]] = field(
        default_factory=dict[tuple[str, str, int], tuple[ThinTable, int]]
    )
    _poll: int = 0
    _devices: dict[str, tuple[str, ThinDevice]] = field(default_factory=dict[str, tuple[str, ThinDevice]])
    """The thin devices of the sample before, by name, each with the pool that it is of."""
    _before: tuple[int, Sample] | None = None
    """The last sample, and at which standstill of its machine it was taken."""

    def take(self) -> Sample:
        """Take one sample: where the machine has stood still since, the one before at another moment.

        Raises:
            MachineError: the machine cannot be read at all.
        """
        started, taken_at = time.perf_counter(), self.now()
        standstill = self.machine.standstill()
        if self._before is not None and self._before[0] == standstill and self._records_stand():
            machine_at, took_seconds = self.machine.now(), time.perf_counter() - started
            return replace(self._before[1], taken_at=taken_at, took_seconds=took_seconds, machine_at=machine_at)
        sample = self._asked_for(started, taken_at)
        self._before = None if standstill is None or sample.problems else (standstill, sample)
        return sample

    def _records_stand(self) -> bool:
        return self.records is None or self.records.stand()

    def _asked_for(self, started: float, taken_at: float) -> Sample:
        """A sample for which everything was asked."""
        self._poll += 1
        problems: list[str] = []
        entries = self.machine.device_mapper.list_devices()
        pools: list[DeviceReading] = []
        thins: dict[str, list[_Thin]] = {}
        silent: list[str] = []
        answers = self.machine.device_mapper.statuses([entry.name for entry in entries])
        for entry, answer in zip(entries, answers, strict=True):
            try:
                if isinstance(answer, MachineError):
                    raise answer
                self._read(answer, pools, thins)
            except DeviceMissingError:
                continue
            except (MachineNotPermittedError, NoDeviceMapperError):
                raise
            except (MachineError, MalformedError) as error:
                problems.append(str(error))
                silent.append(entry.name)
        self._tables = {key: kept for key, kept in self._tables.items() if self._poll - kept[1] <= _TABLE_AGE_POLLS}
        built = self._build(entries, pools, thins, problems)
        built = [self._with_silent(pool, silent) for pool in built]
        self._devices = {device.name: (pool.name, device) for pool in built for device in pool.devices}
        if self.records is not None and built:
            built = self._with_records(built, problems)
        return Sample(
            taken_at,
            time.perf_counter() - started,
            self.machine.kind,
            self.machine.description,
            tuple(sorted(built, key=lambda pool: pool.display_name)),
            tuple(problems),
            self.machine.now(),
            self.machine.device_mapper.no_space_timeout_seconds() if any(map(queues, built)) else None,
        )

    def _with_silent(self, pool: Pool, silent: Sequence[str]) -> Pool:
        """The pool with the devices of it that are there and do not answer: how much they have mapped is not known."""
        known = (self._devices[name] for name in silent if name in self._devices)
        missing = [
            replace(device, mapped_bytes=None, highest_mapped_sector=None) for of, device in known if of == pool.name
        ]
        return replace(pool, devices=tuple(sorted((*pool.devices, *missing), key=_place_of))) if missing else pool

    def _with_records(self, pools: list[Pool], problems: list[str]) -> list[Pool]:
        """The pools with what their graph directory records, and with the mounts of their devices."""
        recorded, unread = read_recorded(self.records)
        problems += unread
        try:
            mounts: dict[str, list[str]] | None = {}
            for mount in self.machine.filesystems.mounts():
                mounts.setdefault(str(mount.dev), []).append(mount.directory)
        except MachineError as error:
            problems.append(str(error))
            mounts = None
        return [completed(pool, recorded, mounts) for pool in pools]

    def _read(self, reading: DeviceReading, pools: list[DeviceReading], thins: dict[str, list[_Thin]]) -> None:
        for target in reading.targets:
            if target.type == THIN_POOL:
                pools.append(reading)
            elif target.type == THIN:
                pool_device, thin_id = self._place(reading.info, target)
                thins.setdefault(pool_device, []).append(_Thin(reading.info, target, thin_id))

    def _place(self, info: DeviceInfo, target: Target) -> tuple[str, int | None]:
        """The pool's number and the id in it of a thin device."""
        key = (info.name, f"{info.dev} {info.uuid} {info.event_nr}", target.length_sectors + target.start_sectors)
        kept = self._tables.get(key)
        if kept is not None:
            return kept[0].pool_device, kept[0].thin_id
        for line in self.machine.device_mapper.table(info.name).targets:
            if line.type == THIN and line.start_sectors == target.start_sectors:
                if line.params.strip() in _FAILED_TABLES:
                    # A failed pool's thin devices do not even tell their table: what they stand on is left.
                    beneath = self.machine.device_mapper.dependencies(info.name)
                    return (str(beneath[0]) if beneath else "", None)
                table = ThinTable.parse(line.params)
                self._tables[key] = (table, self._poll)
                return table.pool_device, table.thin_id
        raise DeviceMissingError(f"device {info.name}", "was replaced while it was read")

    def _build(
        self,
        entries: tuple[DeviceEntry, ...],
        pools: list[DeviceReading],
        thins: dict[str, list[_Thin]],
        problems: list[str],
    ) -> list[Pool]:
        if not pools:
            return []
        beneath = _Beneath(self.machine, entries, self.machine.loops.list_bound())
        built: list[Pool] = []
        for reading in pools:
            try:
                table = PoolTable.parse(self.machine.device_mapper.table(reading.info.name).targets[0].params)
                built.append(_pool(reading, table, thins.get(str(reading.info.dev), []), beneath))
            except (DeviceMissingError, IndexError):
                continue
            except (MachineError, MalformedError) as error:
                problems.append(str(error))
        return built


@dataclass(slots=True)
class _Beneath:
    """Finds out what lies under a pool's devices, within one poll."""

    machine: Machine
    entries: tuple[DeviceEntry, ...]
    loops: tuple[LoopDevice, ...]

    def backing(self, dev_text: str) -> Backing:
        dev = DeviceNumber.parse(dev_text)
        device = self.machine.files.device_path(dev)
        loop = next((loop for loop in self.loops if loop.dev == dev), None)
        disks = tuple(sorted(self._disks(dev, set())))
        if loop is None:
            return Backing(dev_text, device, disks=disks)
        host = host_of_loop_file(self.machine.files, loop)
        file, missing = self._file(loop)
        return Backing(
            dev_text,
            device,
            loop.backing_path,
            loop.deleted,
            file.size_bytes if file else None,
            file.allocated_bytes if file else None,
            host.free_bytes if host else None,
            host.total_bytes if host else None,
            disks,
            missing,
            tuple(other.path for other in self.loops if other.dev != dev and _shares_file(other, loop)),
        )

    def space(self, used_bytes: int, total_bytes: int, dev_text: str) -> Space:
        dev = DeviceNumber.parse(dev_text)
        loop = next((loop for loop in self.loops if loop.dev == dev), None)
        host = host_of_loop_file(self.machine.files, loop) if loop else None
        return Space(used_bytes, total_bytes, limited_by_host(total_bytes - used_bytes, host))

    def _file(self, loop: LoopDevice) -> tuple[FileIdentity | None, bool]:
        """The file under a loop device where its path still leads to it, and whether the path leads elsewhere."""
        if loop.backing_path is None or loop.deleted:
            return None, False
        try:
            file = self.machine.files.identify(loop.backing_path)
        except FileMissingError:
            return None, True
        except MachineError:
            return None, False
        return (file, False) if file.inode == loop.backing_inode else (None, True)

    def _disks(self, dev: DeviceNumber, seen: set[DeviceNumber]) -> set[str]:
        if dev in seen:
            return set()
        seen.add(dev)
        mapped = next((entry for entry in self.entries if entry.dev == dev), None)
        if mapped is None:
            return {self.machine.files.device_path(dev) or str(dev)}
        try:
            below = self.machine.device_mapper.dependencies(mapped.name)
        except MachineError:
            return {str(dev)}
        return set[str]().union(*(self._disks(each, seen) for each in below))


def _shares_file(one: LoopDevice, other: LoopDevice) -> bool:
    """Whether two loop devices present the same part of the same file, or overlapping parts."""
    if (one.backing_dev, one.backing_inode) != (other.backing_dev, other.backing_inode):
        return False
    first, second = sorted((one, other), key=lambda loop: loop.offset_bytes)
    return first.size_limit_bytes == 0 or first.offset_bytes + first.size_limit_bytes > second.offset_bytes


def _pool(reading: DeviceReading, table: PoolTable, thins: list[_Thin], beneath: _Beneath) -> Pool:
    info, target = reading.info, reading.targets[0]
    status = PoolStatus.parse(target.params)
    owner = owner_of(info.name, info.uuid, (thin.info.name for thin in thins))
    figures = status.figures
    if figures is None:
        data = metadata = Space(None, None, None)
    else:
        used_bytes, total_bytes = (
            blocks * table.block_bytes for blocks in (figures.data.used_blocks, figures.data.total_blocks)
        )
        data = beneath.space(used_bytes, total_bytes, table.data_device)
        metadata = beneath.space(figures.metadata_used_bytes, figures.metadata_total_bytes, table.metadata_device)
    data_backing, metadata_backing = beneath.backing(table.data_device), beneath.backing(table.metadata_device)
    devices = (_device(thin, owner, info.name) for thin in thins)
    return Pool(
        name=info.name,
        display_name=lvm_display_name(info.name) if owner is Owner.LVM else info.name,
        dev=str(info.dev),
        uuid=info.uuid,
        owner=owner.value,
        mode=status.mode.value if status.mode else None,
        needs_check=status.needs_check,
        block_size_bytes=table.block_bytes,
        data=data,
        metadata=metadata,
        low_water_mark_blocks=table.low_water_mark_blocks,
        transaction_id=figures.transaction_id if figures else None,
        no_space_policy=status.no_space.value if status.no_space else None,
        discard_policy=status.discard.value if status.discard else None,
        data_backing=data_backing,
        metadata_backing=metadata_backing,
        open_count=info.open_count,
        event_nr=info.event_nr,
        suspended=info.suspended,
        devices=tuple(sorted(devices, key=_place_of)),
        findings=tuple(_findings(status, data_backing, metadata_backing)),
    )


def _place_of(device: ThinDevice) -> tuple[int, str]:
    return -1 if device.thin_id is None else device.thin_id, device.name


def _device(thin: _Thin, owner: Owner, pool_name: str) -> ThinDevice:
    status = ThinStatus.parse(thin.target.params)
    info = thin.info
    return ThinDevice(
        name=info.name,
        display_name=_device_display_name(info.name, owner, pool_name),
        dev=str(info.dev),
        thin_id=thin.thin_id,
        size_bytes=sectors_to_bytes(thin.target.length_sectors),
        mapped_bytes=status.mapped_bytes,
        highest_mapped_sector=status.highest_mapped_sector,
        open_count=info.open_count,
        failed=status.failed_word is not None,
        suspended=info.suspended,
        deferred_remove=info.deferred_remove,
    )


def _device_display_name(name: str, owner: Owner, pool_name: str) -> str:
    if owner is Owner.LVM:
        return lvm_display_name(name)
    if owner is Owner.CONTAINERD:
        return name.removeprefix(f"{pool_name}-")
    return _PREFIX.sub("", name)


def _findings(status: PoolStatus, data: Backing, metadata: Backing) -> list[str]:
    found: list[str] = []
    if status.mode in (PoolMode.FAIL, PoolMode.ERROR):
        found.append("the pool failed: its metadata cannot be used, all its I/O fails")
    elif status.mode not in (None, PoolMode.READ_WRITE):
        found.append(f"the pool's mode is {status.mode.value}")
    if status.needs_check:
        found.append("the pool needs a check of its metadata before it is writable again")
    for what, backing in (("data", data), ("metadata", metadata)):
        if backing.loop_file_deleted:
            found.append(
                f"the {what} file {backing.loop_file} was deleted: it lives only while {backing.device} holds it"
            )
        if backing.loop_file_missing:
            found.append(f"the {what} file of {backing.device} is not found at {backing.loop_file}")
        if backing.loop_file_also_on:
            others = ", ".join(backing.loop_file_also_on)
            found.append(f"the {what} file {backing.loop_file} is attached twice: also as {others}")
    return found
