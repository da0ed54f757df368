"""Starting a device set: its pool made, activated or recognised, its records brought in step, its base device ready.

Source: the constructor and initDevmapper of the original, in its order. Mended: what a start would do is told before,
records without their pool's files are not built over, and a start that fails leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dmtui.deviceset.base import BaseWork, base_work
from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.intents import POOL, Intent
from dmtui.deviceset.loopfiles import LoopFile
from dmtui.deviceset.lvmsetup import setup_work
from dmtui.deviceset.plan import Plan, Step, perform
from dmtui.deviceset.recovery import recover
from dmtui.deviceset.startundo import CREATE_POOL
from dmtui.deviceset.status import read_status
from dmtui.machine.errors import FileMissingError
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError
from dmtui.thinpool.names import UUID_PREFIX
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.table import PoolTable, Target
from dmtui.thinpool.units import DATA_BLOCKS_A_BITMAP, METADATA_BLOCK_BYTES, SECTOR_BYTES, sectors_to_bytes
from dmtui.thinpool.values import frozen

LOW_WATER_MARK_BLOCKS = 32768
_FEATURES = ("skip_block_zeroing",)
_LEAST_METADATA_BLOCKS = 9
"""What the metadata of an empty pool take, measured, beside what counts its data blocks."""


def plan_start(devices: DeviceSet, since: str) -> Plan:
    """Plan the start of a device set: a pool and a base device that are there afterwards, however much was there.

    Raises:
        BadUsageError: an option names what cannot be used.
        MissingError: an external pool, or that of a direct-lvm setup, is not active.
        DmtuiError: the machine lacks what is needed, or files and records do not belong together.
    """
    _check_udev(devices)
    making = _making(devices)
    base = base_work(devices)
    steps = (*making.steps, *_bringing_steps(devices, since, base))
    notices = (*devices.ruling.notices, *making.notices, *base.notices)
    details = {
        "made": making.made,
        "pool": bool(making.steps) and not making.intents,
        "rests": devices.active("") is None and not base.intents,
    }
    intent = Intent(POOL, CREATE_POOL, details)
    return Plan(CREATE_POOL, devices.pool.name, steps, notices, ("",), (intent, *making.intents, *base.intents))


@frozen
class _Making:
    """How the pool comes to be there: nothing to do where it is.

    Attributes:
        intents: those of a pool that is not made of our tables, which a killed start takes down by them.
    """

    steps: tuple[Step, ...] = ()
    notices: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    intents: tuple[Intent, ...] = ()


def _check_udev(devices: DeviceSet) -> None:
    if devices.options.override_udev_sync_check or devices.machine.device_mapper.udev_sync_supported():
        return
    raise DmtuiError(
        "udev sync",
        "is not supported: device nodes would come and go out of step with their devices",
        "use a libdevmapper that has it, or say dm.override_udev_sync_check=true",
    )


def _making(devices: DeviceSet) -> _Making:
    setup = setup_work(devices)
    if setup.steps:
        return _Making(setup.steps, setup.notices, intents=setup.intents)
    if devices.pool.exists():
        return _recognised(devices)
    external = devices.options.external_pool_name
    if external is not None:
        raise MissingError(
            f"pool {external}", "is not active on this machine", "activate it (lvchange -ay VG/LV) first"
        )
    options, graph = devices.options, devices.graph
    data = _part(devices, "data", options.data_device, graph.data_file, options.loop_data_size_bytes)
    metadata = _part(
        devices, "metadata", options.metadata_device, graph.metadata_file, options.loop_metadata_size_bytes
    )
    if data.dev is not None and data.dev == metadata.dev:
        raise BadUsageError(
            f"dm.datadev {data.path()} and dm.metadatadev {metadata.path()}", "are the same device", "give two devices"
        )
    made = (*data.made, *metadata.made)
    if made and devices.state.records:
        raise DmtuiError(
            f"graph directory {graph.directory}",
            f"has records of {len(devices.state.records)} devices, but their pool's {made[0]} does not exist",
            "give the devices that its pool was made on (dm.datadev, dm.thinpooldev), or move the records away",
        )
    _check_lengths(options.block_size_bytes, data.length_sectors(), metadata.length_sectors())
    create = _create_step(devices, data, metadata)
    return _Making((*data.steps, *metadata.steps, create), (*data.notices, *metadata.notices), made)


def _check_lengths(block_bytes: int, data_sectors: int, metadata_sectors: int) -> None:
    """A new pool needs a block at least, and metadata that can count its blocks: the kernel finds out too late."""
    data_blocks = sectors_to_bytes(data_sectors) // block_bytes
    if not data_blocks:
        least = format_size(block_bytes)
        raise BadUsageError(
            "pool's data", f"are less than one block of {least}", "give more with dm.loopdatasize or dm.datadev"
        )
    needed = METADATA_BLOCK_BYTES * (_LEAST_METADATA_BLOCKS + data_blocks // DATA_BLOCKS_A_BITMAP)
    given = sectors_to_bytes(metadata_sectors)
    if given < needed:
        raise BadUsageError(
            "pool's metadata",
            f"have {given} bytes, so much data takes {needed} from the beginning",
            "give more with dm.loopmetadatasize or dm.metadatadev",
        )


def _recognised(devices: DeviceSet) -> _Making:
    """The pool survived its last user, or is somebody else's by agreement: what is odd about it is told."""
    devices.pool.figures()  # a failed pool gives none, and nothing of it can be used
    report = read_status(devices.machine, devices.graph, devices.options)
    notices = [f"pool {devices.pool.name} is active already", *report.findings]
    table = devices.pool.table()
    if devices.options.external_pool_name is None and table.block_bytes != devices.options.block_size_bytes:
        notices.append(f"dm.blocksize has no effect: the pool has blocks of {format_size(table.block_bytes)}")
    if devices.pool.gives_figures() and not devices.state.records and (used := devices.pool.transaction_id()):
        notices.append(
            f"no device is recorded, but the pool is at transaction {used}: what it holds nobody knows any more; "
            "`dmtui pool reconcile` lists it"
        )
    return _Making(notices=tuple(notices))


@frozen
class _Part:
    """One of the two devices of a new pool: a block device that was given, or our file on a loop device."""

    path: Callable[[], str]
    length_sectors: Callable[[], int]
    release: Callable[[], None]
    dev: DeviceNumber | None = None
    steps: tuple[Step, ...] = ()
    notices: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


def _part(devices: DeviceSet, what: str, given: str | None, path: str, size_bytes: int | None) -> _Part:
    if given is not None:
        return _given(devices, what, given)
    file = LoopFile.look(devices.machine, what, path, size_bytes)
    directory = path.rpartition("/")[0]
    make = Step(f"make the directory {directory}", lambda: _make_directory(devices, directory), f"mkdir -p {directory}")
    first = (make,) if file.present is None and (what == "data" or devices.options.data_device) else ()
    warning = "loop files are slow and easily lost: for more than a trial give devices (dm.thinpooldev)"
    return _Part(
        lambda: file.device,
        file.length_sectors,
        file.release,
        file.loop.dev if file.loop else None,
        (*first, *file.steps()),
        (*file.notices, *((warning,) if what == "data" else ())),
        (path,) if file.present is None else (),
    )


def _make_directory(devices: DeviceSet, directory: str) -> None:
    devices.machine.files.make_directory(directory)


def _given(devices: DeviceSet, what: str, path: str) -> _Part:
    try:
        dev = devices.machine.files.identify(path).rdev
    except FileMissingError:
        raise BadUsageError(f"dm.{what}dev {path}", "does not exist", "give a block device") from None
    size = None if dev is None else devices.machine.files.device_size_bytes(dev)
    if dev is None or size is None:
        raise BadUsageError(f"dm.{what}dev {path}", "is no block device", "give one")
    notice = f"{path} becomes the pool's {what} device"
    if what == "metadata":
        notice += ": it must hold this pool's metadata, or begin with 4 KiB of zeros"
    return _Part(lambda: path, lambda: size // SECTOR_BYTES, _nothing, dev, notices=(notice,))


def _nothing() -> None:
    """A device that was given is not ours to let go."""


def _create_step(devices: DeviceSet, data: _Part, metadata: _Part) -> Step:
    name, mapper = devices.pool.name, devices.pool.mapper
    uuid = f"{UUID_PREFIX}{name}"

    def target() -> Target:
        block_sectors = devices.options.block_size_bytes // SECTOR_BYTES
        table = PoolTable(metadata.path(), data.path(), block_sectors, LOW_WATER_MARK_BLOCKS, _FEATURES)
        return table.target(data.length_sectors())

    def act() -> None:
        mapper.create(name, [target()], uuid=uuid)
        # The pool holds its loop devices from now on, and they go with it.
        data.release()
        metadata.release()

    def undo() -> None:
        devices.patience.retry(lambda: mapper.remove(name), lambda: f"pool {name}")

    return Step(
        f"activate the pool {name}", act, f"dmsetup create {name} --uuid {uuid} --table '{str(target()).strip()}'", undo
    )


def _bringing_steps(devices: DeviceSet, since: str, base: BaseWork) -> tuple[Step, ...]:
    """Bring records and pool together, then do the planned work on the base device.

    What a kill left can be finished only with the pool active, and may take the base device away or change it: then
    the work on it is planned anew on the spot.
    """
    planned_for, fits = devices.state.records.get(""), True

    def bring() -> None:
        nonlocal fits
        for note in recover(devices, since):
            devices.patience.tell(note)
        devices.reload()
        fits = devices.state.records.get("") == planned_for
        if not fits:
            anew = Plan(CREATE_POOL, devices.pool.name, base_work(devices).steps)
            perform(anew, lambda progress: devices.patience.tell(progress.text))

    def as_planned(act: Callable[[], None]) -> Callable[[], None]:
        return lambda: act() if fits else None

    work = (replace(step, act=as_planned(step.act), undo=as_planned(step.undo)) for step in base.steps)
    return (Step("bring records and pool together", bring), *work)
