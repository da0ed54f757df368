"""Making a pool on a block device with LVM's own tools, as the automatic direct-lvm options ask for.

Source: verifyBlockDevice and setupDirectLVM of the original (section 5.4 of its description). Mended: what fails, or
is killed, is undone (`dmtui.deviceset.lvmundo`), so that a second attempt does not fall over the first; a check that
cannot be made is an error, not passed over; signatures on what was a pool's disk before are wiped without a question
that nobody answers; monitoring is switched on, without which LVM never extends the pool.
"""

from __future__ import annotations

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.directlvm import DirectLvm, asked_for, check_unchanged, read_setup, setup_path, write_setup
from dmtui.deviceset.intents import LVM, Intent
from dmtui.deviceset.lvm import PHYSICAL_VOLUME, Lvm
from dmtui.deviceset.lvmundo import (
    DATA,
    GROUP,
    METADATA,
    PROFILE,
    PROFILE_PATH,
    LvmMaking,
    forget_setup,
    read_profile,
    remove_group,
    remove_physical_volume,
    remove_volume,
    restore_profile,
    take_down,
    write_profile,
)
from dmtui.deviceset.options import DIRECT_LVM_POOL
from dmtui.deviceset.plan import Step
from dmtui.machine.errors import FileMissingError, MachineError
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.errors import BadUsageError, DmtuiError, MissingError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.values import frozen

SET_UP = "set up direct-lvm"
_NEVER_PERCENT = 100
_EXTENT_BYTES = 4 * 1024**2
_LABEL_BYTES = 1024**2
"""What LVM keeps of a device for itself, before the first extent."""


@frozen
class SetupWork:
    """What a start has to do about LVM."""

    steps: tuple[Step, ...] = ()
    notices: tuple[str, ...] = ()
    intents: tuple[Intent, ...] = ()


def setup_work(devices: DeviceSet) -> SetupWork:
    """The steps that make the pool with LVM's tools; none where that was done before, or is not asked for.

    Raises:
        BadUsageError: the options are others than those that the setup was made with, or the device is none.
        MissingError: the setup was made, but its pool is not active.
        DmtuiError: tools are missing, the device is in use, or there is a volume group of that name.
    """
    made, asked = read_setup(devices.store), asked_for(devices.options)
    if asked is None:
        if made is not None and devices.options.thin_pool_device is None and not devices.pool.exists():
            raise _not_asked_for(devices, made)
        return SetupWork()
    if made is not None:
        check_unchanged(devices.machine.files, made, asked)
        if not devices.pool.exists():
            raise _inactive(devices, made)
        return SetupWork()
    records = devices.state.records
    if records:
        raise DmtuiError(
            f"graph directory {devices.graph.directory}",
            f"has records of {len(records)} devices, but its pool was not made with direct-lvm",
            "give the pool that they are of (dm.thinpooldev, dm.datadev), or move the records away",
        )
    found = _look(devices, asked.device)
    settled, tag = asked.settled(), str(devices.graph.prefix)
    making = LvmMaking(asked.device, tag, found.is_volume, _profile(settled), read_profile(devices))
    notices = _notices(settled, making, found)
    return SetupWork(_steps(devices, asked, making), notices, (Intent(LVM, SET_UP, making.note()),))


@frozen
class _Found:
    """What a device that may be taken carries all the same."""

    is_volume: bool
    signatures: tuple[str, ...]


def _look(devices: DeviceSet, device: str) -> _Found:
    """See that nothing is in the way."""
    lvm = Lvm(devices.machine)
    lvm.check_tools()
    dev = _block_device(devices, device)
    option = f"dm.directlvm_device {device}"
    mounts = [mount.directory for mount in devices.machine.filesystems.mounts() if mount.dev == dev]
    if mounts:
        raise DmtuiError(option, f"is mounted at {', '.join(mounts)}", "unmount it, or give another device")
    if lvm.group_tags(GROUP) is not None:
        raise DmtuiError(
            f"volume group {GROUP}",
            "exists already, and direct-lvm makes one of that name",
            f"if its pool is meant, give dm.thinpooldev={DIRECT_LVM_POOL}; otherwise rename it (vgrename)",
        )
    if devices.pool.exists():
        raise DmtuiError(f"pool {devices.pool.name}", "exists already, without LVM", "remove it, or use dm.thinpooldev")
    group = lvm.group_of(dev)
    if group:
        raise DmtuiError(option, f"is in the volume group {group}", "give a device that is free")
    # A physical volume of no group is nobody's: the original leaves one behind where its setup fails.
    signatures = [each for each in lvm.signatures(device) if group is None or each != PHYSICAL_VOLUME]
    if signatures and not devices.options.directlvm_forced:
        raise DmtuiError(
            option,
            f"carries {', '.join(signatures)}",
            "give an empty device, or say dm.directlvm_device_force=true to lose what is there",
        )
    return _Found(group is not None, tuple(signatures))


def _block_device(devices: DeviceSet, device: str) -> DeviceNumber:
    try:
        dev = devices.machine.files.identify(device).rdev
    except FileMissingError:
        raise BadUsageError(f"dm.directlvm_device {device}", "does not exist", "give a block device") from None
    size_bytes = None if dev is None else devices.machine.files.device_size_bytes(dev)
    if dev is None or size_bytes is None:
        raise BadUsageError(f"dm.directlvm_device {device}", "is no block device", "give one")
    _check_size(devices, device, size_bytes)
    return dev


def _check_size(devices: DeviceSet, device: str, size_bytes: int) -> None:
    """LVM counts in whole extents, rounded down, and refuses a volume of none when the device is its own already."""
    asked = asked_for(devices.options)
    percent = min(asked.settled().data_percent, asked.settled().metadata_percent) if asked else 100
    extents = max(0, size_bytes - _LABEL_BYTES) // _EXTENT_BYTES
    if extents * percent // 100 == 0:
        raise BadUsageError(
            f"dm.directlvm_device {device}",
            f"has {format_size(size_bytes)}, of which {percent}% is less than an extent of LVM",
            "give a larger device, or larger percentages (dm.thinp_percent, dm.thinp_metapercent)",
        )


def _not_asked_for(devices: DeviceSet, made: DirectLvm) -> DmtuiError:
    return DmtuiError(
        f"graph directory {devices.graph.directory}",
        f"was set up with direct-lvm on {made.device}, which the options do not say",
        f"give dm.directlvm_device={made.device}, or dm.thinpooldev={DIRECT_LVM_POOL}",
    )


def _inactive(devices: DeviceSet, made: DirectLvm) -> MissingError:
    return MissingError(
        f"pool {devices.pool.name}",
        f"was set up with direct-lvm on {made.device}, and is not active",
        f"`lvchange -ay {GROUP}/{DATA}` activates it; if it is gone for good, remove {setup_path(devices.store)}",
    )


def _profile(settled: DirectLvm) -> str:
    """What the original writes, to the byte."""
    return (
        "activation{\n"
        f"thin_pool_autoextend_threshold={settled.extend_threshold}\n"
        f"thin_pool_autoextend_percent={settled.extend_percent}\n"
        "}"
    )


def _notices(settled: DirectLvm, making: LvmMaking, found: _Found) -> tuple[str, ...]:
    notices = [f"{making.device} is given to LVM: what is on it is lost"]
    if found.signatures:
        notices[0] += f", {', '.join(found.signatures)}"
    if found.is_volume:
        notices.append(f"{making.device} is a physical volume of no group already, and is made anew")
    if making.profile_before not in (None, making.profile):
        notices.append(f"{PROFILE_PATH} exists and is replaced")
    if not _has_spare(settled):
        notices.append("the percentages leave no room for LVM's spare metadata volume, which a repair would use")
    if settled.extend_threshold < _NEVER_PERCENT:
        notices.append(
            f"LVM's daemon watches the pool, which the original leaves to the operator to switch on: once it is "
            f"{settled.extend_threshold}% full it grows by {settled.extend_percent}%, while the group has room"
        )
    else:
        notices.append("LVM never extends the pool: dm.thinp_autoextend_threshold is 100%")
    return tuple(notices)


def _has_spare(settled: DirectLvm) -> bool:
    """Whether there is room for a third volume, as large as the metadata."""
    return settled.data_percent + 2 * settled.metadata_percent <= 100


def _steps(devices: DeviceSet, asked: DirectLvm, making: LvmMaking) -> tuple[Step, ...]:
    lvm, settled, device = Lvm(devices.machine), asked.settled(), making.device

    def volume(name: str, percent: int, what: str) -> Step:
        return lvm.step(
            f"make the logical volume {GROUP}/{name} for the pool's {what}",
            *("lvcreate", "--yes", "--wipesignatures", "y", "--name", name, "--extents", f"{percent}%VG", GROUP),
            undo=lambda: remove_volume(devices, making, name),
        )

    spare = () if _has_spare(settled) else ("--poolmetadataspare", "n")
    look = f"see once more that {device} is free and that there is no volume group {GROUP}"
    write = f"write {PROFILE_PATH}: extend at {settled.extend_threshold}%, by {settled.extend_percent}%"
    monitor = Step(
        f"let LVM's daemon watch {GROUP}/{DATA}", lambda: _monitor(lvm), f"lvchange --monitor y {GROUP}/{DATA}"
    )
    return (
        # Undone last: what the failing step itself has left is found by looking.
        Step(look, lambda: _look_again(devices, device), undo=lambda: take_down(devices, making)),
        # Before the volumes, so that in an undoing none of them is left with a profile that is gone.
        Step(write, lambda: write_profile(devices, making), undo=lambda: restore_profile(devices, making)),
        lvm.step(
            f"make {device} a physical volume of LVM",
            *("pvcreate", "--force", device),
            undo=lambda: remove_physical_volume(devices, making),
        ),
        lvm.step(
            f"make the volume group {GROUP}, marked as this graph directory's",
            *("vgcreate", "--addtag", making.tag, GROUP, device),
            undo=lambda: remove_group(devices, making),
        ),
        volume(DATA, settled.data_percent, "data"),
        volume(METADATA, settled.metadata_percent, "metadata"),
        lvm.step(
            f"make the thin pool {GROUP}/{DATA} of both, with blocks of 512K that are not zeroed",
            *("lvconvert", "--yes", "--zero", "n", "--chunksize", "512K", *spare),
            *("--thinpool", f"{GROUP}/{DATA}", "--poolmetadata", f"{GROUP}/{METADATA}"),
            undo=lambda: remove_volume(devices, making, DATA),
        ),
        lvm.step(
            f"let {GROUP}/{DATA} follow the profile {PROFILE}",
            *("lvchange", "--metadataprofile", PROFILE, f"{GROUP}/{DATA}"),
        ),
        *((monitor,) if settled.extend_threshold < _NEVER_PERCENT else ()),
        Step(
            f"keep the parameters of the setup in {setup_path(devices.store)}",
            lambda: write_setup(devices.store, asked),
            undo=lambda: forget_setup(devices),
        ),
    )


def _look_again(devices: DeviceSet, device: str) -> None:
    """A plan may be old when it is performed, and what it takes is lost."""
    _look(devices, device)


def _monitor(lvm: Lvm) -> None:
    """Switch monitoring on, and see that it is: LVM only warns where its daemon is missing."""
    reason = ""
    try:
        lvm.run(("lvchange", "--monitor", "y", f"{GROUP}/{DATA}"))
        if lvm.is_monitored(f"{GROUP}/{DATA}"):
            return
    except MachineError as error:
        reason = f": {error}"
    raise DmtuiError(
        f"volume {GROUP}/{DATA}",
        f"is not watched by LVM's daemon, so it would never be extended{reason}",
        "install dmeventd, or do without it by dm.thinp_autoextend_threshold=100",
    )
