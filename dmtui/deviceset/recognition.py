"""The seed's rule: does an existing pool stand on the loop files of this graph directory?

When a pool could not be removed at shutdown, the next start finds it and must not forget that it stands on loop
files. The pool is asked for its devices; the loop device of our file is found by device and inode, whatever its
number; where both are the same device, the pool's data (or metadata) is our file. Source: commit "devicemapper: Check
loop devices of existing pool" of the original; mended: gaps in the numbering, double attachments and deleted files
are seen, and nothing is ever fatal.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import PurePosixPath

from dmtui.machine.errors import FileMissingError, MachineError
from dmtui.machine.protocols import FileIdentity, Files, HostSpace, LoopDevice
from dmtui.thinpool.devno import DeviceNumber
from dmtui.thinpool.values import frozen


class Outcome(Enum):
    """How a pool's device and our file relate."""

    OURS = "the pool's device is the loop device of our file"
    ATTACHED_TWICE = "our file is the pool's device, but is attached to another loop device as well"
    OTHER_DEVICE = "our file is attached, but to another device than the pool's"
    NO_LOOP_DEVICE = "our file exists, but no loop device has it"
    DELETED_FILE = "the pool's loop device holds a file of our name that has been deleted"
    FILE_MISSING = "our file does not exist"


@frozen
class Recognition:
    """The outcome for one of the pool's two devices.

    Attributes:
        outcome: how they relate.
        device: node of the loop device, only where the outcome is ours (once or twice attached).
        loop_file: path of our file, likewise.
        host: space of the file system under the file, where the pool really draws on it.
        finding: a line for the operator, empty where all is well.
    """

    outcome: Outcome
    device: str | None = None
    loop_file: str | None = None
    host: HostSpace | None = None
    finding: str = ""


def recognise(files: Files, loops: Sequence[LoopDevice], pool_dev: DeviceNumber, path: str, what: str) -> Recognition:
    """Apply the rule to one device of the pool's table and one file; `what` is ``data`` or ``metadata``."""
    under_pool = next((loop for loop in loops if loop.dev == pool_dev), None)
    if under_pool and under_pool.deleted and under_pool.backing_path == path:
        return _deleted(files, under_pool, path, what)
    try:
        file = files.identify(path)
    except FileMissingError:
        finding = f"{what} device of the pool is {pool_dev}; {path} does not exist"
        return Recognition(Outcome.FILE_MISSING, finding=finding)
    attached = [loop for loop in loops if is_of_file(loop, file)]
    others = ", ".join(loop.path for loop in attached if loop.dev != pool_dev)
    if under_pool and under_pool in attached:
        outcome = Outcome.ATTACHED_TWICE if others else Outcome.OURS
        twice = f"{what} file {path} is attached twice: also as {others}; detach it there before harm is done"
        return Recognition(outcome, under_pool.path, path, space_or_none(files, path), twice if others else "")
    if others:
        finding = f"{what} device of the pool is {pool_dev}, not {path}, which is attached as {others}"
        return Recognition(Outcome.OTHER_DEVICE, finding=finding)
    finding = f"{what} device of the pool is {pool_dev}; {path} exists, but no loop device has it"
    return Recognition(Outcome.NO_LOOP_DEVICE, finding=finding)


def is_of_file(loop: LoopDevice, file: FileIdentity) -> bool:
    """Whether a loop device presents that whole file.

    Some file systems (btrfs) give stat another device number than loop remembers: there the inode and the present
    path decide.
    """
    if loop.is_whole(file):
        return True
    whole = loop.offset_bytes == 0 and loop.size_limit_bytes == 0
    same_path = loop.backing_path == file.path and not loop.deleted
    return whole and same_path and loop.backing_inode == file.inode


def host_of_loop_file(files: Files, loop: LoopDevice) -> HostSpace | None:
    """Space of the file system under a loop device's file, deleted or not; None where it cannot be told."""
    if loop.backing_path is None:
        return None
    if not loop.deleted:
        return space_or_none(files, loop.backing_path)
    directory = str(PurePosixPath(loop.backing_path).parent)
    try:
        same_host = files.identify(directory).dev == loop.backing_dev
    except MachineError:
        return None
    return space_or_none(files, directory) if same_host else None


def space_or_none(files: Files, path: str) -> HostSpace | None:
    """Space of the file system of a path, None where the machine cannot tell."""
    try:
        return files.space(path)
    except MachineError:
        return None


def limited_by_host(free_bytes: int, host: HostSpace | None) -> int:
    """What is available of free pool space on a sparse file: not more than its host has free (bytes)."""
    return free_bytes if host is None else min(free_bytes, host.free_bytes)


def _deleted(files: Files, loop: LoopDevice, path: str, what: str) -> Recognition:
    finding = (
        f"{what} file {path} was deleted while {loop.path} still holds it: it lives until the pool goes; "
        f"copy {loop.path} to a new file before that"
    )
    return Recognition(Outcome.DELETED_FILE, host=host_of_loop_file(files, loop), finding=finding)
