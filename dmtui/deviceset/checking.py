"""Checking a pool's metadata with thin_check: of an active pool through a metadata snapshot, of another one offline.

Source: the operators' procedure "repair" (stop everything, thin_check), without the stopping where that can be.
"""

from __future__ import annotations

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.metadatareading import find_source, reading_plan, reading_step
from dmtui.deviceset.plan import Plan
from dmtui.machine.tools import CheckResult
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

CHECK = "check pool"
_TOOL = "thin_check"


@frozen
class Check:
    """A check: its plan, and after that has been performed what it found.

    Attributes:
        clears: whether a mark ``needs_check`` is taken away by it.
        live: whether the pool is active.
    """

    plan: Plan
    clears: bool
    live: bool
    _found: list[CheckResult]

    @property
    def result(self) -> CheckResult | None:
        """What was found; None before the check was made."""
        return self._found[0] if self._found else None

    @property
    def words(self) -> tuple[str, ...]:
        """The same in words."""
        found = self.result
        if found is None:
            return ()
        told = (*found.output.splitlines(), f"the metadata are {'sound' if found.sound else 'NOT sound'}")
        if not found.sound or self.live:
            return told
        if self.clears:
            return (*told, "a mark needs_check is taken away: `dmtui pool create` brings the pool back writable")
        return (*told, "a mark needs_check stays, if they have it: checking with --clear-needs-check takes it away")


def plan_check(devices: DeviceSet, *, clears: bool = False) -> Check:
    """Plan the check of the pool's metadata; unsound metadata are no failure of the plan.

    Nothing in them is changed, unless the mark ``needs_check`` is to be taken away, which the pool must be down for.

    Raises:
        MissingError: the pool is not active, and its metadata are not ours or not there.
        SnapshotHeldError: somebody else holds the pool's one metadata snapshot.
        PoolUnusableError: something else than a pool has its name.
        DmtuiError: thin_check is missing, the pool has failed or is read-only, its metadata are in use, or the pool
            is active and a mark is to be taken away.
    """
    source, found, tools = find_source(devices, _TOOL), list[CheckResult](), devices.machine.thin_tools
    if clears and source.live:
        happened = "is active: a mark on its metadata can only be taken away while it is down"
        raise DmtuiError(f"pool {devices.pool.name}", happened, "`dmtui pool remove` first")

    def check() -> None:
        path = source.path
        found[:] = [tools.clear_needs_check(path) if clears else tools.check(path, snapshot=source.live)]

    text = f"check the metadata on {source.path}{', clear needs_check if they are sound' if clears else ''}"
    slow = reading_step(text, source, f"{_TOOL} --clear-needs-check-flag" if clears else _TOOL, check)
    return Check(reading_plan(devices, source, CHECK, slow), clears, source.live, found)
