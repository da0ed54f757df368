"""Every plan of a device set by its name: what the command line and the dashboard ask the engine for."""

from __future__ import annotations

from dmtui.deviceset.activation import plan_activate, plan_deactivate
from dmtui.deviceset.checking import Check, plan_check
from dmtui.deviceset.comparison import Reconciliation
from dmtui.deviceset.creation import plan_create
from dmtui.deviceset.deviceset import DeviceSet, DeviceSetState
from dmtui.deviceset.extension import plan_extend
from dmtui.deviceset.mounting import plan_mount, plan_unmount
from dmtui.deviceset.plan import Plan
from dmtui.deviceset.reconcile import Inspection, inspect, plan_reconcile
from dmtui.deviceset.removal import plan_remove
from dmtui.deviceset.shutdown import plan_remove_pool
from dmtui.deviceset.start import plan_start
from dmtui.deviceset.trimming import plan_trim
from dmtui.machine.protocols import DeviceInfo
from dmtui.thinpool.values import frozen


@frozen
class Plans:
    """Makes the plans of one graph directory; each is explained where it is made."""

    devices: DeviceSet

    @property
    def state(self) -> DeviceSetState:
        """What is known of the devices."""
        return self.devices.state

    def active(self, name: str) -> DeviceInfo | None:
        """What device-mapper says of a device; None while it is not active."""
        return self.devices.active(name)

    def create(self, name: str, parent: str = "", size_bytes: int | None = None) -> Plan:
        """See `plan_create`."""
        return plan_create(self.devices, name, parent, size_bytes)

    def activate(self, name: str) -> Plan:
        """See `plan_activate`."""
        return plan_activate(self.devices, name)

    def deactivate(self, name: str, *, deferred: bool = False) -> Plan:
        """See `plan_deactivate`."""
        return plan_deactivate(self.devices, name, deferred=deferred)

    def mount(self, name: str) -> Plan:
        """See `plan_mount`."""
        return plan_mount(self.devices, name)

    def unmount(self, name: str) -> Plan:
        """See `plan_unmount`."""
        return plan_unmount(self.devices, name)

    def remove(self, name: str) -> Plan:
        """See `plan_remove`."""
        return plan_remove(self.devices, name)

    def start(self, since: str) -> Plan:
        """See `plan_start`."""
        return plan_start(self.devices, since)

    def extend(self, data_bytes: int | None = None, metadata_bytes: int | None = None) -> Plan:
        """See `plan_extend`."""
        return plan_extend(self.devices, data_bytes, metadata_bytes)

    def trim(self) -> Plan:
        """See `plan_trim`."""
        return plan_trim(self.devices)

    def remove_pool(self, *, force: bool = False) -> Plan:
        """See `plan_remove_pool`."""
        return plan_remove_pool(self.devices, force=force)

    def check(self, *, clears: bool = False) -> Check:
        """See `plan_check`."""
        return plan_check(self.devices, clears=clears)

    def inspect(self) -> Inspection:
        """See `inspect`."""
        return inspect(self.devices)

    def reconcile(self, found: Reconciliation, *, delete_orphans: bool = False) -> Plan:
        """See `plan_reconcile`."""
        return plan_reconcile(self.devices, found, delete_orphans=delete_orphans)
