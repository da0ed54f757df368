"""Device-mapper of the running kernel: read by ioctl, changed by libdevmapper."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from dmtui.machine.errors import (
    DeviceBusyError,
    InvalidError,
    MachineError,
    NoDeviceMapperError,
    TimedOutError,
    machine_error,
)
from dmtui.machine.kernel import wire
from dmtui.machine.kernel.ioctl import Control
from dmtui.machine.kernel.libdevmapper import UDEV_LEAVE_ALONE, Kind, Library, Outcome, Task
from dmtui.machine.kernel.owner import Owner
from dmtui.machine.protocols import DeviceEntry, DeviceInfo, DeviceReading, Versions
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.table import THIN_POOL, Target

_T = TypeVar("_T")
_DEFERRED_INTERFACE = (4, 27, 0)
_DEFERRED_LIBRARY = (1, 2, 89)
_NO_SPACE_TIMEOUT = Path("/sys/module/dm_thin_pool/parameters/no_space_timeout")
_BUSY_RETRIES = 3
_BUSY_PAUSE_SECONDS = 0.1
_UDEV_PAUSE_SECONDS = 0.02
_SHORTEST_PAUSE_SECONDS = 0.001


class KernelDeviceMapper:
    """The `DeviceMapper` of this kernel.

    Attributes:
        deadline_seconds: how long a change, or a status with a commit, may take.
        udev_deadline_seconds: how long udev may take over a device node after that.
    """

    def __init__(self, deadline_seconds: float = 30.0, udev_deadline_seconds: float = 30.0) -> None:
        """Open the control node; libdevmapper is loaded by the first call that needs it.

        Raises:
            NoDeviceMapperError: there is no device-mapper.
            MachineNotPermittedError: it is not for us.
        """
        self.deadline_seconds = deadline_seconds
        self.udev_deadline_seconds = udev_deadline_seconds
        self._control = Control()
        self._events: Control | None = None
        self._owner = Owner("libdevmapper")
        self._flusher = Owner("device-mapper status with a commit")
        self._library: Library | None = None

    def close(self) -> None:
        """Let go of the control node and the threads."""
        self._owner.close()
        self._flusher.close()
        self._control.close()
        if self._events is not None:
            self._events.close()

    def versions(self) -> Versions:
        """Versions of interface, library and target."""
        driver = ".".join(map(str, self._control.version()))
        return Versions(driver, self._library_version(), self._control.target_versions().get(THIN_POOL))

    def udev_sync_supported(self) -> bool:
        """Whether device nodes are made in step with udev; False without libdevmapper."""
        with suppress(NoDeviceMapperError):
            return self._owned(lambda library: library.udev_sync(), "udev", "asking for its support")
        return False

    def deferred_removal_supported(self) -> bool:
        """Whether kernel (interface 4.27) and library (1.02.89) offer deferred removal."""
        version = re.match(r"(\d+)\.(\d+)\.(\d+)", self._library_version() or "")
        if version is None:
            return False
        library = tuple(map(int, version.groups()))
        return self._control.version() >= _DEFERRED_INTERFACE and library >= _DEFERRED_LIBRARY

    def no_space_timeout_seconds(self) -> float | None:
        """How long the writers of a full pool wait before they fail; None where the module does not tell."""
        try:
            return float(_NO_SPACE_TIMEOUT.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def list_devices(self) -> tuple[DeviceEntry, ...]:
        """Every mapped device, in the kernel's order."""
        return self._control.list_devices()

    def wait_for_event(self, seconds: float) -> bool:
        """Wait for a device's event; the kernel remembers for each opened node what it has told of."""
        if self._events is None:
            self._events = Control()
        return self._events.wait_for_event(seconds)

    def info(self, name: str) -> DeviceInfo:
        """State of one device."""
        return self._control.info(name)

    def table(self, name: str) -> DeviceReading:
        """Live table of one device."""
        return self._control.query(name, wire.FLAG_TABLE)

    def status(self, name: str) -> DeviceReading:
        """Status of one device, never committing (no-flush)."""
        return self._control.status(name)

    def statuses(self, names: Sequence[str]) -> Iterator[DeviceReading | MachineError]:
        """What `status` answers or raises for each of several devices."""
        for name in names:
            try:
                yield self._control.status(name)
            except MachineError as error:
                yield error

    def status_flush(self, name: str) -> DeviceReading:
        """Status of one device after a commit of its pool's metadata: this changes the pool."""
        doing = "asking for its status with a commit"
        return self._flusher.call(lambda: self._control.query(name, 0), name, doing, self.deadline_seconds)

    def dependencies(self, name: str) -> tuple[DeviceNumber, ...]:
        """The devices that a device's live table stands on."""
        return self._control.dependencies(name)

    def create(self, name: str, targets: Sequence[Target], *, uuid: str = "", read_only: bool = False) -> DeviceInfo:
        """Create, load and resume; undone as a whole if a step fails."""
        # Three tasks: the library's create-with-table would lose the kernel's errno.
        self._change(Task(Kind.CREATE, name, uuid=uuid), "creating it")
        try:
            self.load(name, targets, read_only=read_only)
            self._resume(name, _udev_flags(targets))
            return self.info(name)
        except BaseException:
            with suppress(MachineError):
                self.remove(name)
            raise

    def load(self, name: str, targets: Sequence[Target], *, read_only: bool = False) -> None:
        """Load an inactive table (a resume makes it live)."""
        self._change(Task(Kind.RELOAD, name, targets=tuple(targets), read_only=read_only), "loading its table")

    def suspend(self, name: str, *, flush: bool = True, lock_filesystem: bool = True) -> None:
        """Suspend a device."""
        self._change(Task(Kind.SUSPEND, name, flush=flush, lock_filesystem=lock_filesystem), "suspending it")

    def resume(self, name: str) -> None:
        """Resume a device, making a loaded table live."""
        live = self.table(name).targets
        targets = live or self._control.query(name, wire.FLAG_TABLE | wire.FLAG_QUERY_INACTIVE).targets
        self._resume(name, _udev_flags(targets))

    def remove(self, name: str, *, deferred: bool = False) -> None:
        """Remove a device; deferred: as soon as nobody has it open."""
        for attempt in range(_BUSY_RETRIES + 1):
            try:
                self._change(Task(Kind.REMOVE, name, deferred=deferred, udev_flags=0), "removing it")
            except DeviceBusyError:
                # udev looks at a device for a moment after its last writer closed it.
                if attempt == _BUSY_RETRIES:
                    raise
                time.sleep(_BUSY_PAUSE_SECONDS)
            else:
                return

    def message(self, name: str, text: str) -> str:
        """Send a message to sector 0 and return the answer, mostly empty."""
        verb = text.split(" ", 1)[0]
        return self._change(Task(Kind.MESSAGE, name, message=text), f"the message {verb!r}").response

    def _resume(self, name: str, udev_flags: int) -> None:
        self._change(Task(Kind.RESUME, name, udev_flags=udev_flags), "resuming it")

    def _change(self, task: Task, doing: str) -> Outcome:
        if "/" in task.name:  # the library would take it for a path
            raise InvalidError(task.name, f"{doing} failed: a name has no slash in it", "check the name", errno.EINVAL)
        outcome = self._owned(lambda library: library.run(task), task.name, doing)
        try:
            if task.udev_flags is not None:
                self._wait_for_udev(outcome.cookie, task.name, doing)
        finally:
            if not outcome.succeeded:
                raise machine_error(outcome.errno or errno.EINVAL, task.name, doing) from None
        return outcome

    def _wait_for_udev(self, cookie: int, name: str, doing: str) -> None:
        # The waiting is done here and not in the thread, which others need meanwhile.
        began = time.monotonic()
        while not self._owned(lambda library: library.udev_is_done(cookie), name, doing):
            waited_seconds = time.monotonic() - began
            if waited_seconds > self.udev_deadline_seconds:
                self._owned(lambda library: library.udev_give_up(cookie), name, doing)
                waited = f"{doing} worked, but udev has not answered within {self.udev_deadline_seconds:g} s"
                raise TimedOutError(name, waited, "look at udevd; its node may be missing", errno.ETIMEDOUT)
            # What the pauses add stays a tenth of what udev takes.
            time.sleep(min(_UDEV_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, waited_seconds / 10)))

    def _owned(self, use: Callable[[Library], _T], subject: str, doing: str) -> _T:
        def work() -> _T:
            if self._library is None:
                self._library = Library()
            return use(self._library)

        return self._owner.call(work, subject, doing, self.deadline_seconds)

    def _library_version(self) -> str | None:
        with suppress(NoDeviceMapperError):
            return self._owned(lambda library: library.version(), "libdevmapper", "asking for its version")
        return None


def _udev_flags(targets: Sequence[Target]) -> int:
    return UDEV_LEAVE_ALONE if any(target.type == THIN_POOL for target in targets) else 0
