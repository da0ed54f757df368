"""Extending a pool while it is used: more data, more metadata; planned, applied, verified.

Source: ResizePool of the original, which only its helper tool calls, and the operators' procedure (truncate,
losetup -c, suspend, reload, resume). Mended: the pool is resumed whatever fails, with its old table where it does not
take the new one; what it has not taken is given back; afterwards the pool itself is asked whether it has grown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.extensionparts import Part, PoolFound, What, enlarge_file, enlarging_steps, find_part, give_back
from dmtui.deviceset.intents import POOL, Intent
from dmtui.deviceset.patience import PAUSE_SECONDS
from dmtui.deviceset.plan import Plan, PlanFailedError, Step, perform
from dmtui.deviceset.poollink import PoolUnusableError
from dmtui.machine.errors import MachineError
from dmtui.thinpool.errors import DmtuiError, NotGivenError
from dmtui.thinpool.names import lvm_display_name
from dmtui.thinpool.sizes import SizeStyle, format_size
from dmtui.thinpool.status import PoolMode
from dmtui.thinpool.table import Target
from dmtui.thinpool.units import DATA_BLOCKS_A_BITMAP, MAX_METADATA_BLOCKS

EXTEND = "extend pool"
_TRIES = 3
_LOOKS = 10


def plan_extend(devices: DeviceSet, data_bytes: int | None = None, metadata_bytes: int | None = None) -> Plan:
    """Plan the extension of the active pool to these total sizes; None leaves a file of ours as it is.

    A block device that was given is taken as large as it is: it has been extended by its own tools before. Nothing
    to do is a plan without steps.

    Raises:
        NotGivenError: no size at all.
        BadUsageError: one that shrinks the pool, or one that cannot be.
        PoolAbsentError: the pool is not active.
        PoolUnusableError: its mode or its state keep it from growing.
        DmtuiError: it is not ours to extend, or not made of what this graph directory has.
    """
    name = devices.pool.name
    _check_ours(devices)
    found = PoolFound.look(devices)
    parts = _parts(devices, found, data_bytes, metadata_bytes)
    if not parts:
        raise NotGivenError(
            f"extending pool {name}",
            "was given no size",
            f"give more data than {_now(found, 'data')}, more metadata than {_now(found, 'metadata')}, or both",
        )
    growing = [part for part in parts if part.grows]
    notices = tuple(notice for part in parts for notice in part.notices)
    if not growing:
        return Plan(EXTEND, name, (), notices)
    _check_state(devices, found, growing)
    details = {
        "data_bytes": data_bytes,
        "metadata_bytes": metadata_bytes,
        "span_sectors": found.target.length_sectors,
        **{f"{part.what}_before_bytes": part.size_bytes for part in growing},
    }
    return Plan(EXTEND, name, _steps(devices, found, growing), notices, (), (Intent(POOL, EXTEND, details),))


def _now(found: PoolFound, what: What) -> str:
    return format_size(found.least_bytes(what), SizeStyle.BINARY)


def settle_extension(devices: DeviceSet, intent: Intent) -> str | None:
    """Finish an extension that was killed, or go back where it cannot be finished; the pool is resumed either way.

    Of a pool that is not active any more only our files are grown: its next start takes what is under it as it is.

    Raises:
        DmtuiError: it cannot be resumed.
    """
    name, note = devices.pool.name, ""
    if not devices.pool.exists():
        grown = [enlarge_file(devices, what, intent.details.get(f"{what}_bytes")) for what in ("data", "metadata")]
        return f"the files of pool {name} were extended as it is not active" if any(grown) else ""
    try:
        steps = _left_to_do(devices, intent.details)
        if steps:
            perform(Plan(EXTEND, name, steps), lambda _: None)
            note = f"the extension of pool {name} was finished"
    except PlanFailedError as error:
        note = f"the extension of pool {name} was given up: {error.cause}"
    except DmtuiError as error:
        note = f"the extension of pool {name} was given up: {error}"
    span = intent.details.get("span_sectors")
    _put_back(devices, span if isinstance(span, int) else None)
    return note


def _left_to_do(devices: DeviceSet, details: Mapping[str, Any]) -> tuple[Step, ...]:
    found = PoolFound.look(devices)
    if found.status.needs_check:
        raise _needs_check(devices)
    span = details.get("span_sectors")
    if isinstance(span, int):
        found = replace(found, target=replace(found.target, length_sectors=span))
    parts = _parts(devices, found, details.get("data_bytes"), details.get("metadata_bytes"))
    growing = [part.undone_to(details.get(f"{part.what}_before_bytes")) for part in parts if part.grows]
    return _steps(devices, found, growing)


def _check_ours(devices: DeviceSet) -> None:
    if devices.options.external_pool_name is None:
        return
    volume = lvm_display_name(devices.pool.name)
    raise DmtuiError(
        f"pool {devices.pool.name}",
        "is not made of our tables: whoever made it extends it",
        f"with LVM `lvextend -L SIZE {volume}` for data, `lvextend --poolmetadatasize SIZE {volume}` for metadata",
    )


def _parts(
    devices: DeviceSet, found: PoolFound, data_bytes: int | None, metadata_bytes: int | None
) -> tuple[Part, ...]:
    """Metadata first: what they count, the data, may need them."""
    metadata, data = (
        find_part(devices, found, "metadata", metadata_bytes),
        find_part(devices, found, "data", data_bytes),
    )
    return tuple(part for part in (metadata, data) if part is not None)


def _check_state(devices: DeviceSet, found: PoolFound, growing: Sequence[Part]) -> None:
    subject, name = f"pool {devices.pool.name}", devices.pool.name
    info = devices.pool.mapper.info(name)
    if info.suspended:
        raise PoolUnusableError(subject, "is suspended, by somebody else", f"`dmsetup resume {name}` first")
    if info.inactive_table:
        loaded = "has a table loaded, by somebody else, that a resume would make live"
        raise PoolUnusableError(subject, loaded, f"`dmsetup clear {name}` first")
    if found.status.needs_check:
        raise _needs_check(devices)
    more_metadata = sum(part.wanted_blocks - part.present_blocks for part in growing if part.what == "metadata")
    if found.status.mode is PoolMode.READ_ONLY:
        if "read_only" in found.table.features:
            raise PoolUnusableError(subject, "was activated read-only", "load its table without read_only first")
        if not more_metadata:
            raise PoolUnusableError(
                subject, "is read-only: it is out of metadata", "extend the metadata, alone or together with the data"
            )
    needed = sum(
        -(-part.wanted_blocks // DATA_BLOCKS_A_BITMAP) - -(-part.present_blocks // DATA_BLOCKS_A_BITMAP)
        for part in growing
        if part.what == "data"
    )
    free = found.figures.metadata.free_blocks + more_metadata
    if needed > free:
        # The kernel would find out in the middle, and take the pool for broken.
        raise PoolUnusableError(
            subject,
            f"has {free} free metadata blocks, so much data takes {needed} more",
            "extend the metadata as well"
            if needed < MAX_METADATA_BLOCKS
            else "no metadata can count so much: give less",
        )


def _needs_check(devices: DeviceSet) -> PoolUnusableError:
    return PoolUnusableError(
        f"pool {devices.pool.name}",
        "needs a check: until then the kernel lets neither of its devices grow",
        "`dmtui pool remove`, `dmtui pool check --clear-needs-check`, `dmtui pool create`",
    )


def _steps(devices: DeviceSet, found: PoolFound, growing: Sequence[Part]) -> tuple[Step, ...]:
    steps: list[Step] = []
    for part in growing:
        after = None
        if part.what == "data":
            after = found.table.target(part.wanted_bytes // 512)
        steps += [*enlarging_steps(devices, part), *_taking_steps(devices, part, found.target, after)]
    return tuple(steps)


def _taking_steps(devices: DeviceSet, part: Part, before: Target, after: Target | None) -> tuple[Step, ...]:
    """Let the pool take over a larger device: data by a longer table, metadata at any resume."""
    name, mapper = devices.pool.name, devices.pool.mapper

    def shorten() -> None:
        if part.what == "metadata":  # or the very resume would let them grow
            give_back(devices, part)

    def put_back() -> None:
        _put_back(devices, before.length_sectors, shorten)

    load: tuple[Step, ...] = ()
    if after is not None:
        text = f"load the pool's table with its new length, {after.length_sectors} sectors"
        command = f"dmsetup load {name} --table '{str(after).strip()}'"
        load = (Step(text, lambda: mapper.load(name, [after]), command, put_back, frees=True),)
    return (
        *load,
        Step(
            f"suspend the pool {name}",
            # Where there is no space, what is queued would never be flushed.
            lambda: mapper.suspend(name, flush=False, lock_filesystem=False),
            f"dmsetup suspend --noflush --nolockfs {name}",
            put_back,
            frees=True,
        ),
        Step("resume it, which lets it grow", lambda: mapper.resume(name), f"dmsetup resume {name}", irrevocable=True),
        Step(
            f"see that it has {part.wanted_blocks} {part.what} blocks, {part.present_blocks} before",
            lambda: _verify(devices, part),
            f"dmsetup status --noflush {name}",
        ),
    )


def _verify(devices: DeviceSet, part: Part) -> None:
    has = part.present_blocks
    for _ in range(_LOOKS):
        has = PoolFound.look(devices).blocks(part.what)
        if has == part.wanted_blocks:
            return
        devices.patience.sleep(PAUSE_SECONDS)
    raise PoolUnusableError(
        f"pool {devices.pool.name}",
        f"has {has} {part.what} blocks after its resume, not {part.wanted_blocks}",
        "the kernel log says why",
    )


def _put_back(devices: DeviceSet, span_sectors: int | None, shorten: Callable[[], None] = lambda: None) -> None:
    """Let a pool go on that was left suspended, or with a table waiting; with its old length if it did not grow.

    A resume that fails leaves the pool suspended with the new table live: only its old table brings it back. The last
    try is a bare resume: a pool that runs, however large, is better than one that hangs its users.
    """
    name, mapper = devices.pool.name, devices.pool.mapper
    for left in range(_TRIES, 0, -1):
        try:
            info = mapper.info(name)
            if not info.suspended and not info.inactive_table:
                return
            if left > 1:
                if info.suspended:
                    with suppress(DmtuiError):
                        shorten()
                if span_sectors is not None and not _has_outgrown(devices, span_sectors):
                    _load_old(devices, span_sectors, even_same=info.inactive_table)
            if not info.suspended:
                mapper.suspend(name, flush=False, lock_filesystem=False)
            mapper.resume(name)
        except MachineError:
            if left == 1:
                raise
            devices.patience.sleep(PAUSE_SECONDS)
        else:
            return


def _load_old(devices: DeviceSet, span_sectors: int, *, even_same: bool) -> None:
    (live,) = devices.pool.mapper.table(devices.pool.name).targets
    if even_same or live.length_sectors != span_sectors:
        devices.pool.mapper.load(devices.pool.name, [replace(live, length_sectors=span_sectors)])


def _has_outgrown(devices: DeviceSet, span_sectors: int) -> bool:
    """Whether the pool has more blocks than a table of that length can have: it takes none that is shorter."""
    try:
        found = PoolFound.look(devices)
    except PoolUnusableError:
        return False
    return found.figures.data.total_blocks > span_sectors // found.table.block_sectors
