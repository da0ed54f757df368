"""Reading a pool's metadata with the thin tools, as a plan: through a metadata snapshot, or offline.

Of an active pool only a metadata snapshot can be read; the metadata of another one are read where they are. Source:
the kernel's thin-provisioning document; the slot's manners are those of `dmtui.deviceset.snapshot`.
"""

from __future__ import annotations

from collections.abc import Callable

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.intents import POOL, Intent
from dmtui.deviceset.loopfiles import LoopFile, users_of
from dmtui.deviceset.plan import Plan, Step
from dmtui.deviceset.snapshot import check_slot, metadata_path, release_step, snapshot_intent, snapshot_steps
from dmtui.machine.errors import FileMissingError
from dmtui.thinpool.errors import DmtuiError, MissingError
from dmtui.thinpool.sizes import format_size
from dmtui.thinpool.status import PoolMode
from dmtui.thinpool.values import frozen

OFFLINE = "stop its users, remove its thin devices and the pool (`dmtui pool remove`), then do this again"


@frozen
class MetadataSource:
    """Where the metadata of a pool can be read now.

    Attributes:
        path: the device or file.
        live: the pool is active, so that only a metadata snapshot can be read.
    """

    path: str
    live: bool

    def command(self, tool: str) -> str:
        """The command line that reads them with a tool."""
        return f"{tool} {'-m ' if self.live else ''}{self.path}"


def find_source(devices: DeviceSet, tool: str) -> MetadataSource:
    """See where a tool can read the pool's metadata.

    Raises:
        MissingError: the pool is not active, and its metadata are not ours or not there.
        SnapshotHeldError: somebody else holds the pool's one metadata snapshot.
        PoolUnusableError: something else than a pool has its name.
        DmtuiError: the tool is missing, the pool has failed or is read-only, or its metadata are in use.
    """
    if devices.machine.programs.missing([tool]):
        raise DmtuiError(tool, "there is no such program in PATH", "install thin-provisioning-tools")
    if devices.pool.exists():
        _check_live(devices)
        return MetadataSource(metadata_path(devices), live=True)
    if devices.options.external_pool_name is not None:
        raise MissingError(f"pool {devices.pool.name}", "is not active", "activate it (lvchange -ay VG/LV) first")
    return MetadataSource(_given(devices) or _own_file(devices), live=False)


def reading_plan(
    devices: DeviceSet, source: MetadataSource, operation: str, slow: Step, before: tuple[Step, ...] = ()
) -> Plan:
    """The plan around the step that reads: `before` is done with the snapshot reserved, others still kept off."""
    if not source.live:
        notices = (f"pool {devices.pool.name} is not active: its metadata are read where they are",)
        return Plan(operation, devices.pool.name, (*before, slow), notices, (), (Intent(POOL, operation),))
    size = format_size(devices.pool.figures().metadata_used_bytes)
    notices = (
        f"reserves the pool's one metadata snapshot and reads up to {size} of metadata through it",
        "the pool stays in use: what is read is its state at the reservation",
    )
    steps = (*snapshot_steps(devices), *before, slow, release_step(devices))
    return Plan(operation, devices.pool.name, steps, notices, (), (snapshot_intent(),))


def reading_step(text: str, source: MetadataSource, tool: str, act: Callable[[], None]) -> Step:
    """The step that reads: it may take minutes, others work meanwhile."""
    return Step(text, act, source.command(tool), slow=True)


def _check_live(devices: DeviceSet) -> None:
    status, subject = devices.pool.status(), f"pool {devices.pool.name}"
    if status.figures is None:
        raise DmtuiError(subject, f"answers {status}: its metadata cannot be read while it is active", OFFLINE)
    if status.mode is PoolMode.READ_ONLY:
        raise DmtuiError(subject, "is read-only, so it takes no metadata snapshot", OFFLINE)
    check_slot(devices)


def _given(devices: DeviceSet) -> str | None:
    """The device of ``dm.metadatadev``, when nothing stands on it."""
    path = devices.options.metadata_device
    if path is None:
        return None
    try:
        dev = devices.machine.files.identify(path).rdev
    except FileMissingError:
        raise MissingError(f"dm.metadatadev {path}", "does not exist", "give the pool's metadata device") from None
    users = [] if dev is None else users_of(devices.machine, dev)
    if users:
        raise DmtuiError(f"dm.metadatadev {path}", f"is in use: {', '.join(users)} stands on it", "remove that first")
    return path


def _own_file(devices: DeviceSet) -> str:
    """Our file, also where it is attached and nothing stands on it: a loop device keeps nothing back from its file."""
    path = devices.graph.metadata_file
    if LoopFile.look(devices.machine, "metadata", path).present is None:
        raise MissingError(f"pool {devices.pool.name}", f"is not active, and {path} does not exist", "check --graph")
    return path
