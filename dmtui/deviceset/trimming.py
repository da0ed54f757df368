"""Giving back what nobody uses: of mounted devices to the pool, of an inactive pool to the host's file system.

Source: the operators' procedures (fstrim in each container; loop files that only ever grow): the original has neither.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.intents import POOL, Intent
from dmtui.deviceset.loopfiles import LoopFile
from dmtui.deviceset.plan import Plan, Step
from dmtui.deviceset.poollink import PoolAbsentError, PoolUnusableError
from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.status import DiscardPolicy, PoolMode, Usage

TRIM = "trim"


def plan_trim(devices: DeviceSet) -> Plan:
    """Plan to give back what is free: mounted file systems to their pool, an inactive pool's files to the host.

    Raises:
        PoolAbsentError: the pool is not active, and not on our files.
        PoolUnusableError: it has failed, is read-only or ignores discards, so that nothing would come of it.
        DmtuiError: one of the files is in use by something else.
    """
    return _of_mounted(devices) if devices.pool.exists() else _of_inactive(devices)


def _of_mounted(devices: DeviceSet) -> Plan:
    name = devices.pool.name
    passes_down = _check_discards(devices)
    mounted = [each for each in devices.active_names() if devices.mount(each) is not None]
    if not mounted:
        return Plan(TRIM, name, (), ("no device is mounted, and only mounted file systems know what they have free",))
    trimming = _Trimming(devices)
    steps = [trimming.step(each) for each in mounted]
    notices: list[str] = []
    if not passes_down:
        notices.append("the pool does not pass discards down: its blocks become free, what is under it keeps its size")
    left_out = devices.state.records.keys() - {"", *mounted}
    if left_out:
        notices.append(f"devices that are not mounted keep what they have: {', '.join(sorted(left_out))}")
    intents = tuple(Intent(each, TRIM) for each in mounted)
    return Plan(TRIM, name, (*steps, trimming.last_step()), tuple(notices), tuple(mounted), intents)


def _check_discards(devices: DeviceSet) -> bool:
    """Whether discards go down to the pool's data device; an error where they do nothing at all."""
    subject, status = f"pool {devices.pool.name}", devices.pool.status()
    if status.figures is None:
        raise PoolUnusableError(subject, f"answers {status}", "`dmtui pool remove`, then `dmtui pool check`")
    if status.mode is PoolMode.READ_ONLY:
        next_step = "mend its metadata offline (thin_repair)" if status.needs_check else "extend its metadata first"
        does_nothing = "is read-only: it acknowledges discards and does nothing"
        raise PoolUnusableError(subject, does_nothing, next_step)
    if status.discard is DiscardPolicy.IGNORE:
        raise PoolUnusableError(subject, "ignores discards", "its table says ignore_discard: activate it without")
    return status.discard is not DiscardPolicy.NO_PASSDOWN


@dataclass(slots=True)
class _Trimming:
    """The mounted devices of one plan; one that cannot be trimmed keeps no other from it.

    Attributes:
        before: data blocks when the first was begun.
        failed: what could not be trimmed, each with the reason.
    """

    devices: DeviceSet
    before: Usage | None = None
    failed: list[str] = field(default_factory=list[str])

    def step(self, name: str) -> Step:
        """Trim one device, without the lock: it takes its time."""
        directory = self.devices.mount_point(name)
        return Step(
            f"discard what the file system of {self.devices.device(name)} has free",
            lambda: self._trim(name, directory),
            f"fstrim {directory}",
            slow=True,
        )

    def last_step(self) -> Step:
        """Compare the pool's figures: what was discarded counts as free from the next commit on."""
        name = self.devices.pool.name
        return Step("commit, and see what it came to", self._compare, f"dmsetup status {name}")

    def _trim(self, name: str, directory: str) -> None:
        if self.before is None:
            self.before = self.devices.pool.figures().data
        if self.devices.mount(name) is None:
            # Somebody else unmounted it: what is at its mount point now is another file system.
            self.devices.patience.tell(f"{directory} is not mounted any more and is left out")
            return
        try:
            size_bytes = self.devices.machine.filesystems.trim(directory)
        except MachineError as error:
            self.failed.append(str(error))
            self.devices.patience.tell(f"not trimmed: {error}")
        else:
            self.devices.patience.tell(f"{directory}: {format_size(size_bytes)} were free and are discarded")

    def _compare(self) -> None:
        pool = self.devices.pool
        pool.mapper.status_flush(pool.name)
        after = pool.figures().data
        if self.before is not None:
            freed = (self.before.used_blocks - after.used_blocks) * pool.table().block_bytes
            told = f"{format_size(freed)} less" if freed >= 0 else f"{format_size(-freed)} more, written meanwhile"
            self.devices.patience.tell(f"the pool's data in use: {self.before} blocks before, {after} now, {told}")
        if self.failed:
            raise DmtuiError(f"pool {pool.name}", f"was trimmed but for: {'; '.join(self.failed)}", "look at these")


def _of_inactive(devices: DeviceSet) -> Plan:
    name, options, graph = devices.pool.name, devices.options, devices.graph
    not_active = PoolAbsentError(
        f"pool {name}", "is not active, and not on loop files of this graph directory", "activate it first"
    )
    if options.external_pool_name is not None or options.data_device is not None or options.metadata_device is not None:
        raise not_active
    # No size is asked for: they stay as large as they are.
    metadata = LoopFile.look(devices.machine, "metadata", graph.metadata_file)
    data = LoopFile.look(devices.machine, "data", graph.data_file)
    if metadata.present is None or data.present is None:
        raise not_active
    taken = data.present.allocated_bytes

    def trim() -> None:
        devices.machine.thin_tools.trim(metadata.device, data.device)
        now = devices.machine.files.identify(data.path).allocated_bytes
        devices.patience.tell(
            f"{data.path}: {format_size(taken)} of the host's file system before, {format_size(now)} now"
        )

    def release() -> None:
        metadata.release()
        data.release()

    command = (
        f"thin_trim --metadata-dev {metadata.device} --data-dev {data.device}"
        "  (never up to 0.9.0, which discards the last used block as well)"
    )
    steps = (
        *metadata.steps(),
        *data.steps(),
        Step("discard every block that the pool has free", trim, command, slow=True),
        Step("let go of both loop devices", release, f"losetup -d {metadata.device} {data.device}"),
    )
    notices = (f"the pool is not active: {data.path} gives the host's file system back what the pool has free",)
    return Plan(TRIM, name, steps, notices, (), (Intent(POOL, TRIM),))
