"""What has been promised beyond what is there: virtual sizes against the pool, sparse loop files against their host."""

from __future__ import annotations

from dmtui.monitor.sample import Backing, Pool
from dmtui.thinpool.values import frozen


@frozen
class HostDebt:
    """What loop files may still ask of the file system they lie on, in bytes.

    Attributes:
        files: which of the pool's files lie there: ``data``, ``metadata``.
        owed_bytes: apparent size less what is allocated.
        free_bytes: what the file system has free.
    """

    files: tuple[str, ...]
    owed_bytes: int
    free_bytes: int

    @property
    def ratio(self) -> float | None:
        """Owed out of free; over 1 the host is promised twice. None when nothing is free."""
        return self.owed_bytes / self.free_bytes if self.free_bytes else None

    @property
    def missing_fraction(self) -> float:
        """The share of what is owed that the host does not have: 0 is just covered, below 0 is room to spare."""
        if self.owed_bytes == 0:
            return -1.0
        return max(-1.0, (self.owed_bytes - self.free_bytes) / self.owed_bytes)


@frozen
class Commitment:
    """What a pool has promised.

    Attributes:
        virtual_bytes: sum of the virtual sizes of its active devices; such as are not active are not known here.
        pool_bytes: its data space; None when unknown.
        debts: what its loop files may still ask for, host by host; empty where it stands on none.
    """

    virtual_bytes: int
    pool_bytes: int | None
    debts: tuple[HostDebt, ...]

    @property
    def ratio(self) -> float | None:
        """Over-provisioning: virtual sizes out of the pool's size; None when that is unknown."""
        return self.virtual_bytes / self.pool_bytes if self.pool_bytes else None


def commitment(pool: Pool) -> Commitment:
    """What a pool has promised."""
    virtual_bytes = sum(device.size_bytes for device in pool.devices)
    return Commitment(virtual_bytes, pool.data.total_bytes, host_debts(pool))


def host_debts(pool: Pool) -> tuple[HostDebt, ...]:
    """What a pool's loop files may still ask for.

    The two are taken to lie on one file system when both say the same size of it.
    """
    by_host: dict[int | None, HostDebt] = {}
    for name, backing in (("data", pool.data_backing), ("metadata", pool.metadata_backing)):
        owed_bytes, free_bytes, host = _owed_bytes(backing), backing.host_free_bytes, backing.host_total_bytes
        if owed_bytes is None or free_bytes is None:
            continue
        other = by_host.get(host, HostDebt((), 0, free_bytes))
        by_host[host] = HostDebt((*other.files, name), other.owed_bytes + owed_bytes, min(other.free_bytes, free_bytes))
    return tuple(by_host.values())


def _owed_bytes(backing: Backing) -> int | None:
    size_bytes, allocated_bytes = backing.loop_file_size_bytes, backing.loop_file_allocated_bytes
    if size_bytes is None or allocated_bytes is None:
        return None
    return max(0, size_bytes - allocated_bytes)
