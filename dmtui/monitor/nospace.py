"""The countdown of a full pool that queues: how long writes still wait for space before the kernel fails them.

The kernel does not tell when the wait began, and a suspend and resume of the pool begins it anew, unseen but where the
pool has grown by it: so this is an estimate between two bounds. It began after the last sample without it and not later
than the first with it. It goes by the machine's own clock (`Sample.waited_at`) and by the timeout that the machine had
as the wait was first seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from dmtui.monitor.sample import Pool, Sample
from dmtui.thinpool.status import NoSpacePolicy, PoolMode
from dmtui.thinpool.values import frozen

NO_SPACE_TIMEOUT_SECONDS = 60.0
"""The kernel's default (module parameter ``no_space_timeout`` of dm_thin_pool)."""


@frozen
class Wait:
    """Writers of a pool wait for space.

    Attributes:
        pool: name of the pool.
        seen_at: the first sample that had it so, seconds since the epoch by the machine's clock.
        not_before: the last sample that had it otherwise; None when it was so from the first sample on.
        timeout_seconds: how long the kernel lets writers wait; 0 for ever.
        total_bytes: the data space that was used up.
    """

    pool: str
    seen_at: float
    not_before: float | None
    timeout_seconds: float = NO_SPACE_TIMEOUT_SECONDS
    total_bytes: int | None = None

    def goes_on(self, pool: Pool, at: float) -> bool:
        """Whether the pool still waits as it did: more space that is used up again begins another wait."""
        return self.seen_at <= at and self.total_bytes == pool.data.total_bytes

    def most_seconds(self, now: float) -> float:
        """How long the wait still lasts at the most; 0 when it should be over."""
        return self._left(self.seen_at, now)

    def least_seconds(self, now: float) -> float | None:
        """How long it still lasts at the least; None when nobody saw it begin."""
        return None if self.not_before is None else self._left(self.not_before, now)

    def text(self, now: float, brief: bool = False) -> str:
        """The countdown in words, said to be an estimate; `brief` does not say why."""
        if not self.timeout_seconds:
            return "writes wait until there is space: no_space_timeout is 0"
        most, least = round(self.most_seconds(now)), self.least_seconds(now)
        if most == 0:
            return "the wait of its writers should be over (estimate)"
        if least is None:
            why = "" if brief else ": it was full before it was watched"
            return f"writes fail in {most} s or sooner (estimate{why})"
        span = f"{most}" if round(least) == most else f"{round(least)} to {most}"
        return f"writes fail in about {span} s (estimate)"

    def brief(self, now: float) -> str:
        """The countdown in the fewest words: the figures are what counts."""
        most, least = round(self.most_seconds(now)), self.least_seconds(now)
        if not self.timeout_seconds:
            return "writes wait for space"
        if most == 0:
            return "writes should be failing"
        if least is None:
            return f"writes fail within {most} s"
        return f"writes fail in {most if round(least) == most else f'{round(least)} to {most}'} s"

    def _left(self, since: float, now: float) -> float:
        return min(self.timeout_seconds, max(0.0, since + self.timeout_seconds - now))


@frozen
class Waits:
    """The pools whose writers wait, by name; immutable: `step` makes the next."""

    by_pool: Mapping[str, Wait] = field(default_factory=dict[str, Wait])
    _otherwise_at: Mapping[str, float] = field(default_factory=dict[str, float])
    """The last sample that had each pool without the wait that it has now, if any."""
    _last_at: float | None = None

    def step(self, sample: Sample) -> Waits:
        """The waits after one more sample; a clock that was set back begins them anew."""
        at, told = sample.waited_at, sample.no_space_timeout_seconds
        timeout_seconds = NO_SPACE_TIMEOUT_SECONDS if told is None else told
        waits: dict[str, Wait] = {}
        otherwise: dict[str, float] = {}
        for pool in sample.pools:
            name = pool.name
            if not queues(pool):
                otherwise[name] = at
            elif name in self.by_pool and self.by_pool[name].goes_on(pool, at):
                waits[name] = self.by_pool[name]
            else:
                since = self._last_at if name in self.by_pool else self._otherwise_at.get(name)
                since = None if since is None or since > at else since
                waits[name] = Wait(name, at, since, timeout_seconds, pool.data.total_bytes)
        unread = {
            name: wait for name, wait in self.by_pool.items() if sample.pool(name) is None and sample.tells_of(name)
        }
        return Waits(waits | unread, otherwise, at)


def queues(pool: Pool) -> bool:
    """Whether the pool is out of data space and lets its writers wait."""
    queue = pool.no_space_policy == NoSpacePolicy.QUEUE.value
    return queue and pool.mode == PoolMode.OUT_OF_DATA_SPACE.value
