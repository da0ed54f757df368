"""Rules between storage options: contradictions are errors, options without effect are notices.

Source: the original's constructor (section 3.1 and 5.4 of its description). Mended: the original checks some of these
late or never (the same device twice destroys the pool), and calls a re-stated default a change.
"""

from __future__ import annotations

from dmtui.deviceset.directlvm import asked_for, zero_notices
from dmtui.deviceset.options import Options
from dmtui.thinpool.errors import BadUsageError
from dmtui.thinpool.units import MAX_METADATA_BLOCKS, METADATA_BLOCK_BYTES
from dmtui.thinpool.values import frozen


@frozen
class Ruling:
    """Options whose open defaults are settled for one machine, and the notices for the operator."""

    deferred_removal: bool
    deferred_deletion: bool
    discard_on_delete: bool
    notices: tuple[str, ...]


def rule(options: Options, *, deferred_removal_supported: bool) -> Ruling:
    """Settle what depends on the machine or on other options.

    Raises:
        BadUsageError: options contradict each other or ask for what the machine cannot do.
    """
    _check_devices(options)
    _check_percentages(options)
    removal, deletion = _deferred(options, deferred_removal_supported)
    on_devices = options.data_device is not None or options.external_pool_name is not None
    discard = not on_devices if options.discard_on_delete is None else options.discard_on_delete
    return Ruling(removal, deletion, discard, tuple(_notices(options, discard)))


def _check_devices(options: Options) -> None:
    if options.data_device is not None and options.data_device == options.metadata_device:
        raise BadUsageError(
            f"dm.datadev and dm.metadatadev {options.data_device}",
            "are the same device, which would destroy the pool's metadata",
            "give two devices",
        )
    if options.directlvm and options.directlvm_device is None:
        others = ", ".join(sorted(options.directlvm))
        if set(options.directlvm) != {"dm.directlvm_device_force"}:
            raise BadUsageError(others, "need dm.directlvm_device", "give the device to build the pool on")
    if options.directlvm_device is not None and not options.directlvm_device.startswith("/"):
        raise BadUsageError(f"dm.directlvm_device {options.directlvm_device}", "is no path", "write /dev/NAME")
    if options.directlvm_device is not None and options.thin_pool_device is not None:
        raise BadUsageError(
            "dm.directlvm_device and dm.thinpooldev", "contradict each other", "use one pool: drop one of the two"
        )


def _check_percentages(options: Options) -> None:
    data, metadata = (options.directlvm.get(key) for key in ("dm.thinp_percent", "dm.thinp_metapercent"))
    if (data is None) != (metadata is None):
        raise BadUsageError(
            "dm.thinp_percent and dm.thinp_metapercent", "are only taken together", "give both or none of them"
        )
    asked = asked_for(options)
    if asked is not None:
        settled = asked.settled()
        total = settled.data_percent + settled.metadata_percent
        if total > 100:
            raise BadUsageError(
                "dm.thinp_percent and dm.thinp_metapercent", f"add up to {total} %", "they may take 100 % together"
            )


def _deferred(options: Options, supported: bool) -> tuple[bool, bool]:
    for key, wanted in (
        ("dm.use_deferred_removal", options.deferred_removal),
        ("dm.use_deferred_deletion", options.deferred_deletion),
    ):
        if wanted and not supported:
            raise BadUsageError(
                f"{key}=true",
                "cannot be had: it takes the kernel's device-mapper 4.27 and libdevmapper 1.02.89",
                "leave it out",
            )
    removal = supported if options.deferred_removal is None else options.deferred_removal
    # Turning off only removal on a capable machine fails in the original; here deletion follows unless asked for.
    deletion = (supported and removal) if options.deferred_deletion is None else options.deferred_deletion
    if deletion and not removal:
        raise BadUsageError(
            "dm.use_deferred_deletion=true and dm.use_deferred_removal=false",
            "contradict each other: deletion is deferred by deferring the removal",
            "turn both on or deletion off",
        )
    return removal, deletion


def _notices(options: Options, discard: bool) -> list[str]:
    default, notices = Options(), list[str]()
    external = options.external_pool_name is not None
    notices += zero_notices(options)
    if options.deferred_removal is False and options.deferred_deletion is None:
        notices.append("dm.use_deferred_removal=false turns deferred deletion off as well: it depends on it")
    if options.libdm_log_level != default.libdm_log_level:
        notices.append("dm.libdm_log_level has no effect because its log is not kept: errors are told by their numbers")
    if options.directlvm and options.directlvm_device is None:
        notices.append("dm.directlvm_device_force has no effect because dm.directlvm_device is not given")
    no_data_file = external or options.data_device is not None
    no_metadata_file = external or options.metadata_device is not None
    for key, given, reason in (
        ("dm.loopdatasize", no_data_file and options.loop_data_size_bytes is not None, "data file"),
        ("dm.loopmetadatasize", no_metadata_file and options.loop_metadata_size_bytes is not None, "metadata file"),
    ):
        if given:
            notices.append(f"{key} has no effect because the pool has no {reason} of its own")
    if external:
        notices += [
            f"{key} has no effect because the pool is made elsewhere"
            for key, value in (("dm.datadev", options.data_device), ("dm.metadatadev", options.metadata_device))
            if value is not None
        ]
        if options.block_size_bytes != default.block_size_bytes:
            notices.append("dm.blocksize has no effect because the pool is made elsewhere")
    elif (options.data_device is None) != (options.metadata_device is None):
        kept = "metadata" if options.metadata_device is None else "data"
        notices.append(f"the {kept} stays on a loop file because only the other device was given")
    most = MAX_METADATA_BLOCKS * METADATA_BLOCK_BYTES
    if not no_metadata_file and (options.loop_metadata_size_bytes or 0) > most:
        notices.append(f"dm.loopmetadatasize has no effect above {most} bytes: the kernel uses no more of metadata")
    if not discard and not no_data_file:
        notices.append("dm.blkdiscard=false: the data file never shrinks when devices are removed")
    if options.filesystem == "ext4" and options.xfs_nospace_max_retries is not None:
        notices.append("dm.xfs_nospace_max_retries has no effect because dm.fs is ext4")
    return notices
