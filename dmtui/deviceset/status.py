"""The status of a graph directory's pool, read without changing anything.

Source: the original's Status (deviceset.go) with its blind spots closed: mode, needs_check and policies are kept,
and what a failed pool does not tell is None, not 0.
"""

from __future__ import annotations

from dmtui.deviceset.graph import Graph
from dmtui.deviceset.optionrules import rule
from dmtui.deviceset.options import Options
from dmtui.deviceset.recognition import Recognition, limited_by_host, recognise
from dmtui.deviceset.records import Records, read_records
from dmtui.machine.errors import DeviceMissingError
from dmtui.machine.protocols import Machine
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import DmtuiError, MissingError
from dmtui.thinpool.status import PoolMode, PoolStatus
from dmtui.thinpool.table import THIN_POOL, PoolTable, Target
from dmtui.thinpool.units import sectors_to_bytes
from dmtui.thinpool.values import frozen


class NotAThinPoolError(DmtuiError):
    """A device has the pool's name, but is something else."""


@frozen
class SpaceReport:
    """Used, total and available in bytes; None where the pool does not say."""

    used_bytes: int | None = None
    total_bytes: int | None = None
    available_bytes: int | None = None


@frozen
class StatusReport:
    """Everything ``dmtui info`` shows.

    Attributes:
        pool_origin: ``created``, ``existing``, ``external`` or ``absent``.
        span_sectors: length of the pool's target.
        data_file: node of the data device where it is known to be ours or was given; None otherwise.
        minimum_free_bytes: free data space below which no snapshot is made.
        findings: what is wrong or odd, a line each.
    """

    pool_name: str
    pool_origin: str
    status: PoolStatus | None
    table: PoolTable | None
    span_sectors: int
    base_device_size_bytes: int | None
    backing_filesystem: str | None
    data_file: str | None
    metadata_file: str | None
    data_loop_file: str | None
    metadata_loop_file: str | None
    data: SpaceReport
    metadata: SpaceReport
    minimum_free_bytes: int | None
    udev_sync_supported: bool
    deferred_removal_enabled: bool
    deferred_deletion_enabled: bool
    deferred_deleted_device_count: int
    library_version: str | None
    driver_version: str
    findings: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the pool gives no figures any more."""
        return self.status is not None and self.status.figures is None


def pool_name(graph: Graph, options: Options) -> str:
    """Name of the pool that a graph directory uses with these options."""
    return options.external_pool_name or graph.prefix.pool_name


def absent_error(report: StatusReport) -> MissingError:
    """The error for a report without a pool."""
    next_step = "`dmtui pools` lists every pool of this machine"
    return MissingError(f"pool {report.pool_name}", "does not exist on this machine", next_step)


def failed_error(report: StatusReport) -> DmtuiError:
    """The error for a pool that gives no figures."""
    word = report.status and report.status.mode and report.status.mode.value
    return DmtuiError(
        f"pool {report.pool_name}",
        f"the kernel answers {word}: its metadata cannot be used, all its I/O fails",
        "stop its users, remove its thin devices and the pool, run thin_check on the metadata device, activate again",
    )


def read_status(machine: Machine, graph: Graph, options: Options) -> StatusReport:
    """Read the status of the graph directory's pool; an absent pool has the origin ``absent`` and no figures.

    Raises:
        NotAThinPoolError: the device of the pool's name is no thin pool.
        BadUsageError: the options contradict each other.
        MachineError: the machine refuses.
    """
    name = pool_name(graph, options)
    records = read_records(graph.records_directory)
    try:
        table_line = _only_pool_target(name, machine.device_mapper.table(name).targets)
        status_line = _only_pool_target(name, machine.device_mapper.status(name).targets)
    except DeviceMissingError:
        return _report(machine, options, records, _Pool(name, "absent"))
    table = PoolTable.parse(table_line.params)
    external = options.external_pool_name is not None
    loops = machine.loops.list_bound()

    def found(given: str | None, dev: str, path: str, what: str) -> Recognition | None:
        if external or given:
            return None
        return recognise(machine.files, loops, DeviceNumber.parse(dev), path, what)

    pool = _Pool(
        name,
        "external" if external else "existing",
        table,
        PoolStatus.parse(status_line.params),
        status_line.length_sectors,
        found(options.data_device, table.data_device, graph.data_file, "data"),
        found(options.metadata_device, table.metadata_device, graph.metadata_file, "metadata"),
    )
    return _report(machine, options, records, pool)


@frozen
class _Pool:
    """What was read of the pool itself."""

    name: str
    origin: str
    table: PoolTable | None = None
    status: PoolStatus | None = None
    span_sectors: int = 0
    data: Recognition | None = None
    metadata: Recognition | None = None


def _only_pool_target(name: str, targets: tuple[Target, ...]) -> Target:
    if len(targets) == 1 and targets[0].type == THIN_POOL:
        return targets[0]
    kinds = ", ".join(sorted({target.type for target in targets})) or "no table"
    raise NotAThinPoolError(f"device {name}", f"is not a thin pool but has {kinds}", "give the right pool or graph")


def _report(machine: Machine, options: Options, records: Records, pool: _Pool) -> StatusReport:
    device_mapper, data, metadata = machine.device_mapper, pool.data, pool.metadata
    versions = device_mapper.versions()
    ruling = rule(options, deferred_removal_supported=device_mapper.deferred_removal_supported())
    given = options if options.external_pool_name is None else Options()
    data_space, metadata_space, minimum = _spaces(options, pool)
    return StatusReport(
        pool_name=pool.name,
        pool_origin=pool.origin,
        status=pool.status,
        table=pool.table,
        span_sectors=pool.span_sectors,
        base_device_size_bytes=records.base_size_bytes,
        backing_filesystem=records.base_filesystem or None,
        data_file=data.device if data else given.data_device,
        metadata_file=metadata.device if metadata else given.metadata_device,
        data_loop_file=data.loop_file if data else None,
        metadata_loop_file=metadata.loop_file if metadata else None,
        data=data_space,
        metadata=metadata_space,
        minimum_free_bytes=minimum,
        udev_sync_supported=device_mapper.udev_sync_supported(),
        deferred_removal_enabled=ruling.deferred_removal,
        deferred_deletion_enabled=ruling.deferred_deletion,
        deferred_deleted_device_count=records.deleted_count,
        library_version=versions.library,
        driver_version=versions.driver,
        findings=_findings(pool, records),
    )


def _spaces(options: Options, pool: _Pool) -> tuple[SpaceReport, SpaceReport, int | None]:
    if pool.table is None or pool.status is None or pool.status.figures is None:
        return SpaceReport(), SpaceReport(), None
    figures, block_bytes = pool.status.figures, pool.table.block_bytes
    data = _space(figures.data.used_blocks * block_bytes, figures.data.total_blocks * block_bytes, pool.data)
    metadata = _space(figures.metadata_used_bytes, figures.metadata_total_bytes, pool.metadata)
    minimum_blocks = figures.data.total_blocks * options.min_free_percent // 100
    return data, metadata, minimum_blocks * block_bytes


def _space(used_bytes: int, total_bytes: int, found: Recognition | None) -> SpaceReport:
    available_bytes = limited_by_host(total_bytes - used_bytes, found.host if found else None)
    return SpaceReport(used_bytes, total_bytes, available_bytes)


def _findings(pool: _Pool, records: Records) -> tuple[str, ...]:
    status = pool.status
    found = [recognition.finding for recognition in (pool.data, pool.metadata) if recognition and recognition.finding]
    if status and status.mode not in (None, PoolMode.READ_WRITE):
        found.insert(0, f"the pool's mode is {status.mode.value}")
    if status and status.needs_check:
        found.insert(0, "the pool needs a check: its metadata must be checked offline before it is writable")
    return (*found, *records.broken)


def block_size_as_docker_counts(report: StatusReport) -> int | None:
    """Bytes of a block as the original computes them: span of the pool over its blocks, both rounded down."""
    if report.status is None or report.status.figures is None or not report.status.figures.data.total_blocks:
        return None
    return sectors_to_bytes(report.span_sectors // report.status.figures.data.total_blocks)
