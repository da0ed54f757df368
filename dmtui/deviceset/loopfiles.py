"""The two sparse files of a graph directory: made, grown, attached to loop devices, let go again.

Source: ensureImage and attachLoopDevice of the original. Mended: a file that is attached already is not attached a
second time, which would give it two page caches; one that another pool stands on is refused, whatever that pool's name
(a graph directory that was moved has another prefix, and its old pool may still be active).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from dmtui.deviceset.plan import Step
from dmtui.deviceset.recognition import is_of_file
from dmtui.machine.errors import DeviceMissingError, FileMissingError
from dmtui.machine.protocols import FileIdentity, LoopDevice, Machine
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.units import SECTOR_BYTES

DEFAULT_BYTES = {"data": 100 * 1024**3, "metadata": 2 * 1024**3}
"""What a file is made with where no size is given: the original's."""
_UNKNOWN_LOOPS = {"data": "/dev/loopN", "metadata": "/dev/loopM"}
_LOOKS = 20
_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class LoopFile:
    """One of the two files, on its way to a loop device.

    Attributes:
        what: ``data`` or ``metadata``.
        wanted_bytes: the size that was asked for; None where none was: one that is there keeps its own.
        loop: its loop device once it is attached.
        present: the file as it was found, None where it has to be made.
    """

    machine: Machine
    what: str
    path: str
    wanted_bytes: int | None
    present: FileIdentity | None
    loop: LoopDevice | None = None

    @classmethod
    def look(cls, machine: Machine, what: str, path: str, wanted_bytes: int | None = None) -> LoopFile:
        """See what there is.

        Raises:
            DmtuiError: it is no regular file, is attached twice, or something else stands on it.
        """
        try:
            present = machine.files.identify(path)
        except FileMissingError:
            return cls(machine, what, path, wanted_bytes, None)
        if present.is_directory or present.is_block_device:
            raise DmtuiError(f"{what} file {path}", "is no regular file", f"give a block device with dm.{what}dev")
        file = cls(machine, what, path, wanted_bytes, present)
        file.loop = file._attached()
        return file

    @property
    def device(self) -> str:
        """The node of its loop device, or a stand-in for it in a plan."""
        return self.loop.path if self.loop else _UNKNOWN_LOOPS[self.what]

    @property
    def size_bytes(self) -> int:
        """How large it is, or will be."""
        if self.present is None:
            return DEFAULT_BYTES[self.what] if self.wanted_bytes is None else self.wanted_bytes
        return max(self.wanted_bytes or 0, self.present.size_bytes)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know."""
        if self.present is None or self.wanted_bytes is None or self.present.size_bytes <= self.wanted_bytes:
            return ()
        sizes = f"{format_size(self.present.size_bytes)} and stays so: {format_size(self.wanted_bytes)} was asked for"
        return (f"{self.what} file {self.path} has {sizes}, a file in use cannot shrink",)

    def steps(self) -> tuple[Step, ...]:
        """Make or grow the file, and attach it."""
        steps: list[Step] = []
        files, size = self.machine.files, format_size(self.size_bytes)
        if self.present is None:
            text = f"make the sparse {self.what} file {self.path}, {size}"
            command = f"truncate --size {self.size_bytes} {self.path}"
            steps.append(Step(text, self._make, command, lambda: files.remove_file(self.path)))
        elif self.present.size_bytes < self.size_bytes:
            text = f"grow the {self.what} file {self.path} to {size}"
            command = f"truncate --size {self.size_bytes} {self.path}"
            steps.append(Step(text, self._grow, command, self._shrink_back))
        if self.loop is None:
            text = f"attach {self.path} to a free loop device"
            steps.append(Step(text, self._attach, f"losetup --find --show {self.path}", self.release))
        elif self.present is not None and self.present.size_bytes < self.size_bytes:
            refresh = self.loop.path
            text = f"let {refresh} take over the new size"
            steps.append(Step(text, lambda: self.machine.loops.refresh_capacity(refresh), f"losetup -c {refresh}"))
        return tuple(steps)

    def length_sectors(self) -> int:
        """Sectors of its loop device."""
        if self.loop is None:
            return self.size_bytes // SECTOR_BYTES
        return (self.machine.files.device_size_bytes(self.loop.dev) or 0) // SECTOR_BYTES

    def release(self) -> None:
        """Let go of the loop device: it lives as long as somebody else uses it."""
        if self.loop is not None:
            self.machine.loops.release(self.loop)

    def _make(self) -> None:
        self.machine.files.make_sparse_file(self.path, self.size_bytes)

    def _grow(self) -> None:
        self.machine.files.resize_file(self.path, self.size_bytes)

    def _shrink_back(self) -> None:
        if self.present is not None:
            self.machine.files.resize_file(self.path, self.present.size_bytes)

    def _attach(self) -> None:
        self.loop = self.machine.loops.attach(self.path)

    def _attached(self) -> LoopDevice | None:
        """The loop device that has the file already and that nothing stands on."""
        file = self.present
        if file is None:
            return None
        attached = self._settled(file)
        for loop in attached:
            users = users_of(self.machine, loop.dev)
            if users:
                raise DmtuiError(
                    f"{self.what} file {self.path}",
                    f"is in use: {', '.join(users)} stands on {loop.path}",
                    "remove that pool first; it may be this graph directory's under an earlier name",
                )
        if len(attached) > 1:
            names = ", ".join(loop.path for loop in attached)
            raise DmtuiError(f"{self.what} file {self.path}", f"is attached twice: {names}", "`losetup -d` one of them")
        return attached[0] if attached else None

    def _settled(self, file: FileIdentity) -> list[LoopDevice]:
        """The file's loop devices, but for those that are going: udev may hold one a moment longer than its pool."""
        for look in range(_LOOKS + 1):
            attached = [loop for loop in self.machine.loops.list_bound() if is_of_file(loop, file)]
            going = any(loop.autoclear and not users_of(self.machine, loop.dev) for loop in attached)
            if not going or look == _LOOKS:
                return attached
            time.sleep(_LOOK_SECONDS)
        raise AssertionError("the last look returns")


def users_of(machine: Machine, dev: DeviceNumber) -> list[str]:
    """Names of the mapped devices that stand on a device."""
    found: list[str] = []
    for entry in machine.device_mapper.list_devices():
        try:
            if dev in machine.device_mapper.dependencies(entry.name):
                found.append(entry.name)
        except DeviceMissingError:
            continue
    return found
