"""What the kernel did between two samples, as events: numbers that moved, modes that changed, devices come or gone.

The kernel counts its events and does not tell what they were; what changed beside the count is told with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dmtui.monitor.events import Event, Source
from dmtui.monitor.sample import Pool, Sample, ThinDevice
from dmtui.monitor.severity import Severity
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.status import PoolMode

_MOST_NAMED = 5
"""More devices than these that come or go at once are one event."""


def kernel_events(before: Sample | None, now: Sample) -> tuple[Event, ...]:
    """What happened between two samples; nothing can be said without an earlier one."""
    if before is None:
        return ()
    return tuple(
        Event(now.taken_at, Source.KERNEL, severity, pool, text) for severity, pool, text in _told(before, now)
    )


_Told = tuple[Severity, str, str]


def _told(before: Sample, now: Sample) -> Iterator[_Told]:
    for pool in now.pools:
        earlier = before.pool(pool.name)
        if earlier is None and not before.tells_of(pool.name):
            yield Severity.INFO, pool.name, f"pool {pool.display_name} appeared ({pool.mode or 'mode unknown'})"
        elif earlier is not None:
            for severity, text in (*_pool_changes(earlier, pool), *_device_changes(earlier, pool)):
                yield severity, pool.name, text
    for pool in before.pools:
        if now.pool(pool.name) is None and not now.tells_of(pool.name):
            yield Severity.WARN, pool.name, f"pool {pool.display_name} is gone"


def _pool_changes(before: Pool, now: Pool) -> Iterator[tuple[Severity, str]]:
    if _made_anew(before, now):
        yield Severity.WARN, f"pool {now.display_name} was taken down and made anew ({before.dev} -> {now.dev})"
        return
    if now.event_nr != before.event_nr:
        yield Severity.INFO, f"event {before.event_nr} -> {now.event_nr} of pool {now.display_name}{_reason(now)}"
    if now.mode != before.mode:
        severity = Severity.INFO if now.mode in (None, PoolMode.READ_WRITE.value) else Severity.CRIT
        yield severity, f"mode {before.mode or '?'} -> {now.mode or '?'}"
    if now.needs_check and not before.needs_check:
        yield Severity.CRIT, "needs_check is set"
    elif before.needs_check and now.needs_check is False:
        yield Severity.INFO, "needs_check is cleared"
    if None not in (before.no_space_policy, now.no_space_policy) and now.no_space_policy != before.no_space_policy:
        yield Severity.WARN, f"no-space policy {before.no_space_policy} -> {now.no_space_policy}"
    if now.suspended != before.suspended:
        severity = Severity.WARN if now.suspended else Severity.INFO
        yield severity, "the pool is suspended" if now.suspended else "the pool is resumed"
    yield from _number_changes(before, now)


def _made_anew(before: Pool, now: Pool) -> bool:
    """Whether it is another device-mapper device: only a new one counts its events from 0."""
    return (before.dev, before.uuid) != (now.dev, now.uuid) or now.event_nr < before.event_nr


def _number_changes(before: Pool, now: Pool) -> Iterator[tuple[Severity, str]]:
    if None not in (before.transaction_id, now.transaction_id) and now.transaction_id != before.transaction_id:
        yield Severity.INFO, f"transaction id {before.transaction_id} -> {now.transaction_id}"
    for what, old, new in (
        ("data", before.data.total_bytes, now.data.total_bytes),
        ("metadata", before.metadata.total_bytes, now.metadata.total_bytes),
    ):
        if old is not None and new is not None and old != new:
            severity = Severity.INFO if new > old else Severity.WARN
            yield severity, f"{what} space {format_size(old)} -> {format_size(new)}"


def _reason(pool: Pool) -> str:
    """What an event may have been about, where the figures say so."""
    used, total = pool.data.used_bytes, pool.data.total_bytes
    if used is None or total is None:
        return ""
    free_blocks = (total - used) // pool.block_size_bytes
    if free_blocks > pool.low_water_mark_blocks:
        return ""
    return f" ({free_blocks} data blocks free, the low water mark is {pool.low_water_mark_blocks})"


def _device_changes(before: Pool, now: Pool) -> Iterator[tuple[Severity, str]]:
    earlier = {(device.name, device.thin_id): device for device in before.devices}
    present = {(device.name, device.thin_id): device for device in now.devices}
    appeared = [device for key, device in present.items() if key not in earlier]
    gone = [device for key, device in earlier.items() if key not in present]
    failed = [device for key, device in present.items() if device.failed and key in earlier and not earlier[key].failed]
    yield from ((Severity.INFO, text) for text in _named(appeared, "appeared"))
    yield from ((Severity.INFO, text) for text in _named(gone, "is gone", "are gone"))
    yield from ((Severity.CRIT, text) for text in _named(failed, "failed"))


def _named(devices: Sequence[ThinDevice], one: str, many: str = "") -> Iterator[str]:
    if len(devices) > _MOST_NAMED:
        names = ", ".join(device.display_name for device in devices[:_MOST_NAMED])
        yield f"{len(devices)} devices {many or one}: {names} and others"
        return
    for device in devices:
        thin_id = "?" if device.thin_id is None else device.thin_id
        yield f"device {device.display_name} (thin id {thin_id}) {one}"
