"""Programs of the emulated machine: those whose part the emulated machine itself plays, and no others."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from dmtui.machine.errors import FileMissingError, MachineError

_PLAYED = frozenset(
    ("mkfs.xfs", "xfs_growfs", "mkfs.ext4", "tune2fs", "resize2fs", "thin_check", "thin_ls", "thin_trim"),
)


class EmulatedPrograms:
    """The `Programs` of an emulated machine: none can be run, the file systems' and the thin tools' are there."""

    def missing(self, names: Sequence[str]) -> tuple[str, ...]:
        """See `Programs.missing`."""
        return tuple(name for name in names if name not in _PLAYED)

    def run(self, arguments: Sequence[str], *, seconds: float = 120.0) -> str:
        """See `Programs.run`.

        Raises:
            FileMissingError: the emulated machine has no such program.
            MachineError: it has, for `Filesystems` and `ThinTools` only.
        """
        name = arguments[0] if arguments else "(no program)"
        if name in _PLAYED:
            raise MachineError(name, "cannot be run by itself on the emulated machine", "", errno.ENOSYS)
        raise FileMissingError(name, "cannot be run: the emulated machine has no such program", "", errno.ENOENT)
