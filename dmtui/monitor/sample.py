"""A `Sample`: everything true of a machine's thin pools at one instant, as plain data that round-trips through JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, cast

from dmtui.thinpool.units import METADATA_BLOCK_BYTES, metadata_reserve_blocks

FORMAT = 1
"""Version of the JSON form of a sample."""


@dataclass(frozen=True, slots=True)
class Backing:
    """What lies under a pool's data or metadata device.

    Attributes:
        dev: number of the device in the pool's table, ``MAJ:MIN``.
        device: its node, None where the machine has none.
        loop_file: path of the backing file when it is a loop device.
        loop_file_deleted: the backing file has no name any more.
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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

    @property
    def metadata_reserve_bytes(self) -> int | None:
        """Bytes of the "used" metadata that are the kernel's hidden reserve."""
        if self.metadata.total_bytes is None:
            return None
        return metadata_reserve_blocks(self.metadata.total_bytes // METADATA_BLOCK_BYTES) * METADATA_BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Sample:
    """Everything at one instant.

    Attributes:
        taken_at: seconds since the epoch.
        took_seconds: how long the poll took.
        machine: ``kernel`` or ``emulated``.
        machine_description: a short text for the screen.
        pools: every thin pool of the machine, by name.
        problems: devices that could not be read, a line each.
    """

    taken_at: float
    took_seconds: float
    machine: str
    machine_description: str
    pools: tuple[Pool, ...] = ()
    problems: tuple[str, ...] = ()

    def pool(self, name: str) -> Pool | None:
        """The pool of that name."""
        return next((pool for pool in self.pools if pool.name == name), None)

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal sample."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Sample:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not a sample, or one of another format.
        """
        try:
            fields = cast("dict[str, Any]", json.loads(line))
            if fields.pop("format") != FORMAT:
                raise ValueError("another format")
            pools = tuple(_pool(pool) for pool in fields.pop("pools"))
            problems: tuple[str, ...] = tuple(fields.pop("problems"))
            return cls(**fields, pools=pools, problems=problems)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not a sample: {error}") from error


def _pool(fields: dict[str, Any]) -> Pool:
    nested: dict[str, Any] = {
        "data": Space(**fields["data"]),
        "metadata": Space(**fields["metadata"]),
        "data_backing": _backing(fields["data_backing"]),
        "metadata_backing": _backing(fields["metadata_backing"]),
        "devices": tuple(ThinDevice(**device) for device in fields["devices"]),
        "findings": tuple(fields["findings"]),
    }
    merged: dict[str, Any] = fields | nested
    return Pool(**merged)


def _backing(fields: dict[str, Any]) -> Backing:
    merged: dict[str, Any] = fields | {"disks": tuple(fields["disks"])}
    return Backing(**merged)
