"""Troubles of a pool, caused by hand: what broken disks and repair tools do to a real one."""

from __future__ import annotations

import errno

from dmtui.machine.emulated import devices
from dmtui.machine.emulated.disks import CommitFailedError
from dmtui.machine.emulated.livepools import LivePools
from dmtui.machine.emulated.store import Store
from dmtui.machine.emulated.stored import save_metadata
from dmtui.machine.errors import machine_error


class Faults:
    """Causes troubles on an emulated machine."""

    def __init__(self, store: Store, pools: LivePools) -> None:
        self._store = store
        self._pools = pools

    def fail_metadata_operation(self, name: str) -> None:
        """Let a pool's metadata device refuse a write: the pool turns read-only and needs a check.

        Raises:
            DeviceMissingError: no such device.
            InvalidError: the device is no pool.
        """
        self._on_pool(name, "failing a metadata operation", CommitFailedError(readable=True))

    def fail_pool(self, name: str) -> None:
        """Let a pool's metadata device be unreadable: the pool fails for good, until it is activated anew.

        Raises:
            DeviceMissingError: no such device.
            InvalidError: the device is no pool.
        """
        self._on_pool(name, "failing it", CommitFailedError(readable=False))

    def clear_needs_check(self, path: str) -> None:
        """What ``thin_check --clear-needs-check-flag`` does to the metadata in a file of the host.

        Raises:
            FileMissingError: no such file.
            DeviceBusyError: a pool is active on it.
            InvalidError: it holds no pool's metadata.
        """
        doing = "clearing its needs-check flag"
        with self._store.write() as connection:
            file = connection.execute("SELECT inode FROM files WHERE path = ?", (path,)).fetchone()
            if file is None:
                raise machine_error(errno.ENOENT, path, doing)
            row = connection.execute(
                "SELECT metadata.id, pools.minor FROM metadata LEFT JOIN pools ON pools.metadata_id = metadata.id"
                " WHERE inode = ?",
                file,
            ).fetchone()
            if row is None or row[1] is not None:
                raise machine_error(errno.EINVAL if row is None else errno.EBUSY, path, doing)
            metadata = self._pools.metadata(connection, row[0])
            metadata.superblock.needs_check = False
            save_metadata(connection, row[0], metadata)

    def _on_pool(self, name: str, doing: str, failed: CommitFailedError) -> None:
        with self._store.write() as connection:
            table = devices.targets(connection, devices.find(connection, name, doing).minor)
            if not devices.is_pool(table) or table[0].metadata_id is None:
                raise machine_error(errno.EINVAL, f"device {name}", doing)
            with self._pools.open(connection, table[0].metadata_id):
                raise failed
