"""Files of the host that back a pool."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from dmtui.machine.errors import machine_error
from dmtui.machine.protocols import FileIdentity, HostSpace
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.units import sectors_to_bytes

_STAT_BLOCK_BYTES = 512


class KernelFiles:
    """The `Files` of this host."""

    def __init__(self, sysfs: str = "/sys/dev/block") -> None:
        """Look block devices up under this directory."""
        self._sysfs = Path(sysfs)

    def identify(self, path: str) -> FileIdentity:
        """Stat a path, following symbolic links; raises `FileMissingError`."""
        with _told(path, "looking at it"):
            found = Path(path).stat()
        return FileIdentity(
            path,
            DeviceNumber.unpack(found.st_dev),
            found.st_ino,
            found.st_size,
            found.st_blocks * _STAT_BLOCK_BYTES,
            stat.S_ISDIR(found.st_mode),
            stat.S_ISBLK(found.st_mode),
            DeviceNumber.unpack(found.st_rdev) if stat.S_ISBLK(found.st_mode) else None,
        )

    def space(self, path: str) -> HostSpace:
        """Space of the file system that holds a path; raises `FileMissingError`."""
        with _told(path, "asking for the space of its file system"):
            found = os.statvfs(path)
        return HostSpace(
            found.f_blocks * found.f_frsize, found.f_bfree * found.f_frsize, found.f_bavail * found.f_frsize
        )

    def make_directory(self, path: str, mode: int = 0o700) -> FileIdentity:
        """Make a directory of that mode, whatever the umask, and what is missing above it (0700).

        Raises:
            MachineError: something else has that name.
        """
        whole = Path(path)
        with _told(path, "making the directory"):
            for directory in reversed(whole.parents):
                with suppress(FileExistsError):
                    directory.mkdir(0o700)
            with suppress(FileExistsError):
                whole.mkdir(0o700)
                whole.chmod(mode)
            if not whole.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        return self.identify(path)

    def remove_directory(self, path: str) -> None:
        """Remove an empty directory.

        Raises:
            FileMissingError: there is none.
            DeviceBusyError: something is mounted there.
            MachineError: it is not empty, or no directory.
        """
        with _told(path, "removing the directory"):
            Path(path).rmdir()

    def make_sparse_file(self, path: str, size_bytes: int) -> FileIdentity:
        """Make a sparse file (0600); raises `ExistsError` where the path exists, and leaves nothing if it fails."""
        with _told(path, "making the file"):
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(file, size_bytes)
            except OSError:
                Path(path).unlink()
                raise
            finally:
                os.close(file)
        return self.identify(path)

    def resize_file(self, path: str, size_bytes: int) -> None:
        """Set a file's apparent size; raises `FileMissingError`."""
        with _told(path, "resizing it"):
            os.truncate(path, size_bytes)

    def remove_file(self, path: str) -> None:
        """Remove a file's name; raises `FileMissingError`."""
        with _told(path, "removing it"):
            Path(path).unlink()

    def device_size_bytes(self, dev: DeviceNumber) -> int | None:
        """Size of a block device, None if the machine has none of that number."""
        with suppress(OSError, ValueError):
            return sectors_to_bytes(int((self._sysfs / str(dev) / "size").read_text()))
        return None

    def device_path(self, dev: DeviceNumber) -> str | None:
        """Node of a block device (``/dev/loop0``, ``/dev/mapper/NAME``, ``/dev/sdb``), None if the machine has none."""
        attributes = self._sysfs / str(dev)
        with suppress(OSError):
            return f"/dev/mapper/{(attributes / 'dm/name').read_text().removesuffix(chr(10))}"
        with suppress(OSError):
            for line in (attributes / "uevent").read_text().splitlines():
                if line.startswith("DEVNAME="):
                    return f"/dev/{line.removeprefix('DEVNAME=')}"
        return None


@contextmanager
def _told(path: str, doing: str) -> Generator[None]:
    """Turn the operating system's errors into the machine's."""
    try:
        yield
    except OSError as error:
        raise machine_error(error.errno or 0, path, doing) from None
