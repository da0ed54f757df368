"""The demonstrations, a module each, in the order in which they are best seen."""

from __future__ import annotations

from dmtui.lab.scenario import Scenario
from dmtui.lab.scenarios import (
    crash,
    deferred,
    discards,
    frees_nothing,
    grow,
    host_full,
    leaked_mount,
    metadata_full,
    needs_check,
    overprovision,
    power_cut,
    snapshots,
)

SCENARIOS: tuple[Scenario, ...] = tuple(
    module.SCENARIO
    for module in (
        snapshots,
        frees_nothing,
        discards,
        overprovision,
        grow,
        metadata_full,
        needs_check,
        host_full,
        leaked_mount,
        deferred,
        crash,
        power_cut,
    )
)


def find(name: str) -> Scenario | None:
    """The demonstration of a name; None where there is none."""
    return next((scenario for scenario in SCENARIOS if scenario.name == name), None)
