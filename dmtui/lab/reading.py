"""The figures of a stage's machine at one instant: what narrations quote and nothing else."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from dmtui.machine.errors import MachineError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.status import PoolStatus, ThinStatus
from dmtui.thinpool.table import THIN, THIN_POOL, PoolTable, Target
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen

if TYPE_CHECKING:
    from dmtui.deviceset.graph import Graph
    from dmtui.machine.emulated import EmulatedMachine


@frozen
class Reading:
    """What a machine shows of a pool at an instant; sizes in bytes.

    Attributes:
        status_line: the pool's, as the kernel prints it; empty while there is no pool.
        mapped: of each active device, by its name on file.
        sizes: what the user of each active device sees.
        open_counts: how often each mapped device is open, the pool among them.
        file_bytes: what the data loop file takes of its host.
        file_size_bytes: how long that file is.
        host_free_bytes: free on the host's file system.
        event_number: of the pool: how many events it has raised.
        holders: processes that keep a device's mount in another namespace: pid and device name.
    """

    status_line: str = ""
    status: PoolStatus | None = None
    block_bytes: int = 0
    low_water_mark_blocks: int = 0
    mapped: dict[str, int] = field(default_factory=dict[str, int])
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    open_counts: dict[str, int] = field(default_factory=dict[str, int])
    file_bytes: int = 0
    file_size_bytes: int = 0
    host_free_bytes: int = 0
    event_number: int = 0
    holders: tuple[tuple[int, str], ...] = ()

    @property
    def mode(self) -> str:
        """The pool's mode in the kernel's word; empty without a pool."""
        return self.status.mode.value if self.status and self.status.mode else ""

    @property
    def needs_check(self) -> bool:
        """Whether the pool wants its metadata checked."""
        return bool(self.status and self.status.needs_check)

    @property
    def used_blocks(self) -> int:
        """Data blocks in use; 0 where the pool does not tell."""
        return self.status.figures.data.used_blocks if self.status and self.status.figures else 0

    @property
    def total_blocks(self) -> int:
        """All data blocks."""
        return self.status.figures.data.total_blocks if self.status and self.status.figures else 0

    @property
    def used_bytes(self) -> int:
        """Data in use."""
        return self.used_blocks * self.block_bytes

    @property
    def total_bytes(self) -> int:
        """All data space."""
        return self.total_blocks * self.block_bytes

    @property
    def metadata_used_blocks(self) -> int:
        """Metadata blocks in use, the kernel's hidden reserve among them."""
        return self.status.figures.metadata.used_blocks if self.status and self.status.figures else 0

    @property
    def metadata_total_blocks(self) -> int:
        """All metadata blocks."""
        return self.status.figures.metadata.total_blocks if self.status and self.status.figures else 0

    @property
    def no_space(self) -> str:
        """What the pool does when it is full, in the kernel's word."""
        return self.status.no_space.value if self.status and self.status.no_space else ""


def read(machine: EmulatedMachine, graph: Graph, pool_name: str) -> Reading:
    """Look at a machine as ``dmsetup status`` does: what is open in the pool is committed before."""
    lines = _lines(machine)
    place = {name: target for name, target, _ in lines}
    opened = {name: count for name, _, count in lines}
    prefix = f"{graph.prefix}-"
    thins = {name.removeprefix(prefix): target for name, target in place.items() if target.type == THIN}
    mapped = {name: ThinStatus.parse(target.params).mapped_bytes for name, target in thins.items()}
    pool = place.get(pool_name)
    figures = machine.files.identify(graph.data_file) if pool else None
    table = PoolTable.parse(machine.device_mapper.table(pool_name).targets[0].params) if pool else None
    return Reading(
        status_line=str(pool).rstrip() if pool else "",
        status=PoolStatus.parse(pool.params) if pool and pool.type == THIN_POOL else None,
        block_bytes=table.block_bytes if table else 0,
        low_water_mark_blocks=table.low_water_mark_blocks if table else 0,
        mapped={name: size for name, size in mapped.items() if size is not None},
        sizes={name: target.length_sectors * SECTOR_BYTES for name, target in thins.items()},
        open_counts={name.removeprefix(prefix): count for name, count in opened.items()},
        file_bytes=figures.allocated_bytes if figures else 0,
        file_size_bytes=figures.size_bytes if figures else 0,
        host_free_bytes=machine.host_space.free_bytes,
        event_number=machine.device_mapper.info(pool_name).event_nr if pool else 0,
        holders=tuple((leak.pid, leak.device_name) for leak in machine.leaks.list_held()),
    )


def _lines(machine: EmulatedMachine) -> list[tuple[str, Target, int]]:
    """Of each mapped device: its name, its status, and how often it is open."""
    found: list[tuple[str, Target, int]] = []
    for entry in machine.device_mapper.list_devices():
        try:
            reading = machine.device_mapper.status_flush(entry.name)
        except MachineError:
            continue
        found += [(entry.name, target, reading.info.open_count) for target in reading.targets]
    return found


def size(size_bytes: int) -> str:
    """A size as narrations print it, as the dashboard does."""
    return format_size(size_bytes)
