"""What must be true of a device set, told again in the simplest words: no disks, no files, no steps in between."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError

BASE = ""


class Refused(Exception):
    """An operation that cannot be had: the error is of this kind, and nothing changes, but where it is forced."""

    def __init__(self, kind: type[DmtuiError] = DmtuiError, *, changed: bool = False):
        self.kind, self.changed = kind, changed
        super().__init__(kind.__name__)


@dataclass
class Device:
    """A device: recorded, and perhaps active, held open, mounted, waiting for its deletion."""

    size: int
    parent: str | None
    active: bool = False
    going: bool = False
    flagged: bool = False
    users: int = 0
    holders: int = 0

    @property
    def is_open(self) -> bool:
        return self.users + self.holders > 0


@dataclass
class Model:
    """A device set.

    Attributes:
        defers_removal: what is busy when it is deactivated after an unmount goes by itself.
        defers_deletion: what is busy when it is removed is flagged.
        strangers: thin ids that somebody else made in the pool.
        data_bytes, metadata_bytes: what the pool has, 0 while it has never been made.
    """

    defers_removal: bool
    defers_deletion: bool
    pool: bool = False
    data_bytes: int = 0
    metadata_bytes: int = 0
    strangers: set[int] = field(default_factory=set)
    devices: dict[str, Device] = field(default_factory=dict)

    def copy(self) -> Model:
        return deepcopy(self)

    def start(self, base_size: int, data_bytes: int = 0, metadata_bytes: int = 0) -> None:
        """The pool is there afterwards, of at least that size, and a base device of that size."""
        base = self.devices.get(BASE)
        if base is not None and base.flagged:
            if base.is_open:
                raise Refused
            base = None
        if base is None:
            base = self.devices[BASE] = Device(base_size, None)
        if base_size < base.size:
            raise Refused(BadUsageError)
        if base_size > base.size and base.active:
            raise Refused
        base.size = base_size
        if not self.pool:
            self.data_bytes = max(self.data_bytes, data_bytes)
            self.metadata_bytes = max(self.metadata_bytes, metadata_bytes)
        self.pool = True

    def create(self, name: str, parent: str, size: int | None) -> None:
        origin = self._device(parent)
        if name in self.devices or origin.flagged:
            raise Refused
        if size is not None and size < origin.size:
            raise Refused(BadUsageError)
        self._need_pool()
        self.devices[name] = Device(size or origin.size, parent)

    def activate(self, name: str) -> None:
        device = self._device(name)
        if device.flagged:
            raise Refused
        if not device.active:
            self._need_pool()
        device.active, device.going = True, False

    def deactivate(self, name: str, *, deferred: bool) -> None:
        device = self._device(name)
        if device.users:
            raise Refused
        self._let_go(device, deferred=deferred)

    def mount(self, name: str) -> None:
        if name == BASE:
            raise Refused(BadUsageError)
        self.activate(name)
        self.devices[name].users += 1

    def unmount(self, name: str) -> None:
        device = self._device(name)
        if not device.users:
            raise Refused
        if device.users > 1:
            device.users -= 1
            return
        if device.holders and not self.defers_removal:
            raise Refused
        device.users = 0
        self._let_go(device, deferred=self.defers_removal)

    def remove(self, name: str, *, defers: bool | None = None) -> None:
        defers = self.defers_deletion if defers is None else defers
        device = self._device(name)
        self._need_pool()
        if device.users or (device.holders and not defers):
            raise Refused
        if device.holders:
            device.flagged = device.going = True
        else:
            del self.devices[name]

    def reap(self) -> None:
        """Every device that waits for its deletion goes, if nobody has it open."""
        waiting = [name for name, device in self.devices.items() if device.flagged]
        for name in waiting if self.pool else ():
            self.remove(name, defers=True)

    def extend(self, data_bytes: int | None, metadata_bytes: int | None) -> None:
        self._need_pool()
        if data_bytes is None and metadata_bytes is None:
            raise Refused(BadUsageError)
        if (data_bytes or self.data_bytes) < self.data_bytes:
            raise Refused(BadUsageError)
        if (metadata_bytes or self.metadata_bytes) < self.metadata_bytes:
            raise Refused(BadUsageError)
        self.data_bytes = data_bytes or self.data_bytes
        self.metadata_bytes = metadata_bytes or self.metadata_bytes

    def trim(self) -> None:
        """Nobody's size or standing changes."""
        self._need_files()

    def read_metadata(self) -> None:
        self._need_files()

    def reconcile(self, *, deleting: bool) -> None:
        self._need_files()
        if deleting and self.pool:
            self.strangers.clear()

    def remove_pool(self, *, force: bool) -> None:
        if not self.pool:
            raise Refused(MissingError)
        held = any(device.holders for device in self.devices.values())
        if held and not force:
            raise Refused
        for device in self.devices.values():
            device.users = 0
            if not device.holders:
                device.active = device.going = False
            elif self.defers_removal:
                device.going = True
        if held:
            raise Refused(changed=True)
        self.pool = False

    def hold(self, name: str) -> None:
        """Another process opens an active device."""
        self.devices[name].holders += 1

    def release(self, name: str) -> None:
        """It closes it."""
        device = self.devices[name]
        device.holders -= 1
        if device.going and not device.is_open:
            device.active = device.going = False

    def reboot(self) -> None:
        self.pool = False
        for device in self.devices.values():
            device.active = device.going = False
            device.users = device.holders = 0

    def _device(self, name: str) -> Device:
        if name not in self.devices:
            raise Refused(MissingError)
        return self.devices[name]

    def _need_pool(self) -> None:
        if not self.pool:
            raise Refused

    def _need_files(self) -> None:
        if not self.data_bytes:
            raise Refused(MissingError)

    def _let_go(self, device: Device, *, deferred: bool) -> None:
        if not device.active:
            return
        if device.is_open and not deferred:
            raise Refused
        device.active = device.going = device.is_open

    def foresee(self, change: Callable[[Model], None]) -> tuple[Model, type[DmtuiError] | None]:
        """What it is after a change, and how the change is refused, if it is."""
        after = self.copy()
        try:
            change(after)
        except Refused as refusal:
            return after if refusal.changed else self.copy(), refusal.kind
        return after, None
