"""Checking a pool's metadata with thin_check: of an active pool through a metadata snapshot, of another one offline.

Source: the operators' procedure "repair" (stop everything, thin_check), without the stopping where that can be.
"""

from __future__ import annotations

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.metadatareading import find_source, reading_plan, reading_step
from dmtui.deviceset.plan import Plan
from dmtui.machine.tools import CheckResult
from dmtui.thinpool.values import frozen

CHECK = "check pool"
_TOOL = "thin_check"


@frozen
class Check:
    """A check: its plan, and after that has been performed what it found."""

    plan: Plan
    _found: list[CheckResult]

    @property
    def result(self) -> CheckResult | None:
        """What was found; None before the check was made."""
        return self._found[0] if self._found else None


def plan_check(devices: DeviceSet) -> Check:
    """Plan the check of the pool's metadata; nothing in them is changed. Unsound metadata are no failure of the plan.

    Raises:
        MissingError: the pool is not active, and its metadata are not ours or not there.
        SnapshotHeldError: somebody else holds the pool's one metadata snapshot.
        PoolUnusableError: something else than a pool has its name.
        DmtuiError: thin_check is missing, the pool has failed or is read-only, or its metadata are in use.
    """
    source, found = find_source(devices, _TOOL), list[CheckResult]()

    def check() -> None:
        found[:] = [devices.machine.thin_tools.check(source.path, snapshot=source.live)]

    slow = reading_step(f"check the metadata on {source.path}", source, _TOOL, check)
    return Check(reading_plan(devices, source, CHECK, slow), found)
