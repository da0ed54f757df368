"""What of a pool can fill up: its data, its metadata above the kernel's reserve, the file system of its loop file."""

from __future__ import annotations

from enum import Enum

from dmtui.monitor.sample import Backing, Pool
from dmtui.thinpool.values import frozen


class Quantity(Enum):
    """A figure of a pool that is remembered and foretold, in bytes."""

    DATA_USED = "data used"
    METADATA_LIVE = "metadata in use above the kernel's reserve"
    HOST_FREE = "free space of the file system under the loop file"


@frozen
class Measure:
    """One quantity at one instant, in bytes; None is unknown.

    Attributes:
        value_bytes: the quantity itself (of the host: what is free).
        total_bytes: all there is (of the metadata: above the reserve).
    """

    value_bytes: int | None = None
    total_bytes: int | None = None

    @property
    def fraction(self) -> float | None:
        """Value out of total, 0 to 1; None when either is unknown or there is nothing."""
        if self.value_bytes is None or not self.total_bytes:
            return None
        return self.value_bytes / self.total_bytes


def measure(pool: Pool, quantity: Quantity) -> Measure:
    """One quantity of a pool."""
    if quantity is Quantity.DATA_USED:
        return Measure(pool.data.used_bytes, pool.data.total_bytes)
    if quantity is Quantity.METADATA_LIVE:
        return _live_metadata(pool)
    host = host_backing(pool)
    return Measure(host.host_free_bytes, host.host_total_bytes) if host else Measure()


def host_backing(pool: Pool) -> Backing | None:
    """The backing whose host file system is meant by `Quantity.HOST_FREE`: the data file's, else the metadata's.

    None when the pool stands on no loop file, or the host cannot be asked.
    """
    both = (pool.data_backing, pool.metadata_backing)
    return next((backing for backing in both if backing.host_free_bytes is not None), None)


def _live_metadata(pool: Pool) -> Measure:
    used, total, reserve = pool.metadata.used_bytes, pool.metadata.total_bytes, pool.metadata_reserve_bytes
    if total is None or reserve is None:
        return Measure()
    return Measure(None if used is None else max(0, used - reserve), max(0, total - reserve))
