"""A `Sample`: everything true of a machine's thin pools at one instant, as plain data that round-trips through JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from types import NoneType
from typing import Any, cast

from dmtui.thinpool.units import METADATA_BLOCK_BYTES, metadata_reserve_blocks
from dmtui.thinpool.values import frozen

FORMAT = 1
"""Version of the JSON form of a sample."""
_LARGEST = sys.float_info.max


@frozen
class Backing:
    """What lies under a pool's data or metadata device.

    Attributes:
        dev: number of the device in the pool's table, ``MAJ:MIN``.
        device: its node, None where the machine has none.
        loop_file: path of the backing file when it is a loop device.
        loop_file_deleted: the backing file has no name any more.
        loop_file_missing: nothing is found at its path, or another file, though the kernel does not say it was deleted.
        loop_file_also_on: other loop devices over the same file, whoever attached them.
        loop_file_size_bytes: apparent size of that file, None when unknown.
        loop_file_allocated_bytes: what the file really takes of its host, None when unknown.
        host_free_bytes: free space of the file system that holds the file, None when unknown or no loop.
        host_total_bytes: size of that file system.
        disks: the disks at the bottom, followed down through device-mapper, sorted.
    """

    dev: str
    device: str | None
    loop_file: str | None = None
    loop_file_deleted: bool = False
    loop_file_size_bytes: int | None = None
    loop_file_allocated_bytes: int | None = None
    host_free_bytes: int | None = None
    host_total_bytes: int | None = None
    disks: tuple[str, ...] = ()
    loop_file_missing: bool = False
    loop_file_also_on: tuple[str, ...] = ()


@frozen
class Space:
    """Space of a pool's data or metadata, in bytes; None is unknown, never 0.

    Attributes:
        used_bytes: in use as the kernel counts it (metadata: with its hidden reserve).
        total_bytes: all of it.
        available_bytes: what can still be used: total less used, limited by the free space of a loop file's host.
    """

    used_bytes: int | None
    total_bytes: int | None
    available_bytes: int | None

    @property
    def used_fraction(self) -> float | None:
        """Used out of total, 0 to 1; None when unknown or when there is nothing."""
        if self.used_bytes is None or not self.total_bytes:
            return None
        return self.used_bytes / self.total_bytes


@frozen
class ThinDevice:
    """An active thin device of a pool.

    Attributes:
        name: device-mapper name.
        display_name: name its owner uses (LVM's ``vg/lv``; otherwise the name without the graph's prefix).
        dev: ``MAJ:MIN``.
        thin_id: its id in the pool; None when the device failed before we had seen it.
        size_bytes: virtual size.
        mapped_bytes: bytes with a block behind them; None when the device failed.
        highest_mapped_sector: None when nothing is mapped, or unknown.
        open_count: how often it is open.
        failed: the kernel answers ``Fail`` or ``Error`` for it.
        mounted_at: where it is mounted; None where that was not asked.
    """

    name: str
    display_name: str
    dev: str
    thin_id: int | None
    size_bytes: int
    mapped_bytes: int | None
    highest_mapped_sector: int | None
    open_count: int
    failed: bool = False
    suspended: bool = False
    deferred_remove: bool = False
    mounted_at: tuple[str, ...] | None = None


@frozen
class RecordedDevice:
    """A thin device as its graph directory records it, active or not.

    Attributes:
        name: device-mapper name that it has while it is active.
        display_name: name its owner uses, ``base`` for the base device.
        initialized: whether it has had its file system.
        deleted: it waits for its deletion.
        parent: display name of what it is a snapshot of; None where not recorded (made by the original).
        created_at: seconds since the epoch; None where not known.
    """

    name: str
    display_name: str
    thin_id: int
    size_bytes: int
    transaction_id: int
    initialized: bool
    deleted: bool
    parent: str | None = None
    created_at: float | None = None


@frozen
class Pool:
    """A thin pool.

    Attributes:
        mode: the kernel's word (``rw``, ``ro``, ``out_of_data_space``, ``Fail``, ``Error``), None on old kernels.
        needs_check: None where unknown.
        owner: ``dmtui``, ``docker``, ``containerd``, ``lvm`` or ``unknown``.
        low_water_mark_blocks: free data blocks at which the kernel sends its event.
        no_space_policy: ``queue_if_no_space`` or ``error_if_no_space``, the one in force.
        discard_policy: ``discard_passdown``, ``no_discard_passdown`` or ``ignore_discard``.
        findings: what is wrong or odd about it, a line each.
        recorded: the devices that its graph directory records; None where no graph directory of it is known.
    """

    name: str
    display_name: str
    dev: str
    uuid: str
    owner: str
    mode: str | None
    needs_check: bool | None
    block_size_bytes: int
    data: Space
    metadata: Space
    low_water_mark_blocks: int
    transaction_id: int | None
    no_space_policy: str | None
    discard_policy: str | None
    data_backing: Backing
    metadata_backing: Backing
    open_count: int
    event_nr: int
    suspended: bool = False
    devices: tuple[ThinDevice, ...] = ()
    findings: tuple[str, ...] = ()
    recorded: tuple[RecordedDevice, ...] | None = None

    @property
    def metadata_reserve_bytes(self) -> int | None:
        """Bytes of the "used" metadata that are the kernel's hidden reserve."""
        if self.metadata.total_bytes is None:
            return None
        return metadata_reserve_blocks(self.metadata.total_bytes // METADATA_BLOCK_BYTES) * METADATA_BLOCK_BYTES


@frozen
class Sample:
    """Everything at one instant.

    Attributes:
        taken_at: seconds since the epoch.
        took_seconds: how long the poll took.
        machine: ``kernel`` or ``emulated``.
        machine_description: a short text for the screen.
        pools: every thin pool of the machine, by name.
        problems: devices that could not be read, a line each.
        machine_at: what the machine's own clock showed, which an emulated one may have stepped; None where not told.
        no_space_timeout_seconds: how long the writers of a full pool wait, 0 for ever; None where no pool lets them
            wait, or it cannot be told.
    """

    taken_at: float
    took_seconds: float
    machine: str
    machine_description: str
    pools: tuple[Pool, ...] = ()
    problems: tuple[str, ...] = ()
    machine_at: float | None = None
    no_space_timeout_seconds: float | None = None

    @property
    def waited_at(self) -> float:
        """The moment by the clock that the machine's waits go by."""
        return self.taken_at if self.machine_at is None else self.machine_at

    def pool(self, name: str) -> Pool | None:
        """The pool of that name."""
        return next((pool for pool in self.pools if pool.name == name), None)

    def tells_of(self, name: str) -> bool:
        """Whether one of its problems names that pool: then its absence does not mean that it is gone."""
        return any(name in problem for problem in self.problems)

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal sample."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Sample:
        """Read what `to_json` wrote; fields that came later may be missing.

        Raises:
            ValueError: not a sample, or one of another format.
        """
        try:
            fields = json.loads(line)
        except RecursionError:
            raise ValueError("not a sample") from None
        if not isinstance(fields, dict) or cast("dict[str, object]", fields).pop("format", None) != FORMAT:
            raise ValueError("not a sample, or one of another format")
        sample: Sample = _value(cls, cast("object", fields))
        return sample


def _value(kind: Any, fields: object) -> Any:  # noqa: ANN401 - one of this module's classes
    """A value of that class, with every field of the kind that its annotation says: the line may be anybody's."""
    if not isinstance(fields, dict):
        raise ValueError(f"{kind.__name__} is not an object")  # noqa: TRY004 - all the same to the caller
    given = cast("dict[str, object]", fields)
    made: dict[str, Any] = {}
    for key, value in given.items():
        check = _FIELDS[kind].get(key)
        if check is None:
            raise ValueError(f"{kind.__name__} has no {key}")
        made[key] = check(value)
    try:
        return kind(**made)
    except TypeError as error:
        raise ValueError(f"{kind.__name__} is not whole: {error}") from None


def _plain(*kinds: type) -> Callable[[object], object]:
    def check(value: object) -> object:
        if type(value) not in kinds:
            raise ValueError(f"{value!r} is of the wrong kind")
        return value

    return check


def _number(value: object) -> float:
    # Also an integer must fit into a float: sizes become shares.
    if type(value) not in (int, float) or not -_LARGEST <= cast("float", value) <= _LARGEST:
        raise ValueError(f"{value!r} is no number, or none that can be")
    return cast("float", value)


def _integer(value: object) -> int:
    _number(_plain(int)(value))
    return cast("int", value)


def _or_none(check: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: None if value is None else check(value)


def _nested(kind: type) -> Callable[[object], object]:
    return lambda fields: _value(kind, fields)


def _all(check: Callable[[object], object]) -> Callable[[object], object]:
    def checked(values: object) -> object:
        if not isinstance(values, list):
            raise ValueError(f"{values!r} is no list")  # noqa: TRY004
        return tuple(check(value) for value in cast("list[object]", values))

    return checked


_KINDS: dict[str, Callable[[object], object]] = {
    "str": _plain(str),
    "str | None": _plain(str, NoneType),
    "int": _integer,
    "int | None": _or_none(_integer),
    "float": _number,
    "float | None": _or_none(_number),
    "bool": _plain(bool),
    "bool | None": _plain(bool, NoneType),
    "tuple[str, ...]": _all(_plain(str)),
    "tuple[str, ...] | None": _or_none(_all(_plain(str))),
    "Space": _nested(Space),
    "Backing": _nested(Backing),
    "tuple[ThinDevice, ...]": _all(_nested(ThinDevice)),
    "tuple[RecordedDevice, ...] | None": _or_none(_all(_nested(RecordedDevice))),
    "tuple[Pool, ...]": _all(_nested(Pool)),
}
"""What a field takes, by its annotation."""
_FIELDS: dict[type, dict[str, Callable[[object], object]]] = {
    kind: {field.name: _KINDS[cast("str", field.type)] for field in dataclasses.fields(kind)}
    for kind in (Space, Backing, ThinDevice, RecordedDevice, Pool, Sample)
}
