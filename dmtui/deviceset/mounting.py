"""Mounting a device at its place of the graph directory, counted, and unmounting it.

Source: Get and Put of the original, which counts in memory. Here every command is a process of its own, so the counts
are a file of ours; the number of the mount stands beside each, so that a count does not outlive its mount. (The kernel
gives numbers again: a mount that somebody else ends and makes anew may be taken for ours and ask for more unmounts.)
"""

from __future__ import annotations

from dmtui.deviceset.activation import activation_steps, deactivation_step
from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.growth import XFS, mount_options
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.plan import Plan, Step
from dmtui.deviceset.standing import openers
from dmtui.deviceset.store import MountCount
from dmtui.machine.errors import FileMissingError, MachineError, TimedOutError
from dmtui.thinpool.errors import BadUsageError, DmtuiError

MOUNT = "mount"
UNMOUNT = "unmount"
ROOT_DIRECTORY = "rootfs"
_ID_FILE = "id"
_OPEN_MODE = 0o755


def plan_mount(devices: DeviceSet, name: str) -> Plan:
    """Plan the mount of a device at ``mnt/NAME``; one that is mounted is counted once more.

    Raises:
        BadUsageError: the base device, whose content every later snapshot would inherit.
        MissingError: it is not recorded.
        DmtuiError: it waits for its deletion.
    """
    if not name:
        inherited = "is never mounted: its snapshots inherit what is in it"
        raise BadUsageError("device base", inherited, "create a snapshot and mount that")
    devices.record(name)
    devices.pool.require()
    activating = activation_steps(devices, name)
    mounting = _Mounting(devices, name)
    count = mounting.count()
    if count:
        step = Step(f"count its users: {count + 1}", lambda: mounting.set_count(count + 1))
        return Plan(MOUNT, name, (step,), (f"is mounted at {mounting.directory} already",), (name,), builds_on=(name,))
    steps = (
        *activating,
        Step(
            f"make the mount point {mounting.directory}",
            mounting.make_directory,
            f"mkdir -p {mounting.directory}",
            mounting.remove_directory,
        ),
        Step(
            f"mount {devices.device(name)}",
            mounting.mount,
            f"mount {devices.node(name)} {mounting.directory}",
            mounting.unmount,
            slow=True,
        ),
        *mounting.retry_steps(),
        Step(f"lay out {ROOT_DIRECTORY}/ and the file {_ID_FILE}", mounting.lay_out),
        Step("count its users: 1", lambda: mounting.set_count(1)),
    )
    return Plan(MOUNT, name, steps, (), (name,), (Intent(name, MOUNT, {"activates": bool(activating)}),))


def plan_unmount(devices: DeviceSet, name: str) -> Plan:
    """Plan the end of one use of a mounted device; with the last one it is unmounted and deactivated.

    Raises:
        MissingError: it is not recorded.
        DmtuiError: it is not mounted.
    """
    devices.record(name)
    mounting = _Mounting(devices, name)
    count = mounting.count()
    if count == 0:
        raise DmtuiError(f"device {title(name)}", "is not mounted", "`dmtui device list` tells which are")
    if count > 1:
        step = Step(f"count its users: {count - 1}", lambda: mounting.set_count(count - 1))
        return Plan(UNMOUNT, name, (step,), ("is still used, so it stays mounted",), (name,))
    steps = unmount_steps(devices, name)
    return Plan(UNMOUNT, name, steps, _leak_notice(devices, name), (name,), (Intent(name, UNMOUNT),))


def unmount_steps(devices: DeviceSet, name: str) -> tuple[Step, ...]:
    """The steps that unmount a mounted device, whatever its count, and deactivate it."""
    deactivate = deactivation_step(devices, name, deferred=devices.ruling.deferred_removal)
    return (*leaving_steps(devices, name), deactivate)


def leaving_steps(devices: DeviceSet, name: str) -> tuple[Step, ...]:
    """The steps that unmount a mounted device, recorded or not, whatever its count; it stays active."""
    mounting = _Mounting(devices, name)
    count = mounting.count()

    def mount_again() -> None:
        mounting.make_directory()
        mounting.mount()
        mounting.set_count(count)
        for step in mounting.retry_steps():
            step.act()

    return (
        Step(
            f"unmount {mounting.directory}, lazily",
            mounting.unmount,
            f"umount --lazy {mounting.directory}",
            mount_again,
            slow=True,
        ),
        Step(f"remove the mount point {mounting.directory}", mounting.remove_directory, f"rmdir {mounting.directory}"),
    )


def undo_mount(devices: DeviceSet, name: str) -> None:
    """Take back what a killed mount left: the mount, where it was not counted yet, and its mount point."""
    mounting = _Mounting(devices, name)
    if devices.mount(name) is not None:
        mounting.unmount()
    mounting.remove_directory()


def mount_is_counted(devices: DeviceSet, name: str) -> bool:
    """Whether the present mount of a device is one that its users were counted for."""
    mount, recorded = devices.mount(name), devices.store.read_mount_counts().get(name)
    return mount is not None and recorded is not None and recorded.mount_id == mount.mount_id


def forget_counts(devices: DeviceSet) -> None:
    """Drop the counts whose mount is gone: a kill came between the unmount and its count."""
    counts = devices.store.read_mount_counts()
    kept = {name: count for name, count in counts.items() if mount_is_counted(devices, name)}
    if kept != counts:
        devices.store.write_mount_counts(kept)


class _Mounting:
    """One device and its place."""

    def __init__(self, devices: DeviceSet, name: str) -> None:
        self.devices = devices
        self.name = name
        self.directory = devices.mount_point(name)
        self.kind = ""

    def count(self) -> int:
        """How many use it: 0 where it is not mounted, 1 where somebody else mounted it here."""
        mount = self.devices.mount(self.name)
        if mount is None:
            return 0
        recorded = self.devices.store.read_mount_counts().get(self.name)
        return recorded.count if recorded and recorded.mount_id == mount.mount_id else 1

    def set_count(self, count: int) -> None:
        counts = self.devices.store.read_mount_counts()
        mount = self.devices.mount(self.name)
        if mount is None:
            counts.pop(self.name, None)
        else:
            counts[self.name] = MountCount(count, mount.mount_id)
        self.devices.store.write_mount_counts(counts)

    def make_directory(self) -> None:
        files = self.devices.machine.files
        files.make_directory(f"{self.devices.graph.directory}/mnt", _OPEN_MODE)
        files.make_directory(self.directory, _OPEN_MODE)

    def remove_directory(self) -> None:
        """Harmless where it stays; on kernels from 3.18 its going ends copies of the mount in other namespaces."""
        try:
            self.devices.machine.files.remove_directory(self.directory)
        except FileMissingError:
            pass
        except MachineError as error:
            self.devices.patience.tell(f"the mount point stays: {error}")

    def mount(self) -> None:
        filesystems, node = self.devices.machine.filesystems, self.devices.node(self.name)
        found = filesystems.probe(node)
        if found is None:
            raise DmtuiError(
                f"device {self.name}", "has no file system that is known (xfs, ext4, btrfs)", "look at it with blkid"
            )
        self.kind = found.kind
        options = mount_options(found.kind, self.devices.options.mount_options)
        # The number of a mount that is gone is given again: what is left of its count must not count for this one.
        self._forget_count()
        filesystems.mount(node, self.directory, found.kind, options)

    def unmount(self) -> None:
        try:
            self.devices.machine.filesystems.unmount(self.directory)
        except TimedOutError:
            if self.devices.mount(self.name) is not None:
                raise
        self._forget_count()

    def _forget_count(self) -> None:
        counts = self.devices.store.read_mount_counts()
        if counts.pop(self.name, None) is not None:
            self.devices.store.write_mount_counts(counts)

    def retry_steps(self) -> tuple[Step, ...]:
        retries = self.devices.options.xfs_nospace_max_retries
        if retries is None:
            return ()

        def limit() -> None:
            if self.kind == XFS:
                self.devices.machine.filesystems.limit_retries(self.devices.node(self.name), retries)

        return (Step(f"let xfs give up after {retries} tries without space", limit),)

    def lay_out(self) -> None:
        filesystems = self.devices.machine.filesystems
        filesystems.make_inside(self.directory, ROOT_DIRECTORY, _OPEN_MODE)
        filesystems.write_inside(self.directory, _ID_FILE, self.name)


def _leak_notice(devices: DeviceSet, name: str) -> tuple[str, ...]:
    info = devices.active(name)
    others = info.open_count - 1 if info else 0
    if others <= 0:
        return ()
    later = "it goes with them" if devices.ruling.deferred_removal else "it may stay active"
    return (f"it is {openers(others)} by others, in another mount namespace perhaps: {later}",)
