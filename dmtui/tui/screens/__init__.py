"""The screens of the dashboard, each loaded when it is first gone to."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from dmtui.tui.actions import Scope
from dmtui.tui.screens.base import DashboardScreen

_PLACES: dict[Scope, tuple[str, str]] = {
    Scope.OVERVIEW: ("overview", "OverviewScreen"),
    Scope.POOL: ("pool", "PoolScreen"),
    Scope.DEVICES: ("devices", "DevicesScreen"),
    Scope.DEVICE: ("device", "DeviceScreen"),
    Scope.EVENTS: ("events", "EventsScreen"),
    Scope.MACHINE: ("machine", "MachineScreen"),
    Scope.OPERATIONS: ("operations", "OperationsScreen"),
    Scope.HOSTS: ("hosts", "HostsScreen"),
}


def maker(scope: Scope) -> Callable[[], DashboardScreen] | None:
    """What makes the screen of a scope; None for a scope that has no screen of its own."""
    place = _PLACES.get(scope)
    if place is None:
        return None
    module, name = place
    return getattr(import_module(f"dmtui.tui.screens.{module}"), name)
