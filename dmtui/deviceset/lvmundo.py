"""Taking down what an automatic direct-lvm setup made, however far it came: after a failed step, or after a kill.

The original leaves a half-made physical volume and volume group behind, over which the next attempt falls. Here the
volume group is known again by a tag that only the setup gives it, so that one of another's making is never touched;
and what is not there is taken down already.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from dmtui.deviceset.deviceset import DeviceSet
from dmtui.deviceset.directlvm import setup_path
from dmtui.deviceset.intents import Intent
from dmtui.deviceset.lvm import Lvm
from dmtui.machine.durable import is_leftover
from dmtui.machine.errors import FileMissingError, MachineError
from dmtui.thinpool.errors import DmtuiError
from dmtui.thinpool.values import frozen

GROUP = "docker"
DATA = "thinpool"
METADATA = "thinpoolmeta"
PROFILE = "docker-thinpool"
_PROFILES = "/etc/lvm/profile"
PROFILE_PATH = f"{_PROFILES}/{PROFILE}.profile"


@frozen
class LvmMaking:
    """What a setup is about to make, as it is noted on disk before.

    Attributes:
        tag: the tag of the volume group.
        was_volume: the device was a physical volume before, of no group, and stays one.
        profile: what its profile says.
        profile_before: what a profile of that name said before; None where there was none.
    """

    device: str
    tag: str
    was_volume: bool
    profile: str
    profile_before: str | None

    @classmethod
    def noted(cls, details: Mapping[str, Any]) -> LvmMaking:
        """As an intent has it; raises `DmtuiError` where another release of ours wrote it otherwise."""
        try:
            return cls(**details)
        except TypeError:
            raise DmtuiError(
                "the note of a setup of direct-lvm",
                "is not as this release writes it",
                f"let the release that wrote it undo it, or take the volume group {GROUP} down by hand",
            ) from None

    def note(self) -> dict[str, Any]:
        """For an intent."""
        return asdict(self)


def undo_setup(devices: DeviceSet, intent: Intent) -> str:
    """What a killed setup left: taken down, unless the base device is whole, which is made last of all.

    The options of this start may be others than those of the one that was killed.
    """
    base = devices.state.records.get("")
    if base is not None and base.initialized:
        return ""
    making = LvmMaking.noted(intent.details)
    if devices.active("") is not None:
        mapper, name = devices.machine.device_mapper, devices.device("")
        devices.patience.retry(lambda: mapper.remove(name), lambda: name)
    take_down(devices, making)
    for directory in (devices.graph.directory, _PROFILES):
        for name in filter(is_leftover, devices.store.durable.names(directory)):
            devices.store.durable.remove(f"{directory}/{name}")
    if base is not None:
        # The records of the start speak of a pool that is gone.
        devices.store.remove_transaction()
        devices.store.remove_record("")
        devices.reload()
    return f"the setup of direct-lvm on {making.device} was undone"


def take_down(devices: DeviceSet, making: LvmMaking) -> None:
    """Take down all that there is of a setup."""
    forget_setup(devices)
    remove_group(devices, making)
    remove_physical_volume(devices, making)
    restore_profile(devices, making)


def remove_volume(devices: DeviceSet, making: LvmMaking, volume: str) -> None:
    """Remove a logical volume of the setup's group; the pool goes with its metadata."""
    lvm = Lvm(devices.machine)
    if _is_ours(lvm, making) and volume in lvm.volumes(GROUP):
        lvm.run(("lvremove", "--yes", f"{GROUP}/{volume}"))


def remove_group(devices: DeviceSet, making: LvmMaking) -> None:
    """Remove the setup's group and its volumes; LVM refuses while there is one of somebody else in it.

    A tool that did not end may have made a volume after all.
    """
    for volume in (METADATA, DATA):
        remove_volume(devices, making, volume)
    lvm = Lvm(devices.machine)
    if _is_ours(lvm, making):
        lvm.run(("vgremove", GROUP))


def remove_physical_volume(devices: DeviceSet, making: LvmMaking) -> None:
    """Take LVM's label off the device, if the setup has put it there and no group has it."""
    if making.was_volume:
        return
    lvm = Lvm(devices.machine)
    with suppress(FileMissingError):
        dev = devices.machine.files.identify(making.device).rdev
        if dev is not None and lvm.group_of(dev) == "":
            lvm.run(("pvremove", making.device))


def write_profile(devices: DeviceSet, making: LvmMaking) -> None:
    """Write the profile that tells LVM when to extend the pool."""
    devices.machine.files.make_directory(_PROFILES, 0o755)
    devices.store.durable.write(PROFILE_PATH, making.profile.encode())


def restore_profile(devices: DeviceSet, making: LvmMaking) -> None:
    """Put back what the profile said before, or remove it; one that somebody has changed since stays."""
    if read_profile(devices) != making.profile:
        return
    if making.profile_before is None:
        devices.store.durable.remove(PROFILE_PATH)
    else:
        devices.store.durable.write(PROFILE_PATH, making.profile_before.encode(errors="surrogateescape"))


def read_profile(devices: DeviceSet) -> str | None:
    """What the profile says; None where there is none that can be read."""
    with suppress(MachineError):
        return devices.store.durable.read(PROFILE_PATH).decode(errors="surrogateescape")
    return None


def forget_setup(devices: DeviceSet) -> None:
    """Remove the setup's parameters."""
    devices.store.durable.remove(setup_path(devices.store))


def _is_ours(lvm: Lvm, making: LvmMaking) -> bool:
    return making.tag in (lvm.group_tags(GROUP) or ())
