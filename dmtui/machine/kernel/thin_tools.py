"""The programs of thin-provisioning-tools, 0.7 to 1.x, by the options that all of them take."""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from dmtui.machine.errors import MachineError, machine_error
from dmtui.machine.kernel.owner import Owners
from dmtui.machine.kernel.programs import Ended, KernelPrograms, whole
from dmtui.machine.kernel.trimming import FreeBlocks, device_bytes, discard_blocks, opened_alone
from dmtui.machine.tools import CheckResult, ThinEntry

_FIELDS = "DEV,MAPPED_BLOCKS,TRANSACTION,CREATE_TIME,SNAP_TIME"
# What thin_check says of a check that it could not make; whatever else it fails with is a fault in the metadata.
_NOT_CHECKED = re.compile(
    r"no (current )?metadata snap|couldn't (stat|open)|bad path|too small|resource busy|in use|permission denied",
    re.IGNORECASE,
)


class KernelThinTools:
    """The `ThinTools` of this host.

    Attributes:
        deadline_seconds: how long a program may take; checking the metadata of a large pool takes minutes.
    """

    def __init__(self, programs: KernelPrograms, deadline_seconds: float = 600.0) -> None:
        """Run these programs; nothing is started yet."""
        self.deadline_seconds = deadline_seconds
        self._programs = programs
        self._owners = Owners("thin tools")

    def close(self) -> None:
        """Let go of the threads."""
        self._owners.close()

    def list_thins(self, metadata: str, *, snapshot: bool) -> tuple[ThinEntry, ...]:
        """Every thin device of the pool, by id.

        Raises:
            DeviceBusyError: the pool is active, and not its metadata snapshot was asked for.
            MachineError: the metadata cannot be read, or there is no metadata snapshot.
        """
        _check_readable(metadata, snapshot=snapshot)
        options = ["-m"] if snapshot else []
        arguments = ["thin_ls", *options, "--no-headers", "-o", _FIELDS, whole(metadata)]
        output = self._programs.run(arguments, seconds=self.deadline_seconds)
        entries = [_parse(line, metadata) for line in output.splitlines() if line.strip()]
        return tuple(sorted(entries, key=lambda entry: entry.thin_id))

    def check(self, metadata: str, *, snapshot: bool) -> CheckResult:
        """Check the metadata, changing nothing.

        Raises:
            DeviceBusyError: the pool is active, and not its metadata snapshot was asked for.
            MachineError: the check could not be made, for want of a metadata snapshot say.
        """
        _check_readable(metadata, snapshot=snapshot)
        return self._checked(["thin_check", *(["-m"] if snapshot else []), whole(metadata)])

    def clear_needs_check(self, metadata: str) -> CheckResult:
        """Check the metadata, and take the mark ``needs_check`` away if they are sound.

        Raises:
            DeviceBusyError: the pool is active.
            MachineError: the check could not be made, or the mark not be taken away.
        """
        _check_readable(metadata, snapshot=False)
        return self._checked(["thin_check", "--clear-needs-check-flag", whole(metadata)])

    def _checked(self, arguments: list[str]) -> CheckResult:
        ended = self._programs.finish(arguments, seconds=self.deadline_seconds)
        if ended.status < 0 or (ended.status > 0 and _NOT_CHECKED.search(ended.errors)):
            raise MachineError(" ".join(arguments), f"failed: {ended.last_words}")
        return CheckResult(ended.status == 0, _words(ended))

    def trim(self, metadata: str, data: str) -> None:
        """Discard on the data device every block that the pool has free; the pool must not be active.

        The metadata are checked first; the data device is kept from everybody else meanwhile.

        Raises:
            DeviceBusyError: the pool is active.
            MachineError: the metadata are not sound or another pool's, or the data device does not discard.
        """
        _check_readable(data, snapshot=False)
        give_up_at = time.monotonic() + self.deadline_seconds
        with opened_alone(data) as device:
            device_bytes(device, data)
            checked = self.check(metadata, snapshot=False)
            if not checked.sound:
                last = checked.output.splitlines()[-1:] or ["thin_check says no more"]
                raise MachineError(metadata, f"is not sound: {last[0].strip()}", "repair it first")
            with TemporaryDirectory(prefix="dmtui-") as directory:
                dump = str(Path(directory, "dump"))
                self._programs.run(["thin_dump", "-o", dump, whole(metadata)], seconds=self.deadline_seconds)
                with open(dump, encoding="ascii", errors="replace") as lines:
                    free = FreeBlocks(lines, metadata)

            def discard() -> None:
                own = os.dup(device)  # ours is closed when the thread is given up
                try:
                    discard_blocks(own, free, data, give_up_at)
                finally:
                    os.close(own)

            self._owners.call(discard, data, "discarding what is free", self.deadline_seconds)


def _check_readable(path: str, *, snapshot: bool) -> None:
    """Raise what is wrong with a device or file in our own words; the programs have one exit status for it all."""
    try:
        mode = Path(path).stat().st_mode
        if not (stat.S_ISBLK(mode) or stat.S_ISREG(mode)):
            raise MachineError(path, "is neither a block device nor a file", "check the path", errno.ENOTBLK)
        # Exclusive, as the programs open it: a device that a pool stands on is refused.
        alone = os.O_EXCL if stat.S_ISBLK(mode) and not snapshot else 0
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | alone))
    except OSError as error:
        raise machine_error(error.errno or 0, path, "opening it") from None


def _parse(line: str, metadata: str) -> ThinEntry:
    words = line.split()
    if len(words) == _FIELDS.count(",") + 1 and all(word.isdecimal() for word in words):
        return ThinEntry(*map(int, words))
    raise MachineError(metadata, f"thin_ls said {line!r}, which is no line of its own", "look at its version")


def _words(ended: Ended) -> str:
    return "\n".join(text.strip() for text in (ended.output, ended.errors) if text.strip())
