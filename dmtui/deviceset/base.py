"""The base device: made once with an empty file system, verified at every start, grown when asked for.

Source: setupBaseImage, createBaseImage, verifyBaseDeviceUUIDFS, checkGrowBaseDeviceFS of the original. Mended: the new
size is recorded after the growth has succeeded; each cause of a failed verification has its own error; a file system
that was never asked for is no reason for a warning.
"""

from __future__ import annotations

from dataclasses import replace

from dmtui.deviceset.activation import activate_step, activation_steps, deactivation_step
from dmtui.deviceset.deviceset import DeviceSet, title
from dmtui.deviceset.growth import XFS, growth_steps
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.options import Options
from dmtui.deviceset.plan import Plan, Step, perform
from dmtui.deviceset.records import DeviceRecord
from dmtui.deviceset.removal import removal_steps
from dmtui.deviceset.transactions import OpenTransaction
from dmtui.machine.filesystems import FilesystemFound
from dmtui.thinpool.errors import BadUsageError, DmtuiError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.units import SECTOR_BYTES
from dmtui.thinpool.values import frozen

GROW_BASE = "grow base"
MAKE_BASE = "make base"
_BASE = ""
_DEFAULT_SIZE_BYTES = 10 * 1024**3
EXT4 = "ext4"
_ARGUMENTS = {
    XFS: (),
    # Whatever ext4 would initialise later, it would initialise again in each snapshot.
    EXT4: ("-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0"),
}


@frozen
class BaseWork:
    """What a start has to do about the base device."""

    steps: tuple[Step, ...]
    notices: tuple[str, ...] = ()
    intents: tuple[Intent, ...] = ()


def base_work(devices: DeviceSet) -> BaseWork:
    """The steps that make, verify or grow the base device.

    Raises:
        BadUsageError: ``dm.basesize`` is below the present size, or no whole number of sectors.
        DmtuiError: there is no file system to make it with.
    """
    record = devices.state.records.get(_BASE)
    if record is not None and record.initialized and not record.deleted:
        return _verify_or_grow(devices, record)
    steps: tuple[Step, ...] = ()
    if record is not None:
        steps = removal_steps(devices, _BASE, discard=False, deferring=False)
    kind, notice = _choose_filesystem(devices)
    making = _making_steps(devices, _base_size(devices.options), kind)
    return BaseWork((*steps, *making), notice, (Intent(_BASE, MAKE_BASE),))


def undo_base(devices: DeviceSet) -> None:
    """Remove a base device that was not finished."""
    steps = removal_steps(devices, _BASE, discard=False, deferring=False)
    perform(Plan(MAKE_BASE, title(_BASE), steps))
    forget_filesystem(devices)


def forget_filesystem(devices: DeviceSet) -> None:
    """Forget the file system of a base device that is gone."""
    state = devices.state.whole
    if state.base_uuid or state.base_filesystem:
        devices.state.whole = replace(state, base_uuid="", base_filesystem="")
        devices.store.write_state(devices.state.whole)


def grow_base_steps(devices: DeviceSet, size_bytes: int) -> tuple[Step, ...]:
    """Grow the base device and its file system, then record its new size (bytes)."""

    def record_size() -> None:
        record = replace(devices.record(_BASE), size_bytes=size_bytes)
        devices.store.write_record(record)
        devices.state.records[_BASE] = record

    record = Step(f"record the base device's size, {format_size(size_bytes)}", record_size)
    return (*growth_steps(devices, _BASE, size_bytes, irrevocable=True), record)


def _base_size(options: Options) -> int:
    size = _DEFAULT_SIZE_BYTES if options.base_size_bytes is None else options.base_size_bytes
    if size < SECTOR_BYTES or size % SECTOR_BYTES:
        raise BadUsageError(
            "storage option dm.basesize", f"does not take {size} bytes", "it takes whole sectors of 512, one at least"
        )
    return size


def _choose_filesystem(devices: DeviceSet) -> tuple[str, tuple[str, ...]]:
    """The file system asked for, else xfs, else ext4 and why."""
    filesystems, asked = devices.machine.filesystems, devices.options.filesystem
    for kind in (asked,) if asked else (XFS, EXT4):
        reason = filesystems.why_unusable(kind)
        if not reason:
            why_not = filesystems.why_unusable(XFS) if not asked and kind == EXT4 else ""
            return kind, (f"xfs cannot be used ({why_not}), so the base device gets ext4",) if why_not else ()
    raise DmtuiError(
        f"file system {asked or 'xfs or ext4'}",
        f"cannot be made here: {filesystems.why_unusable(asked or EXT4)}",
        "install its tools, or choose another with dm.fs",
    )


def _making_steps(devices: DeviceSet, size_bytes: int, kind: str) -> tuple[Step, ...]:
    record = DeviceRecord(_BASE, devices.state.ids.next_free(), size_bytes, 0, False, False)
    made = OpenTransaction(devices, record)
    arguments = (*_ARGUMENTS[kind], *devices.options.mkfs_args)
    node = devices.node(_BASE)
    text = f"make thin id {record.device_id} for the base device"
    found: list[FilesystemFound] = []

    def make() -> None:
        devices.machine.filesystems.make(node, kind, arguments)
        found[:] = [_probe(devices)]

    def initialise() -> None:
        state = replace(
            devices.state.whole,
            next_device_id=devices.state.ids.last,
            base_uuid=found[0].uuid,
            base_filesystem=found[0].kind,
        )
        devices.store.write_state(state)
        devices.state.whole = state
        finished = replace(devices.record(_BASE), initialized=True)
        devices.store.write_record(finished)
        devices.state.records[_BASE] = finished

    return (
        *_virgin_steps(devices),
        made.open_step(),
        made.make_step(lambda thin_id: f"create_thin {thin_id}", text),
        made.record_step(None),
        made.close_step(),
        activate_step(devices, _BASE, size_bytes, record.device_id),
        Step(f"make a file system, {kind}", make, " ".join((f"mkfs.{kind}", *arguments, node)), slow=True),
        Step("record the base device as whole, with its file system and uuid", initialise),
        deactivation_step(devices, _BASE, deferred=False),
    )


def _virgin_steps(devices: DeviceSet) -> tuple[Step, ...]:
    """An external pool is taken only while nobody has used it."""
    if devices.options.external_pool_name is None:
        return ()

    def check() -> None:
        figures, ours = devices.pool.figures(), devices.store.read_transaction()
        # Of a first start that was undone two transactions are left, and the last of them is on file.
        known_id = ours.open_id if ours else 0
        if figures.data.used_blocks or figures.transaction_id != known_id:
            raise DmtuiError(
                f"pool {devices.pool.name}",
                f"has been used: {figures.data.used_blocks} data blocks, transaction id {figures.transaction_id}",
                "give a pool that is new, or the graph directory that belongs to it",
            )

    if devices.pool.exists():
        check()
    text = f"see that nobody has used the pool {devices.pool.name}"
    return (Step(text, check, f"dmsetup status {devices.pool.name}"),)


def _verify_or_grow(devices: DeviceSet, record: DeviceRecord) -> BaseWork:
    notices: list[str] = []
    asked, known = devices.options.filesystem, devices.state.whole.base_filesystem
    if asked and known and asked != known:
        notices.append(f"dm.fs={asked} has no effect: the base device has {known}")
    wanted = record.size_bytes if devices.options.base_size_bytes is None else _base_size(devices.options)
    if wanted < record.size_bytes:
        raise BadUsageError(
            "storage option dm.basesize",
            f"cannot shrink the base device, which has {format_size(record.size_bytes)}",
            "give at least that",
        )
    steps = _verify_steps(devices)
    if wanted == record.size_bytes:
        return BaseWork(steps, tuple(notices))
    intent = Intent(_BASE, GROW_BASE, {"size_bytes": wanted})
    if devices.active(_BASE) is not None:
        raise DmtuiError("device base", "is active, so it cannot grow", "`dmtui device deactivate base` first")
    notices.append("devices that exist keep their size")
    return BaseWork((*steps, *grow_base_steps(devices, wanted)), tuple(notices), (intent,))


def _verify_steps(devices: DeviceSet) -> tuple[Step, ...]:
    activating = activation_steps(devices, _BASE)

    def verify() -> None:
        found, known = _probe(devices), devices.state.whole
        if known.base_uuid and found.uuid != known.base_uuid:
            raise DmtuiError(
                "device base",
                f"has the uuid {found.uuid}, recorded is {known.base_uuid}: this is another pool than last time",
                "give the data and metadata devices of the pool that belongs to this graph directory",
            )
        if known.base_uuid and known.base_filesystem:
            return
        saved = replace(known, base_uuid=found.uuid, base_filesystem=known.base_filesystem or found.kind)
        devices.store.write_state(saved)
        devices.state.whole = saved

    check = Step("compare the base device's uuid with the recorded one", verify, f"blkid {devices.node(_BASE)}")
    if devices.active(_BASE) is not None:
        return (check,)  # whoever has it open keeps it, going or not
    return (*activating, check, deactivation_step(devices, _BASE, deferred=False))


def _probe(devices: DeviceSet) -> FilesystemFound:
    found = devices.machine.filesystems.probe(devices.node(_BASE))
    if found is None:
        raise DmtuiError(
            "device base",
            "has no file system that is known (xfs, ext4, btrfs)",
            "this is another pool than last time, or its metadata are damaged: `dmtui pool check`",
        )
    return found
