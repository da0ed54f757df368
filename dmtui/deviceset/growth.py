"""Letting the file system of a device take all of a device that has become larger.

Source: growFS of the original. Mended: xfs is grown by its mount point, which every version of its tool takes; the
new size is recorded after the success, not before; a failure undoes the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from dmtui.deviceset.activation import activate_step, deactivation_step
from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.plan import Step
from dmtui.machine.errors import FileMissingError, InvalidError, MachineError
from dmtui.machine.filesystems import FilesystemFound
from dmtui.thinpool.sizes import format_size

XFS = "xfs"


def growth_steps(
    devices: DeviceSet, name: str, size_bytes: int, planned_id: int = 0, *, irrevocable: bool = False
) -> tuple[Step, ...]:
    """Activate an inactive device with its new size, grow its file system if it has one, deactivate it.

    A file system does not shrink again: where the device itself is not to go, the way leads on only.
    """
    growing = _Growing(devices, name)
    return (
        activate_step(devices, name, size_bytes, planned_id),
        Step(
            f"mount {devices.device(name)} aside",
            growing.mount,
            f"mount {devices.node(name)} {growing.directory}",
            growing.unmount,
            slow=True,
        ),
        Step(
            f"grow its file system to {format_size(size_bytes)}",
            growing.grow,
            f"xfs_growfs {growing.directory}  (ext4: resize2fs {devices.node(name)})",
            slow=True,
            irrevocable=irrevocable,
        ),
        Step("unmount it", growing.unmount, f"umount {growing.directory}"),
        deactivation_step(devices, name, deferred=False),
    )


def unmount_growing(devices: DeviceSet, name: str) -> None:
    """Unmount what a killed growth left mounted aside; nothing where it left nothing."""
    _Growing(devices, name).unmount()


def mount_options(kind: str, options: Sequence[str]) -> tuple[str, ...]:
    """Options for a mount: every snapshot of an xfs has its origin's uuid, which a second mount must not mind."""
    return (*(("nouuid",) if kind == XFS else ()), *options)


class _Growing:
    """A device mounted aside, where no user of it looks."""

    def __init__(self, devices: DeviceSet, name: str) -> None:
        self.devices = devices
        self.name = name
        self.directory = f"{devices.store.own_directory}/grow/{title(name)}"
        self.found: FilesystemFound | None = None

    def mount(self) -> None:
        filesystems, node = self.devices.machine.filesystems, self.devices.node(self.name)
        self.found = filesystems.probe(node)
        if self.found is None:
            return  # nothing on it, so nothing to grow
        self.devices.machine.files.make_directory(self.directory)
        kind = self.found.kind
        try:
            filesystems.mount(node, self.directory, kind, mount_options(kind, self.devices.options.mount_options))
        except MachineError:
            self._remove_directory()
            raise

    def grow(self) -> None:
        if self.found is not None:
            node = self.devices.node(self.name)
            self.devices.machine.filesystems.grow(node, self.found.kind, self.directory)

    def unmount(self) -> None:
        with suppress(InvalidError, FileMissingError):  # it is not mounted (any more)
            self.devices.machine.filesystems.unmount(self.directory)
        self._remove_directory()

    def _remove_directory(self) -> None:
        with suppress(FileMissingError):
            self.devices.machine.files.remove_directory(self.directory)
